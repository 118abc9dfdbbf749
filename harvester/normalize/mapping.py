"""Mapping files → compiled mappings: found by name, `extends` resolved, every mistake reported at once.

A mapping is looked for in the given directories first, then in the package (mappings/, mappings/presets/).
A preset names for each format what it extends and only what differs; see docs/mapping.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import mappings
from harvester.errors import ConfigError
from harvester.normalize.compile import compile_rule
from harvester.normalize.fieldwise import Fieldwise
from harvester.normalize.layers import FAMILY_OF_FORMAT, Layer, formats_of, mapping_layer, preset_layer
from harvester.normalize.library import Library, Source
from harvester.normalize.removal import Removal, compile_removal
from harvester.normalize.rules import Rule
from harvester.registry import suggestion

CONSTANT_FORMS = {"dc": ("format", "medium")}  # elements out of which a carrier form is read, by family
PACKAGE = Path(mappings.__file__).parent


class Mapping:
    """A compiled mapping. `text` is all YAML that made it; `hash` names exactly that text."""

    def __init__(self, name: str, head: Layer, rules: list[Rule], sources: Sequence[Source]) -> None:
        self.name = name
        self.format_family = head.family
        self.identifier_rule = head.identifier or "header"
        self.volatile = tuple(head.volatile)
        self.distrust = frozenset(head.distrust)
        self.undoubled = tuple(head.undouble)
        self.rules = tuple(rules)
        self.keys = frozenset(key for rule in rules for key in rule.keys)
        self._ignore = dict(head.ignore)
        self.ignored: Removal | None = compile_removal(self._ignore, head.family)
        self.dropped: Removal | None = compile_removal(dict.fromkeys(head.volatile, True), head.family)
        self.tests = head.tests
        # what is undone is told by the record, and the leader is no field: it stands in a view only
        self.needs_view = bool(head.undouble) or "LDR" in head.ignore
        self.fieldwise = Fieldwise(self.rules, self.ignored)
        self.others: tuple[Mapping, ...] = ()  # a preset loaded without format: those of its other formats
        self.sources = tuple(sources)
        self.text = "\n".join(f"# {source.label}\n{source.text}" for source in sources)
        self.hash = blake2b(f"{name}\n{self.text}".encode(), digest_size=16).hexdigest()

    def distrusting(self, constants: Iterable[tuple[str, str]]) -> Mapping:
        """This mapping, blind to a format (element, value) that a server writes into every record.

        A carrier form that is no evidence would part a printed book from itself. A class or a language is not made
        blank: `Text` says nothing anyway, and a library may well hold Indonesian books only.
        """
        found = [(name, value) for name, value in constants if name in CONSTANT_FORMS.get(self.format_family, ())]
        if not found:
            return self
        made = copy(self)
        for name, value in found:
            had = next((key for key in made._ignore if key.rpartition(":")[2] == name), f"dc:{name}")
            held = made._ignore.get(had, [])
            values = held if held is True else [*(held if isinstance(held, list) else [held]), value]
            made._ignore = {**made._ignore, had: values}
        made.ignored = compile_removal(made._ignore, made.format_family)
        made.fieldwise = Fieldwise(made.rules, made.ignored)
        made.hash = blake2b(f"{self.hash}\n{sorted(found)}".encode(), digest_size=16).hexdigest()
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to worker processes as its text and is compiled there once."""
        return _rebuild, (self.name, self.sources)


def load(name: str, directories: Sequence[Path] = ()) -> Mapping:
    """The compiled mapping *name*; of a preset, that of its first format, the others in `others`.

    Raises:
        ConfigError: there is no such mapping, or it has mistakes; `problems` lists every one as file:line.
    """
    library = Library([*directories, PACKAGE, PACKAGE / "presets"], PACKAGE / "tables")
    return _load(name, library)


def for_source(preset: str, format: str, directories: Sequence[Path] = ()) -> Mapping:
    """The mapping of *preset* for records of *format*; what the preset does not name follows the format's own mapping.

    *preset* may also name a mapping of the right family (a partner's own), which is then used as it is.

    Raises:
        ConfigError: unknown preset, mapping or format, or mistakes in the files.
    """
    if format not in FAMILY_OF_FORMAT:
        raise ConfigError(f"unknown format {format!r}", hint=suggestion(format, list(FAMILY_OF_FORMAT)))
    library = Library([*directories, PACKAGE, PACKAGE / "presets"], PACKAGE / "tables")
    return _load(f"{preset or 'generic'}@{format}", library)


@lru_cache(maxsize=64)
def _rebuild(name: str, sources: tuple[Source, ...]) -> Mapping:
    return _load(name, Library.of(sources))


def _load(name: str, library: Library) -> Mapping:
    """The mapping *name*: a mapping file, `preset@format`, or a preset with all its formats."""
    found: list[str] = []
    made: list[tuple[Layer, list[Rule]]] = []
    preset, _, format = name.partition("@")
    try:
        formats = [format] if format else formats_of(name, library)
        layers = [preset_layer(preset, one, library, found) for one in formats]
        for layer in layers or [mapping_layer(name, library, found, ())]:
            rules = [rule for raw in layer.rules if (rule := compile_rule(raw, layer.family, library.table))]
            made.append((layer, rules))
    except ConfigError as error:
        raise ConfigError(str(error), problems=(*found, *error.problems)) from error
    if found:
        found.sort(key=_by_line)
        raise ConfigError(f"mapping {name} has {len(found)} mistakes\n" + "\n".join(found), problems=tuple(found))
    first, *others = [Mapping(name, layer, rules, library.used()) for layer, rules in made]
    first.others = tuple(others)
    return first


def _by_line(problem: str) -> tuple[str, int]:
    file, _, rest = problem.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdecimal() else 0
