"""induk mapping"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harvester.cli._speech import _
from harvester.cli.common import Shell, common, open_pipeline, preset_names, settings_of
from harvester.errors import ConfigError, UsageError


@click.group("mapping")
def command() -> None:
    """Mapping files: check, test, try, coverage, diff, docs, schema."""


def _folders(shell: Shell) -> tuple[Path, ...]:
    """Mappings beside induk.yaml, where there is one; mistakes in it, and in partner files, are no matter here."""
    from harvester.settings import mapping_folders
    from harvester.settings_schema import CONFIG_NAME

    try:
        return mapping_folders(settings_of(shell).folder)
    except ConfigError:
        if shell.config:
            raise
        return mapping_folders(Path(os.environ.get("INDUK_CONFIG") or CONFIG_NAME).parent)


@command.command()
@click.argument("names", nargs=-1)
@common
def check(shell: Shell, names: tuple[str, ...]) -> int:
    """Check mappings by name or as .yaml files (none: all that ship and one's own); every mistake, as file:line."""
    from harvester import mapping_tools

    folders = _folders(shell)
    wanted = names or known(folders)
    mistakes = mapping_tools.check(wanted, folders)
    problems = tuple(one.pop("text") for one in mistakes)
    if problems and not shell.json:
        raise ConfigError(f"{len(problems)} mistakes", problems=problems)
    answer = {"checked": wanted, "problems": mistakes}
    shell.emit(answer, lambda: shell.say(_("good: {names}", names=", ".join(wanted))))
    return 2 if problems else 0


def known(folders: Sequence[Path]) -> tuple[str, ...]:
    """The names of the mappings and presets that ship with Induk, then those beside induk.yaml."""
    own = sorted(path.stem for folder in folders for path in folder.glob("*.yaml"))
    return tuple(dict.fromkeys((*shipped(), *own)))


def shipped() -> tuple[str, ...]:
    """The names of the mappings and presets that ship with Induk."""
    import mappings

    folder = Path(str(mappings.__file__)).parent
    return (*sorted(path.stem for path in folder.glob("*.yaml")), *preset_names())


@command.command()
@click.argument("names", nargs=-1)
@common
def test(shell: Shell, names: tuple[str, ...]) -> int:
    """Run the tests inside mappings by name or as .yaml files (none: all that ship and one's own)."""
    from harvester import mapping_tools
    from harvester.normalize import check

    rows: list[dict[str, Any]] = []
    folders = _folders(shell)
    for name in names or known(folders):
        found = mapping_tools.load(name, folders)
        failures = check.run_tests(found)
        rows.append({"mapping": name, "failures": [str(one) for one in failures]})
    failed = [one for row in rows for one in row["failures"]]
    shell.emit(rows, lambda: _show_tests(shell, rows))
    return 1 if failed else 0


def _show_tests(shell: Shell, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        shell.say(f"{row['mapping']}: {len(row['failures']) or _('good')}")
        for one in row["failures"]:
            shell.say(f"  {one}")


@command.command("try")
@click.argument("name")
@click.argument("what", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--format", "format_name", default="", help="iso2709, marcxml, oai_dc, mods, …; guessed from the file.")
@click.option("--record", "number", type=click.IntRange(1), default=1, show_default=True, help="Which record.")
@common
def try_mapping(shell: Shell, name: str, what: Path, format_name: str, number: int) -> None:
    """Put a record of the file WHAT through mapping NAME and show each step: rule, input, output."""
    from harvester import inspecting

    answer = inspecting.try_mapping(name, what, format_name, number, _folders(shell))
    heads = ["field", "rule", "function", "input", "output"]
    shell.emit(answer, lambda: shell.table(heads, [[row.get(head, "") for head in heads] for row in answer["trace"]]))


@command.command()
@click.argument("partner")
@click.option("--limit", type=click.IntRange(0), default=0, help="Look at so many records of each source; 0: all.")
@common
def coverage(shell: Shell, partner: str, limit: int) -> None:
    """Tags and elements in a partner's stored records that no rule reads, and values that never vary."""
    from harvester import mapping_tools

    found = mapping_tools.coverage(open_pipeline(shell), partner, limit)
    shell.emit(found, lambda: _show_coverage(shell, found))


def _show_coverage(shell: Shell, found: list[dict[str, Any]]) -> None:
    for one in found:
        shell.say(
            _(
                "{source}: {records} records, {number} tags or elements that no rule reads",
                number=len(one["unread"]),
                **one,
            )
        )
        rows = [[row["name"], row["records"], " · ".join(s["text"] for s in row["samples"])] for row in one["unread"]]
        shell.table(["unread", "records", "samples"], rows)
        if one["constants"]:
            shell.say(_("the same in more than 99 % of the records; matching passes over what is unheeded"))
            heads = ["where", "name", "value", "share", "unheeded"]
            shell.table(heads, [[row[head] for head in heads] for row in one["constants"]])


@command.command()
@click.argument("before")
@click.argument("after")
@click.argument("what", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--partner", default="", help="Compare over the stored records of this partner.")
@click.option("--limit", type=click.IntRange(0), default=0, help="At most so many stored records a source; 0: all.")
@click.option("--samples", type=click.IntRange(0, 1000), default=20, show_default=True, help="Records to show.")
@common
def diff(shell: Shell, before: str, after: str, what: Path | None, partner: str, limit: int, samples: int) -> None:
    """Which values change from mapping BEFORE to AFTER (names or .yaml files), over the file WHAT or a partner."""
    from harvester import mapping_tools

    if bool(what) == bool(partner):
        raise UsageError("name a file of records, or --partner")
    records = (
        mapping_tools.from_file(what) if what else mapping_tools.from_partner(open_pipeline(shell), partner, limit)
    )
    found = mapping_tools.diff(before, after, records, _folders(shell), samples)
    shell.emit(found, lambda: _show_diff(shell, found))


def _show_diff(shell: Shell, found: dict[str, Any]) -> None:
    shell.say(_("{records} records: {changed} change, {failed} fail in one of the two", **found))
    shell.table(["field", "records"], [[row["field"], row["records"]] for row in found["fields"]])
    rows = [
        [one["address"], change["field"], change["before"], change["after"]]
        for one in found["samples"]
        for change in one["changes"]
    ]
    shell.table(["record", "field", "before", "after"], rows)
    failing = [[one["address"], one["failure"]] for one in found["samples"] if one["failure"]]
    shell.table(["record", "failure"], failing)


@command.command()
@click.argument("name")
@common
def docs(shell: Shell, name: str) -> None:
    """A mapping or preset as a table: which field comes from where, by which functions and line."""
    from harvester import mapping_tools

    rows = mapping_tools.document(name, _folders(shell))
    heads = ["family", "field", "source", "functions", "place"]
    shell.emit(rows, lambda: shell.table(heads, [[row[head] for head in heads] for row in rows]))


@command.command()
@common
def schema(shell: Shell) -> None:
    """The JSON Schema of mapping files, for editors."""
    import json

    from harvester import mapping_tools

    made = mapping_tools.schema()
    shell.emit(made, lambda: click.echo(json.dumps(made, indent=2, ensure_ascii=False)))
