"""What every comparison shares: how it is registered, which fields are present, what the evidence shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec.structs import astuple

from harvester.match.comparisons import Compare, Comparison, comparisons
from harvester.model import Profile

# The fields whose presence a profile carries as one bit each, in `present`; new ones go to the end.
FIELDS = (
    "level", "form", "thin", "isbns", "issns", "ids", "documents", "oclcs", "proper", "words", "numbers", "parts",
    "part_names", "author", "responsibility", "year", "country", "place", "publisher", "pages", "volumes", "height",
    "edition", "edition_words", "impression", "series", "languages", "institution", "student", "host",
    "score_format", "extra", "minutes",
)  # fmt: skip
_BITS = {name: 1 << number for number, name in enumerate(FIELDS)}
_PLACES = {name: place for place, name in enumerate(Profile.__struct_fields__)}
_IN_ORDER = tuple(_BITS.get(name, 0) for name in Profile.__struct_fields__)


def comparison(
    stage: int, outcomes: str, *, both: str = "", either: str = "", shows: str = "", dear: bool = False
) -> Callable[[Compare], Compare]:
    """Decorator: register a function under its own name; names of outcomes and fields are parted by blanks.

    Without *both* and *either* the function is always called. The evidence shows the fields *shows*, or those others.
    One that is *dear* takes ten times as long as the others of its stage.
    """

    def keep(compare: Compare) -> Compare:
        shown = shows or both or either
        row = Comparison(
            compare,
            ("missing", *outcomes.split()),
            stage,
            tuple(both.split()),
            tuple(either.split()),
            tuple(shown.split()),
            dear,
        )
        comparisons.register(compare.__name__)(row)
        return compare

    return keep


def mask(names: tuple[str, ...]) -> int:
    """The bits of the fields *names*."""
    return sum(_BITS[name] for name in names)


def present(profile: Profile) -> int:
    """The bits of the fields that *profile* has."""
    return sum(compress(_IN_ORDER, astuple(profile)))


class Shown(NamedTuple):
    """How the evidence prints fields, parted by blanks: what to get of a profile as a tuple, and the text of that."""

    get: Callable[[Sequence[Any]], Any]
    text: Callable[[Any], str]


def shown(names: tuple[str, ...]) -> Shown:
    """How the fields *names* are printed; "" where all of them are missing."""
    return Shown(itemgetter(*[_PLACES[name] for name in names]), _text if len(names) == 1 else _texts)


def _text(value: Any) -> str:
    if value.__class__ is tuple:
        return " ".join(value if value and value[0].__class__ is str else map(str, value))
    return str(value) if value else ""


def _texts(values: tuple[Any, ...]) -> str:
    told = ""
    for value in values:
        if value:
            told = f"{told} {_text(value)}" if told else _text(value)
    return told
