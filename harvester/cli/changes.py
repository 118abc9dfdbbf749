"""induk changes"""

from __future__ import annotations

import json

import click

from harvester.cli.common import Shell, common, open_pipeline
from harvester.errors import Halted


@click.command("changes")
@click.option("--since", type=click.IntRange(0), default=0, show_default=True, help="The last number you have.")
@click.option("--epoch", default="", help="The feed's epoch as you know it; another one means: start again.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=1000, show_default=True)
@common
def command(shell: Shell, since: int, epoch: str, limit: int) -> None:
    """The change feed after a number, whole batches only: upsert, delete, redirect."""
    from db import changes

    with open_pipeline(shell).database.read() as conn:
        state = changes.feed_state(conn)
        if must := changes.resync(conn, epoch, since):
            raise Halted(must.reason, hint="read everything again from 0")
        rows = changes.since(conn, since, limit)
    if shell.json:
        head = {"epoch": state["epoch"], "released": state["released"], "changes": rows}
        click.echo(json.dumps(head, ensure_ascii=False, sort_keys=True))
        return
    heads = ["seq", "batch", "kind", "cluster_id", "target_id", "at"]
    shell.table(heads, [[row[head] for head in heads] for row in rows])
