"""induk nightly"""

from __future__ import annotations

import click

from harvester.cli.common import Shell, common, open_pipeline, worst
from harvester.cli.harvest import harvest_and_show
from harvester.cli.match import match_and_show


@click.command("nightly")
@click.argument("partners", nargs=-1)
@common
def command(shell: Shell, partners: tuple[str, ...]) -> int:
    """One night: harvest every active partner (or PARTNERS), match and merge, say how it went."""
    from harvester import pipeline

    opened = open_pipeline(shell)
    codes = pipeline.active_sources(opened, partners)
    results = harvest_and_show(shell, opened, codes, pipeline.Order(night=opened.now()[:10]))
    return worst([*results.values(), match_and_show(shell, opened)])
