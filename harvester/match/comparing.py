"""What every comparison shares: how it is registered, which fields are present, what the evidence shows."""

from __future__ import annotations

from collections.abc import Callable
from itertools import compress
from operator import attrgetter

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
_values = attrgetter(*FIELDS)


def comparison(
    stage: int, outcomes: str, *, both: str = "", either: str = "", shows: str = ""
) -> Callable[[Compare], Compare]:
    """Decorator: register a function under its own name; names of outcomes and fields are parted by blanks.

    Without *both* and *either* the function is always called. The evidence shows the fields *shows*, or those others.
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
        )
        comparisons.register(compare.__name__)(row)
        return compare

    return keep


def mask(names: tuple[str, ...]) -> int:
    """The bits of the fields *names*."""
    return sum(_BITS[name] for name in names)


def present(profile: Profile) -> int:
    """The bits of the fields that *profile* has."""
    return sum(compress(_BITS.values(), _values(profile)))


def shown(profile: Profile, names: tuple[str, ...]) -> str:
    """The fields *names* of *profile* as the evidence prints them; "" when all are missing."""
    texts = []
    for name in names:
        value = getattr(profile, name)
        if value:
            texts.append(" ".join(map(str, value)) if isinstance(value, tuple) else str(value))
    return " ".join(texts)
