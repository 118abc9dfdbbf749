"""induk report"""

from __future__ import annotations

import click

from harvester.cli.common import Shell, common, open_pipeline


@click.group("report")
def command() -> None:
    """How things stand: the last night, the calendar of nights."""


@command.command()
@click.option("--night", default="", help="The morning (YYYY-MM-DD) of the night; the last one when not given.")
@common
def nightly(shell: Shell, night: str) -> int:
    """The night as its mail says it; the exit code is the night's."""
    from harvester import reporting
    from harvester.cli.nightly import show_night

    report = reporting.report(open_pipeline(shell), night)
    shell.emit(report, lambda: show_night(shell, report))
    return int(report.exit)


@command.command()
@click.option("--days", type=click.IntRange(1, 400), default=30, show_default=True, help="How many nights.")
@common
def calendar(shell: Shell, days: int) -> None:
    """A sign a night for every source: ■ complete, ◧ partial, ! halted, × failed, · no run."""
    from harvester import reporting
    from harvester.reports import calendar as calendars

    found = reporting.calendar(open_pipeline(shell), days)
    shell.emit(found, lambda: shell.say("\n".join(calendars.lines(found, shell.lang))))
