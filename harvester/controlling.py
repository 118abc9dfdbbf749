"""What a person decides about partners and halted runs: approve, reject, pause, resume, retire.

Nothing here fetches anything. Every decision is a run of its own or stands in the run that it settles, with its
author. Deletions that a person approved do not count toward the limits of later nights.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from db import control, gates, ledger, work
from harvester import pipeline as journey
from harvester import restoring
from harvester.errors import UsageError
from harvester.model import Value
from harvester.pipeline import HARVEST_LOCK, Pipeline


class Settled(Value, frozen=True):
    """What came of a decision about a halted run; `run` is the run that did the work (0: nothing was to be done)."""

    halted: int
    source: str
    decision: str
    records: int = 0
    run: int = 0
    reason: str = ""


# ---- halted runs -------------------------------------------------------------------------------------


def approve(pipeline: Pipeline, number: int, author: str, why: str = "") -> Settled:
    """Let happen what run *number* stopped at: its deletions, a much shorter list, another repository's name.

    Raises:
        UsageError: the run waits for no decision, or approving it is not enough.
        Locked: the source is being harvested.
    """
    row, cause, seen = _halted(pipeline, number)
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        if cause in ("deletions", gates.CAUSE):
            again = _bring_again(pipeline, row, author, why) if cause == gates.CAUSE else 0
            return _delete_proposed(pipeline, row, author, why, again)
        facts: dict[str, Callable[[Any], None]] = {
            "short": lambda conn: work.set_source(conn, row["source_id"], {"last_full_count": seen}),
            "otherRepository": lambda conn: work.learn(conn, row["source_id"], {"repository_name": ""}),
        }
        if cause == "short" and not seen:
            raise UsageError(
                f"run {number}: the source gave nothing at all, which is never taken for a deletion",
                hint=f"`induk partner retire {row['source']}` takes every record out",
            )
        if cause not in facts:
            raise UsageError(
                f"run {number} is halted: {row['reason']}", hint="change the partner's file; then harvest again"
            )
        with pipeline.database.write(durable=True) as conn:
            facts[cause](conn)
            if cause == "short":
                work.note_in_run(conn, number, {"figures": {"full": True, "received": seen, "failures": 0}})
            _settle(conn, row, "partial", f"approved by {author}{_because(why)}; the next harvest goes on")
    return Settled(number, row["source"], "approved", reason=row["reason"])


def reject(pipeline: Pipeline, number: int, author: str, why: str = "") -> Settled:
    """Keep what run *number* would have changed; the deletions it proposed are not proposed again.

    What a gate held back is set back already, and stays out. A record that the source shows again, and then
    no longer, may be proposed anew.
    """
    row, cause, _ = _halted(pipeline, number)
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        journey.set_held_back(pipeline, row["source"])
        with pipeline.database.write(durable=True) as conn:
            count = control.reject_proposals(conn, row["source_id"], number)
            count += sum(int(one["notes"].get("aside", 0)) for one in _held(conn, row, cause))
            _settle(conn, row, "partial", f"rejected by {author}{_because(why)}")
    return Settled(number, row["source"], "rejected", count, reason=row["reason"])


def _held(conn: Any, row: dict[str, Any], cause: str = gates.CAUSE) -> list[dict[str, Any]]:
    """The harvests of the source that a gate holds back, up to this run; none when it is no gate that halted it."""
    waiting = gates.waiting(conn, row["source_id"]) if cause == gates.CAUSE else []
    return [one for one in waiting if one["id"] <= row["id"]]


def _bring_again(pipeline: Pipeline, row: dict[str, Any], author: str, why: str) -> int:
    """Take what the gate held back; the matcher meets it next. Returns how many records that are."""
    journey.set_held_back(pipeline, row["source"])  # should a kill have come in between
    place = journey.place_of(pipeline, row["source"])
    with pipeline.database.read() as conn:
        held = _held(conn, row)
    done = [
        restoring.bring_again(place, one, {"releases": one["id"], "by": author, "why": why})
        for one in held
        if one["notes"].get("reverted")
    ]
    return sum(one.restored + one.deleted for one in done)


def _halted(pipeline: Pipeline, number: int) -> tuple[dict[str, Any], str, int]:
    """(run, cause, how many things a short list held) of a run that waits for a person."""
    with pipeline.database.read() as conn:
        row = work.get_run(conn, number)
    if row is None:
        raise UsageError(f"no run {number}", hint="`induk run list` shows them")
    if row["verdict"] != "halted":
        raise UsageError(f"run {number} is {row['verdict']}: there is nothing to decide")
    if row["source"] is None:
        raise UsageError(f"run {number} is halted: {row['reason']}", hint="`induk derivation list` shows what waits")
    cause, _, seen = str(json.loads(row["body"]).get("cause", "deletions")).partition(":")
    return row, cause, int(seen or 0)


def _delete_proposed(pipeline: Pipeline, row: dict[str, Any], author: str, why: str, again: int) -> Settled:
    """Apply the deletions that were proposed up to the run, as a run of their own; *again* records came back."""
    now = pipeline.now()
    with pipeline.database.write(durable=True) as conn:
        rows = [one for one in ledger.proposals(conn, row["source_id"]) if one["run_id"] <= row["id"]]
        run_id = work.open_run(conn, "approve", row["source_id"], now)
        count = ledger.apply_deletions(conn, rows, run_id, now)
        work.count(conn, run_id, {"received": count, "deleted": count})
        body = {"approved": row["id"], "by": author, "why": why}
        work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=now, body=body)
        _settle(conn, row, "complete", f"approved by {author}{_because(why)}: run {run_id}")
    return Settled(row["id"], row["source"], "approved", count + again, run_id, row["reason"])


def _settle(conn: Any, row: dict[str, Any], verdict: str, reason: str) -> None:
    """Settle the run and the earlier ones of its source that wait for the same decision."""
    for one in control.halted(conn):
        if one["source_id"] == row["source_id"] and one["id"] <= row["id"]:
            control.settle_run(conn, one["id"], verdict, f"{one['reason']}; {reason}")
            work.note_in_run(conn, one["id"], {"decided": True})


def _because(why: str) -> str:
    return f" ({why})" if why else ""


# ---- statuses ----------------------------------------------------------------------------------------

_FROM = {"paused": ("active", "pending"), "active": ("pending", "paused", "retired")}


def pause(pipeline: Pipeline, code: str) -> str:
    """Stop harvesting a partner; its records stay. Returns the status it had."""
    return _move(pipeline, code, "paused")


def resume(pipeline: Pipeline, code: str) -> str:
    """Harvest a pending, paused or retired partner from now on. Returns the status it had."""
    return _move(pipeline, code, "active")


def make_pending(pipeline: Pipeline, code: str) -> None:
    """A partner that is new waits until somebody has looked at a sample."""
    pipeline.settings.partner(code)
    with pipeline.database.write() as conn:
        control.set_status(conn, code, "pending")


def _move(pipeline: Pipeline, code: str, to: str) -> str:
    pipeline.settings.partner(code)
    with pipeline.database.write() as conn:
        now = control.status(conn, code)
        if now != to and now not in _FROM[to]:
            raise UsageError(f"{code} is {now} and cannot become {to}")
        control.set_status(conn, code, to)
    return now


# ---- a partner leaves ----------------------------------------------------------------------------------


class Retirement(Value, frozen=True):
    """What goes when a partner leaves: its records, the clusters that hold nothing else, and those that stay."""

    partner: str
    records: int
    clusters_gone: int
    clusters_kept: int
    decisions: int
    runs: tuple[int, ...] = ()


def retire(pipeline: Pipeline, code: str, author: str, why: str = "", *, preview: bool = False) -> Retirement:
    """Take a partner out: tombstones for every record, kept with their last bytes; the next match ends its clusters.

    People's decisions about its records sleep and count again should it come back. `run revert` undoes each run.

    Raises:
        Locked: one of its sources is being harvested.
    """
    partner = pipeline.settings.partner(code)
    with pipeline.database.read() as conn:
        records, gone, kept, decisions = control.holdings_of(conn, code)
    if preview:
        return Retirement(code, records, gone, kept, decisions)
    runs = []
    with ExitStack() as locks:
        for source in partner.sources:
            locks.enter_context(pipeline.database.lock(HARVEST_LOCK + source.code))
        for source in partner.sources:
            runs.append(_retire_source(pipeline, pipeline.source_ids[source.code], author, why))
        with pipeline.database.write(durable=True) as conn:
            control.set_status(conn, code, "retired")
    return Retirement(code, records, gone, kept, decisions, tuple(runs))


def _retire_source(pipeline: Pipeline, source_id: int, author: str, why: str) -> int:
    now = pipeline.now()
    with pipeline.database.write(durable=True) as conn:
        run_id = work.open_run(conn, "retire", source_id, now)
        control.reopen_proposals(conn, source_id)
        control.propose_all(conn, source_id, run_id, now)
        count = ledger.apply_deletions(conn, ledger.proposals(conn, source_id), run_id, now)
        work.count(conn, run_id, {"received": count, "deleted": count})
        body = {"by": author, "why": why}
        work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=now, body=body)
    return run_id
