"""A night: the sources that are due, side by side and each at most once a slot; then match; then one verdict.

`induk nightly`, `induk scheduler due` (cron, systemd timer) and `induk scheduler run` (daemon) are this code. The
truth stands in our tables: APScheduler only wakes the daemon, in memory, and may lose everything at any time.
"""

from __future__ import annotations

import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection

from db import control, nights
from harvester import auditing, schedule
from harvester import pipeline as journey
from harvester.clock import stamp
from harvester.errors import IndukError, Locked
from harvester.job import Outcome
from harvester.model import Value
from harvester.pipeline import HARVEST_LOCK, Order, Pipeline
from harvester.schedule import Due, Past, Plan
from harvester.settings import file_times

SLOT_LOCK = "slot:"
DAEMON_LOCK = "scheduler"
TICK_SECONDS = 20
MORNING = 7  # the hour at which people read what the night was like
SIDE_BY_SIDE = 6  # outputs: each takes two connections
A_HOST = 2  # sources of one host at the same time: a slow one must not hold up all the others
T = TypeVar("T")
Progress = Callable[[str, Mapping[str, int]], None]


class Worked(Value, frozen=True):
    """What came of one source tonight. verdict `locked`: another process was at it; `skipped`: it was done already."""

    source: str
    verdict: str
    reason: str = ""
    run: int = 0
    proof: str = ""
    slot: str = ""


class Night(Value, frozen=True):
    """What came of a night's work, as the report needs it; `matched` is empty when matching did not run."""

    night: str
    worked: tuple[Worked, ...] = ()
    matched: Mapping[str, Any] = {}
    trouble: str = ""
    published: Mapping[str, str] = {}  # output → why it failed, empty when it did not
    renewed: Mapping[str, str] = {}  # output → what it had lost, so that everything was written anew
    stopped: bool = False


# ---- what is due ---------------------------------------------------------------------------------------


def plans(pipeline: Pipeline) -> list[Plan]:
    """The plan of every source, as its partner's file says."""
    return [
        Plan(source.code, source.schedule, partner.timezone, tuple(source.options.get("windows", ())))
        for partner in pipeline.settings.partners
        for source in partner.sources
    ]


def history(pipeline: Pipeline) -> dict[str, Past]:
    """What was done of the plans of active partners."""
    with pipeline.database.read() as conn:
        rows = nights.slots(conn)
    return {row["code"]: Past(_moment(row["added_at"]), row["night"] or "", _ended(row), row["tries"]) for row in rows}


def _ended(row: Mapping[str, Any]) -> bool:
    return row["started_at"] is None or row["ended_at"] is not None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def due(pipeline: Pipeline) -> list[Due]:
    """The sources to be harvested now."""
    known = history(pipeline)
    return schedule.due(pipeline.clock.now(), [plan for plan in plans(pipeline) if plan.code in known], known)


def asked(pipeline: Pipeline, codes: Sequence[str]) -> list[Due]:
    """These sources now, whether due or not: a daemon then takes their present slot for done."""
    known = {plan.code: plan for plan in plans(pipeline)}
    now = pipeline.clock.now()
    slots = {code: schedule.last_slot(now, known[code]) for code in codes}
    return [Due(code, slot.strftime("%Y-%m-%dT%H:%M") if slot else "") for code, slot in slots.items()]


def night_of(pipeline: Pipeline) -> str:
    """The night that it is in the consortium's time zone, called by its morning: it begins at noon."""
    local = pipeline.clock.now().astimezone(ZoneInfo(pipeline.settings.timezone))
    return (local + timedelta(hours=12)).date().isoformat()


# ---- harvesting side by side ---------------------------------------------------------------------------


class _Queue:
    """Jobs for the workers: the next one whose host is not busy with too many others."""

    def __init__(self, jobs: Sequence[Due], host: Callable[[str], str]) -> None:
        self._waiting = list(jobs)
        self._host = host
        self._busy: dict[str, int] = {}
        self._changed = threading.Condition()

    def __iter__(self) -> Iterator[Due]:
        while (job := self._next()) is not None:
            try:
                yield job
            finally:
                with self._changed:
                    self._busy[self._host(job.code)] -= 1
                    self._changed.notify_all()

    def _next(self) -> Due | None:
        with self._changed:
            while self._waiting:
                for number, job in enumerate(self._waiting):
                    host = self._host(job.code)
                    if not host or self._busy.get(host, 0) < A_HOST:
                        self._busy[host] = self._busy.get(host, 0) + 1
                        return self._waiting.pop(number)
                self._changed.wait(1.0)
            return None


def harvest(
    pipeline: Pipeline,
    jobs: Sequence[Due],
    night: str,
    progress: Progress = lambda source, counts: None,
    *,
    forced: bool = False,
) -> list[Worked]:
    """Harvest these sources; what happens to one neither stops nor hides another. *forced*: whether due or not."""
    hosts = {one.code: urlsplit(one.url).hostname or "" for one in pipeline.settings.sources}
    queue = _Queue(jobs, lambda code: hosts.get(code, ""))
    found: list[Worked] = []

    def work() -> None:
        for job in queue:
            if pipeline.cancel():
                found.append(Worked(job.code, "partial", "not begun: stopped as asked", slot=job.slot))
            else:
                found.append(_one(pipeline, job, night, progress, forced))

    count = max(1, min(pipeline.settings.harvest.partners_at_once, len(jobs)))
    with ThreadPoolExecutor(count, thread_name_prefix="harvest") as pool:
        for done in [pool.submit(work) for _ in range(count)]:
            done.result()
    return sorted(found, key=lambda one: one.source)


