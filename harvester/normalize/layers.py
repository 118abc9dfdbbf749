"""Mapping files and presets as layers: what each says on top of what it extends, with every mistake noted."""

from __future__ import annotations

from typing import Any

from harvester.errors import ConfigError
from harvester.normalize.identity import IDENTIFIER_RULES
from harvester.normalize.inner import BadPath
from harvester.normalize.library import Library
from harvester.normalize.paths import FAMILIES, compile_path
from harvester.normalize.problems import Problems
from harvester.normalize.raw import Raw
from harvester.normalize.removal import compile_removal
from harvester.normalize.targets import TARGETS
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
KEYS = (*_HEAD, "volatile", "ignore", "undouble", "distrust", "fields", "add", "remove", "tests")
PRESET_KEYS = ("preset", "title", "version", "identifier", "formats", "notes")
FAMILIES_OF = {"marc": "marc", "unimarc": "marc", "dc": "dc", "mods": "mods", "row": "row"}


class Layer:
    """What one file, or one `formats` block of a preset, adds on top of what it extends."""

    def __init__(
        self, body: dict[str, Any], problems: Problems, path: tuple[str | int, ...], base: Layer | None
    ) -> None:
        self.body, self.problems, self.path = body, problems, path
        self.family: str = body.get("family") or (base.family if base else "")
        self.identifier: Any = body.get("identifier") or (base.identifier if base else "")
        self.volatile: list[str] = [*(base.volatile if base else ()), *self._texts("volatile")]
        self.undouble: list[str] = [*(base.undouble if base else ()), *self._texts("undouble")]
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
            self.family = "row"  # which takes any path: one mistake is told once
        self._check_identifier()
        for index, name in enumerate(self.body.get("distrust") or ()):
            if name not in TARGETS:
                self.blame(f"unknown field {name!r}", suggestion(str(name), list(TARGETS)), "distrust", index)
        for key in ("volatile", "undouble", "ignore"):
            for name in self._block(key) if key == "ignore" else self._texts(key):
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


def _body(file: YamlFile, problems: Problems, known: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(file.value, dict):
        raise ConfigError("is no mapping file", place=file.place(), hint="it starts with `mapping: name`")
    for key in file.value:
        if key not in known:
            problems.add((key,), f"unknown key {key!r}", suggestion(key, list(known)))
    return file.value


def mapping_layer(name: str, library: Library, found: list[str], seen: tuple[str, ...], place: str = "") -> Layer:
    """The mapping *name* on top of what it extends; *seen* are the names that extend it."""
    if name in seen:
        raise ConfigError(f"{name!r} extends itself: " + " → ".join((*seen, name)), place=place)
    file = library.file(name, place)
    problems = Problems(file, found)
    body = _body(file, problems, KEYS)
    base = None
    if body.get("extends"):
        base = _extended(str(body["extends"]), body.get("family"), library, found, (*seen, name), file.place("extends"))
    return Layer(body, problems, (), base)


def _extended(
    name: str, family: object, library: Library, found: list[str], seen: tuple[str, ...], place: str
) -> Layer:
    """The mapping *name*; when it is a preset, what that says of *family* (none: of its first format)."""
    if name in seen or not _is_preset(library.file(name, place).value):
        return mapping_layer(name, library, found, seen, place)
    formats = formats_of(name, library)
    fitting = [one for one in (*formats, *FAMILY_OF_FORMAT) if FAMILIES_OF[FAMILY_OF_FORMAT[one]] == family]
    return preset_layer(name, (fitting or formats)[0], library, found, seen)


def _is_preset(value: object) -> bool:
    return isinstance(value, dict) and "preset" in value


def preset_layer(preset: str, format: str, library: Library, found: list[str], seen: tuple[str, ...] = ()) -> Layer:
    """What the preset *preset* says about *format*, on top of what it extends; a mapping's name gives that mapping."""
    file = library.file(preset, "")
    if isinstance(file.value, dict) and "mapping" in file.value:
        return mapping_layer(preset, library, found, seen)
    problems = Problems(file, found)
    body = _body(file, problems, PRESET_KEYS)
    family = FAMILY_OF_FORMAT[format]
    formats = _formats(body, problems)
    key = format if format in formats else family
    block = formats.get(key) or {}
    if not isinstance(block, dict):
        raise ConfigError(f"the block of {key} is a block of `key: …`", place=file.place("formats", key))
    for inner in block:
        if inner not in KEYS:
            problems.add(("formats", key, inner), f"unknown key {inner!r}", suggestion(inner, list(KEYS)))
    extends = str(block.get("extends") or BASE[family])
    place = file.place("formats", key, "extends")
    base = _extended(extends, FAMILIES_OF[family], library, found, (*seen, preset), place)
    if base.family != FAMILIES_OF[family]:
        problems.add(("formats", key, "extends"), f"{extends} reads {base.family}, not {FAMILIES_OF[family]}")
    block = {"identifier": body.get("identifier"), **block}
    return Layer(block, problems, ("formats", key), base)


def formats_of(name: str, library: Library) -> list[str]:
    """The formats of which the preset *name* has a block; none when *name* is a mapping."""
    value = library.file(name, "").value
    if not _is_preset(value):
        return []
    blocks = value.get("formats") or {}
    named = [*blocks] if isinstance(blocks, dict) else []
    first = {family: format for format, family in reversed(FAMILY_OF_FORMAT.items())}
    return [first.get(block, block) for block in named if block in first or block in FAMILY_OF_FORMAT] or ["iso2709"]


def _formats(body: dict[str, Any], problems: Problems) -> dict[str, Any]:
    formats = body.get("formats") or {}
    if not isinstance(formats, dict):
        raise ConfigError("`formats` is a block of `format: …`", place=problems.place(("formats",)))
    for name in formats:
        if name not in (*FAMILY_OF_FORMAT, *BASE):
            known = sorted({*FAMILY_OF_FORMAT, *BASE})
            problems.add(("formats", name), f"unknown format {name!r}", suggestion(name, known))
    return formats
