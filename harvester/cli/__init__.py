"""The command line: one file a command group, loaded only when it is asked for, so that `--help` is quick.

A file `NAME.py` here holds `command`, a click command or group called NAME (`import_.py`: `import`, a word of Python).
Exit codes: 0 complete · 1 some source failed or partial · 2 usage or configuration · 3 halted, a person must decide ·
4 integrity failure · 75 locked · 130/143 interrupted, saved.
"""

from __future__ import annotations

import importlib
import keyword
import os
import sys
from typing import Any

import click

from harvester.cli._speech import _, begin, told, translate
from harvester.i18n import N_

# Name → one line for `induk --help`: the modules themselves are not imported for it.
COMMANDS = {
    "changes": N_("The change feed: what a search index must know."),
    "cluster": N_("Clusters: the records of one manifestation under a stable id."),
    "config": N_("Check and show the configuration."),
    "db": N_("The database: upgrade, verify, dump, back up, restore, prune."),
    "demo": N_("Four sample libraries, two nights, the whole journey."),
    "derivation": N_("What rules and mappings made of the records: approve, drop, roll back."),
    "doctor": N_("Is everything in place? Configuration, database, disk, clock, endpoints."),
    "harvest": N_("Harvest partners into the ledger."),
    "import": N_("Read files that a partner sent, as one set."),
    "init": N_("Write a first induk.yaml and partners.d."),
    "link": N_("What people decided: together, apart, pinned; export and import."),
    "mapping": N_("Mapping files: check, test, try, coverage, diff, docs, schema."),
    "match": N_("Match and merge what has changed; explain a pair."),
    "nightly": N_("One night: harvest, match, publish, report, tell people."),
    "normalize": N_("Normalize stored records again by today's mappings."),
    "partner": N_("Partners: add, measure, look at a sample, pause, rekey, retire."),
    "publish": N_("Bring an output up to date: Solr, files; verify and repair it."),
    "report": N_("How things stand: the last night, the calendar of nights."),
    "quarantine": N_("What could not be read: list it, look at it, try it again."),
    "record": N_("One record: as received, normalized, traced."),
    "search": N_("Find merged records by title, names, subjects or number."),
    "serve": N_("Pages, HTTP API and OAI-PMH provider."),
    "run": N_("Runs: what was done, with its verdict; approve, reject, revert."),
    "scheduler": N_("Harvest when it is due: as a daemon, or once for cron and timers."),
    "user": N_("Accounts of the web pages."),
}


class Lazy(click.Group):
    """A group whose commands are modules of this package."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"harvester.cli.{name}")
        command: click.Command = module.command
        return translate(command)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _(line)) for name, line in sorted(COMMANDS.items())])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from harvester.registry import suggestion

            hint = told(suggestion(args[0], list(COMMANDS)))
            raise click.UsageError(_("no command {name!r} ({hint})", name=args[0], hint=hint))
        return super().resolve_command(ctx, args)


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="induk", prog_name="induk")
def induk() -> None:
    """Induk keeps one union catalogue of what the libraries of a consortium hold."""


def main(arguments: list[str] | None = None) -> Any:
    """Run the command line; returns only by SystemExit."""
    from harvester.cli.common import guarded

    begin(sys.argv[1:] if arguments is None else arguments, os.environ)
    said = translate(induk)
    os.environ.setdefault("PYTHONUTF8", "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    sys.exit(guarded(lambda: said.main(args=arguments, prog_name="induk", standalone_mode=False)))