def _one(pipeline: Pipeline, job: Due, night: str, progress: Progress, forced: bool) -> Worked:
    """One source, in its slot; every trouble becomes a verdict."""
    try:
        with _slot(pipeline, job, forced) as mine:
            if not mine:
                return Worked(job.code, "skipped", "this slot was worked already", slot=job.slot)
            outcome = pipeline.database.persist(lambda: _harvest_until(pipeline, job, night, progress))
            return Worked(job.code, outcome.verdict, outcome.reason, outcome.run_id, outcome.proof, job.slot)
    except Locked as error:
        return Worked(job.code, "locked", str(error), slot=job.slot)
    except IndukError as error:
        return Worked(job.code, "failed", str(error), slot=job.slot)
    except Exception as error:  # noqa: BLE001  a fault of ours in one source must not cost the others their night
        pipeline.log("source_crashed", source=job.code, error=repr(error), traceback=traceback.format_exc())
        return Worked(job.code, "failed", f"an error of Induk itself: {type(error).__name__}: {error}", slot=job.slot)


@contextmanager
def _slot(pipeline: Pipeline, job: Due, forced: bool) -> Iterator[bool]:
    """Claim the slot while holding its lock; False when it was worked meanwhile.

    A slot that another harvest is in the way of is given back; one that was stopped half-way stays begun, so that
    the next start takes it up again.
    """
    database = pipeline.database
    with database.lock(SLOT_LOCK + job.code):
        with database.read() as conn:
            before = next((row for row in nights.slots(conn) if row["code"] == job.code), None)
        mine = _write(pipeline, lambda conn: nights.claim(conn, job.code, job.slot, pipeline.now()))
        if not mine and not forced:
            yield False
            return
        try:
            yield True
        except Locked:
            if before is not None:
                with database.write() as conn:
                    nights.give_back(conn, job.code, before)
            raise
        if not pipeline.cancel():
            _write(pipeline, lambda conn: nights.finish(conn, job.code, pipeline.now()))


def _write(pipeline: Pipeline, work: Callable[[Connection], T]) -> T:
    """One small transaction, done again if the database goes away in it."""

    def once() -> T:
        with pipeline.database.write() as conn:
            return work(conn)

    return pipeline.database.persist(once)


def _harvest_until(pipeline: Pipeline, job: Due, night: str, progress: Progress) -> Outcome:
    """Harvest, but not beyond the hours that a run and the partner's window allow."""
    plan = next(plan for plan in plans(pipeline) if plan.code == job.code)
    now, hours = pipeline.clock.now(), pipeline.settings.harvest.run_hours
    # monotonic: a clock that is set must neither end a harvest nor keep it for ever
    ends = pipeline.clock.monotonic() + (schedule.deadline(now, plan, hours) - now).total_seconds()

    def late() -> bool:
        return pipeline.clock.monotonic() >= ends

    bounded = msgspec.structs.replace(pipeline, cancel=lambda: pipeline.cancel() or late())
    outcome = journey.harvest_one(bounded, job.code, Order(night=night), progress)
    if outcome.verdict in ("partial", "failed") and late() and not pipeline.cancel():
        reason = "its time was over; the next night goes on where it stopped"
        with pipeline.database.write() as conn:
            control.settle_run(conn, outcome.run_id, outcome.verdict, reason)
        return msgspec.structs.replace(outcome, reason=reason)
    return outcome


# ---- a whole night -------------------------------------------------------------------------------------


def work_night(
    pipeline: Pipeline,
    jobs: Sequence[Due],
    progress: Progress = lambda source, counts: None,
    *,
    forced: bool = False,
    environ: Mapping[str, str] | None = None,
) -> Night:
    """Harvest, match and publish; the result is what the report and the exit code are made of."""
    night = night_of(pipeline)
    pipeline.database.persist(lambda: close_dead(pipeline))
    worked = harvest(pipeline, jobs, night, progress, forced=forced)
    if worked and all(one.verdict in ("locked", "skipped") for one in worked):
        return Night(night, tuple(worked), stopped=pipeline.cancel())
    worked = [_upkeep(pipeline, one) for one in worked]
    matched, trouble = _match(pipeline)
    published, renewed = ({}, {}) if pipeline.cancel() or trouble else _publish(pipeline, environ or os.environ)
    return Night(night, tuple(worked), matched, trouble, published, renewed, pipeline.cancel())


