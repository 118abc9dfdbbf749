"""Years, editions and printings."""

from __future__ import annotations

from rapidfuzz import fuzz

from harvester.match.comparing import comparison
from harvester.match.comparisons.identifiers import meet
from harvester.model import Profile

# A printing explains a gap of this many years at most; beyond it a partner has mixed up two editions.
PRINTING_YEARS = 25


def _same_edition(left: Profile, right: Profile) -> bool:
    """Whether a printing may explain the gap: Moleong 1989 and his revised edition of 2005 have the same 410 pages."""
    if bool(left.edition_words) != bool(right.edition_words):
        return False
    return left.edition == right.edition or not left.edition or not right.edition


@comparison(1, "equal within coded unsure shared printing one near far", both="year", shows="year years coded_year")
def year(left: Profile, right: Profile) -> str:
    """The year of publication.

    within: inside the other's uncertain range; unsure: outside of it; shared: a copyright year of the other; coded: the
    year that the other has in its code (008), so that its printed year may be a slip;
    printing: another year, but one side states a printing (cetakan) that explains it; near: at most 10 years.
    """
    mine, theirs = left.year, right.year
    if mine == theirs:
        return "equal"
    uncertain = left.year_to or right.year_to
    if uncertain and _overlap(left, right):
        return "within"
    if mine == right.coded_year or theirs == left.coded_year:
        return "coded"
    if uncertain:
        return "unsure"
    if meet(left.years, right.years):
        return "shared"
    gap = abs(mine - theirs)
    if gap <= PRINTING_YEARS and left.impression != right.impression and _same_edition(left, right):
        return "printing"
    if gap == 1:
        return "one"
    return "near" if gap <= 10 else "far"


def _overlap(left: Profile, right: Profile) -> bool:
    return left.year <= (right.year_to or right.year) and right.year <= (left.year_to or left.year)


@comparison(0, "equal first one_side different", either="edition")
def edition(left: Profile, right: Profile) -> str:
    """The number of the edition; `first` when one side says 1 and the other nothing.

    A first revised (American, student …) edition counts within its kind: it may be the second of all.
    """
    mine, theirs = left.edition, right.edition
    if mine == theirs:
        return "equal" if mine else "missing"
    if mine and theirs:
        first, other = (left, right) if mine < theirs else (right, left)
        within = first.edition == 1 and first.edition_words and not meet(first.edition_words, other.edition_words)
        return "one_side" if within else "different"
    return "first" if mine + theirs == 1 else "one_side"


@comparison(3, "equal alike one_side different", either="edition_words")
def edition_words(left: Profile, right: Profile) -> str:
    """What the edition statement says beside its number: revised, abridged, student edition …"""
    mine, theirs = left.edition_words, right.edition_words
    if mine == theirs:
        return "equal" if mine else "missing"
    if not mine or not theirs:
        return "one_side"
    if meet(mine, theirs) or fuzz.token_set_ratio(" ".join(mine), " ".join(theirs)) >= 70:
        return "alike"
    return "different"


@comparison(0, "equal one_side different", either="impression")
def impression(left: Profile, right: Profile) -> str:
    """The printing (cetakan). It is no edition: what it means is the policy `impression` of the rules."""
    mine, theirs = left.impression, right.impression
    if mine == theirs:
        return "equal" if mine else "missing"
    return "different" if mine and theirs else "one_side"
