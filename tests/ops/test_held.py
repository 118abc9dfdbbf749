"""What a gate holds back is nowhere to be seen until a person decides, whatever happens beside it."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from db import catalogue, gates
from harvester import controlling, faultpoint, pipeline, publishing, reverting, settings
from harvester.demo.store import SampleClock
from harvester.errors import UsageError
from tests.journey import DEADLINE
from tests.ops.nights import EVENING, Nights, state
from tests.servers import postgres

pytestmark = pytest.mark.slow
NEW = 100  # the first record that the bad night brings
LATER = EVENING + timedelta(days=1)
_context = multiprocessing.get_context("forkserver")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Nights]:
    """Two libraries; each holds the same book as its number 5."""
    with Nights(tmp_path / "union", database_url, ("alun", "bukit"), records=60) as made:
        made.put("alun", 5, "Sejarah Banten lama")
        made.put("bukit", 5, "Sejarah Banten lama")
        made.work()
        made.tomorrow()
        yield made


def bad_night(union: Nights) -> None:
    """Alun's export goes wrong: twelve records are none, one has another title, there are new ones."""
    for number in range(NEW, NEW + 40):
        union.put("alun", number, "Ilmu gizi dasar" if number == NEW else "")
    for number in range(40, 52):
        union.spoil("alun", number)
    union.put("alun", 5, "???????")


def shown(union: Nights) -> list[tuple[str, ...]]:
    """The clusters as a fresh consumer gets them: the titles of union and members, in order."""
    with publishing.reading(union.opened) as read:
        return sorted(
            tuple(sorted({one.union.record.title.proper, *(m.record.title.proper for m in one.members)}))
            + tuple(sorted(str(m.address) for m in one.members))
            for page in read.pages()
            for one in page
        )


def test_a_held_harvest_shows_in_no_document_although_its_neighbours_change(union: Nights) -> None:
    before = shown(union)
    bad_night(union)
    union.put("bukit", NEW, "Ilmu gizi dasar")  # the same book as a new one of alun
    union.put("bukit", 5, "Sejarah Banten lama dan baru")  # in one cluster with a held one
    report = union.work()
    assert (state(report, "alun").state, state(report, "bukit").state) == ("held", "good")
    seen = shown(union)
    assert not any("???????" in one for one in seen)
    [gizi] = [one for one in seen if "Ilmu gizi dasar" in one]
    assert not any(name.startswith("alun/") for name in gizi)
    assert any("Sejarah Banten lama dan baru" in one for one in seen), "the neighbour is published the same night"
    assert {one for one in before if not any("bukit/" in name for name in one)} <= set(seen)
    with union.opened.database.read() as conn:
        assert gates.held_records(conn) == 41
    controlling.approve(union.opened, state(report, "alun").run, "rina")
    pipeline.match(union.opened)
    after = shown(union)
    assert any("???????" in one for one in after)
    [gizi] = [one for one in after if "Ilmu gizi dasar" in one]
    assert {name.partition("/")[0] for name in gizi if "/" in name} == {"alun", "bukit"}
    assert union.consortium.faults() == []


def test_every_harvest_waits_until_the_first_is_decided_and_one_decision_takes_them_all(union: Nights) -> None:
    bad_night(union)
    first = state(union.work(), "alun").run
    union.tomorrow()
    for number in range(40, 52):
        union.put("alun", number)
    union.put("alun", NEW + 60, "Datang kemudian")
    second = union.work()
    assert state(second, "alun").state == "held"
    assert not any("Datang kemudian" in one for one in shown(union))
    with pytest.raises(UsageError, match="waits for a decision"):
        reverting.release(union.opened, first, "rina")
    controlling.approve(union.opened, state(second, "alun").run, "rina")
    pipeline.match(union.opened)
    assert any("Datang kemudian" in one for one in shown(union))
    assert any("Ilmu gizi dasar" in one for one in shown(union))
    with union.opened.database.read() as conn:
        assert gates.waiting(conn) == []
        active = catalogue.members(conn, catalogue.active_ids(conn, 0, 10_000)).values()
    assert sum(len(one) for one in active) == 60 + 60 + 40 + 1
    union.tomorrow()
    assert state(union.work(), "alun").state == "good"
    assert union.consortium.faults() == []


def test_what_was_rejected_can_be_released_later_and_taken_back_again(union: Nights) -> None:
    before = shown(union)
    bad_night(union)
    run = state(union.work(), "alun").run
    settled = controlling.reject(union.opened, run, "rina", "salah ekspor")
    assert settled.records == 41
    pipeline.match(union.opened)
    assert shown(union) == before
    done = reverting.release(union.opened, run, "rina")
    pipeline.match(union.opened)
    assert any("Ilmu gizi dasar" in one for one in shown(union))
    with pytest.raises(UsageError, match="taken again"):
        reverting.revert(union.opened, run, "rina")
    reverting.revert(union.opened, done.run, "rina")
    pipeline.match(union.opened)
    assert shown(union) == before


def _die(folder: str, point: str, run: int) -> None:
    """Harvest alun, or approve a run of it, until *point*."""
    made = pipeline.open_pipeline(settings.load(Path(folder) / "induk.yaml", environ={}), {}, SampleClock(LATER))
    faultpoint.arm(point)
    if run:
        controlling.approve(made, run, "rina")
    else:
        pipeline.harvest_one(made, "alun")


def killed(union: Nights, point: str, run: int = 0) -> None:
    """Do it in a process that dies there."""
    process = _context.Process(target=_die, args=(str(union.consortium.folder), point, run))
    process.start()
    process.join(DEADLINE)
    assert process.exitcode == -signal.SIGKILL, f"{point} was not reached"
    postgres.until_idle(union.consortium.url)


@pytest.mark.parametrize("point", ["harvest.run.closed", *faultpoint.REVERT_POINTS])
def test_killed_while_it_is_set_back_it_is_set_back_by_whoever_comes_next(union: Nights, point: str) -> None:
    before = shown(union)
    bad_night(union)
    killed(union, point)
    with union.opened.database.read() as conn:
        [row] = gates.waiting(conn)
    pipeline.match(union.opened)
    assert shown(union) == before
    for again in faultpoint.REVERT_POINTS:
        killed(union, again, row["id"])
    controlling.approve(union.opened, row["id"], "rina")
    pipeline.match(union.opened)
    assert any("???????" in one for one in shown(union))
    assert union.consortium.faults() == []
