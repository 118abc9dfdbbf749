"""induk harvest"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline, worst
from harvester.errors import Locked
from harvester.laps import Seconds, add

# Those behind a dash are parts of `prepare`, in seconds of all workers' processors.
STAGES = ("fetch", "prepare", "- parse", "- normalize", "- encode", "- compress", "- profile", "sort", "store")
CODES = {"complete": 0, "partial": 1, "failed": 1, "halted": 3}


@click.command("harvest")
@click.argument("partners", nargs=-1)
@click.option("--since", default="", help="From this moment on (ISO 8601, UTC), beside the stored position.")
@click.option("--until", default="", help="Up to this moment (ISO 8601, UTC).")
@click.option("--full", is_flag=True, help="The whole list anew; what is absent may be proposed for deletion.")
@click.option("--limit", type=click.IntRange(1), default=None, help="Stop after about so many records; resumable.")
@click.option("--profile", is_flag=True, help="Say at the end where the time went, by stage.")
@common
def command(shell: Shell, partners: tuple[str, ...], profile: bool, **wanted: Any) -> int:
    """Harvest PARTNERS (none: every active one) into the ledger. Match afterwards with `induk match`."""
    from harvester import pipeline

    opened = open_pipeline(shell)
    codes = pipeline.active_sources(opened, partners)
    seconds: Seconds = {}
    wanted["limit"] = wanted["limit"] or 0
    order = pipeline.Order(**wanted, spent=lambda stage, took: add(seconds, stage, took))
    if shell.dry_run:
        shell.emit({"sources": codes}, lambda: shell.say(_("would harvest: {names}", names=", ".join(codes))))
        return 0
    if not codes:
        shell.note(_("no partner is active: see `induk partner list`, then `induk partner resume CODE`"))
    results = harvest_and_show(shell, opened, codes, order)
    if profile:
        show_seconds(shell, seconds, STAGES)
    return worst(results.values())


def harvest_and_show(shell: Shell, opened: Any, codes: list[str], order: Any) -> dict[str, int]:
    """Harvest with progress, print the table of verdicts; returns source → exit code."""
    from db.work import COUNTERS
    from harvester import pipeline

    totals: dict[str, Counter[str]] = {code: Counter() for code in codes}

    def progress(code: str, counts: Mapping[str, int]) -> None:
        seen = totals[code]
        seen.update(counts)
        if shell.verbose:
            shell.note(
                _(
                    "{code}: {received} received, {pages} pages",
                    code=code,
                    received=seen["received"],
                    pages=seen["pages"],
                )
            )

    found = pipeline.harvest(opened, codes, order, progress)
    rows: list[dict[str, Any]] = []
    for code, outcome in found.items():
        if isinstance(outcome, Locked):
            rows.append({"source": code, "verdict": "locked", "reason": str(outcome), "exit": 75})
            continue
        counts = {name: totals[code][name] for name in COUNTERS}
        proof = {"proof": outcome.proof, "run": outcome.run_id}
        verdict = {"source": code, "verdict": outcome.verdict, "reason": outcome.reason, **proof}
        rows.append({**verdict, **counts, "exit": CODES[outcome.verdict]})
    shell.emit(rows, lambda: show_outcomes(shell, rows))
    return {row["source"]: row["exit"] for row in rows}


def show_seconds(shell: Shell, seconds: Mapping[str, float], stages: Iterable[str]) -> None:
    """Where the time went, stage by stage."""
    shell.note(_("where the time went, in seconds:"))
    for stage in stages:
        shell.note(f"  {stage:<12}{seconds.get(stage, 0.0):10.3f}")


def show_outcomes(shell: Shell, rows: list[dict[str, Any]]) -> None:
    """The funnel's first half: what each source brought."""
    heads = ["source", "verdict", "received", "created", "updated", "unchanged", "deleted", "quarantined", "reason"]
    shell.table(heads, [[row.get(head, "") for head in heads] for row in rows])
