"""induk run"""

from __future__ import annotations

import json
from typing import Any

import click

from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import UsageError


@click.group("run")
def command() -> None:
    """Runs: what was done, with its verdict and counts."""


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
    from db import ledger, work

    with open_pipeline(shell).database.read() as conn:
        row = work.get_run(conn, number)
        if row is None:
            raise UsageError(f"no run {number}", hint="`induk run list` shows them")
        held = ledger.quarantine_of_run(conn, number)
        good = work.last_good(conn, row)
    answer = {**row, "body": json.loads(row["body"]), "quarantine": held, "last_good": good}
    shell.emit(answer, lambda: _show(shell, answer))


def _show(shell: Shell, answer: dict[str, Any]) -> None:
    shell.say(f"run {answer['id']}: {answer['kind']} {answer['source'] or ''} {answer['verdict']} {answer['proof']}")
    if answer["reason"]:
        shell.say(f"because {answer['reason']}")
    shell.say(f"{answer['started_at']} to {answer['ended_at'] or '...'}")
    good = answer["last_good"] or {}
    names = ("received", "created", "updated", "unchanged", "deleted", "quarantined", "excluded", "pages")
    shell.table(["count", "this run", "last good run"], [[name, answer[name], good.get(name)] for name in names])
    heads = ["identifier", "stage", "reason", "message"]
    shell.table(heads, [[row[head] for head in heads] for row in answer["quarantine"]])
