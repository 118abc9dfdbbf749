"""Nights over real HTTP and a real database: verdicts, exit codes, what is told when, what is held back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from db import gates, work
from db.tables import cluster_brief
from harvester import controlling, pipeline, reporting, scheduling
from harvester.cli.common import worst
from harvester.pipeline import HARVEST_LOCK
from harvester.reports import nightly as report_of_a_night
from harvester.reports.nightly import SourceNight, Task
from harvester.schedule import Due
from tests.ops.nights import Nights, as_json, state, tasks

Make = Callable[..., Nights]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes a consortium on SQLite; entered at once, closed at the end."""
    made: list[Nights] = []

    def build(*codes: str, **more: Any) -> Nights:
        folder = tmp_path / f"union{len(made)}"
        folder.mkdir()
        one = Nights(folder, f"sqlite:///{folder / 'induk.db'}", codes, **more).__enter__()
        made.append(one)
        return one

    yield build
    for one in made:
        one.__exit__()


def test_z116_one_source_that_fails_leaves_the_others_their_night(make: Make) -> None:
    union = make("alun", "bukit", "candi")
    union.down("bukit")
    report = union.work()
    assert (report.verdict, report.exit) == ("partial", 1)
    assert [state(report, code).state for code in ("alun", "bukit", "candi")] == ["good", "down", "good"]
    assert state(report, "alun").received == 12
    assert "503" in state(report, "bukit").reason
    assert tasks(report) == ["down:bukit"]
    assert report.catalogue["records"] == 24


def test_a_night_in_which_all_is_well_ends_with_0(make: Make) -> None:
    report = make("alun", "bukit").work()
    assert (report.verdict, report.exit, report.severity, tasks(report)) == ("complete", 0, "info", [])


def test_a_harvest_that_brings_nothing_at_all_is_no_quiet_success(make: Make) -> None:
    report = make("alun", "kosong", records=0).work("kosong")
    assert state(report, "kosong").verdict == "partial"
    assert report.exit == 1
    assert tasks(report) == ["down:kosong"]


def test_deletions_that_wait_for_a_person_are_not_told_as_done(make: Make) -> None:
    union = make("alun")
    union.work()
    union.tomorrow()
    for number in range(8):
        union.stores["alun"].delete(f"{number:05}", at=union.clock.now())
    report = union.work()
    assert (report.exit, state(report, "alun").deleted, report.totals["deleted"]) == (3, 0, 0)
    assert ", 0 deleted" in "\n".join(report_of_a_night.lines(report, "en"))
    controlling.approve(union.opened, state(report, "alun").run, "rina")
    assert reporting.report(union.opened).totals["deleted"] == 8


def test_within_its_nights_of_tolerance_a_partner_is_listed_and_beyond_them_the_night_fails(make: Make) -> None:
    union = make("alun", "bukit", partner={"bukit": {"tolerate_nights": 2}})
    union.work()
    union.down("bukit")
    codes = []
    for _ in range(4):
        union.tomorrow()
        report = union.work()
        codes.append((report.exit, state(report, "bukit").state, state(report, "bukit").bad_nights))
        assert "bukit" in "\n".join(report_of_a_night.lines(report, "en"))
    assert codes == [(0, "tolerated", 1), (0, "tolerated", 2), (1, "down", 3), (1, "down", 4)]


@pytest.mark.slow
def test_z118_the_same_failure_for_30_nights_is_news_once_and_over_once(make: Make) -> None:
    union = make("alun", "bukit", records=2)
    union.work()
    union.down("bukit")
    news = []
    for _ in range(30):
        union.tomorrow()
        report = union.work()
        news.append(report.severity)
        assert tasks(report) == ["down:bukit"]
    assert news == ["error"] + 29 * ["warning"]
    union.up("bukit")
    told = []
    for _ in range(3):
        union.tomorrow()
        told.append(union.work().recovered)
    assert told == [("bukit",), (), ()]


def test_a_source_that_is_silent_for_three_intervals_is_stale(make: Make) -> None:
    union = make("alun", "bukit")
    union.work()
    for _ in range(4):
        union.tomorrow()
        report = union.work("alun")
    assert state(report, "bukit").stale
    assert not state(report, "alun").stale
    assert "stale:bukit" in tasks(report)


