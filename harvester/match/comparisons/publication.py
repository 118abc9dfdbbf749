"""Publisher, place and series."""

from __future__ import annotations

from rapidfuzz import fuzz

from harvester.match.comparing import comparison
from harvester.match.comparisons.identifiers import meet
from harvester.match.comparisons.titles import alike, scripts_differ
from harvester.model import Profile
from harvester.text import is_latin


@comparison(3, "one_side shared alike different", either="publisher")
def publisher(left: Profile, right: Profile) -> str:
    """Significant words of the publisher: one shared, one alike (initials, typing error), none.

    A name in Chinese or Arabic script and its romanization by another table are not told to be different.
    """
    mine, theirs = left.publisher, right.publisher
    if not mine or not theirs:
        return "one_side" if mine or theirs else "missing"
    if meet(mine, theirs):
        return "shared"
    if _initials(mine, theirs) or _initials(theirs, mine) or "".join(mine) == "".join(theirs):
        return "alike"
    if any(alike(word, other) for word in mine for other in theirs):
        return "alike"
    return "missing" if scripts_differ(left, right) and not _alphabetic(left, right) else "different"


def _alphabetic(left: Profile, right: Profile) -> bool:
    """Whether the one title in script is in Cyrillic or Greek letters: romanized, words of these are alike."""
    script = right.title if is_latin(left.title) else left.title
    return any("\u0370" <= letter <= "\u052f" for letter in script)


def _initials(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """GPU is Gramedia Pustaka Utama, in whatever order the words are kept."""
    return len(long) > 1 and any(sorted(word) == sorted(other[0] for other in long) for word in short)


@comparison(3, "equal alike different", both="place")
def place(left: Profile, right: Profile) -> str:
    """The first place of publication."""
    if left.place == right.place:
        return "equal"
    if fuzz.partial_ratio(*sorted((left.place, right.place))) >= 80:
        return "alike"
    return "missing" if scripts_differ(left, right) else "different"


@comparison(2, "equal title_only one_side other_number different", either="series", shows="series series_numbers")
def series(left: Profile, right: Profile) -> str:
    """Series title and number; `other_number` parts two volumes of one series, `different` is two series."""
    if not left.series or not right.series:
        return "one_side" if left.series or right.series else "missing"
    if not meet(left.series, right.series):
        return "different"
    mine, theirs = left.series_numbers, right.series_numbers
    if not mine or not theirs:
        return "title_only"
    if meet(mine, theirs):
        return "equal"
    return "title_only" if any(_lettered(one, other) for one in mine for other in theirs) else "other_number"


def _lettered(one: str, other: str) -> bool:
    """Whether one number is the other with letters behind it: 3630, 3630OT."""
    short, long = sorted((one, other), key=len)
    return short.isdigit() and long.startswith(short) and long[len(short) :].isalpha()
