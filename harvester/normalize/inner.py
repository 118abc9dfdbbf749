"""Paths inside one field (`$a`, `ind1`, `.`, `@scheme`, `./namePart`) and conditions in square brackets."""

from __future__ import annotations

import re
from collections.abc import Callable
from operator import methodcaller

from harvester.normalize.field import Field
from harvester.normalize.views import ORIGINAL, UNIT

Inner = Callable[[Field], list[str]]
Check = Callable[[Field], bool]
_TEST = re.compile(r"(?P<not>!)?(?P<name>ind[12]|\$[0-9a-z]|@[\w:]+)(?:=(?P<values>.*))?")
_INNER = re.compile(r"ind[12]|tag|\.|@[\w:]+|(?:\$[0-9a-z])+(?:/[0-9]+(?:-[0-9]+)?)?")
SUBFIELDS = re.compile(r"(?:\$[0-9a-z])+")  # whose texts alone are read
_ORIGINAL = re.compile(r"880(?P<codes>(?:\$[0-9a-z])+)")
_BELOW = re.compile(r"\./(?P<path>[A-Za-z][\w:/]*)(?P<tests>(?:\[[^\]]*\])*)")


class BadPath(ValueError):
    """A path that cannot be read; the message says what is expected."""


def compile_inner(text: str) -> Inner:
    """A path inside `each`: `$a`, `$a$b`, `$a/0-3`, `ind1`, `tag`, `.` (the text) or `@scheme`.

    Raises:
        BadPath: not one of these.
    """
    if match := _BELOW.fullmatch(text):
        return _below_reader(match["path"], match["tests"])
    if match := _ORIGINAL.fullmatch(text):
        return _original_reader(match["codes"].replace("$", ""))
    if not _INNER.fullmatch(text):
        raise BadPath(
            f"{text!r} is no path inside `each`: write $a, $a$b, 880$a, $7/0, ind1, tag, ., @name or ./name/part"
        )
    if text == "tag":
        return lambda field: [field.tag]
    if text.startswith("ind"):
        position = int(text[3]) - 1
        return lambda field: [field.indicators[position : position + 1]]
    if text == ".":
        return methodcaller("texts", ".")
    if text.startswith("@"):
        start = text[1:].rpartition(":")[2] + "="
        return lambda field: [value[len(start) :] for value in field.texts("@") if value.startswith(start)]
    codes, _, positions = text.partition("/")
    codes = codes.replace("$", "")
    if positions:
        first, _, last = positions.partition("-")
        cut = slice(int(first), int(last or first) + 1)
        return lambda field: [piece for value in field.all(codes) if (piece := value[cut].strip())]
    if len(codes) == 1:
        return methodcaller("texts", codes)
    return lambda field: [" ".join(values)] if (values := field.all(codes)) else []


def codes_of(text: str) -> str:
    """The codes of which a field must have one for the path *text* to find anything in it; "" when none is needed."""
    if text.startswith(("@", "./", ".")):
        return "/" if text.startswith("./") else text[0]
    if text.startswith("880"):
        return ORIGINAL
    return "".join(re.findall(r"\$(.)", text))


def _original_reader(codes: str) -> Inner:
    def read(field: Field) -> list[str]:
        found = [part[1:].strip() for part in field.texts(ORIGINAL) if part[0] in codes]
        return [" ".join(found)] if found else []

    return read


def _below_reader(path: str, tests: str) -> Inner:
    check, start = compile_checks(tests), f"/{path}"

    def read(field: Field) -> list[str]:
        found = []
        for part in field.parts:
            name, *attributes, text = part.split(UNIT) if part.startswith(start) else ("", "")
            if name == start and text.strip() and (check is None or check(Field(path, ["", *attributes]))):
                found.append(text.strip())
        return found

    return read


def compile_checks(text: str) -> Check | None:
    """The conditions in square brackets as one test of a field; None when there are none."""
    tests = [_check(part) for part in re.findall(r"\[([^\]]*)\]", text)]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else lambda field: all(test(field) for test in tests)


def _check(text: str) -> Check:
    match = _TEST.fullmatch(text.strip())
    if not match:
        raise BadPath(
            f"[{text}] is no condition: write [ind1=0], [ind2=#], [$2=lcsh,gnd], [$6=245*], [!$2] or [@type=isbn]"
        )
    inner = compile_inner(match["name"])
    wanted = match["values"]
    test = _presence(inner) if wanted is None else _values(inner, wanted, match["name"])
    return (lambda field: not test(field)) if match["not"] else test


def _presence(inner: Inner) -> Check:
    return lambda field: any(text.strip() for text in inner(field))


def _values(inner: Inner, wanted: str, name: str) -> Check:
    values = [value.strip() for value in wanted.split(",")]
    if name.startswith("ind"):
        # INLISLite writes '#' for a blank indicator into the record itself.
        plain = frozenset(" " if value == "#" else value for value in values)
        return lambda field: any((text or " ").replace("#", " ").replace("\\", " ") in plain for text in inner(field))
    exact = frozenset(value.casefold() for value in values if not value.endswith("*"))
    starts = tuple(value[:-1].casefold() for value in values if value.endswith("*"))

    def check(field: Field) -> bool:
        return any((folded := text.casefold()) in exact or folded.startswith(starts) for text in inner(field))

    return check


def is_inner(text: str) -> bool:
    """Whether *text* names a part of the field at hand, and not of the record."""
    return (
        text in (".", "tag", "ind1", "ind2") or (len(text) > 1 and text[0] in "$@") or text.startswith(("./", "880$"))
    )
