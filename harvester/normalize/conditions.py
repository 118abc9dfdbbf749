"""`when:` and `unless:` → a test: path → value, list of values, true (is there), false, or {matches: pattern}."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harvester.normalize.field import Field
from harvester.normalize.inner import BadPath, compile_inner, is_inner
from harvester.normalize.paths import Path, compile_path
from harvester.normalize.patterns import pattern
from harvester.normalize.views import View

Conditions = dict[tuple[str, str], Any]  # (when | unless, path) → what is asked


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
    read, test = compile_inner(name), value_test(asked)
    if word == "when":
        return lambda field: test(read(field))
    return lambda field: not test(read(field))


def view_condition(conditions: Conditions, family: str) -> tuple[Callable[[View], bool], tuple[Path, ...]] | None:
    """All *conditions* as one test of a record, with the paths that it reads; None when there are none."""
    tests, paths = [], []
    for (word, name), asked in conditions.items():
        path = compile_path(name, family)
        paths.append(path)
        tests.append(_view_test(word, path, asked))
    if not tests:
        return None
    one = tests[0] if len(tests) == 1 else lambda found: all(test(found) for test in tests)
    return one, tuple(paths)


def _view_test(word: str, path: Path, asked: Any) -> Callable[[View], bool]:
    test, read = value_test(asked), path.read
    if word == "when":
        return lambda found: test(read(found))
    return lambda found: not test(read(found))


def value_test(asked: Any) -> Callable[[list[str]], bool]:
    """Whether some of the values is what is *asked*: a value, one of a list, present or absent, or a pattern."""
    if asked is True:
        return bool
    if asked is False:
        return lambda values: not values
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
