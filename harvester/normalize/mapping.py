"""Mapping files → compiled mappings: found by name, `extends` resolved, every mistake reported at once.

A mapping is looked for in the given directories first, then in the package (mappings/, mappings/presets/).
A preset names for each format what it extends and only what differs; see docs/mapping.md.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

import mappings
from harvester.errors import ConfigError
from harvester.normalize.compile import compile_rule
from harvester.normalize.identity import IDENTIFIER_RULES
from harvester.normalize.inner import BadPath
from harvester.normalize.library import Library, Source
from harvester.normalize.paths import FAMILIES, compile_path
from harvester.normalize.problems import Problems
from harvester.normalize.raw import Raw
from harvester.normalize.removal import Removal, compile_removal
from harvester.normalize.rules import Rule
from harvester.normalize.targets import TARGETS
from harvester.normalize.views import View
from harvester.registry import suggestion
from harvester.yaml_file import YamlFile

FAMILY_OF_FORMAT = {
    "iso2709": "marc",
    "marcxml": "marc",
    "marc_json": "marc",
    "line_marc": "marc",
    "unimarc": "unimarc",
    "oai_dc": "dc",
    "qdc": "dc",
    "mods": "mods",
    "row": "row",
}
BASE = {"marc": "marc21", "unimarc": "unimarc", "dc": "oai_dc", "mods": "mods", "row": "row"}
_HEAD = ("mapping", "title", "version", "family", "extends", "identifier")
KEYS = (*_HEAD, "volatile", "ignore", "distrust", "fields", "add", "remove", "tests")
PRESET_KEYS = ("preset", "title", "version", "identifier", "formats", "notes")
Planned = tuple[str, bool, Callable[[View], list[Any]], Rule]
MAX_PLANS = 5000  # different sets of tags whose rules are remembered
PACKAGE = Path(mappings.__file__).parent


class Mapping:
    """A compiled mapping. `text` is all YAML that made it; `hash` names exactly that text."""

    def __init__(self, name: str, head: Layer, rules: list[Rule], sources: Sequence[Source]) -> None:
        self.name = name
        self.format_family = head.family
        self.identifier_rule = head.identifier or "header"
        self.volatile = tuple(head.volatile)
        self.distrust = frozenset(head.distrust)
        self.rules = tuple(rules)
        self.keys = frozenset(key for rule in rules for key in rule.reads)
        self.ignored: Removal | None = compile_removal(head.ignore, head.family)
        self.dropped: Removal | None = compile_removal(dict.fromkeys(head.volatile, True), head.family)
        self.tests = head.tests
        self._plans: dict[frozenset[str], tuple[Planned, ...]] = {}
        self.sources = tuple(sources)
        self.text = "\n".join(f"# {source.label}\n{source.text}" for source in sources)
        self.hash = blake2b(f"{name}\n{self.text}".encode(), digest_size=16).hexdigest()

    def plan(self, found: View) -> tuple[Planned, ...]:
        """The rules that can give something for a record with just these tags; remembered by the tags.

        Each with its field's name and whether it is skipped once the field has a value.
        """
        tags = frozenset(found)
        rules = self._plans.get(tags)
        if rules is None:
            if len(self._plans) >= MAX_PLANS:
                self._plans.clear()
            fitting = [rule for rule in self.rules if rule.keys is None or not rule.keys.isdisjoint(tags)]
            rules = tuple((r.target.name, r.fallback or r.target.kind == "one", r.run, r) for r in fitting)
            self._plans[tags] = rules
        return rules

    def __reduce__(self) -> tuple[Any, ...]:
        """Travels to worker processes as its text and is compiled there once."""
        return _rebuild, (self.name, self.sources)


class Layer:
    """What one file, or one `formats` block of a preset, adds on top of what it extends."""

    def __init__(
        self, body: dict[str, Any], problems: Problems, path: tuple[str | int, ...], base: Layer | None
    ) -> None:
        self.body, self.problems, self.path = body, problems, path
        self.family: str = body.get("family") or (base.family if base else "")
        self.identifier: Any = body.get("identifier") or (base.identifier if base else "")
        self.volatile: list[str] = [*(base.volatile if base else ()), *self._texts("volatile")]
        self.distrust: list[str] = [*(base.distrust if base else ()), *self._texts("distrust")]
        self.ignore: dict[str, Any] = (base.ignore if base else {}) | self._block("ignore")
        self.rules: list[Raw] = self._merged(base.rules if base else [])
        self.tests: list[tuple[str, Any]] = []
        tests = body.get("tests") or []
        if isinstance(tests, list):
            self.tests = [(problems.place((*path, "tests", index)), test) for index, test in enumerate(tests)]
        else:
            self.blame("`tests` is a list", "", "tests")
        self._check()

    def blame(self, message: str, hint: str = "", *path: str | int) -> None:
        self.problems.add((*self.path, *path), message, hint)

    def _texts(self, key: str) -> list[str]:
        value = self.body.get(key) or []
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
        self.blame(f"`{key}` is a list of texts", 'write tags in quotes: ["005"]', key)
        return []

    def _block(self, key: str) -> dict[str, Any]:
        value = self.body.get(key) or {}
        if isinstance(value, dict):
            return value
        self.blame(f"`{key}` is a block of `name: …`", "", key)
        return {}

    def _merged(self, base: list[Raw]) -> list[Raw]:
        fields, added = self._block("fields"), self._block("add")
        removed = set(self._texts("remove"))
        names = {raw.body.get("name") for raw in base if isinstance(raw.body, dict)} | {raw.target for raw in base}
        for index, name in enumerate(self.body.get("remove") or ()):
            if isinstance(name, str) and name not in names:
                hint = suggestion(name, sorted(n for n in names if n)) if names else ""
                self.blame(f"{name!r} is no rule of what this extends", hint, "remove", index)
        kept = [raw for raw in base if raw.target not in fields and raw.target not in removed]
        kept = [raw for raw in kept if not (isinstance(raw.body, dict) and raw.body.get("name") in removed)]
        own = [raw for key, block in (("fields", fields), ("add", added)) for raw in self._raws(key, block)]
        return kept + own

    def _raws(self, key: str, block: dict[str, Any]) -> list[Raw]:
        raws = []
        for target, body in block.items():
            several = body if isinstance(body, list) else [body]
            for index, one in enumerate(several):
                where = (*self.path, key, target, *((index,) if isinstance(body, list) else ()))
                raws.append(Raw(target, one, self.problems, where))
        return raws

    def _check(self) -> None:
        if self.family not in FAMILIES:
            self.blame(f"unknown family {self.family!r}", "known: " + ", ".join(FAMILIES), "family")
        self._check_identifier()
        for index, name in enumerate(self.body.get("distrust") or ()):
            if name not in TARGETS:
                self.blame(f"unknown field {name!r}", suggestion(str(name), list(TARGETS)), "distrust", index)
        for key in ("volatile", "ignore"):
            for name in self._texts(key) if key == "volatile" else self._block(key):
                self._checked_path(key, name)

    def _check_identifier(self) -> None:
        known = ", ".join(IDENTIFIER_RULES)
        if not isinstance(self.identifier, str):
            self.blame("`identifier` is text", 'write tags in quotes: "001"', "identifier")
        elif self.identifier and self.identifier not in IDENTIFIER_RULES and self.family in FAMILIES:
            try:
                compile_path(self.identifier, self.family)
            except BadPath as error:
                self.blame(f"no identifier rule: {error}", f"known: {known}", "identifier")

    def _checked_path(self, key: str, name: Any) -> None:
        try:
            compile_removal({str(name): True}, self.family if self.family in FAMILIES else "row")
        except ValueError as error:
            where = (key, name) if key == "ignore" else (key, self.body[key].index(name))
            self.blame(str(error), "", *where)


def load(name: str, directories: Sequence[Path] = ()) -> Mapping:
    """The compiled mapping *name*.

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
    found: list[str] = []
    preset, _, format = name.partition("@")
    try:
        layer = _preset_layer(preset, format, library, found) if format else _layer(name, library, found, ())
        rules = [rule for raw in layer.rules if (rule := compile_rule(raw, layer.family, library.table))]
    except ConfigError as error:
        raise ConfigError(str(error), problems=(*found, *error.problems)) from error
    if found:
        found.sort(key=_by_line)
        raise ConfigError(f"mapping {name} has {len(found)} mistakes:\n" + "\n".join(found), problems=tuple(found))
    return Mapping(name, layer, rules, library.used())


