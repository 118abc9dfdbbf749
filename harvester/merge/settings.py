"""survivorship.yaml → Rules, checked: every mistake at once, each as file:line with a suggestion."""

from __future__ import annotations

import hashlib
import typing
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.merge.folds import folds
from harvester.merge.offers import Setting
from harvester.merge.quality import Quality
from harvester.merge.rules import rules as registry
from harvester.model import NormalizedRecord
from harvester.registry import suggestion
from harvester.yaml_file import YamlFile

TRAPS = ("shouting", "stub", "machine_made", "broken")
OPTIONS = ("rule", "fold", "fill", "by", "beside", "but_not")


class Rules(NamedTuple):
    """The survivorship rules, one for each field of a record in its order.

    `hash` names this version of them, `text` is the file as it stood.
    """

    fields: tuple[Setting, ...]
    quality: Quality
    hash: str
    text: str


def load(path: Path | None = None) -> Rules:
    """The rules of the file at *path*; the shipped ones when None.

    Raises:
        ConfigError: with every mistake of the file in `problems`.
    """
    path = path or Path(str(resources.files("mappings"))) / "rules" / "survivorship.yaml"
    return parse(path.read_text("utf-8-sig"), yaml_file.read(path))


def parse(text: str, file: YamlFile | None = None) -> Rules:
    """The rules in *text*; raises like `load`."""
    file = file or yaml_file.parse(text, name="survivorship.yaml")
    checker = _Checker(file)
    fields, quality = checker.fields(), checker.quality()
    if checker.problems:
        count = len(checker.problems)
        raise ConfigError(
            f"{count} mistake(s), the first: {checker.problems[0]}", place=file.name, problems=tuple(checker.problems)
        )
    return Rules(fields, quality, hashlib.sha256(text.encode()).hexdigest()[:16], text)


