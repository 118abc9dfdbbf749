"""Undo double encoding in the fields of which a preset says that its software writes them so."""

from __future__ import annotations

from collections.abc import Iterable

from harvester.formats.characters import flags_of
from harvester.formats.mojibake import undouble
from harvester.normalize.removal import place_of
from harvester.normalize.views import View


def undoubled(found: View, places: Iterable[str], family: str) -> tuple[View, tuple[str, ...]]:
    """The view with *places* undone where the score proves it, and a flag with before and after for each."""
    changed, flags = dict(found), dict[str, None]()
    for place in places:
        key, codes = place_of(place, family)
        changed[key] = [[_part(part, key, codes, flags) for part in field] for field in found.get(key, ())]
    return {key: fields for key, fields in changed.items() if fields}, tuple(flags)


def _part(part: str, key: str, codes: str, flags: dict[str, None]) -> str:
    if part.isascii() or (codes and part[:1] not in codes):
        return part
    better = undouble(part[1:])
    if better is None:
        return part
    flags.update(dict.fromkeys(flags_of(["encoding:doubled"], key, part[1:], better)))
    return part[:1] + better
