"""The facts of a night, from our tables: what the report, the mails, the exit code and the metrics are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from db import catalogue, changes, constants, gates, nights, work
from harvester import pipeline as journey
from harvester import probing, reviewing, schedule
from harvester.clock import stamp
from harvester.model import Partner, Source
from harvester.pipeline import Pipeline
from harvester.reports import calendar as calendars
from harvester.reports import nightly
from harvester.reports.nightly import NightReport, SourceNight, Task
from harvester.scheduling import Night, night_of, plans

NIGHT = "night"  # notes of the last night's work
TOLD = "told"  # notes of what people know already
HORIZON_DAYS = 60
GROWTH = 1.1  # a review queue that grew by a tenth is told


def remember(pipeline: Pipeline, night: Night) -> None:
    """Keep of a night's work what stands in no run: who was busy, what could not be opened, what did not publish."""
    loose = {one.source: [one.verdict, one.reason] for one in night.worked if not one.run}
    pipeline.database.persist(lambda: _remember(pipeline, night, loose))


def _remember(pipeline: Pipeline, night: Night, loose: Mapping[str, Sequence[str]]) -> None:
    with pipeline.database.write() as conn:
        before = nights.notes(conn, NIGHT)
        earlier = before.get("loose", {}) if before.get("night") == night.night else {}
        done = {one.source for one in night.worked if one.run}
        kept = {code: one for code, one in earlier.items() if code not in done}
        body = {"night": night.night, "loose": kept | dict(loose), "matching": night.trouble, "at": pipeline.now()}
        told = {"outputs": night.published, "renewed": night.renewed, "changes": night.matched.get("changes", 0)}
        nights.keep_notes(conn, NIGHT, body | told)


def report(pipeline: Pipeline, night: str = "") -> NightReport:
    """The report of *night* (empty: the last one that was worked)."""
    return pipeline.database.persist(lambda: _report(pipeline, night))


def _report(pipeline: Pipeline, night: str) -> NightReport:
    now = pipeline.clock.now()
    pairs, _verdicts = reviewing.waiting(pipeline)
    with pipeline.database.read() as conn:
        notes = nights.notes(conn, NIGHT)
        night = night or notes.get("night") or night_of(pipeline)
        notes = notes if notes.get("night") == night else {}
        rows = nights.recent(conn, stamp(now - timedelta(days=HORIZON_DAYS)))
        facts = _Facts(
            night,
            rows,
            nights.last_complete(conn),
            nights.counts(conn),
            {row["code"]: row for row in nights.slots(conn)},
            notes.get("loose", {}),
            nights.approved(conn),
        )
        waiting = nights.waiting(conn)
        told = nights.notes(conn, TOLD)
        held, gaps, funnel = changes.held(conn), changes.gaps(conn), catalogue.funnel(conn)
        queued = work.queued(conn)
        counted = {code: one for code, of in pipeline.source_ids.items() if (one := constants.of_source(conn, of))}
    sources = tuple(_source(pipeline, facts, source, partner, now) for source, partner in _active(pipeline, facts))
    found = [*_integrity(gaps), *_decisions(pipeline, waiting, now), *_feed(held), *_troubles(pipeline, sources)]
    found += _queue(pipeline, int(funnel["pairs"]["review"]), told)
    tasks = tuple(_as_news(found, told, night))
    recovered = tuple(_recovered(sources, tasks, told, night))
    matching, outputs = str(notes.get("matching", "")), dict(notes.get("outputs", {}))
    verdict, code = nightly.judge(sources, tasks, matching=matching, outputs=outputs)
    names = ("received", "created", "updated", "deleted", "quarantined")
    totals = {name: sum(getattr(one, name) for one in sources) for name in names}
    union = {"records": int(funnel["records"]), "clusters": int(funnel["clusters"])}
    union |= {"changes": int(notes.get("changes", 0)), "queued": queued}
    held_back = sum(one.held for one in sources)
    union |= {"pairs": pairs, "held": held_back, "waiting": pairs + held_back}
    rank = nightly.severity(tasks, recovered, code)
    told_of = (totals, union, matching, outputs, dict(notes.get("renewed", {})), recovered, counted)
    return NightReport(night, verdict, code, rank, sources, tasks, *told_of)


