"""What every comparison shares: how it is registered, which fields are present, what the evidence shows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from operator import attrgetter
from typing import Any

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


class Shown:
    """What the evidence prints of a profile: groups of fields, parted by blanks; "" where all of them are missing."""

    def __init__(self, groups: Sequence[tuple[str, ...]]) -> None:
        names = dict.fromkeys(name for group in groups for name in group)
        kinds = Profile.__annotations__
        texts = [name for name in names if kinds[name] == "str"]
        words = [name for name in names if kinds[name] == "tuple[str, ...]"]
        others = [name for name in names if name not in (*texts, *words)]
        several = [group for group in groups if len(group) > 1]
        order = [*((name,) for name in (*texts, *words, *others)), *several]
        self.places = [order.index(group) for group in groups]  # where the text of each group stands
        self._getters = [attrgetter(*found) for found in (texts, words, others)]
        self._several = [[order.index((name,)) for name in group] for group in several]

    def of(self, profile: Profile) -> list[str]:
        """The texts of *profile*, in the order that `places` tells."""
        texts, words, others = self._getters
        found = [*texts(profile), *map(" ".join, words(profile))]
        found += [_text(value) if value else "" for value in others(profile)]
        found += [" ".join([found[at] for at in group if found[at]]) for group in self._several]
        return found


def _text(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
