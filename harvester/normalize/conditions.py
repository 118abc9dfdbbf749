"""`when:` and `unless:` → a test: path → value, list of values, true (is there), false, or {matches: pattern}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from harvester.normalize.field import Field
from harvester.normalize.inner import BadPath, compile_inner, is_inner
from harvester.normalize.paths import Leg, Path, compile_path, read_legs
from harvester.normalize.patterns import pattern
from harvester.normalize.views import View

Conditions = dict[tuple[str, str], Any]  # (when | unless, path) → what is asked


class Asked(NamedTuple):
    """One condition on a record: it holds when some field gives something, or, not *expected*, when none does."""

    legs: tuple[Leg, ...]
    expected: bool

    def holds(self, found: View) -> bool:
        """Whether it holds of a record."""
        return bool(read_legs(self.legs, found)) is self.expected


def split_conditions(body: dict[str, Any]) -> tuple[Conditions, Conditions]:
    """The conditions of a rule: those on the field of `each`, and those on the record."""
    inner: Conditions = {}
    outer: Conditions = {}
    for word in ("when", "unless"):
        asked = body.get(word) or {}
        if not isinstance(asked, dict):
            asked = {str(asked): True}
        for name, value in asked.items():
            (inner if is_inner(name) else outer)[word, name] = value
    return inner, outer


def field_condition(conditions: Conditions) -> Callable[[Field], bool] | None:
    """All *conditions* as one test of a field; None when there are none.

    Raises:
        BadPath: a path or a value that cannot be asked.
    """
    tests = [_field_test(word, name, asked) for (word, name), asked in conditions.items()]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda field: all(test(field) for test in tests)


def _field_test(word: str, name: str, asked: Any) -> Callable[[Field], bool]:
    read, test, expected = compile_inner(name), value_test(asked), _expected(word, asked)
    return lambda field: test(read(field)) is expected


def record_conditions(conditions: Conditions, family: str) -> tuple[Asked, ...]:
    """All *conditions* on a record.

    Raises:
        BadPath: a path or a value that cannot be asked.
    """
    return tuple([_asked(compile_path(name, family), word, asked) for (word, name), asked in conditions.items()])


def _asked(path: Path, word: str, asked: Any) -> Asked:
    test = value_test(asked)
    return Asked(tuple([_saying(leg, test) for leg in path.legs]), _expected(word, asked))


def _saying(leg: Leg, test: Callable[[list[str]], bool]) -> Leg:
    return leg._replace(give=lambda field: [True] if test(leg.give(field)) else [], plain=False)


def _expected(word: str, asked: Any) -> bool:
    return (word == "when") is (asked is not False)


def value_test(asked: Any) -> Callable[[list[str]], bool]:
    """Whether some of the values is what is *asked*: a value, one of a list, any value, or one with a pattern.

    Of a list of values it holds when it holds of one of them; so it can be asked field by field.
    """
    if isinstance(asked, bool):
        return bool
    if isinstance(asked, dict):
        return _pattern_test(asked)
    wanted = frozenset(str(one).casefold().replace("#", " ") for one in (asked if isinstance(asked, list) else [asked]))
    return lambda values: any(value.casefold() in wanted for value in values)


def _pattern_test(asked: dict[str, Any]) -> Callable[[list[str]], bool]:
    if list(asked) != ["matches"]:
        raise BadPath("a condition is a value, a list of values, true, false or {matches: pattern}")
    try:
        compiled = pattern(str(asked["matches"]))
    except ValueError as error:
        raise BadPath(str(error)) from None
    return lambda values: any(compiled.search(value) for value in values)
