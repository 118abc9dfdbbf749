"""induk nightly"""

from __future__ import annotations

import os
from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline


@click.command("nightly")
@click.argument("partners", nargs=-1)
@common
def command(shell: Shell, partners: tuple[str, ...]) -> int:
    """One night: harvest every active partner (or PARTNERS), match, publish, say how it went and tell people."""
    from harvester import pipeline, scheduling

    opened = open_pipeline(shell)
    jobs = scheduling.asked(opened, pipeline.active_sources(opened, partners))
    if shell.dry_run:
        names = ", ".join(one.code for one in jobs)
        shell.emit([one._asdict() for one in jobs], lambda: shell.say(_("would harvest: {names}", names=names)))
        return 0
    return finish(shell, opened, scheduling.work_night(opened, jobs, progress(shell), forced=True))


def progress(shell: Shell) -> Any:
    """Prints what a page brought, with -v."""

    def show(code: str, counts: Any) -> None:
        if shell.verbose:
            shell.note(_("{code}: {received} received", code=code, received=counts["received"]))

    return show


def finish(shell: Shell, opened: Any, night: Any, *, end: bool = True) -> int:
    """Keep, print and send the night's report; returns the exit code."""
    from harvester import notifying, reporting

    reporting.remember(opened, night)
    report = reporting.report(opened, night.night)
    shell.emit(report, lambda: show_night(shell, report))
    if not night.stopped:
        notifying.tell(opened, report, os.environ, end=end)
    return exit_code(night, report)


def exit_code(night: Any, report: Any) -> int:
    """That of the report, or 75 when every source was at work elsewhere."""
    if night.worked and all(one.verdict == "locked" for one in night.worked):
        return 75
    return int(report.exit)


def show_night(shell: Shell, report: Any) -> None:
    """The table of sources, then the digest."""
    from harvester.reports import nightly

    heads = ["source", "verdict", "received", "created", "updated", "unchanged", "deleted", "quarantined", "reason"]
    rows = [one for one in report.sources if one.state != "idle"]
    shell.table(heads, [[getattr(one, head) for head in heads] for one in rows])
    shell.say(nightly.subject(report, shell.lang))
    for line in nightly.lines(report, shell.lang):
        shell.say(line)
