"""Identifiers agree, disagree or are missing. Agreement is strong evidence, never a merge by itself."""

from __future__ import annotations

from harvester.match.comparing import comparison
from harvester.model import Profile

# Before ISBNs were common, one manifestation often carries the number of a later printing or binding.
ISBN_COMMON = 1970


def meet(left: tuple[object, ...], right: tuple[object, ...]) -> bool:
    """Whether two short tuples share a value."""
    for value in left:  # noqa: SIM110 - a loop takes half the time of any()
        if value in right:
            return True
    return False


@comparison(0, "shared different different_early different_but_other_shared", both="isbns")
def isbn(left: Profile, right: Profile) -> str:
    """`different` is firm only when no other identifier is shared and both years allow ISBNs."""
    if meet(left.isbns, right.isbns):
        return "shared"
    if meet(left.ids, right.ids) or meet(left.oclcs, right.oclcs):
        return "different_but_other_shared"
    if 0 < left.year < ISBN_COMMON or 0 < right.year < ISBN_COMMON:
        return "different_early"
    return "different"


@comparison(0, "shared different", both="issns")
def issn(left: Profile, right: Profile) -> str:
    """ISSNs of the record itself, not of its series."""
    return "shared" if meet(left.issns, right.issns) else "different"


@comparison(0, "shared different", both="oclcs")
def oclc(left: Profile, right: Profile) -> str:
    """Half of the true duplicates in swissbib carry different OCLC numbers: `different` is no veto."""
    return "shared" if meet(left.oclcs, right.oclcs) else "different"


@comparison(0, "shared different different_twice", both="ids")
def standard_number(left: Profile, right: Profile) -> str:
    """LCCN, DOI, ISMN, EAN, publisher number …; compared within their kind."""
    if meet(left.ids, right.ids):
        return "shared"
    if _kinds(left.ids).isdisjoint(_kinds(right.ids)):
        return "missing"
    return "different_twice" if _oclcs_differ(left, right) and not meet(left.isbns, right.isbns) else "different"


def _kinds(values: tuple[str, ...]) -> set[str]:
    return {value.partition(":")[0] for value in values}


def _oclcs_differ(left: Profile, right: Profile) -> bool:
    mine, theirs = left.oclcs, right.oclcs
    return bool(mine and theirs) and not meet(mine, theirs)


@comparison(0, "shared different different_twice", both="documents")
def document_number(left: Profile, right: Profile) -> str:
    """Numbers of official documents (SuDoc and the like); two series of numbers that both differ part two documents."""
    if meet(left.documents, right.documents):
        return "shared"
    return "different_twice" if _oclcs_differ(left, right) else "different"


@comparison(0, "equal different", both="student")
def student(left: Profile, right: Profile) -> str:
    """The student number of a thesis."""
    return "equal" if left.student == right.student else "different"
