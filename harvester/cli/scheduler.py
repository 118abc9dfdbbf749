"""induk scheduler"""

from __future__ import annotations

from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline, stopping


@click.group("scheduler")
def command() -> None:
    """Harvest when it is due: as a daemon, or once for cron and systemd timers."""


@command.command()
@common
def run(shell: Shell) -> int:
    """Work whatever becomes due, until SIGTERM or SIGINT; a second daemon on the database ends with 75."""
    from harvester import scheduling
    from harvester.cli.nightly import finish

    def worked(opened: Any, night: Any) -> None:
        """A daemon goes on whatever the exit code would be: the digest and the metrics say it."""
        finish(shell, opened, night, end=scheduling.night_over(opened))

    scheduling.run_daemon(lambda: open_pipeline(shell), worked, stopping)
    return 0


@command.command()
@click.option("--list", "listing", is_flag=True, help="Show what is due and what comes next, and do nothing.")
@common
def due(shell: Shell, listing: bool) -> int:
    """Work what is due now, once: for cron or a timer that comes by every few minutes."""
    from harvester import scheduling
    from harvester.cli.nightly import finish

    opened = open_pipeline(shell)
    jobs = scheduling.due(opened)
    if listing or shell.dry_run:
        _show(shell, [one._asdict() for one in jobs], scheduling.next_nights(opened))
        return 0
    if not jobs:
        shell.emit([], lambda: shell.say(_("nothing is due")))
        return 0
    night = scheduling.work_night(opened, jobs)
    return finish(shell, opened, night, end=scheduling.night_over(opened))


def _show(shell: Shell, now: list[dict[str, Any]], coming: list[dict[str, str]]) -> None:
    waiting = {one["source"]: one["next"] for one in coming}
    rows = [[one["code"], one["slot"], _("now")] for one in now]
    rows += [[code, "", at] for code, at in waiting.items() if code not in {one["code"] for one in now}]
    shell.emit({"due": now, "next": coming}, lambda: shell.table(["source", "slot", "next (UTC)"], rows))