class _Facts(msgspec.Struct, frozen=True):
    night: str
    rows: Sequence[Mapping[str, Any]]
    complete: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    slots: Mapping[str, Mapping[str, Any]]
    loose: Mapping[str, Sequence[str]]
    approved: Mapping[int, int]

    def runs(self, code: str) -> list[Mapping[str, Any]]:
        """The harvests of a source, the newest first."""
        return [row for row in self.rows if row["source"] == code and row["kind"] in ("harvest", "import")]


def _active(pipeline: Pipeline, facts: _Facts) -> Iterable[tuple[Source, Partner]]:
    for partner in pipeline.settings.partners:
        for source in partner.sources:
            if source.code in facts.slots:
                yield source, partner


def _source(pipeline: Pipeline, facts: _Facts, source: Source, partner: Partner, now: datetime) -> SourceNight:
    rows = facts.runs(source.code)
    mine = next((row for row in rows if row["night"] == facts.night), None)
    bad = _bad_nights(rows, facts.night)
    since = facts.complete.get(source.code, "")
    heard = datetime.fromisoformat(since or facts.slots[source.code]["added_at"]).astimezone(UTC)
    plan = next(plan for plan in plans(pipeline) if plan.code == source.code)
    counts = facts.counts.get(source.code, {})
    verdict, reason = facts.loose.get(source.code, ("", ""))
    if mine is not None:
        verdict, reason = mine["verdict"], mine["reason"]
    numbers = {name: mine[name] if mine else 0 for name in work.COUNTERS}
    numbers["deleted"] += facts.approved.get(mine["id"], 0) if mine else 0
    active = counts.get("active", 0)
    state = _state(verdict, mine, active, max(bad, 1) <= partner.tolerate_nights)
    return SourceNight(
        source.code,
        partner.name_id,
        partner.name_en,
        state,
        verdict,
        reason,
        mine["id"] if mine else 0,
        mine["proof"] if mine else "",
        **numbers,
        before=_before(rows, mine),
        bad_nights=bad,
        tolerate=partner.tolerate_nights,
        stale=bool(plan.cron) and schedule.stale(now, plan, heard),
        since=since,
        active=active,
        held=counts.get("quarantined", 0),
    )


def _state(verdict: str, row: Mapping[str, Any] | None, active: int, tolerated: bool) -> str:
    if verdict in ("", "skipped"):
        return "idle"
    if verdict in ("locked", "running"):
        return "locked"
    if verdict == "halted":
        return "held" if row is not None and f'"cause":"{gates.CAUSE}"' in row["body"] else "halted"
    if verdict == "complete":
        return "empty" if row is not None and not row["received"] and not active else "good"
    return "tolerated" if tolerated else "down"


def _bad_nights(rows: Sequence[Mapping[str, Any]], night: str) -> int:
    """How many nights in a row, up to *night*, the source was harvested without a run that was complete."""
    by_night: dict[str, bool] = {}
    for row in rows:
        at = row["night"] or row["started_at"][:10]
        if at <= night:
            by_night[at] = by_night.get(at, False) or row["verdict"] in ("complete", "halted")
    count = 0
    for at in sorted(by_night, reverse=True):
        if by_night[at]:
            break
        count += 1
    return count


def _before(rows: Sequence[Mapping[str, Any]], mine: Mapping[str, Any] | None) -> int | None:
    """What the last good run of the same kind received."""
    if mine is None:
        return None
    good = (row for row in rows if row["verdict"] == "complete" and not row["body"].startswith(work.NOTHING))
    earlier = (row for row in good if row["id"] < mine["id"])
    return next((int(row["received"]) for row in earlier if row["kind"] == mine["kind"]), None)


# ---- tasks ---------------------------------------------------------------------------------------------


def _link(pipeline: Pipeline, path: str) -> str:
    base = pipeline.settings.web.base_url.rstrip("/")
    return f"{base}{path}" if base else ""


def _integrity(gaps: int) -> list[Task]:
    return [Task("integrity", "integrity", "induk db verify", count=gaps)] if gaps else []