class _Checker:
    """Reads the file once and collects what is wrong with it."""

    def __init__(self, file: YamlFile) -> None:
        self._file = file
        self._types = {info.name: info.type for info in msgspec.structs.fields(NormalizedRecord)}
        self.problems: list[str] = []
        value = file.value if isinstance(file.value, dict) else {}
        self._value: dict[str, Any] = value
        self._known(value, ("quality", "fields"), "section")

    def _wrong(self, message: str, *path: str | int) -> None:
        self.problems.append(f"{self._file.place(*path)}: {message}")

    def _known(self, value: dict[str, Any], known: typing.Collection[str], kind: str, *path: str) -> None:
        for name in value:
            if name not in known:
                self._wrong(f"unknown {kind} {name!r} ({suggestion(name, list(known))})", *path, name)

    def _section(self, *path: str) -> dict[str, Any]:
        value: Any = self._value
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            self._wrong(f"section {'.'.join(path)!r} is missing or no mapping", *path)
            return {}
        return value

    def fields(self) -> tuple[Setting, ...]:
        section = self._section("fields")
        self._known(section, self._types, "field", "fields")
        missing = [name for name in self._types if name not in section]
        if section and missing:
            self._wrong(f"no rule for: {', '.join(missing)}; a field without one would disappear", "fields")
        settings = [self._setting(name, section[name]) for name in self._types if name in section]
        return tuple(setting for setting in settings if setting)

    def _setting(self, field: str, value: Any) -> Setting | None:
        path = ("fields", field)
        if not isinstance(value, dict) or not isinstance(value.get("rule"), str):
            self._wrong(f"{field}: needs a mapping with `rule`", *path)
            return None
        self._known(value, OPTIONS, "option", *path)
        rule = value["rule"]
        if rule not in registry.names():
            self._wrong(f"unknown rule {rule!r} ({suggestion(rule, registry.names())})", *path, "rule")
        many = typing.get_origin(self._types[field]) is tuple
        if rule == "union" and not many:
            self._wrong(f"{field} holds one value; union needs a list", *path, "rule")
        if rule == "unanimous" and self._types[field] is not bool:
            self._wrong(f"{field} is no yes-or-no field; unanimous needs one", *path, "rule")
        fold = self._fold(value, rule, *path)
        bars, beside = self._but_not(field, value, rule), self._beside(field, value)
        fill, counted = (self._named(field, value, option) for option in ("fill", "by"))
        return Setting(field, rule, fold, fill, bars, counted, beside)

    def _fold(self, value: dict[str, Any], rule: str, *path: str) -> str:
        fold = value.get("fold", "")
        if fold and rule != "union":
            self._wrong("`fold` belongs to rule union", *path, "fold")
        if fold and fold not in folds:
            self._wrong(f"unknown fold {fold!r} ({suggestion(str(fold), list(folds))})", *path, "fold")
        return str(fold)

    def _parts(self, field: str) -> tuple[str, ...]:
        """The parts of the field's type, or of the members of its tuple or the type beside None."""
        wanted = self._types[field]
        for inner in (wanted, *typing.get_args(wanted)):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                return inner.__struct_fields__
        return ()

    def _named(self, field: str, value: dict[str, Any], option: str) -> tuple[str, ...]:
        """The list of parts under *option*: `fill` of a single value, `by` of a majority."""
        named = value.get(option, [])
        rule = value["rule"]
        if named and (rule == "union" if option == "fill" else rule != "majority"):
            self._wrong(f"`{option}` does not belong to rule {rule}", "fields", field, option)
        if not isinstance(named, list):
            self._wrong(f"`{option}` is a list of parts", "fields", field, option)
            return ()
        for index, part in enumerate(named):
            if part not in self._parts(field):
                hint = suggestion(str(part), list(self._parts(field)))
                self._wrong(f"{field} has no part {part!r} ({hint})", "fields", field, option, index)
        return tuple(str(part) for part in named)

    def _beside(self, field: str, value: dict[str, Any]) -> tuple[str, ...]:
        """The other field, and its part, on which a record must agree with the union to give this one."""
        if "beside" not in value:
            return ()
        other, _, part = str(value["beside"]).partition(".")
        single = [name for name, kind in self._types.items() if typing.get_origin(kind) is not tuple and name != field]
        if other not in single or typing.get_origin(self._types[field]) is tuple:
            self._wrong("`beside` names another field, and both hold one value", "fields", field, "beside")
        elif part and part not in self._parts(other):
            self._wrong(f"{other} has no part {part!r} ({suggestion(part, list(self._parts(other)))})",
                        "fields", field, "beside")  # fmt: skip
        return (other, part) if part else (other,)

    def _but_not(self, field: str, value: dict[str, Any], rule: str) -> tuple[tuple[str, str], ...]:
        bars = value.get("but_not", {})
        if not isinstance(bars, dict) or (bars and rule != "union"):
            self._wrong("`but_not` is a mapping and belongs to rule union", "fields", field, "but_not")
            return ()
        self._known(bars, self._parts(field), f"part of {field}", "fields", field, "but_not")
        return tuple((part, str(unwanted)) for part, unwanted in bars.items())

    def quality(self) -> Quality:
        section = self._section("quality")
        self._known(section, ("points", "traps", "stub_fields", "signs"), "setting", "quality")
        points = self._numbers("quality", "points", known=tuple(self._types))
        traps = self._numbers("quality", "traps", known=TRAPS)
        stub_fields = section.get("stub_fields", 0)
        if not isinstance(stub_fields, int):
            self._wrong("stub_fields is a whole number", "quality", "stub_fields")
            stub_fields = 0
        signs = section.get("signs", [])
        if not isinstance(signs, list) or not all(isinstance(sign, str) and sign for sign in signs):
            self._wrong("signs is a list of texts", "quality", "signs")
            signs = []
        return Quality(points, traps, stub_fields, tuple(sign.casefold() for sign in signs))

    def _numbers(self, *path: str, known: tuple[str, ...]) -> tuple[tuple[str, float], ...]:
        section = self._section(*path)
        self._known(section, known, "name", *path)
        result: list[tuple[str, float]] = []
        for name, number in section.items():
            if isinstance(number, bool) or not isinstance(number, int | float):
                self._wrong(f"{name}: {number!r} is no number", *path, name)
            else:
                result.append((name, float(number)))
        return tuple(result)
