"""YAML rules → compiled rules, noting every mistake at its line instead of stopping at the first."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import msgspec

from harvester.errors import ConfigError
from harvester.normalize.calls import BadCall, Call, Fed, compile_call, signature_of
from harvester.normalize.conditions import Asked, field_condition, record_conditions, split_conditions
from harvester.normalize.field import Field
from harvester.normalize.inner import SUBFIELDS, BadPath, codes_of, compile_inner, is_inner
from harvester.normalize.paths import Path, compile_path, legs_of
from harvester.normalize.raw import Raw, blame_unknown_keys, name_of
from harvester.normalize.rules import Input, Rule, Setter, Source, builder, each_leg, first_reader, inner_reader
from harvester.normalize.tables import Table
from harvester.normalize.targets import TARGETS, Target, is_noun, parts_of
from harvester.registry import suggestion

RULE_KEYS = ("name", "from", "each", "set", "value", "when", "unless", "do", "default", "fallback")
SET_KEYS = ("from", "value", "do", "default")
_PLAIN = (str, int, bool)


def compile_rule(raw: Raw, family: str, table: Callable[[str], Table]) -> Rule | None:
    """The compiled rule; None when it has a mistake, which is then in its file's problems."""
    target = TARGETS.get(raw.target)
    if target is None:
        raw.blame(f"unknown field {raw.target!r}", suggestion(raw.target, list(TARGETS)))
        return None
    body = {"from": raw.body} if isinstance(raw.body, str) else raw.body
    if not isinstance(body, dict):
        raw.blame("a rule is a path or a block with `from`, `each` or `value`")
        return None
    before = len(raw.problems)
    blame_unknown_keys(raw, body, RULE_KEYS)
    rule = _Compiler(raw, body, target, family, table).rule()
    return rule if len(raw.problems) == before else None