def _decisions(pipeline: Pipeline, waiting: Sequence[Mapping[str, Any]], now: datetime) -> list[Task]:
    """One a source: the newest halted run, with the age of the oldest."""
    found: dict[str, Task] = {}
    for row in waiting:
        oldest = found[row["source"]].days if row["source"] in found else None
        days = (now - datetime.fromisoformat(row["started_at"])).days
        kind = "gate" if row["cause"] == gates.CAUSE else "deletions"
        found[row["source"]] = Task(
            kind,
            f"{kind}:{row['source']}",
            f"induk run approve {row['id']}  |  induk run reject {row['id']}",
            _link(pipeline, f"/runs/{row['id']}"),
            row["source"],
            row["reason"],
            days if oldest is None else oldest,
        )
    return list(found.values())


def _feed(held: Mapping[str, Any] | None) -> list[Task]:
    return [Task("feed", "feed", "induk run release", reason=str(held["reason"]))] if held else []


def _troubles(pipeline: Pipeline, sources: Iterable[SourceNight]) -> list[Task]:
    """Sources that do not answer beyond what is tolerated, that are silent, that bring nothing."""
    found = []
    for one in sources:
        partner = pipeline.settings.partner_of(one.source).code
        link = _link(pipeline, f"/runs/{one.run}" if one.run else f"/partners/{partner}")
        if one.state == "down":
            command = f"induk run show {one.run}" if one.run else "induk config check"
            days = max(one.bad_nights, 1)
            found.append(Task("down", f"down:{one.source}", command, link, one.source, one.reason, days))
        elif one.state == "empty":
            probed = journey.source_of(pipeline.settings, one.source)[0].protocol in probing.PROBES
            command = f"induk partner {'probe' if probed else 'show'} {partner}"
            found.append(Task("empty", f"empty:{one.source}", command, link, one.source))
        elif one.stale and one.state not in ("good", "halted", "held", "tolerated"):
            command = f"induk partner show {partner}"
            found.append(Task("stale", f"stale:{one.source}", command, link, one.source, since=one.since))
    return found


def _queue(pipeline: Pipeline, pairs: int, told: Mapping[str, Any]) -> list[Task]:
    before = int(told.get("queue", 0))
    if pairs < 10 or pairs <= before * GROWTH:
        return []
    return [Task("queue", "queue", "induk match review", _link(pipeline, "/review"), count=pairs, before=before)]


def _as_news(tasks: Iterable[Task], told: Mapping[str, Any], night: str) -> Iterable[Task]:
    """A task is news when it first stands, and again after 1, 3 and 7 days where a person must decide."""
    known = told.get("tasks", {})
    for task in tasks:
        first = known.get(task.key)
        fresh = first is None or first == night
        again = task.kind in ("deletions", "gate", "feed") and task.days in nightly.REMINDERS
        yield msgspec.structs.replace(task, news=fresh or again)


def _recovered(
    sources: Iterable[SourceNight], tasks: Sequence[Task], told: Mapping[str, Any], night: str
) -> Iterable[str]:
    """Sources of which trouble was told and that are complete tonight."""
    known = {key.partition(":")[2] for key in told.get("tasks", {}) if key.startswith(("down:", "stale:", "empty:"))}
    known |= {code for code, at in told.get("recovered", {}).items() if at == night}
    for one in sources:
        if one.source in known and one.state == "good":
            yield one.source


def note_told(pipeline: Pipeline, found: NightReport) -> None:
    """Keep what people know now: tasks with the night on which each was first told, and the length of the queue."""
    with pipeline.database.write() as conn:
        told = nights.notes(conn, TOLD)
        first = told.get("tasks", {})
        tasks = {task.key: first.get(task.key, found.night) for task in found.tasks}
        queue = next((task.count for task in found.tasks if task.kind == "queue"), None)
        recovered = dict.fromkeys(found.recovered, found.night)
        body = {"tasks": tasks, "queue": told.get("queue", 0) if queue is None else queue, "recovered": recovered}
        nights.keep_notes(conn, TOLD, {**told, **body})


def calendar(pipeline: Pipeline, days: int) -> calendars.Calendar:
    """The last *days* nights of every source."""
    last = date.fromisoformat(night_of(pipeline))
    with pipeline.database.read() as conn:
        rows = nights.recent(conn, stamp(pipeline.clock.now() - timedelta(days=days + 1)))
    runs = [(row["source"], row["night"] or row["started_at"][:10], row["verdict"]) for row in rows if row["source"]]
    return calendars.calendar(runs, last, days)
