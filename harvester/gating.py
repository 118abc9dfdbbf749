"""Gates: a harvest that looks unlike the last good one is held back from matching until a person decides.

Only its source waits; the others are matched and published the same night. What a gate compares is kept in the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from db import gates, statistics, work
from db.engine import Database
from harvester.model import Value

FEW = 10  # fewer failures than this are no news
ENOUGH = 30  # fewer changed records than this say nothing about matches


class Figures(msgspec.Struct, frozen=True):
    """What a gate compares: of the run, and of a sample of the records that it changed."""

    full: bool
    received: int
    failures: int
    sample: int = 0
    meeting: int = 0


class Limits(Value, frozen=True):
    """In percent; `matches` in points of a percentage (docs/settings.md, `gates`)."""

    fewer: float = 15
    failures: float = 20
    matches: float = 15


def judge(now: Figures, before: Iterable[Figures], limits: Limits) -> str:
    """Why the run must wait for a person; empty when it need not. *before*: earlier good runs, the newest first."""
    earlier = [one for one in before if one.received]
    whole = next((one for one in earlier if one.full), None)
    if now.full and whole and now.received < whole.received * (1 - limits.fewer / 100):
        return f"{now.received:,} records came, {whole.received:,} at the last good harvest"
    last = next(iter(earlier), None)
    if last and limits.failures < 100 and now.failures >= FEW:
        share, usual = now.failures / max(now.received, 1), last.failures / last.received
        if share >= 0.01 and share > usual * (1 + limits.failures / 100):
            then = f"{last.failures:,} of {last.received:,} before"
            return f"{now.failures:,} of {now.received:,} records cannot be mapped, {then}"
    met = next((one for one in earlier if one.sample >= ENOUGH), None)
    if met and now.sample >= ENOUGH:
        here, there = 100 * now.meeting / now.sample, 100 * met.meeting / met.sample
        if abs(here - there) > limits.matches:
            return f"{here:.0f} % of its changed records meet those of others, {there:.0f} % at the last good harvest"
    return ""


def gate(
    database: Database, source_id: int, run_id: int, windows: Sequence[int], limits: Limits
) -> tuple[str, Mapping[str, Any]]:
    """(why the run is held back, or empty; its figures, to be kept in the run)."""
    statistics.refresh(database)  # not knowing the keys of a first load, PostgreSQL reads all of them for each
    with database.read() as conn:
        row = gates.counters(conn, run_id)
        if not row["pages"]:  # the source had nothing new to say, such as an unchanged file
            return "", {}
        full = gates.full(conn, windows)
        # Different records of the list: a run that went on with another one's window received only its rest, and one
        # whose list began again after an expired token received some of it twice.
        received = sum(work.distinct_seen(conn, one) for one in windows) if full else row["received"]
        sample, meeting = gates.meeting(conn, source_id, run_id)
        figures = Figures(full, received, row["quarantined"], sample, meeting)
        earlier = [msgspec.convert(one, Figures) for one in gates.baselines(conn, source_id, row["kind"])]
        waiting = [one for one in gates.waiting(conn, source_id) if one["notes"].get("aside")]
    reason = judge(figures, earlier, limits)
    if waiting and not reason:
        reason = f"run {waiting[0]['id']} of this source still waits for a decision"
    return reason, msgspec.to_builtins(figures)
