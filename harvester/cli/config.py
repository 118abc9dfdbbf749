"""induk config"""

from __future__ import annotations

import json

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, preset_names, settings_of


@click.group("config")
def command() -> None:
    """Check and show the configuration."""


@command.command()
@common
def check(shell: Shell) -> None:
    """Check induk.yaml, partners.d and the mappings they use; every mistake at once, as file:line."""
    from harvester import rule_files

    settings = settings_of(shell)
    rule_files.load_rules(settings)
    rule_files.check_mappings(settings)
    found = {"partners": len(settings.partners), "sources": len(settings.sources)}
    shell.emit(
        found,
        lambda: shell.say(_("good: {partners} partners, {sources} sources", **found)),
    )


@command.command()
@common
def show(shell: Shell) -> None:
    """The settings in force, defaults filled in, secrets as their references."""
    values = settings_of(shell).shown()
    shell.emit(values, lambda: shell.say(json.dumps(values, ensure_ascii=False, indent=2)))


@command.command()
@common
def schema(shell: Shell) -> None:
    """The JSON Schema of induk.yaml and of a partner file, for editors."""
    from harvester import settings

    values = settings.schema()
    values["presets"] = list(preset_names())
    shell.emit(values, lambda: shell.say(json.dumps(values, ensure_ascii=False, indent=2)))
