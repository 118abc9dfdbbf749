"""Taking fields or values out of a record: what is volatile for the content hash, what a preset does not believe."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harvester.normalize.views import View

Keep = Callable[[list[str]], list[str]]
_PLACE = re.compile(r"(?P<tag>[^$@\[\]]+?)(?:\$(?P<codes>[0-9a-z]+))?")


class Removal:
    """What is taken out of the fields of some tags (or elements, or columns)."""

    def __init__(self, cuts: list[tuple[str, Keep]]) -> None:
        self.cuts: dict[str, list[Keep]] = {}
        for key, keep in cuts:
            self.cuts.setdefault(key, []).append(keep)

    def __call__(self, found: View) -> View:
        """*found* without it."""
        changed = dict(found)
        for key in self.cuts.keys() & found.keys():
            changed[key] = [kept for field in found[key] if (kept := self.left(key, field))]
        return changed

    def left(self, key: str, field: list[str]) -> list[str]:
        """What is left of one *field*; nothing, when only its indicators would be."""
        for keep in self.cuts.get(key, ()):
            field = keep(field)
            if len(field) < 2 and (not field or key >= "010"):
                return []
        return field


def compile_removal(places: dict[str, Any], family: str) -> Removal | None:
    """The removal of *places*: path → true (all of it) or the values to leave out; None when there are none.

    Raises:
        ValueError: a place that is more than a tag, a tag with subfields, an element or a column.
    """
    cuts = [_cut(place, asked, family) for place, asked in places.items()]
    return Removal(cuts) if cuts else None


def place_of(place: str, family: str) -> tuple[str, str]:
    """The key in a view that *place* names, and the codes of its subfields ("" for all of the field).

    Raises:
        ValueError: a place that is more than a tag, a tag with subfields, an element or a column.
    """
    match = _PLACE.fullmatch(place.strip())
    if not match or (family == "marc" and not re.fullmatch(r"LDR|[0-9A-Za-z]{3}", match["tag"])):
        raise ValueError(f"{place!r} cannot be left out: write a tag, a tag with subfields ($q$r as 952$qr), or a name")
    tag = match["tag"]
    if family == "row":
        tag = tag.casefold().strip()
    elif family != "marc":
        tag = re.sub(r"[\w.-]+:", "", tag)
    return tag, match["codes"] or ("" if family == "marc" else ".")


def _cut(place: str, asked: Any, family: str) -> tuple[str, Keep]:
    tag, codes = place_of(place, family)
    values = None if asked is True else frozenset(_plain(v) for v in (asked if isinstance(asked, list) else [asked]))
    return tag, _keeper(codes, values)


def _plain(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def _keeper(codes: str, values: frozenset[str] | None) -> Keep:
    if not codes:
        if values is None:
            return lambda field: []
        return lambda field: [] if _plain(field[0]) in values else field

    def keep(field: list[str]) -> list[str]:
        return [
            part
            for index, part in enumerate(field)
            if index == 0 or part[:1] not in codes or (values is not None and _plain(part[1:]) not in values)
        ]

    return keep
