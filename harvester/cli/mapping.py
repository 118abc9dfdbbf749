"""induk mapping"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harvester.cli.common import Shell, common, preset_names, settings_of
from harvester.errors import ConfigError


@click.group("mapping")
def command() -> None:
    """Mapping files: check, test, try."""


def _folders(shell: Shell) -> tuple[Path, ...]:
    """Mappings beside induk.yaml, where there is one; mapping work needs no configuration."""
    from harvester import pipeline

    try:
        return tuple(pipeline.mapping_folders(settings_of(shell)))
    except ConfigError:
        if shell.config:
            raise
        return ()


@command.command()
@click.argument("names", nargs=-1)
@common
def check(shell: Shell, names: tuple[str, ...]) -> None:
    """Check mapping files (none: all that ship); every mistake at once, as file:line with a suggestion."""
    from harvester.normalize import mapping

    problems: list[str] = []
    wanted = names or shipped()
    for name in wanted:
        try:
            mapping.load(name, _folders(shell))
        except ConfigError as error:
            problems += [one for one in error.problems if one not in problems]
    if problems:
        raise ConfigError(f"{len(problems)} mistakes", problems=tuple(problems))
    shell.emit({"checked": list(wanted)}, lambda: shell.say(f"good: {', '.join(wanted)}"))


def shipped() -> tuple[str, ...]:
    """The names of the mappings and presets that ship with Induk."""
    import mappings

    folder = Path(str(mappings.__file__)).parent
    return (*sorted(path.stem for path in folder.glob("*.yaml")), *preset_names())


@command.command()
@click.argument("names", nargs=-1)
@common
def test(shell: Shell, names: tuple[str, ...]) -> int:
    """Run the tests inside mapping files (none: all that ship)."""
    from harvester.normalize import check, mapping

    rows: list[dict[str, Any]] = []
    for name in names or shipped():
        found = mapping.load(name, _folders(shell))
        failures = check.run_tests(found)
        rows.append({"mapping": name, "failures": [str(one) for one in failures]})
    failed = [one for row in rows for one in row["failures"]]
    shell.emit(rows, lambda: _show_tests(shell, rows))
    return 1 if failed else 0


def _show_tests(shell: Shell, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        shell.say(f"{row['mapping']}: {'good' if not row['failures'] else len(row['failures'])}")
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