def _upkeep(pipeline: Pipeline, one: Worked) -> Worked:
    """Compare identifiers and measure anew where that is due; an audit that must wait for a person says so."""
    if one.verdict != "complete" or pipeline.cancel():
        return one
    try:
        audits = auditing.upkeep(pipeline, [one.source]).audits
    except IndukError as error:
        pipeline.log("upkeep_failed", source=one.source, error=str(error))
        return one
    halted = next((audit for audit in audits if audit.verdict == "halted"), None)
    return msgspec.structs.replace(one, verdict="halted", reason=halted.reason, run=halted.run) if halted else one


def _match(pipeline: Pipeline) -> tuple[dict[str, Any], str]:
    try:
        return pipeline.database.persist(lambda: journey.match(pipeline)), ""
    except Locked:
        return {}, "matching is at work in another process, which takes up what was harvested"


def _publish(pipeline: Pipeline, environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Bring every configured output up to date, side by side: none waits for one that does not answer.

    One that fails goes on next time from where it stands. Returns what failed and what had lost something.
    """
    from harvester import publishing

    renewed: dict[str, str] = {}

    def one(name: str) -> str:
        try:
            if lost := publishing.publish(pipeline, name, environ).lost:
                renewed[name] = lost
        except IndukError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001  a fault of ours in one output must not cost the others their night
            pipeline.log("output_crashed", output=name, error=repr(error), traceback=traceback.format_exc())
            return f"an error of Induk itself: {type(error).__name__}: {error}"
        return ""

    names = list(pipeline.settings.outputs)
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="publish") as pool:
        return dict(zip(names, pool.map(one, names), strict=True)), renewed


def close_dead(pipeline: Pipeline) -> int:
    """Close the harvests that a dead process left `running`: those whose source's lock can be had. Returns how many."""
    with pipeline.database.read() as conn:
        rows = [row for row in nights.recent(conn, "") if row["verdict"] == "running" and row["source"]]
    closed = 0
    for row in rows:
        try:
            with pipeline.database.lock(HARVEST_LOCK + row["source"]), pipeline.database.write() as conn:
                closed += nights.close_dead(conn, [row["source_id"]], pipeline.now())
        except Locked:
            continue
    return closed


# ---- the daemon ----------------------------------------------------------------------------------------


def run_daemon(
    opener: Callable[[], Pipeline], worked: Callable[[Pipeline, Night], None], stopped: threading.Event
) -> None:
    """Work whatever becomes due until *stopped*; *worked* is told of each piece of work.

    Edited settings count from the next look at the schedule on; broken ones are logged, and the last good ones stay.

    Raises:
        Locked: another daemon runs on this database.
    """
    from apscheduler.schedulers.background import BackgroundScheduler

    current = opener()
    with current.database.lock(DAEMON_LOCK):
        close_dead(current)
        beat = threading.Event()
        clock = BackgroundScheduler(timezone=UTC)
        clock.add_job(beat.set, "interval", seconds=TICK_SECONDS, max_instances=1, coalesce=True)
        clock.start()
        try:
            # also rules that another process promoted: what is open still has those of before
            seen = file_times(current.settings)
            while not stopped.is_set():
                if (files := file_times(current.settings)) != seen:
                    seen, current = files, _edited(current, opener)
                _tick(current, worked)
                beat.clear()
                while not (beat.is_set() or stopped.is_set()):
                    stopped.wait(0.5)
        finally:
            clock.shutdown(wait=False)


def _tick(current: Pipeline, worked: Callable[[Pipeline, Night], None]) -> None:
    """One look at the schedule."""
    try:
        if jobs := due(current):
            worked(current, work_night(current, jobs))
        with current.database.write() as conn:
            nights.keep_notes(conn, DAEMON_LOCK, {"alive": current.now()})
    except Exception as error:  # noqa: BLE001  the daemon outlives a night that went wrong: a database that is away
        current.log("tick_failed", error=repr(error), traceback=traceback.format_exc())


def _edited(current: Pipeline, opener: Callable[[], Pipeline]) -> Pipeline:
    """The pipeline by the files as they are now, over the database that holds the daemon's lock."""
    try:
        fresh = opener()
    except IndukError as error:
        current.log("settings_refused", error=str(error))
        return current
    current.workers.close()
    fresh.database.close()
    return msgspec.structs.replace(fresh, database=current.database)


def night_over(pipeline: Pipeline) -> bool:
    """Whether no other source is planned this night; at MORNING it is over also for sources of every hour."""
    local = pipeline.clock.now().astimezone(ZoneInfo(pipeline.settings.timezone))
    noon = (local + timedelta(hours=12)).replace(hour=12, minute=0, second=0, microsecond=0)
    if MORNING <= local.hour < 12:
        return True
    return not any(one["next"] and one["next"] < stamp(noon) for one in next_nights(pipeline))


def next_nights(pipeline: Pipeline) -> list[dict[str, str]]:
    """When each source is harvested next (UTC), the soonest first."""
    now, known = pipeline.clock.now(), history(pipeline)
    found = []
    for plan in plans(pipeline):
        if plan.code in known:
            at = schedule.next_slot(now, plan)
            found.append({"source": plan.code, "schedule": plan.cron, "next": stamp(at) if at else ""})
    return sorted(found, key=lambda one: (one["next"] or "9", one["source"]))
