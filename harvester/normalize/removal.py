"""Taking fields or values out of a record: what is volatile for the content hash, what a preset does not believe."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from harvester.normalize.views import View

Removal = Callable[[View], View]
_PLACE = re.compile(r"(?P<tag>[^$@\[\]]+?)(?:\$(?P<codes>[0-9a-z]+))?")


def compile_removal(places: dict[str, Any], family: str) -> Removal | None:
    """A function that gives a view without *places*: path → true (all of it) or the values to leave out.

    Raises:
        ValueError: a place that is more than a tag, a tag with subfields, an element or a column.
    """
    cuts = [_cut(place, asked, family) for place, asked in places.items()]
    if not cuts:
        return None

    def remove(found: View) -> View:
        changed = dict(found)
        for key, keep in cuts:
            if key in changed:
                changed[key] = [
                    kept for field in changed[key] if len(kept := keep(field)) > 1 or (kept and key < "010")
                ]
        return changed

    return remove


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


def _cut(place: str, asked: Any, family: str) -> tuple[str, Callable[[list[str]], list[str]]]:
    tag, codes = place_of(place, family)
    values = None if asked is True else frozenset(_plain(v) for v in (asked if isinstance(asked, list) else [asked]))
    return tag, _keeper(codes, values)


def _plain(value: Any) -> str:
    return " ".join(str(value).casefold().split())


def _keeper(codes: str, values: frozenset[str] | None) -> Callable[[list[str]], list[str]]:
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