def test_exit_codes_come_in_their_order() -> None:
    def one(kind: str) -> SourceNight:
        return SourceNight("x", "X", "X", kind)

    def task(kind: str) -> Task:
        return Task(kind, kind, "do")

    good, bad = one("good"), one("down")
    assert report_of_a_night.judge((bad, good), (task("integrity"), task("gate")))[1] == 4
    assert report_of_a_night.judge((bad, good), (task("gate"),))[1] == 3
    assert report_of_a_night.judge((bad, good), ())[1] == 1
    assert report_of_a_night.judge((good, one("tolerated")), ())[1] == 0
    assert report_of_a_night.judge((one("locked"), one("locked")), ())[1] == 75
    assert report_of_a_night.judge((one("locked"), good), ())[1] == 0
    assert report_of_a_night.judge((good,), (), outputs={"solr": "away"})[1] == 1
    assert worst([75, 0]) == 0


# ---- gates ---------------------------------------------------------------------------------------------


def titles(union: Nights) -> set[str]:
    with union.opened.database.read() as conn:
        return {row[0] for row in conn.execute(select(cluster_brief.c.title))}


def test_a_source_that_looks_unlike_itself_is_held_back_and_the_others_are_published(make: Make) -> None:
    union = make("alun", "bukit", records=100)
    union.work()
    union.tomorrow()
    for number in range(100, 170):
        union.put("alun", number, title="Judul baru" if number == 100 else "")
    for number in range(88, 100):
        union.spoil("alun", number)
    union.put("bukit", 7, title="Buku yang baru disunting")
    report = union.work()
    assert state(report, "alun").state == "held", state(report, "alun")
    assert (report.verdict, report.exit) == ("halted", 3)
    assert "Buku yang baru disunting" in titles(union)
    assert "Judul baru" not in titles(union)
    assert union.consortium.faults() == []
    [task] = report.tasks
    assert task.command.startswith(f"induk run approve {state(report, 'alun').run}")
    assert "cannot be mapped" in task.reason
    ages = []
    for _ in range(7):
        union.tomorrow()
        later = union.work("bukit")
        [task] = [one for one in later.tasks if one.kind == "gate"]
        ages.append((task.days, later.severity))
        assert later.exit == 3
    told = {1: "error", 3: "error", 7: "error"}
    assert ages == [(day, told.get(day, "warning")) for day in range(1, 8)]
    controlling.approve(union.opened, state(report, "alun").run, "rina")
    pipeline.match(union.opened)
    assert "Judul baru" in titles(union)
    assert union.work("bukit").exit == 0


def test_what_a_rejected_run_brought_never_reaches_the_union(make: Make) -> None:
    union = make("alun", records=100)
    union.work()
    before = titles(union)
    union.tomorrow()
    for number in range(100, 170):
        union.put("alun", number, title="Judul baru" if number == 100 else "")
    for number in range(88, 100):
        union.spoil("alun", number)
    report = union.work()
    assert state(report, "alun").state == "held"
    controlling.reject(union.opened, state(report, "alun").run, "rina", "salah ekspor")
    pipeline.match(union.opened)
    assert titles(union) == before
    assert union.consortium.faults() == []


def test_nothing_is_held_back_without_the_gates(make: Make) -> None:
    """The same night is red without them: the mutant's catalogue takes everything."""
    union = make("alun", records=100, config="gates: {failures_percent: 100, fewer_percent: 100}\n")
    union.work()
    union.tomorrow()
    for number in range(100, 170):
        union.put("alun", number, title="Judul baru" if number == 100 else "")
    for number in range(88, 100):
        union.spoil("alun", number)
    assert state(union.work(), "alun").state == "good"
    assert "Judul baru" in titles(union)


def test_held_records_are_set_back_and_counted(make: Make) -> None:
    union = make("alun", records=100)
    union.work()
    union.tomorrow()
    for number in range(100, 170):
        union.put("alun", number)
    for number in range(88, 100):
        union.spoil("alun", number)
    union.work()
    with union.opened.database.read() as conn:
        assert (work.queued(conn), gates.held_records(conn)) == (0, 70)


# ---- slots, deadlines, dead runs -----------------------------------------------------------------------


