"""What survivorship rules work with: the offers of the members for one field, and the outcome.

An offer is one member's whole value of a field: a title, or the tuple of its subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from harvester.model import Contributor, Identifier, Link, Publication, Subject, Survivor, Title
from harvester.text import fold

SHOWN = 300  # characters of a value in an explanation; the whole value stays in its donor's record
SHOUTING_LETTERS = 6
_NO_CAPITALS = bytes(code for code in range(128) if not chr(code).isupper())
_NO_SMALLS = bytes(code for code in range(128) if not chr(code).islower())


class Offer(NamedTuple):
    """One member's value of a field. *rank* orders members, best first, ties by (source, identifier)."""

    donor: str
    source: str
    rank: tuple[float, int, str, str]
    priority: int
    updated: str
    trapped: bool
    value: Any


class Setting(NamedTuple):
    """What survivorship.yaml says of one field."""

    field: str
    rule: str
    fold: str = ""
    fill: tuple[str, ...] = ()
    but_not: tuple[tuple[str, str], ...] = ()
    by: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()  # a field, and maybe its part


class Outcome(NamedTuple):
    """The surviving value and its lines: in a tuple field the n-th surviving line is the donor of the n-th value."""

    value: Any
    lines: tuple[Survivor, ...]


def _publication(value: Publication) -> str:
    return " : ".join(filter(None, (value.place, value.publisher)))


def _identifier(value: Identifier) -> str:
    return " ".join(filter(None, (value.kind, value.value, value.qualifier)))


def _title(value: Title) -> str:
    text = value.with_remainder(value.proper)
    text = ". ".join([text, *value.part_numbers, *value.part_names])
    text = f"{text} / {value.responsibility}" if value.responsibility else text
    return f"{text} [{value.original}]" if value.original else text


_SHOW: dict[type, Callable[[Any], str]] = {
    str: str,
    Title: _title,
    Contributor: lambda value: str(value.name),
    Subject: lambda value: str(value.term),
    Link: lambda value: str(value.url),
    Publication: _publication,
    Identifier: _identifier,
}


def show(value: Any) -> str:
    """*value* as one line of an explanation, cut at SHOWN characters."""
    maker = _SHOW.get(type(value))
    text = maker(value) if maker else " · ".join(_parts(value))
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _parts(value: Any) -> list[str]:
    """The texts of what *value* says; 0, "", () and None say nothing."""
    found: list[str] = []
    _collect((value,), found)
    return found


def _collect(values: tuple[Any, ...], found: list[str]) -> None:
    for value in values:
        if not value:
            continue
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, tuple):
            _collect(value, found)
        elif isinstance(value, msgspec.Struct):
            _collect(msgspec.structs.astuple(value), found)
        else:
            found.append(str(value))


def filled(value: Any) -> int:
    """How many parts of *value* say something."""
    return len(_parts(value))


def shouting(text: str) -> bool:
    """Whether nearly every letter of *text* is a capital, as in records keyed with caps lock on."""
    if text.isascii():
        sent = text.encode()
        capitals = len(sent.translate(None, _NO_CAPITALS))
        letters = capitals + len(sent.translate(None, _NO_SMALLS))
    else:
        cased = [character for character in text if character.lower() != character.upper()]
        capitals, letters = sum(map(str.isupper, cased)), len(cased)
    return letters >= SHOUTING_LETTERS and capitals > 0.95 * letters


def agree(offers: Sequence[Offer]) -> bool:
    """Whether all members say the same, as they do of most fields: nothing is to be weighed, dropped or filled."""
    first = offers[0].value
    return all(offer.value == first for offer in offers[1:])


def choose(ranked: Sequence[Offer], setting: Setting) -> Outcome:
    """The value of the first offer, its gaps (`fill`) closed by the next ones; the others as dropped lines."""
    best = ranked[0]
    shown = show(best.value)
    line = Survivor(setting.field, best.donor, setting.rule, shown)
    if agree(ranked):
        return Outcome(best.value, (line,))
    value, filled = _fill(ranked, setting)
    lines = [line, *filled]
    told = {shown}
    for offer in sorted(ranked, key=lambda offer: offer.rank):
        text = show(offer.value)
        if text not in told:
            told.add(text)
            lines.append(Survivor(setting.field, offer.donor, _why(text, shown, setting.rule), text))
    return Outcome(value, tuple(lines))


def _fill(ranked: Sequence[Offer], setting: Setting) -> tuple[Any, list[Survivor]]:
    value = ranked[0].value
    lines: list[Survivor] = []
    for part in setting.fill:
        if getattr(value, part) not in ("", (), None):
            continue
        giver = next((offer for offer in ranked if getattr(offer.value, part) not in ("", (), None)), None)
        if giver is not None:
            given = getattr(giver.value, part)
            value = msgspec.structs.replace(value, **{part: given})
            lines.append(Survivor(f"{setting.field}.{part}", giver.donor, "fill", show(given)))
    return value, lines


def _why(text: str, chosen: str, rule: str) -> str:
    """A value that differs from the chosen one by case and punctuation only is a variant, not a loss."""
    return f"variant:{chosen}" if fold(text) == fold(chosen) else f"dropped:{rule}"
