"""Other rules are swapped in at once: whoever looks while they are built sees the old groups, then the new ones."""

from __future__ import annotations

import multiprocessing
import os
import re
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from db import catalogue, changes
from harvester import deciding, faultpoint, promoted, simulating
from harvester.clock import SystemClock
from harvester.demo.sample import EVENING, Sample
from harvester.demo.store import SampleClock
from harvester.match import rules
from tests.journey import DEADLINE, Consortium, enrol_sample

pytestmark = pytest.mark.slow
_context = multiprocessing.get_context("forkserver")


@pytest.fixture
def union(demo_night: Path, tmp_path: Path) -> Consortium:
    """The demo catalogue in small batches, so that a promotion takes many of them."""
    shutil.copytree(demo_night, tmp_path / "union")
    url = f"sqlite:///{tmp_path / 'union' / 'induk.db'}"
    return Consortium(tmp_path / "union", url, batch=20, clock=SampleClock(EVENING))


@pytest.fixture
def anywhere(tmp_path: Path, database_url: str) -> Consortium:
    """The same on both databases."""
    with Sample(tmp_path / "partners", SampleClock(EVENING)) as sample:
        made = Consortium(tmp_path / "union", database_url, batch=20, clock=sample.clock)
        enrol_sample(made, sample.partners())
        made.night()
    return made


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    text = re.sub(r"(?m)^  merge: .*$", "  merge: 8", rules.load().text, count=1)
    path = tmp_path / "stricter.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def _promote(folder: str, path: str, point: str, count: int) -> None:
    if point:
        faultpoint.arm(point, count)
    simulating.promote(Consortium.settings_in(Path(folder)), {}, SystemClock(), Path(path))


def started(union: Consortium, path: Path, point: str = "", count: int = 1) -> Any:
    process = _context.Process(target=_promote, args=(str(union.folder), str(path), point, count))
    process.start()
    return process


def groups(conn: Any) -> frozenset[tuple[str, ...]]:
    held = catalogue.members(conn, catalogue.active_ids(conn, 0, 100_000))
    return frozenset(tuple(one.address for one in members) for members in held.values())


def seen(conn: Any) -> tuple[frozenset[tuple[str, ...]], int]:
    """The groups, and where the feed stands."""
    return groups(conn), int(changes.feed_state(conn)["released"])


def test_readers_and_consumers_see_all_of_the_old_or_all_of_the_new(anywhere: Consortium, stricter: Path) -> None:
    before = anywhere.ask(seen)
    with anywhere.opened() as made:
        foreseen = frozenset(simulating.groups_by(made, rules.load(stricter)))
        looks = []
        process = started(anywhere, stricter)
        while process.is_alive():
            with made.database.read() as conn:
                looks.append(seen(conn))
        process.join()
        assert process.exitcode == 0
    after = anywhere.ask(seen)
    assert after[0] == foreseen != before[0]
    assert after[1] - before[1] > 1
    assert len(looks) > 5
    assert set(looks) <= {before, after}
    assert anywhere.faults() == []


@pytest.mark.parametrize(
    ("point", "count", "new"),
    [
        ("match.run.opened", 1, False),
        ("match.batch.committed", 3, False),
        ("promote.matched", 1, False),
        ("promote.swapped", 1, True),
    ],
)
def test_killed_anywhere_all_is_old_or_all_is_new(
    union: Consortium, stricter: Path, point: str, count: int, new: bool
) -> None:
    before, dump = union.ask(seen), union.dump()
    with union.opened() as made:
        foreseen = frozenset(simulating.groups_by(made, rules.load(stricter)))
    process = started(union, stricter, point, count)
    process.join(DEADLINE)
    assert process.exitcode == -signal.SIGKILL, point
    wanted = rules.load(stricter if new else None).hash
    with union.opened() as made:
        assert made.match.hash == wanted, "file and database are of one kind"
    assert union.ask(groups) == (foreseen if new else before[0])
    assert union.faults() == []
    if not new:
        assert union.dump() == dump
        simulating.promote(union.settings(), {}, union.clock, stricter)
        assert union.ask(groups) == foreseen
    assert union.match()["changes"] == 0
    simulating.rollback(union.settings(), {}, union.clock)
    assert union.ask(groups) == before[0]


def test_killed_at_random_moments_all_is_old_or_all_is_new(union: Consortium, stricter: Path) -> None:
    before = union.ask(groups)
    with union.opened() as made:
        foreseen = frozenset(simulating.groups_by(made, rules.load(stricter)))
    for pause in (0.4, 0.9):
        process = started(union, stricter)
        time.sleep(pause)
        if process.is_alive():
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        with union.opened() as made:
            new = made.match.hash != rules.load().hash
        assert union.ask(groups) == (foreseen if new else before)
        if new:
            simulating.rollback(union.settings(), {}, union.clock)
            assert union.ask(groups) == before
    assert union.faults() == []


def test_what_a_person_decides_meanwhile_holds(anywhere: Consortium, stricter: Path) -> None:
    with anywhere.opened() as made:
        other = sorted(simulating.groups_by(made, rules.load(stricter)))
        pair = next(one for one in sorted(anywhere.ask(groups)) if len(one) == 2 and one not in other)
        process = started(anywhere, stricter)
        while process.is_alive() and not (anywhere.folder / "mappings" / "rules" / "match.next").is_file():
            time.sleep(0.005)
        told = deciding.merge(made, list(pair), "anna", "I hold both in my hands")
        process.join(DEADLINE)
        assert process.exitcode == 0
        assert told.decision
    anywhere.match()
    assert pair in anywhere.ask(groups)
    with anywhere.opened() as made:
        assert anywhere.ask(groups) == frozenset(simulating.groups_by(made, made.match))
    assert anywhere.faults() == []


def test_ids_of_untouched_clusters_stay_and_come_back(union: Consortium, stricter: Path) -> None:
    def ids(conn: Any) -> dict[tuple[str, ...], int]:
        held = catalogue.members(conn, catalogue.active_ids(conn, 0, 100_000))
        return {tuple(one.address for one in members): key for key, members in held.items()}

    before = union.ask(ids)
    simulating.promote(union.settings(), {}, union.clock, stricter)
    after = union.ask(ids)
    kept = before.keys() & after.keys()
    assert len(kept) > 20
    assert all(before[one] == after[one] for one in kept)
    # of a cluster that falls apart one part keeps the id
    broken = {before[one] for one in before.keys() - after.keys()}
    assert broken <= set(after.values())


def test_an_offered_file_of_nobody_is_forgotten(union: Consortium, stricter: Path) -> None:
    promoted.offer(union.settings(), rules.load(stricter))
    with union.opened() as made:
        assert made.match.hash == rules.load().hash
    assert not list((union.folder / "mappings" / "rules").iterdir())