class _Compiler:
    """Compiles one rule; each method leaves a mistake in the problems and goes on."""

    def __init__(
        self, raw: Raw, body: dict[str, Any], target: Target, family: str, table: Callable[[str], Table]
    ) -> None:
        self.raw, self.body, self.target, self.family, self.table = raw, body, target, family, table
        self.before = len(raw.problems)

    def rule(self) -> Rule | None:
        starts = [key for key in ("from", "each", "value") if key in self.body]
        if len(starts) != 1:
            self.raw.blame("a rule needs exactly one of `from`, `each` and `value`", "", *starts[1:2])
            return None
        calls = self.calls(self.body.get("do", []), "do")
        named = isinstance(self.body.get("from"), dict)
        self.feeding(calls, starts[0], named)
        source, gives = self.source(starts[0], calls)
        if named:
            calls = calls[1:]
        conditions = self.conditions()
        default = self.plain("default")
        self.result(calls[-1].gives if calls else gives, default)
        if source is None:
            return None
        place = self.raw.problems.place(self.raw.path)
        return Rule(self.target, place, source, tuple(calls), conditions, default, self.flag("fallback"))

    # ---- the parts of a rule

    def source(self, start: str, calls: list[Call]) -> tuple[Source | None, Any]:
        """The source, and what its values are."""
        if start == "value":
            constant = self.plain("value")
            return Source("value", constant=constant), type(constant)
        if start == "each":
            return self.each()
        given = self.body["from"]
        if isinstance(given, dict):
            return self.named(given, calls)
        paths = self.path_list(given, "from")
        as_fields = bool(calls) and calls[0].fed == "field"
        label = "read " + " ".join(path.text for path in paths)
        source = Source(label, (Input(legs_of(paths, as_fields)),)) if paths else None
        return source, (Field if as_fields else str)

    def named(self, given: dict[str, Any], calls: list[Call]) -> tuple[Source | None, Any]:
        if not calls or calls[0].fed != "named":
            self.raw.blame("named paths need a function of named inputs first in `do`", "", "from")
            return None, None
        call = calls[0]
        for name in given:
            if name not in call.named:
                hint = suggestion(str(name), list(call.named))
                self.raw.blame(f"function {call.name!r} has no input {name!r}", hint, "from", name)
        for name, parameter in signature_of(call.name).parameters.items():
            if name not in given and parameter.default is parameter.empty:
                self.raw.blame(f"function {call.name!r} needs the input {name!r}", "", "from")
        paths = {name: self.path_list(text, "from", name) for name, text in given.items() if name in call.named}
        hints = signature_of(call.name).hints
        inputs = [
            Input(legs_of(several, hints[name] in (Field, list[Field])), name, call.named[name])
            for name, several in paths.items()
        ]
        return Source(call.name, tuple(inputs), call.function), call.gives

    def each(self) -> tuple[Source | None, Any]:
        paths = self.path_list(self.body["each"], "each")
        for path in paths:
            if not path.whole:
                self.raw.blame(f"`each` needs whole fields, not {path.text!r}", "write the tag alone", "each")
        noun = self.target.item
        if not is_noun(noun):
            self.raw.blame(
                f"`each` makes nouns with parts; {self.target.name} takes plain values", "use `from`", "each"
            )
            return None, noun
        lines = self.body.get("set")
        if not isinstance(lines, dict) or not lines:
            self.raw.blame("`each` needs `set:` with the attributes to fill", ", ".join(parts_of(noun)), "each")
            return None, noun
        build = self.setters(noun, lines)
        inner, _ = split_conditions(self.body)
        test = self.tried(lambda: field_condition(inner), "when")
        legs = [each_leg(leg, test, build) for leg in legs_of(paths, True)]
        label = "each " + " ".join(path.text for path in paths)
        return (Source(label, (Input(tuple(legs)),)) if paths else None), noun

    def setters(self, noun: Any, lines: dict[str, Any]) -> Callable[[Field], Any]:
        parts = parts_of(noun)
        constants: dict[str, Any] = {}
        setters: list[Setter] = []
        for attribute, line in lines.items():
            if attribute not in parts:
                hint = suggestion(str(attribute), list(parts))
                self.raw.blame(f"{noun.__name__} has no attribute {attribute!r}", hint, "set", attribute)
                continue
            kind, item = parts[attribute]
            constant, setter = self.line(attribute, line, item, kind == "many")
            if setter is None:
                constants[attribute] = (constant,) if kind == "many" else constant
            else:
                setters.append(setter)
        needed = frozenset(f.name for f in msgspec.structs.fields(noun) if f.required)
        for name in sorted(needed - set(lines)):
            self.raw.blame(f"{noun.__name__} needs the attribute {name!r}", "", "set")
        return builder(noun, constants, setters, needed)

    def line(self, attribute: str, line: Any, item: Any, many: bool) -> tuple[Any, Setter | None]:
        """A constant, or how the attribute is read."""
        where = ("set", attribute)
        if isinstance(line, _PLAIN) and not (isinstance(line, str) and is_inner(line)):
            return self.fitting(line, item, *where), None
        body = {"from": line} if isinstance(line, str) else line
        if not isinstance(body, dict):
            self.raw.blame("write a path such as $a, a plain value, or a block with `from`", "", *where)
            return None, None
        blame_unknown_keys(self.raw, body, SET_KEYS, *where)
        if "value" in body:
            return self.fitting(body["value"], item, *where), None
        if "from" not in body:
            self.raw.blame("the block needs `from`", "", *where)
            return None, None
        texts = body["from"] if isinstance(body["from"], list) else re.split(r"\|(?![^\[]*\])", str(body["from"]))
        paths = [path for text in texts if (path := self.inner(str(text).strip(), *where))]
        calls = self.calls(body.get("do", []), *where, "do")
        self.chain(calls, "value", str, *where)
        gives = calls[-1].gives if calls else str
        if gives is not item and gives is not Any:
            self.raw.blame(f"{attribute} takes {name_of(item)}, but gets {name_of(gives)}", "", *where)
        default = body.get("default")
        needs = [codes_of(str(text).strip()) for text in texts]
        codes = "".join(needs) if all(needs) and default != "" else ""
        only_subfields = all(SUBFIELDS.fullmatch(str(text).strip()) for text in texts)
        one = None if many else first_reader(paths, calls, default, needs if only_subfields else [])
        return None, Setter(attribute, many, inner_reader(paths, calls, default), one, codes, default)

    def inner(self, text: str, *path: str | int) -> Any:
        return self.tried(lambda: compile_inner(text), *path)

    # ---- checks

    def feeding(self, calls: list[Call], start: str, named: bool) -> None:
        """Whether each function gets what it can take."""
        if named:
            self.chain(calls[1:], "", calls[0].gives if calls else None, "do", first=1)
            return
        if calls and calls[0].fed == "field":
            if start != "from":
                self.raw.blame(f"function {calls[0].name!r} reads whole fields", "use it with `from`", "do")
            self.chain(calls[1:], "", calls[0].gives, "do", first=1)
            return
        self.chain(calls, "", self.target.item if start == "each" else str, "do")

    def chain(self, calls: list[Call], _start: str, gives: Any, *path: str | int, first: int = 0) -> None:
        fits: dict[Fed, bool]
        for index, call in enumerate(calls):
            fits = {"value": gives in (str, Any), "noun": call.takes is gives, "field": False, "named": False}
            fits["values"] = call.takes in (gives, Any) or gives is Any
            if not fits[call.fed]:
                wants = {"field": "a whole field", "named": "named paths"}.get(call.fed) or name_of(call.takes)
                where = (*path, index + first) if self.is_list(*path) else path
                self.raw.blame(f"function {call.name!r} takes {wants}, but gets {name_of(gives)}", "", *where)
                return
            gives = gives if call.gives is Any else call.gives

    def is_list(self, *path: str | int) -> bool:
        value: Any = self.body
        for step in path:
            value = value[step]
        return isinstance(value, list)

    def result(self, gives: Any, default: Any) -> None:
        if len(self.raw.problems) > self.before:
            return  # what it gives follows from the first mistake
        item = self.target.item
        if gives is not None and gives is not Any and gives != item:
            hint = f"end `do` with a function that makes {name_of(item)}" if is_noun(item) else ""
            self.raw.blame(f"{self.target.name} takes {name_of(item)}, but gets {name_of(gives)}", hint)
        if default is not None and type(default) is not item:
            self.raw.blame(f"{self.target.name} takes {name_of(item)}, not {default!r}", "", "default")

    def fitting(self, value: Any, item: Any, *path: str | int) -> Any:
        if item is str and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if type(value) is not item:
            self.raw.blame(f"{value!r} is not {name_of(item)}", "", *path)
        return value

    def plain(self, key: str) -> Any:
        value = self.body.get(key)
        if value is not None and not isinstance(value, _PLAIN):
            self.raw.blame(f"`{key}` must be text, a number, true or false", "", key)
            return None
        if isinstance(value, int) and not isinstance(value, bool) and self.target.item is str:
            return str(value)
        return value

    def flag(self, key: str) -> bool:
        value = self.body.get(key, False)
        if not isinstance(value, bool):
            self.raw.blame(f"`{key}` must be true or false", "", key)
        return value is True

    def conditions(self) -> tuple[Asked, ...]:
        inner, outer = split_conditions(self.body)
        if inner and "each" not in self.body:
            word, name = next(iter(inner))
            self.raw.blame(f"{name!r} can be asked only inside `each`", "write the tag in front", word, name)
            return ()
        word = "when" if "when" in self.body else "unless"
        return self.tried(lambda: record_conditions(outer, self.family), word) or ()

    def calls(self, given: Any, *path: str | int) -> list[Call]:
        entries = given if isinstance(given, list) else [given]
        made = []
        for index, entry in enumerate(entries):
            where = (*path, index) if isinstance(given, list) else path
            call = self.tried(lambda entry=entry: compile_call(entry, self.table), *where)  # type: ignore[misc]
            if call:
                made.append(call)
        return made

    def path_list(self, given: Any, *where: str | int) -> list[Path]:
        texts = given if isinstance(given, list) else [given]
        paths = []
        for index, text in enumerate(texts):
            place = (*where, index) if isinstance(given, list) else where
            if not isinstance(text, str):
                self.raw.blame(f"a path is text, not {text!r}", 'write tags in quotes: "020"', *place)
                continue
            path = self.tried(lambda text=text: compile_path(text, self.family), *place)  # type: ignore[misc]
            if path:
                paths.append(path)
        return paths

    def tried(self, make: Callable[[], Any], *path: str | int) -> Any:
        """What *make* gives; None after noting why it could not."""
        try:
            return make()
        except BadCall as error:
            self.raw.blame(str(error), error.hint, *path)
        except BadPath as error:
            self.raw.blame(str(error), "", *path)
        except ConfigError as error:
            self.raw.blame(error.message, error.hint, *path)
        return None
