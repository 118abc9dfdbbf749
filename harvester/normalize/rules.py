"""Rules of a mapping, compiled to closures: read, test, call, and what came of it in a trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from harvester.model import Step
from harvester.normalize.calls import Call, Values
from harvester.normalize.conditions import Asked
from harvester.normalize.field import Field, Shaped, places_of, texts_at
from harvester.normalize.inner import Inner
from harvester.normalize.paths import Leg, itself, read_legs
from harvester.normalize.targets import Target
from harvester.normalize.views import View

FieldCondition = Callable[[Field], bool]


class Input(NamedTuple):
    """One input of a rule: what its *legs* give; of a function with named inputs its name, and whether it wants all."""

    legs: tuple[Leg, ...]
    name: str = ""
    wants_all: bool = True


class Source:
    """Where the values of a rule come from: a constant, one input, or a *function* of named inputs."""

    def __init__(
        self,
        label: str,
        inputs: Sequence[Input] = (),
        function: Callable[..., Values] | None = None,
        constant: Any = None,
    ) -> None:
        self.label, self.inputs, self.function, self.constant = label, tuple(inputs), function, constant
        self._wanted = [(one.name, one.wants_all) for one in inputs]

    def read(self, found: View) -> Values:
        """The values of a record."""
        return self.of([read_legs(one.legs, found) for one in self.inputs])

    def of(self, given: Sequence[Sequence[Any]]) -> Values:
        """The values when the inputs are *given*; a function that is given nothing is not asked."""
        if self.function is None:
            return list(given[0]) if given else [self.constant]
        if not any(given):
            return []
        named: dict[str, Any] = {}
        for (name, wants_all), values in zip(self._wanted, given, strict=True):
            if wants_all:
                named[name] = list(values)
            else:
                named[name] = values[0] if values else ""
        return self.function(**named)


class Rule(NamedTuple):
    """A compiled rule; `place` is its file:line."""

    target: Target
    place: str
    source: Source
    calls: tuple[Call, ...]
    conditions: tuple[Asked, ...]
    default: Any
    fallback: bool

    @property
    def keys(self) -> frozenset[str]:
        """Every tag or name that it looks at, conditions among them."""
        several = (*(one.legs for one in self.source.inputs), *(one.legs for one in self.conditions))
        return frozenset(leg.key for legs in several for leg in legs)

    @property
    def once(self) -> bool:
        """Whether it is left out once its field has a value."""
        return self.fallback or self.target.kind == "one"

    def trace(self, found: View) -> tuple[Values, list[Step]]:
        """The values of the rule and a step for what it read and for each function."""
        if not all(one.holds(found) for one in self.conditions):
            return [], []
        values = self.source.read(found)
        steps = [self._step(self.source.label, "", values)] if values else []
        for call in self.calls:
            before, values = values, call.apply(values)
            if before or values:
                steps.append(self._step(call.name, shown(before), values))
        if not values and self.default is not None:
            values = [self.default]
            steps.append(self._step("default", "", values))
        return values, steps

    def finished(self, values: Values) -> Values:
        """*values* of the source after the functions, or the default."""
        for call in self.calls if values else ():
            values = call.apply(values)
        return values if values or self.default is None else [self.default]

    def _step(self, function: str, before: str, values: Values) -> Step:
        return Step(self.target.name, self.place, function, before, shown(values))


class Setter(NamedTuple):
    """One line of `set:`: which attribute, whether it takes all values, and how to read them from the field.

    `one` is the same for an attribute that takes one value, where each function makes one value of one value.
    `codes`: a field without any of these subfields gives nothing but the *default* ("": unknown).
    """

    attribute: str
    many: bool
    read: Callable[[Field], Values]
    one: First | None
    codes: str
    default: Any


class First(NamedTuple):
    """The first text of *paths* of which all *functions* make something. `subfields`: the codes of pure paths."""

    paths: list[Inner]
    functions: list[Callable[[Any], Any]]
    default: Any
    subfields: list[str]

    def read(self, field: Field) -> Any:
        """What it is in *field*, or the default."""
        return self.of([text for path in self.paths for text in path(field)])

    def of(self, texts: Iterable[str]) -> Any:
        """What it is of *texts*, or the default."""
        for value in texts:
            for function in self.functions:
                value = function(value)
                if not value:
                    break
            else:
                return value
        return self.default


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


def each_leg(leg: Leg, test: FieldCondition | None, build: Callable[[Field], Any]) -> Leg:
    """A leg that builds one noun of every field of *leg* that passes *test*; incomplete nouns are left out."""

    def give(field: Field) -> Values:
        if (leg.give is not itself and not leg.give(field)) or (test is not None and not test(field)):
            return []
        noun = build(field)
        return [] if noun is None else [noun]

    return Leg(leg.key, give)


class _Plan(NamedTuple):
    """How a noun is built of the fields of one shape: what is certain, where texts stand, what must be looked for."""

    certain: dict[str, Any]
    placed: list[tuple[str, list[list[int]], First]]
    sought: list[Setter]


def _planned(shape: str, constants: dict[str, Any], setters: list[Setter]) -> _Plan:
    plan = _Plan(dict(constants), [], [])
    for one in setters:
        if one.codes and set(one.codes).isdisjoint(shape):
            if one.default is not None:
                plan.certain[one.attribute] = (one.default,) if one.many else one.default
        elif one.one is not None and one.one.subfields:
            places = [places_of(codes, shape) for codes in one.one.subfields]
            plan.placed.append((one.attribute, [group for groups in places for group in groups], one.one))
        else:
            plan.sought.append(one)
    return plan


def builder(
    noun: Any, constants: dict[str, Any], setters: list[Setter], needed: frozenset[str]
) -> Callable[[Field], Any]:
    """A function from a field to a *noun*; None when one of the *needed* attributes, or everything, is empty."""
    alone = len(constants) if setters else -1  # attributes that make no noun by themselves
    plans = Shaped(lambda shape: _planned(shape, constants, setters))

    def build(field: Field) -> Any:
        certain, placed, sought = plans[field.shape]
        made, parts = certain.copy(), field.parts
        for attribute, places, first in placed:
            value = first.of(texts_at(places, parts))
            if value:
                made[attribute] = value
        for attribute, many, read, one, _, _ in sought:
            if one is not None:
                if value := one.read(field):
                    made[attribute] = value
            elif values := read(field):
                made[attribute] = tuple(values) if many else values[0]
        return noun(**made) if len(made) > alone and needed <= made.keys() else None

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


def first_reader(paths: list[Inner], calls: list[Call], default: Any, subfields: list[str]) -> First | None:
    """How an attribute that takes one value is read, when every call makes one value of one value; otherwise None."""
    bare = [call.one for call in calls if call.name != "first"]
    functions = [function for function in bare if function is not None]
    return First(paths, functions, default, subfields) if len(functions) == len(bare) else None
