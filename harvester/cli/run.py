"""induk run"""

from __future__ import annotations

import json
from typing import Any

import click

from harvester.cli._speech import _, say, told
from harvester.cli.common import Shell, common, open_pipeline, whoami
from harvester.errors import UsageError

WHY = click.option("--why", default="", help="The reason, kept with the decision.")


@click.group("run")
def command() -> None:
    """Runs: what was done, with its verdict and counts; approve, reject and revert them."""


@command.command("list")
@click.option("--source", default="", help="Only runs of this source.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@common
def list_runs(shell: Shell, source: str, limit: int) -> None:
    """The newest runs first."""
    from db import work

    with open_pipeline(shell).database.read() as conn:
        rows = work.list_runs(conn, source_code=source, limit=limit)
    heads = ["id", "kind", "source", "started_at", "verdict", "proof", "received", "quarantined", "reason"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@click.argument("number", type=int)
@common
def show(shell: Shell, number: int) -> None:
    """One run: its funnel, what was quarantined, the difference from the last good run."""
    from db import desk, ledger, work

    with open_pipeline(shell).database.read() as conn:
        row = work.get_run(conn, number)
        if row is None:
            raise UsageError(f"no run {number}", hint="`induk run list` shows them")
        held = ledger.quarantine_of_run(conn, number)
        good = work.last_good(conn, row)
        warnings = dict(desk.warnings_of_run(conn, number))
    answer = {**row, "body": json.loads(row["body"]), "warnings": warnings, "quarantine": held, "last_good": good}
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    words = [answer["kind"], answer["source"], answer["verdict"], answer["proof"]]
    shell.say(_("run {number}: {verdict}", number=answer["id"], verdict=" ".join(filter(None, words))))
    if answer["reason"]:
        shell.say(_("because {reason}", reason=told(answer["reason"])))
    shell.say(_("{start} to {end}", start=answer["started_at"], end=answer["ended_at"] or "..."))
    good = answer["last_good"] or {}
    names = ("received", "created", "updated", "unchanged", "deleted", "quarantined", "excluded", "pages")
    shell.table(["count", "this run", "last good run"], [[_(name), answer[name], good.get(name)] for name in names])
    if answer["warnings"]:
        shell.table(["warning", "records"], [[say(code), count] for code, count in answer["warnings"].items()])
    heads = ["identifier", "stage", "reason", "message", "place"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["quarantine"]])


@command.command()
@click.argument("number", type=int)
@WHY
@common
def approve(shell: Shell, number: int, why: str) -> None:
    """Let happen what a halted run stopped at: its deletions, a much shorter list, a renamed repository."""
    from harvester import controlling

    opened = open_pipeline(shell)
    if shell.dry_run:
        _preview(shell, opened, number)
        return
    shell.confirm(_("Approve what run {number} stopped at?", number=number))
    _settled(shell, controlling.approve(opened, number, whoami(), why))


@command.command()
@click.argument("number", type=int)
@WHY
@common
def reject(shell: Shell, number: int, why: str) -> None:
    """Keep the records that a halted run would have deleted; it does not ask for the same ones again."""
    from harvester import controlling

    opened = open_pipeline(shell)
    if shell.dry_run:
        _preview(shell, opened, number)
        return
    _settled(shell, controlling.reject(opened, number, whoami(), why))


def _preview(shell: Shell, opened: Any, number: int) -> None:
    """The records that the run proposed for deletion."""
    from db import ledger, work

    with opened.database.read() as conn:
        row = work.get_run(conn, number)
        if row is None:
            raise UsageError(f"no run {number}", hint="`induk run list` shows them")
        rows = [one for one in ledger.proposals(conn, row["source_id"] or 0) if one["run_id"] <= number]
    answer = {"run": number, "verdict": row["verdict"], "reason": row["reason"], "proposals": rows}
    heads = ["identifier", "kind", "datestamp", "run_id"]
    shell.say(
        _("run {number} is {verdict}: {reason}", number=number, verdict=row["verdict"], reason=told(row["reason"]))
    )
    nothing = _("it proposed no record for deletion")
    table = [[one[head] for head in heads] for one in rows]
    shell.emit(answer, lambda: shell.table(heads, table) if rows else shell.say(nothing))


def _settled(shell: Shell, done: Any) -> None:
    what = _("approved") if done.decision == "approved" else _("rejected")
    text = _("run {number} {what}: {records} records", number=done.halted, what=what, records=done.records)
    by = f" ({_('run')} {done.run})" if done.run else ""
    shell.emit(done, lambda: shell.say(text + by))


@command.command()
@click.argument("number", type=int)
@common
def resume(shell: Shell, number: int) -> int:
    """Go on now where a partial run stopped, at the page behind the last one that was stored."""
    from db import work
    from harvester import pipeline
    from harvester.cli.common import worst
    from harvester.cli.harvest import harvest_and_show

    opened = open_pipeline(shell)
    with opened.database.read() as conn:
        row = work.get_run(conn, number)
        waiting = work.open_windows(conn, row["source_id"]) if row and row["source_id"] else []
    if row is None or row["kind"] != "harvest":
        raise UsageError(f"no harvest {number}", hint="`induk run list` shows them")
    if not waiting:
        raise UsageError(f"run {number}: {row['source']} has no open window", hint="`induk harvest` begins a new one")
    if shell.dry_run:
        shell.emit(
            waiting,
            lambda: shell.say(
                _("would go on with {number} windows of {source}", number=len(waiting), source=row["source"])
            ),
        )
        return 0
    codes = pipeline.active_sources(opened, [row["source"]])
    return worst(harvest_and_show(shell, opened, codes, pipeline.Order(night=row["night"])).values())


@command.command()
@click.argument("number", type=int)
@WHY
@common
def revert(shell: Shell, number: int, why: str) -> None:
    """Restore the records as they were before a run; what it brought stays out until it is released."""
    from harvester import reverting

    opened = open_pipeline(shell)
    seen = reverting.revert(opened, number, whoami(), preview=True)
    changes = _(
        "{restored} restored, {deleted} taken out, {later} changed again since and left",
        restored=seen.restored,
        deleted=seen.deleted,
        later=len(seen.later),
    )
    if shell.dry_run:
        shell.emit(seen, lambda: shell.say(_("run {number}: {changes}", number=number, changes=changes)))
        return
    shell.confirm(_("Revert run {number} of {source}: {changes}?", number=number, source=seen.source, changes=changes))
    done = reverting.revert(opened, number, whoami(), why)
    shell.emit(
        done, lambda: _told(shell, done, _("run {undone} reverted by run {run}", undone=done.undone, run=done.run))
    )


@command.command()
@click.argument("number", type=int)
@WHY
@common
def release(shell: Shell, number: int, why: str) -> None:
    """Take again what a reverted run had brought."""
    from harvester import reverting

    opened = open_pipeline(shell)
    if shell.dry_run:
        shell.emit({"run": number}, lambda: shell.say(_("would release run {number}", number=number)))
        return
    done = reverting.release(opened, number, whoami(), why)
    shell.emit(
        done, lambda: _told(shell, done, _("run {undone} released by run {run}", undone=done.undone, run=done.run))
    )


def _told(shell: Shell, done: Any, what: str) -> None:
    counts = {"restored": done.restored, "deleted": done.deleted}
    shell.say(f"{what}: {_('{restored} records restored, {deleted} taken out', **counts)}")
    later, unreadable = _("changed again since"), _("cannot be read any more")
    for name in (*done.later[:20], *done.unreadable[:20]):
        shell.say(f"  {name}: {later if name in done.later else unreadable}")
