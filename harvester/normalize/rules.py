"""Rules of a mapping, compiled to closures: read, test, call, and what came of it in a trace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from harvester.model import Step
from harvester.normalize.calls import Call, Values, remembering
from harvester.normalize.field import Field
from harvester.normalize.inner import Inner
from harvester.normalize.paths import Path
from harvester.normalize.targets import Target
from harvester.normalize.views import View

Source = Callable[[View], Values]
Condition = Callable[[View], bool]
FieldCondition = Callable[[Field], bool]


class Rule(NamedTuple):
    """A compiled rule. `keys`: it can give something only when one of these is in the record (None: always)."""

    target: Target
    place: str
    keys: frozenset[str] | None
    run: Source
    source: Source
    source_name: str
    calls: tuple[Call, ...]
    condition: Condition | None
    default: Any
    fallback: bool
    reads: frozenset[str]  # every tag or name that it looks at, conditions among them

    def trace(self, found: View) -> tuple[Values, list[Step]]:
        """The values of the rule and a step for what it read and for each function."""
        if self.condition is not None and not self.condition(found):
            return [], []
        values = self.source(found)
        steps = [self._step(self.source_name, "", values)] if values else []
        for call in self.calls:
            before, values = values, call.apply(values)
            if before or values:
                steps.append(self._step(call.name, shown(before), values))
        if not values and self.default is not None:
            values = [self.default]
            steps.append(self._step("default", "", values))
        return values, steps

    def _step(self, function: str, before: str, values: Values) -> Step:
        return Step(self.target.name, self.place, function, before, shown(values))


class Setter(NamedTuple):
    """One line of `set:`: which attribute, whether it takes all values, and how to read them from the field."""

    attribute: str
    many: bool
    read: Callable[[Field], Values]
    one: Callable[[Field], Any] | None = None  # the same for an attribute that takes one value, without lists


def shown(values: Values) -> str:
    """*values* as one readable text for a trace."""
    return " | ".join(_shown(value) for value in values)[:2000]


def _shown(value: Any) -> str:
    if isinstance(value, Field):
        return f"{value.tag} " + " ".join(f"${part}" for part in value.parts[1:])
    if isinstance(value, msgspec.Struct):
        kept = msgspec.to_builtins(value)
        return ", ".join(f"{name}={text}" for name, text in kept.items())
    return str(value)


def reading(paths: list[Path], as_fields: bool) -> Source:
    """A source that reads *paths* one after the other, as texts or as whole fields."""
    readers: list[Callable[[View], Values]] = [path.fields if as_fields else path.read for path in paths]
    if len(readers) == 1:
        return readers[0]
    return lambda found: [value for read in readers for value in read(found)]


def named_source(call: Call, paths: dict[str, list[Path]], fields: frozenset[str]) -> Source:
    """A source that feeds a function of named inputs; inputs in *fields* are given as whole fields."""
    readers = [(name, reading(several, name in fields), call.named[name]) for name, several in paths.items()]
    function = call.function

    def read(found: View) -> Values:
        inputs = {}
        for name, read_one, wants_all in readers:
            values = read_one(found)
            inputs[name] = values if wants_all else (values[0] if values else "")
        made: Values = function(**inputs)
        return made

    return read


def each_source(
    fields: Callable[[View], list[Field]], test: FieldCondition | None, build: Callable[[Field], Any]
) -> Source:
    """A source that builds one noun of every field that passes *test*; incomplete nouns are left out."""

    made = remembering(lambda field: build(field) if test is None or test(field) else None)

    def read(found: View) -> Values:
        nouns = []
        for field in fields(found):
            noun = made(field)
            if noun is not None:
                nouns.append(noun)
        return nouns

    return read


def builder(
    noun: Any, constants: dict[str, Any], setters: list[Setter], needed: frozenset[str]
) -> Callable[[Field], Any]:
    """A function from a field to a *noun*; None when one of the *needed* attributes, or everything, is empty."""

    def build(field: Field) -> Any:
        made = dict(constants)
        filled = not setters
        for attribute, many, read, one in setters:
            if one is not None:
                value = one(field)
                if value:
                    made[attribute] = value
                    filled = True
                elif attribute in needed:
                    return None
                continue
            values = read(field)
            if values:
                made[attribute] = tuple(values) if many else values[0]
                filled = True
            elif attribute in needed:
                return None
        return noun(**made) if filled else None

    return build


def inner_reader(paths: list[Inner], calls: list[Call], default: Any) -> Callable[[Field], Values]:
    """How one attribute is read from a field."""
    if len(paths) == 1 and not calls and default is None:
        return paths[0]
    applies = [call.apply for call in calls]

    def read(field: Field) -> Values:
        values: Values = paths[0](field) if len(paths) == 1 else [value for path in paths for value in path(field)]
        for apply in applies if values else ():
            values = apply(values)
        return values if values or default is None else [default]

    return read


def first_reader(paths: list[Inner], calls: list[Call], default: Any) -> Callable[[Field], Any] | None:
    """How an attribute that takes one value is read, when every call makes one value of one value; otherwise None."""
    bare = [call.one for call in calls if call.name != "first"]
    functions = [function for function in bare if function is not None]
    if len(functions) < len(bare):
        return None

    def read(field: Field) -> Any:
        for path in paths:
            for value in path(field):
                for function in functions:
                    value = function(value)
                    if not value:
                        break
                else:
                    return value
        return default

    return read


def running(source: Source, calls: tuple[Call, ...], condition: Condition | None, default: Any) -> Source:
    """*source* followed by *calls*, with its condition and its default: the fast path of a rule."""
    applies = [call.apply for call in calls]
    if condition is None and default is None and len(applies) <= 1:
        if not applies:
            return source
        only = applies[0]
        return lambda found: only(values) if (values := source(found)) else values

    def run(found: View) -> Values:
        if condition is not None and not condition(found):
            return []
        values = source(found)
        for apply in applies if values else ():
            values = apply(values)
        return values if values or default is None else [default]

    return run