def _by_line(problem: str) -> tuple[str, int]:
    file, _, rest = problem.partition(":")
    line = rest.partition(":")[0]
    return file, int(line) if line.isdecimal() else 0


def _body(file: YamlFile, problems: Problems, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(file.value, dict):
        raise ConfigError("is no mapping file", place=file.place(), hint="it starts with `mapping: name`")
    for key in file.value:
        if key not in known:
            problems.add((key,), f"unknown key {key!r}", suggestion(key, list(known)))
    return file.value


def _layer(name: str, library: Library, found: list[str], seen: tuple[str, ...], place: str = "") -> Layer:
    if name in seen:
        raise ConfigError(f"{name!r} extends itself: " + " → ".join((*seen, name)), place=place)
    file = library.file(name, place)
    problems = Problems(file, found)
    body = _body(file, problems, KEYS)
    base = None
    if body.get("extends"):
        base = _layer(str(body["extends"]), library, found, (*seen, name), file.place("extends"))
    return Layer(body, problems, (), base)


def _preset_layer(preset: str, format: str, library: Library, found: list[str]) -> Layer:
    file = library.file(preset, "")
    if isinstance(file.value, dict) and "mapping" in file.value:
        return _layer(preset, library, found, ())
    problems = Problems(file, found)
    body = _body(file, problems, PRESET_KEYS)
    family = FAMILY_OF_FORMAT[format]
    formats = body.get("formats") or {}
    if not isinstance(formats, dict):
        raise ConfigError("`formats` is a block of `format: …`", place=file.place("formats"))
    for name in formats:
        if name not in (*FAMILY_OF_FORMAT, *BASE):
            known = sorted({*FAMILY_OF_FORMAT, *BASE})
            problems.add(("formats", name), f"unknown format {name!r}", suggestion(name, known))
    key = format if format in formats else family
    block = formats.get(key) or {}
    for inner in block:
        if inner not in KEYS:
            problems.add(("formats", key, inner), f"unknown key {inner!r}", suggestion(inner, list(KEYS)))
    extends = str(block.get("extends") or BASE[family])
    base = _layer(extends, library, found, (preset,), file.place("formats", key, "extends"))
    block = {"identifier": body.get("identifier"), **block}
    return Layer(block, problems, ("formats", key), base)
