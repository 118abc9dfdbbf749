"""Layouts: which column of a partner's sheet is what (mappings/layouts/*.yaml, or a file of the partner's own)."""

from __future__ import annotations

import functools
import re
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.registry import suggestion
from harvester.text import fold
from harvester.yaml_file import YamlFile

TYPES = ("text", "isbn", "year", "classification", "count", "inventory", "list")
_KEYS = ("layout", "row", "join", "lists", "header_rows", "columns", "ignored", "order", "tests")
_COLUMN_KEYS = ("names", "letter", "type", "required")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")


class Column(NamedTuple):
    """One column: our name, its names in sheets (folded), its letter, how its values are read."""

    name: str
    names: frozenset[str]
    letter: str = ""
    type: str = "text"
    required: bool = False


class Layout(NamedTuple):
    """A checked layout file; `columns` are in the order of the file."""

    name: str
    columns: tuple[Column, ...]
    row: str = "title"
    join: tuple[str, ...] = ()
    lists: str = "semicolon"
    header_rows: int = 1
    ignored: frozenset[str] = frozenset()
    order: tuple[str, ...] = ()
    tests: tuple[dict[str, Any], ...] = ()

    def column(self, header: str) -> Column | None:
        """The column that a sheet calls *header*; None when no column has that name."""
        return self._by_name().get(fold(header))

    def named(self, name: str) -> Column | None:
        """The column that we call *name*."""
        return next((column for column in self.columns if column.name == name), None)

    def _by_name(self) -> dict[str, Column]:
        return _names(self.columns)


@functools.cache
def _names(columns: tuple[Column, ...]) -> dict[str, Column]:
    return {name: column for column in columns for name in column.names}


@functools.cache
def built_in() -> dict[str, Layout]:
    """The layouts that come with Induk, by name."""
    folder = files("mappings").joinpath("layouts")
    texts = {item.name: item.read_text("utf-8") for item in folder.iterdir() if item.name.endswith(".yaml")}
    layouts = (checked(yaml_file.parse(texts[name], name=f"layouts/{name}")) for name in sorted(texts))
    return {layout.name: layout for layout in layouts}


def load(name: str) -> Layout:
    """The built-in layout *name*, or the one in the YAML file of that path.

    Raises:
        ConfigError: unknown, or wrong; every mistake at once.
    """
    if name.endswith((".yaml", ".yml")):
        return checked(yaml_file.read(Path(name)))
    known = built_in()
    if name not in known:
        raise ConfigError(f"unknown layout {name!r}", hint=suggestion(name, list(known)))
    return known[name]


def checked(file: YamlFile) -> Layout:
    """The layout in *file*.

    Raises:
        ConfigError: wrong; `problems` has every mistake as file:line.
    """
    if not isinstance(file.value, dict) or not isinstance(file.value.get("columns"), dict):
        raise ConfigError("a layout needs columns: and a name for each", place=file.place())
    problems = _mistakes(file)
    if problems:
        raise ConfigError("\n".join(problems), problems=tuple(problems))
    value: dict[str, Any] = file.value
    return Layout(
        name=str(value.get("layout", "")) or Path(file.name).stem,
        columns=tuple(_column(name, entry or {}) for name, entry in value["columns"].items()),
        row=value.get("row", "title"),
        join=tuple(value.get("join", ())),
        lists=value.get("lists", "semicolon"),
        header_rows=value.get("header_rows", 1),
        ignored=frozenset(fold(str(name)) for name in value.get("ignored", ())),
        order=tuple(value.get("order", ())),
        tests=tuple(value.get("tests", ())),
    )


def _column(name: str, entry: dict[str, Any]) -> Column:
    names = frozenset(fold(str(each)) for each in entry.get("names", [name]))
    return Column(name, names, entry.get("letter", ""), entry.get("type", "text"), entry.get("required", False) is True)


def _mistakes(file: YamlFile) -> list[str]:
    value: dict[str, Any] = file.value
    problems = [
        f"{file.place(key)}: unknown key {key!r} ({suggestion(key, list(_KEYS))})" for key in value if key not in _KEYS
    ]
    for key, allowed in (("row", ("title", "copy")), ("lists", ("semicolon", "angle")), ("header_rows", (1, 2))):
        if value.get(key, allowed[0]) not in allowed:
            problems.append(f"{file.place(key)}: {key} must be one of {', '.join(map(str, allowed))}")
    taken: dict[str, str] = {}
    for name, entry in value["columns"].items():
        problems += _column_mistakes(file, name, entry, taken)
    for key in ("join", "order"):
        for index, name in enumerate(value.get(key) or ()):
            if name != "-" and name not in value["columns"]:
                hint = suggestion(str(name), list(value["columns"]))
                problems.append(f"{file.place(key, index)}: unknown column {name!r} ({hint})")
    if "title" not in value["columns"]:
        problems.append(f"{file.place('columns')}: a layout needs a column called title")
    return problems


def _column_mistakes(file: YamlFile, name: str, entry: Any, taken: dict[str, str]) -> list[str]:
    place = file.place("columns", name)
    if not _NAME.fullmatch(name):
        return [f"{place}: column {name!r} must be called by small letters a-z, digits and _"]
    if entry is not None and not isinstance(entry, dict):
        return [f"{place}: column {name!r} needs keys such as names:"]
    entry = entry or {}
    problems = [
        f"{file.place('columns', name, key)}: unknown key {key!r} ({suggestion(key, list(_COLUMN_KEYS))})"
        for key in entry
        if key not in _COLUMN_KEYS
    ]
    if entry.get("type", "text") not in TYPES:
        hint = suggestion(str(entry["type"]), list(TYPES))
        problems.append(f"{file.place('columns', name, 'type')}: unknown type {entry['type']!r} ({hint})")
    if not isinstance(entry.get("names", []), list):
        return [*problems, f"{file.place('columns', name, 'names')}: names must be a list"]
    if not re.fullmatch(r"[A-Z]{0,3}", str(entry.get("letter", ""))):
        problems.append(f"{file.place('columns', name, 'letter')}: a letter is such as A or AB")
    for each in entry.get("names", [name]):
        folded = fold(str(each))
        if folded in taken:
            problems.append(f"{place}: {each!r} names column {taken[folded]!r} already")
        taken.setdefault(folded, name)
    return problems
