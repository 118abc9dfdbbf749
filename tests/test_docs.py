"""README, docs and --help know every command, function, rule and setting."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

import click
import pytest

from harvester import settings
from harvester.cli import COMMANDS, induk
from harvester.match.comparisons import comparisons
from harvester.merge.rules import rules as survivorship_rules
from harvester.normalize.functions import functions
from harvester.outputs import outputs
from harvester.sources import sources

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")}
EVERYTHING = README + "".join(DOCS.values())


def walk(command: click.Command, words: tuple[str, ...]) -> list[tuple[str, click.Command]]:
    """(full name, command) of *command* and everything below it."""
    found = [(" ".join(words), command)]
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found += walk(below, (*words, name))
    return found


ALL = walk(induk, ("induk",))


@pytest.mark.parametrize("name", [name for name, command in ALL if not isinstance(command, click.Group)])
def test_the_readme_lists_the_command(name: str) -> None:
    assert f"`{name}`" in README, "add it by: python -m tests.test_docs"


@pytest.mark.parametrize("name,command", ALL)
def test_a_command_says_what_it_does_and_knows_the_common_options(name: str, command: click.Command) -> None:
    assert command.help, name
    if isinstance(command, click.Group):
        return
    options = {option for parameter in command.params for option in parameter.opts}
    common = {"--config", "--lang", "--json", "--quiet", "--verbose", "--no-input", "--yes", "--dry-run"}
    assert common <= options, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.show_default, f"{name} {parameter.name}"


def test_the_first_help_page_lists_every_module_of_the_command_line() -> None:
    modules = {path.stem for path in (ROOT / "harvester" / "cli").glob("*.py")} - {"__init__", "common"}
    assert {name.replace("-", "_") for name in COMMANDS} == {
        name.removesuffix("_") for name in modules if not name.startswith("_")
    }


@pytest.mark.parametrize("name", functions.names())
def test_the_mapping_manual_knows_the_function(name: str) -> None:
    assert f"`{name}`" in DOCS["mapping.md"]


@pytest.mark.parametrize("name", comparisons.names())
def test_the_matching_manual_knows_the_comparison(name: str) -> None:
    assert f"`{name}`" in DOCS["matching.md"]


@pytest.mark.parametrize("name", survivorship_rules.names())
def test_the_matching_manual_knows_the_survivorship_rule(name: str) -> None:
    assert f"`{name}`" in DOCS["matching.md"]


@pytest.mark.parametrize("name", [*sources.names(), *outputs.names()])
def test_the_documentation_knows_the_protocol_or_output(name: str) -> None:
    assert f"`{name}`" in EVERYTHING


def test_the_settings_page_is_what_the_settings_say() -> None:
    assert DOCS["settings.md"] == settings.document()


def test_links_between_pages_lead_somewhere() -> None:
    for path in [ROOT / "README.md", ROOT / "README.id.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name} → {target}"


def command_table() -> str:
    """The lines of the README's table of commands."""
    lines = []
    for name, command in ALL:
        if not isinstance(command, click.Group) or name == "induk match":
            lines.append(f"| `{name}` | {command.get_short_help_str(200)} |")
    return "\n".join(lines)


def rewrite() -> None:
    """Write what the code knows into the pages: the commands, comparisons, rules, protocols and outputs."""
    begin, end = "|---|---|\n", "\n\nExit codes:"
    head, _, rest = README.partition("## Commands")
    intro, _, tail = rest.partition(begin)
    _, _, after = tail.partition(end)
    (ROOT / "README.md").write_text(f"{head}## Commands{intro}{begin}{command_table()}{end}{after}", encoding="utf-8")
    (ROOT / "docs" / "settings.md").write_text(settings.document(), encoding="utf-8")
    for page, name, lines in generated():
        path = ROOT / "docs" / page
        text = path.read_text(encoding="utf-8")
        head, mark, rest = text.partition(f"<!-- {name} -->")
        _, heading, tail = rest.partition("\n## ")
        path.write_text(f"{head}{mark}\n\n{lines}\n{heading}{tail}", encoding="utf-8")


def generated() -> list[tuple[str, str, str]]:
    """(page, marker, lines) of every generated table."""
    compared = [f"| `{name}` | {first(one.compare)} | {', '.join(one.outcomes)} |" for name, one in comparisons]
    return [
        (
            "matching.md",
            "comparisons",
            "\n".join(["| comparison | what it says | outcomes |", "|---|---|---|", *compared]),
        ),
        ("matching.md", "survivorship", listed(survivorship_rules)),
        ("sources.md", "sources", listed(sources)),
        ("sources.md", "outputs", listed(outputs)),
    ]


def listed(registry: Iterable[tuple[str, object]]) -> str:
    return "\n".join(f"- `{name}`: {first(one)}" for name, one in registry)


def first(thing: object) -> str:
    """The first line of a docstring; a class or opener without one borrows its module's."""
    text = inspect.getdoc(thing) or inspect.getdoc(inspect.getmodule(thing)) or ""
    return text.partition("\n")[0]


@pytest.mark.parametrize("page,name,lines", generated())
def test_a_generated_table_is_up_to_date(page: str, name: str, lines: str) -> None:
    assert lines in DOCS[page], "run python -m tests.test_docs"


if __name__ == "__main__":
    rewrite()
