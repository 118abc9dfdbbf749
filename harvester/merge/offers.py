"""What survivorship rules work with: the offers of the members for one field, and the outcome.

An offer is one member's whole value of a field: a title, or the tuple of its subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from harvester.model import Contributor, Identifier, Link, Publication, Subject, Survivor, Title
from harvester.text import fold

SHOWN = 300  # characters of a value in an explanation; the whole value stays in its donor's record
SHOUTING_LETTERS = 6


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


class Outcome(NamedTuple):
    """The surviving value and its lines: in a tuple field the n-th surviving line is the donor of the n-th value."""

    value: Any
    lines: tuple[Survivor, ...]


def _publication(value: Publication) -> str:
    return " : ".join(part for part in (value.place, value.publisher) if part)


def _identifier(value: Identifier) -> str:
    return " ".join(part for part in (value.kind, value.value, value.qualifier) if part)


def _title(value: Title) -> str:
    text = " : ".join(part for part in (value.proper, value.remainder) if part)
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
    found: list[str] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[str]) -> None:
    """Add the texts of what *value* says to *found*; 0, "", () and None say nothing."""
    if isinstance(value, str):
        if value:
            found.append(value)
    elif isinstance(value, tuple):
        for single in value:
            _collect(single, found)
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            part = getattr(value, name)
            if part:
                _collect(part, found)
    elif value:
        found.append(str(value))


def filled(value: Any) -> int:
    """How many parts of *value* say something."""
    return len(_parts(value))


def shouting(text: str) -> bool:
    """Whether nearly every letter of *text* is a capital, as in records keyed with caps lock on."""
    letters = [character for character in text if character.lower() != character.upper()]
    return len(letters) >= SHOUTING_LETTERS and sum(c.isupper() for c in letters) > 0.95 * len(letters)


def choose(ranked: Sequence[Offer], setting: Setting) -> Outcome:
    """The value of the first offer, its gaps (`fill`) closed by the next ones; the others as dropped lines."""
    best = ranked[0]
    value, lines = _fill(ranked, setting)
    told = {show(best.value)}
    for offer in sorted(ranked, key=lambda offer: offer.rank):
        text = show(offer.value)
        if text not in told:
            told.add(text)
            lines.append(Survivor(setting.field, offer.donor, _why(text, show(best.value), setting.rule), text))
    return Outcome(value, tuple(lines))


def _fill(ranked: Sequence[Offer], setting: Setting) -> tuple[Any, list[Survivor]]:
    best = ranked[0]
    value = best.value
    lines = [Survivor(setting.field, best.donor, setting.rule, show(value))]
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


def by_rank(offers: Iterable[Offer]) -> list[Offer]:
    """The offers, best member first; the order in which they came plays no part."""
    return sorted(offers, key=lambda offer: offer.rank)
