"""Weeks of nights: nothing grows, sticks or drifts; a partner that is dead is listed, and news once."""

from __future__ import annotations

import ctypes
import gc
import random
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import prune
from db.tables import quarantine, record, run, source
from harvester.clock import stamp
from tests.ops.nights import Nights, state

SEED = 20261122
DEAD = "p00"
FAULTS = (
    "truncate@0.5",
    "drop@0.3",
    "503",
    "500",
    "html",
    "ampersand",
    "trailing",
    "expired",
    "no-records",
    "no-token",
)
FULL = pytest.mark.prove


def resident(union: Nights) -> int:
    """Kilobytes that this process holds, apart from the page caches of SQLite, which are bounded (32 MiB each)."""
    gc.collect()
    union.opened.database.engine.dispose()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


def changed(union: Nights, dice: random.Random, night: int) -> None:
    """What partners do in a day: a new book or an edited one, now and then one withdrawn and one nobody can read.

    One in sixty changes, as libraries do; more withdrawals (a tenth in thirty days) would halt for a person.
    """
    for code, store in union.stores.items():
        known = sorted(store.live())
        if night % 2:
            union.put(code, 1000 + night)
        else:
            union.put(code, int(dice.choice(known)), title=f"Suntingan malam {night} milik {code}")
        if night % 8 == 0:
            store.delete(dice.choice(known), at=union.clock.now())
        if dice.random() < 0.1:
            union.spoil(code, 2000 + night)


def faulty(dice: random.Random, share: float) -> str:
    """The script by which a *share* of the requests go wrong."""
    return ", ".join(f"request={number}:{dice.choice(FAULTS)}" for number in range(1, 31) if dice.random() < share)


def drifts(union: Nights) -> dict[str, int]:
    """Source → the partner's own count less what is active, in quarantine or excluded."""
    held = select(source.c.code, func.count()).join(record, record.c.source_id == source.c.id)
    held = held.where(record.c.state.in_(("active", "excluded"))).group_by(source.c.code)
    unread = select(source.c.code, func.count()).join(quarantine, quarantine.c.source_id == source.c.id)
    unread = unread.where(quarantine.c.state == "open").group_by(source.c.code)
    with union.opened.database.read() as conn:
        counted = dict(conn.execute(held).all()), dict(conn.execute(unread).all())
    return {code: len(store.live()) - sum(one.get(code, 0) for one in counted) for code, store in union.stores.items()}


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("sources", "nights", "share"), [(5, 5, 0.05), pytest.param(50, 30, 0.01, marks=FULL)])
def test_nights_with_faults_leave_what_the_partners_hold(
    tmp_path: Path, sources: int, nights: int, share: float
) -> None:
    dice = random.Random(SEED)
    codes = tuple(f"p{number:02}" for number in range(sources))
    memory, asked, struck, news = [], 0, 0, []
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", codes, records=60) as union:
        for night in range(nights + 1):
            changed(union, dice, night)
            for code in codes:
                union.simulator.set_faults(code, faulty(dice, share) if night < nights else "")
            union.down(DEAD)
            report = union.work()
            asked += sum(1 for one in union.simulator.requests if one.partner != DEAD)
            struck += sum(1 for one in union.simulator.requests if one.fault and one.partner != DEAD)
            union.simulator.requests.clear()
            news.append([task.news for task in report.tasks if task.key == f"down:{DEAD}"])
            memory.append(resident(union))
            union.tomorrow()
        assert [code for code in codes if state(report, code).state != "good"] == [DEAD]
        assert news == [[True]] + nights * [[False]]
        assert [code for code, apart in drifts(union).items() if apart and code != DEAD] == []
        with union.opened.database.read() as conn:
            assert conn.execute(select(run.c.id).where(run.c.verdict == "running")).all() == []
        assert union.consortium.faults() == []
    print(f"\n{nights} nights, {sources} sources: {struck} faults in {asked} requests, memory in kB {memory}")
    assert struck
    if nights >= 30:
        assert memory[-1] / memory[4] < 1.05


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_a_thousand_nights_of_unchanged_sweeps_leave_a_database_that_does_not_grow(tmp_path: Path) -> None:
    """By the retention that ships, pruned once a month: a night leaves its run, and after 13 months nothing."""
    path = tmp_path / "induk.db"
    sizes = []
    sweep = {"options": {"strategy": "sweep+absence"}}
    with Nights(tmp_path / "union", f"sqlite:///{path}", ("alun",), records=120, source=sweep) as union:
        kept = union.opened.settings.retention
        assert (kept.runs_days, kept.changes_days) == (400, 400)
        for night in range(1000):
            assert union.work().sources[0].received == 120
            union.tomorrow()
            if night % 30 == 29:
                prune.prune(union.opened.database, policy(union))
                sizes.append(path.stat().st_size)
        assert union.consortium.faults() == []
    print(f"\nbytes a month: {sizes}")
    assert sizes[13] <= sizes[0] * 1.01**13
    assert all(after <= before * 1.01 for before, after in pairwise(sizes[13:]))


def policy(union: Nights) -> prune.Policy:
    """What `induk db prune` lets go by the settings."""
    from datetime import timedelta

    kept, now = union.opened.settings.retention, union.clock.now()
    before = [stamp(now - timedelta(days=days)) for days in (kept.runs_days, kept.changes_days)]
    return prune.Policy(versions=kept.versions, runs_before=before[0], changes_before=before[1], now=stamp(now))
