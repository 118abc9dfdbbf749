"""The tests that stand inside a mapping file: a small record and the values that must come out of it.

    tests:
      - name: a printing is no edition
        record: |
          =245  10$aLaskar pelangi
          =250  \\\\$aCet. 2
        expect: {title.proper: Laskar pelangi, impression.number: 2, edition: null}

`record` is in the usual text form of the family (line MARC, XML elements, `column: cell` lines); `expect` names fields,
parts of fields, or one of many by its number (`identifiers.0.value`); null expects nothing.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from harvester.errors import IndukError
from harvester.formats import formats
from harvester.normalize.apply import Context, normalize
from harvester.normalize.mapping import Mapping
from harvester.normalize.views import Record

KEYS = frozenset({"name", "record", "expect"})
_DC = (
    '<dc xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{}</dc>'
)
_MODS = '<mods xmlns="http://www.loc.gov/mods/v3">{}</mods>'
_CONTEXT = Context("test", "1")


class Failure(NamedTuple):
    """A test that did not come out: where it stands, its name, the field, what was expected and what came."""

    place: str
    name: str
    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.place}: {self.name}: {self.field}: expected {self.expected}, got {self.got}"


def run_tests(mapping: Mapping) -> list[Failure]:
    """Every expectation of the mapping's own tests that does not hold; none means that all is well."""
    every = (mapping, *mapping.others)
    return [failure for one in every for place, test in one.tests for failure in _run(one, place, test)]


def _run(mapping: Mapping, place: str, test: Any) -> list[Failure]:
    if not isinstance(test, dict) or not set(test) <= KEYS or not {"record", "expect"} <= set(test):
        return [Failure(place, "test", "", "a block with name, record and expect", str(test)[:80])]
    name, expect = str(test.get("name", "test")), test["expect"]
    if not isinstance(expect, dict) or not expect:
        return [Failure(place, name, "expect", "a block of field: value", str(expect)[:80])]
    try:
        normal = normalize(read(str(test["record"]), mapping), mapping, _CONTEXT)
    except IndukError as error:
        return [Failure(place, name, "record", "a record that can be mapped", str(error))]
    whole = _filled(normal.record) | {"warnings": [warning.code for warning in normal.warnings]}
    failures = []
    for path, wanted in expect.items():
        value = _at(whole, path)
        if not _fits(wanted, value):
            failures.append(Failure(place, name, path, _text(wanted), _text(value)))
    return failures


def read(text: str, mapping: Mapping) -> Record:
    """A record out of the text of a test."""
    family = mapping.format_family
    if family == "marc":
        return formats.get("line_marc")(text.encode())  # type: ignore[return-value]
    if family == "row":
        cells: dict[str, list[str]] = {}
        for line in text.splitlines():
            column, mark, cell = line.partition(":")
            if mark:
                cells.setdefault(column.strip(), []).append(cell.strip())
        payload = json.dumps({"cells": cells, "place": "test:1"}).encode()
        return formats.get("row")(payload)  # type: ignore[return-value]
    shell = _MODS if family == "mods" else _DC
    return formats.get("mods" if family == "mods" else "oai_dc")(shell.format(text).encode())  # type: ignore[return-value]


def _filled(value: Any) -> Any:
    """A noun as a dict with all its attributes, empty ones too."""
    if isinstance(value, msgspec.Struct):
        return {name: _filled(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_filled(one) for one in value]
    return value


def _at(value: Any, path: str) -> Any:
    """The value at `title.part_numbers.0`; a name asked of a list asks each of its nouns."""
    for step in str(path).split("."):
        if isinstance(value, list):
            if step.isdecimal():
                value = value[int(step)] if int(step) < len(value) else None
            else:
                value = [one.get(step) for one in value if isinstance(one, dict)]
        elif isinstance(value, dict):
            value = value.get(step)
        else:
            return None
    return value


def _fits(wanted: Any, got: Any) -> bool:
    """Whether *got* is what an author wrote: empty values are all alike, a noun needs only what is named of it."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(key in got and _fits(one, got[key]) for key, one in wanted.items())
    if isinstance(wanted, list):
        return isinstance(got, list) and len(wanted) == len(got) and all(map(_fits, wanted, got))
    return (wanted or None) == (got or None) if type(wanted) is not bool else wanted is got


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)[:300]