def test_what_is_due_is_worked_once_and_a_slot_in_the_way_of_another_harvest_is_given_back(make: Make) -> None:
    union = make("alun", "bukit")
    union.clock.sleep(60)
    assert scheduling.due(union.opened) == []  # new: it owes nothing of the time before
    union.tomorrow()
    due = scheduling.due(union.opened)
    assert [one.code for one in due] == ["alun", "bukit"]
    with union.opened.database.lock(HARVEST_LOCK + "alun"):
        night = scheduling.work_night(union.opened, due)
    assert [one.verdict for one in night.worked] == ["locked", "complete"]
    assert [one.code for one in scheduling.due(union.opened)] == ["alun"]
    scheduling.work_night(union.opened, scheduling.due(union.opened))
    assert scheduling.due(union.opened) == []
    again = scheduling.work_night(union.opened, due)
    assert {one.verdict for one in again.worked} == {"skipped"}


def test_z114_a_run_that_a_dead_process_left_is_closed_at_the_next_start(make: Make) -> None:
    union = make("alun")
    union.work()
    with union.opened.database.write() as conn:
        dead = work.open_run(conn, "harvest", union.opened.source_ids["alun"], union.opened.now())
    with union.opened.database.lock(HARVEST_LOCK + "alun"):
        assert scheduling.close_dead(union.opened) == 0  # it may be alive
    assert scheduling.close_dead(union.opened) == 1
    with union.opened.database.read() as conn:
        row = work.get_run(conn, dead)
    assert row is not None
    assert (row["verdict"], row["reason"].split(":")[0]) == ("partial", "interrupted")


def test_z114_a_harvest_ends_when_its_time_is_over_and_goes_on_the_next_night(make: Make) -> None:
    union = make("alun", records=60, config="harvest: {run_hours: 0.01}\n")
    union.simulator.set_faults("alun", "page=3:503*9")  # each try makes the clock of the test go on
    first = union.work()
    assert state(first, "alun").verdict == "partial"
    union.up("alun")
    union.tomorrow()
    second = union.work()
    assert state(second, "alun").verdict == "complete"
    assert second.catalogue["records"] == 60


def test_z117_a_slow_host_leaves_room_for_the_others() -> None:
    jobs = [Due(f"lambat-{number}", "") for number in range(10)] + [Due("cepat", "")]
    queue = iter(scheduling._Queue(jobs, lambda code: code.partition("-")[0]))
    others = [scheduling._Queue.__iter__(queue.gi_frame.f_locals["self"]) for _ in range(2)]
    assert [next(queue).code, next(others[0]).code, next(others[1]).code] == ["lambat-0", "lambat-1", "cepat"]


def test_an_error_of_our_own_in_one_source_is_a_verdict_and_not_the_end_of_the_night(make: Make) -> None:
    union = make("alun", "bukit")
    ids = {"alun": union.opened.source_ids["alun"]}  # the other one is met as no code of ours expects
    torn = msgspec.structs.replace(union.opened, source_ids=ids)
    found = scheduling.harvest(torn, scheduling.asked(torn, ["alun", "bukit"]), "2026-03-03")
    assert [(one.source, one.verdict) for one in found] == [("alun", "complete"), ("bukit", "failed")]
    assert "an error of Induk itself: KeyError" in found[1].reason


# ---- told numbers --------------------------------------------------------------------------------------


def test_the_report_is_the_same_when_it_is_asked_for_later(make: Make) -> None:
    union = make("alun", "bukit")
    union.down("bukit")
    first = union.work()
    union.reopen()
    again = reporting.report(union.opened, first.night)
    assert as_json(again) == as_json(first)
    totals = first.totals["received"]
    assert f"{totals} records received" in "\n".join(report_of_a_night.lines(first, "en"))
    assert json.loads(json.dumps(as_json(first)))["exit"] == 1


def test_the_calendar_has_a_sign_a_night(make: Make) -> None:
    union = make("alun", "bukit", records=2)
    for night in range(3):
        if night == 1:
            union.down("bukit")
        union.work()
        union.tomorrow()
    found = reporting.calendar(union.opened, 5)
    assert found.rows["alun"] == ("", "complete", "complete", "complete", "")
    assert found.rows["bukit"] == ("", "complete", "failed", "failed", "")
