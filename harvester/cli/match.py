"""induk match"""

from __future__ import annotations

import os
from typing import Any

import click

from harvester.cli._decided import show_result, signed
from harvester.cli.common import Shell, common, open_pipeline, settings_of


@click.group("match", invoke_without_command=True)
@click.option("--all", "everything", is_flag=True, help="Profile and match every record again, by today's rules.")
@common
@click.pass_context
def command(context: click.Context, shell: Shell, everything: bool) -> int:
    """Match and merge what has changed since the last time."""
    if context.invoked_subcommand:
        return 0
    if everything:
        _rebuild(shell)
    return match_and_show(shell, open_pipeline(shell))


def _rebuild(shell: Shell) -> None:
    from harvester import rebuilding
    from harvester.clock import SystemClock

    shell.confirm("Match every record again? Consumers will see each cluster that changes.")
    rebuilding.rebuild(settings_of(shell), os.environ, SystemClock())


def match_and_show(shell: Shell, opened: Any) -> int:
    """Match with progress and print the funnel's second half."""
    from db import catalogue
    from harvester import pipeline

    def progress(batch: Any) -> None:
        if shell.verbose:
            shell.note(f"matched {batch.records} records, {batch.pairs} pairs, {batch.changes} changes")

    totals = pipeline.match(opened, progress)
    with opened.database.read() as conn:
        funnel = catalogue.funnel(conn)
    found = {**totals, "catalogue": funnel}
    shell.emit(found, lambda: show_funnel(shell, found))
    return 0 if totals["verdict"] == "complete" else 1


def show_funnel(shell: Shell, found: dict[str, Any]) -> None:
    """The funnel's second half: from dirty records to the feed."""
    held = found["catalogue"]
    pairs = ", ".join(f"{held['pairs'][name]} {name}" for name in ("merge", "review", "veto", "distinct"))
    shell.say(
        f"matched    {found['records']} records, {found['pairs']} new pairs, {found['changes']} changes announced"
    )
    shell.say(f"pairs      {pairs}")
    shell.say(f"catalogue  {held['records']} records in {held['clusters']} clusters, {held['merged_clusters']} merged")
    shell.say(f"           the largest holds {held['largest_cluster']}; {held['suspended_keys']} keys suspended")


@command.command()
@click.argument("left")
@click.argument("right")
@common
def explain(shell: Shell, left: str, right: str) -> None:
    """Why LEFT and RIGHT (addresses: source/identifier) were merged, or why not."""
    from harvester import explaining

    answer = explaining.explain(open_pipeline(shell), left, right)
    shell.emit(answer, lambda: explaining.show(answer, shell.say))


@command.command()
@click.option("--limit", type=int, default=20, show_default=True, help="At most so many.")
@click.option("--kind", "kinds", type=click.Choice(["review", "veto", "cluster"]), multiple=True, help="Only these.")
@click.option("--partner", default="", help="Only what concerns this partner.")
@common
def review(shell: Shell, limit: int, kinds: tuple[str, ...], partner: str) -> None:
    """What a person should look at, the most valuable first: open pairs, near-certain vetoes, odd clusters."""
    from harvester import reviewing

    opened = open_pipeline(shell)
    found = reviewing.queue(opened, limit, kinds=kinds or reviewing.KINDS, partner=partner)
    heads = ["value", "kind", "left", "right", "clusters", "records", "why"]
    rows = [
        [one.value, one.kind, one.left, one.right, _numbers(one), one.records, "; ".join(one.reasons)] for one in found
    ]
    shell.emit(found, lambda: shell.table(heads, rows))


def _numbers(one: Any) -> str:
    return " ".join(map(str, one.clusters))


@command.command()
@click.argument("left")
@click.argument("right")
@click.argument("verdict", type=click.Choice(["same", "different"]))
@signed
@common
def judge(shell: Shell, left: str, right: str, verdict: Any, author: str, reason: str) -> int:
    """Answer the review: LEFT and RIGHT are the same manifestation, or different ones. Kept for training."""
    from harvester import reviewing

    opened = open_pipeline(shell)
    return show_result(shell, reviewing.judge(opened, left, right, verdict, author, reason, preview=shell.dry_run))
