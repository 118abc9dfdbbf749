"""The state of the union in Prometheus' text format, read from the tables when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import select

from db import catalogue, changes, control, gates, nights, work
from db.tables import output_cursor
from harvester.clock import stamp
from harvester.pipeline import Pipeline
from harvester.scheduling import DAEMON_LOCK

VERDICTS = ("running", "complete", "partial", "halted", "failed")
HORIZON_DAYS = 60


class Sample(NamedTuple):
    """One number; *help* is said once a name."""

    name: str
    help: str
    value: float
    labels: tuple[tuple[str, str], ...] = ()


def text(samples: Iterable[Sample]) -> str:
    """The samples as Prometheus reads them (exposition format 0.0.4)."""
    lines: list[str] = []
    told: set[str] = set()
    for one in sorted(samples, key=lambda one: one.name):
        if one.name not in told:
            lines += [f"# HELP {one.name} {one.help}", f"# TYPE {one.name} gauge"]
            told.add(one.name)
        labels = ",".join(f'{name}="{_escape(value)}"' for name, value in one.labels)
        lines.append(f"{one.name}{{{labels}}} {one.value:.15g}" if labels else f"{one.name} {one.value:.15g}")
    return "\n".join([*lines, ""])


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def collect(pipeline: Pipeline) -> Iterator[Sample]:
    """Every sample."""
    since = stamp(pipeline.clock.now() - timedelta(days=HORIZON_DAYS))
    with pipeline.database.read() as conn:
        rows = nights.recent(conn, since)
        complete, counts = nights.last_complete(conn), nights.counts(conn)
        drifts = {code: control.last_drift(conn, key) for code, key in pipeline.source_ids.items()}
        funnel, feed = catalogue.funnel(conn), changes.feed_state(conn)
        positions = conn.execute(select(output_cursor.c.name, output_cursor.c.seq)).all()
        waiting, held = nights.waiting(conn), gates.held_records(conn)
        queued, alive = work.queued(conn), nights.notes(conn, DAEMON_LOCK).get("alive", "")
    latest = {row["source"]: row for row in reversed(rows) if row["source"]}
    for code in pipeline.source_ids:
        label = (("source", code),)
        if code in complete:
            yield Sample(
                "induk_last_complete_seconds", "When the last complete harvest ended.", _at(complete[code]), label
            )
        if row := latest.get(code):
            for verdict in VERDICTS:
                state = (*label, ("verdict", verdict))
                yield Sample("induk_run_state", "1 for the verdict of the last run.", row["verdict"] == verdict, state)
            for name in work.COUNTERS:
                yield Sample(f"induk_run_{name}", f"Records {name} by the last run.", row[name], label)
        yield Sample("induk_records", "Active records.", counts.get(code, {}).get("active", 0), label)
        yield Sample("induk_quarantine", "Open quarantine rows.", counts.get(code, {}).get("quarantined", 0), label)
        if drift := drifts[code]:
            apart = drift["missing"] + drift["surplus"]
            yield Sample("induk_drift", "Records by which store and source differ, at the last audit.", apart, label)
    yield Sample("induk_clusters", "Clusters.", funnel["clusters"])
    yield Sample("induk_largest_cluster", "Records of the largest cluster.", funnel["largest_cluster"])
    yield Sample("induk_review_pairs", "Pairs that wait for a cataloguer.", funnel["pairs"]["review"])
    yield Sample("induk_match_queue", "Records that wait for matching.", queued)
    yield Sample("induk_held_records", "Records that a gate holds back from matching.", held)
    yield Sample("induk_halted", "Runs that wait for a person.", len(waiting))
    yield Sample("induk_feed_sequence", "The newest change.", feed["seq"])
    yield Sample("induk_feed_held", "Changes that are not released.", feed["seq"] - feed["released"])
    for name, seq in positions:
        lag = feed["released"] - seq
        yield Sample("induk_feed_lag", "Released changes that the output has not seen.", lag, (("output", name),))
    if alive:
        yield Sample("induk_scheduler_alive_seconds", "When the daemon last looked at the schedule.", _at(alive))


def _at(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
