"""Where mapping files and tables come from: directories in order, or the texts that a mapping was made of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from harvester.errors import ConfigError
from harvester.normalize.tables import Table, table_of
from harvester.registry import suggestion
from harvester.yaml_file import YamlFile, parse, read

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Source(NamedTuple):
    """The text of one file that made a mapping: `key` is mapping:name or table:name, `label` stands in messages."""

    key: str
    label: str
    text: str


class Library:
    """Finds mappings and tables by name and remembers what was used."""

    def __init__(self, directories: Sequence[Path], tables: Path | None) -> None:
        self._directories = list(directories)
        self._tables = tables
        self._used: dict[str, Source] = {}
        self._given: dict[str, Source] = {}
        self._made: dict[str, Table] = {}

    @classmethod
    def of(cls, sources: Sequence[Source]) -> Library:
        """A library of *sources* alone, for rebuilding a mapping elsewhere."""
        library = cls([], None)
        library._given = {source.key: source for source in sources}
        return library

    def used(self) -> list[Source]:
        """Every file that was asked for, in the order of their keys."""
        return [self._used[key] for key in sorted(self._used)]

    def file(self, name: str, place: str) -> YamlFile:
        """The mapping file *name*.

        Raises:
            ConfigError: no such mapping, or no YAML.
        """
        return self._open(f"mapping:{name}", name, self._directories, place, "mapping")

    def table(self, name: str) -> Table:
        """The table *name*.

        Raises:
            ConfigError: no such table.
        """
        if name not in self._made:
            beside = [directory / "tables" for directory in self._directories]
            folders = [*beside, self._tables] if self._tables else beside
            self._made[name] = table_of(self._open(f"table:{name}", name, folders, "", "table"))
        return self._made[name]

    def _open(self, key: str, name: str, folders: Sequence[Path], place: str, kind: str) -> YamlFile:
        if key in self._given:
            source = self._given[key]
            self._used[key] = source
            return parse(source.text, name=source.label)
        if NAME.fullmatch(name):
            for folder in folders:
                path = folder / f"{name}.yaml"
                if path.is_file():
                    file = read(path, name=path.name)
                    self._used[key] = Source(key, path.name, path.read_text("utf-8-sig"))
                    return file
        known = sorted({path.stem for folder in folders for path in folder.glob("*.yaml")})
        raise ConfigError(f"there is no {kind} {name!r}", place=place, hint=suggestion(name, known))
