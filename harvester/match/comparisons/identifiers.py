"""Identifiers agree, disagree or are missing. Agreement is strong evidence, never a merge by itself."""

from __future__ import annotations

from harvester.match.comparisons import comparison
from harvester.model import Profile

# Before ISBNs were common, one manifestation often carries the number of a later printing or binding.
ISBN_COMMON = 1970


def meet(left: tuple[str, ...], right: tuple[str, ...]) -> bool:
    """Whether two short tuples share a value."""
    return any(value in right for value in left)


@comparison(0, "missing shared different different_early different_but_other_shared", lambda p: " ".join(p.isbns))
def isbn(left: Profile, right: Profile) -> str:
    """`different` is firm only when no other identifier is shared and both years allow ISBNs."""
    if not left.isbns or not right.isbns:
        return "missing"
    if meet(left.isbns, right.isbns):
        return "shared"
    if meet(left.ids, right.ids) or meet(left.oclcs, right.oclcs):
        return "different_but_other_shared"
    if 0 < left.year < ISBN_COMMON or 0 < right.year < ISBN_COMMON:
        return "different_early"
    return "different"


@comparison(0, "missing shared different", lambda profile: " ".join(profile.issns))
def issn(left: Profile, right: Profile) -> str:
    """ISSNs of the record itself, not of its series."""
    if not left.issns or not right.issns:
        return "missing"
    return "shared" if meet(left.issns, right.issns) else "different"


@comparison(0, "missing shared different", lambda profile: " ".join(profile.oclcs))
def oclc(left: Profile, right: Profile) -> str:
    """Half of the true duplicates in swissbib carry different OCLC numbers: `different` is no veto."""
    if not left.oclcs or not right.oclcs:
        return "missing"
    return "shared" if meet(left.oclcs, right.oclcs) else "different"


def _kinds(values: tuple[str, ...]) -> set[str]:
    return {value.partition(":")[0] for value in values}


@comparison(0, "missing shared different different_twice", lambda profile: " ".join(profile.ids))
def standard_number(left: Profile, right: Profile) -> str:
    """LCCN, DOI, ISMN, EAN, publisher number …; compared within their kind."""
    if not left.ids or not right.ids:
        return "missing"
    if meet(left.ids, right.ids):
        return "shared"
    kinds = (_kinds(left.ids) & _kinds(right.ids)) - {"govdoc"}
    if not kinds:
        return "missing"
    return "different" if meet(left.isbns, right.isbns) or not _documents_differ(left, right) else "different_twice"


def _documents_differ(left: Profile, right: Profile) -> bool:
    return bool(left.oclcs and right.oclcs) and not meet(left.oclcs, right.oclcs)


@comparison(0, "missing shared different different_twice", lambda profile: " ".join(profile.ids))
def document_number(left: Profile, right: Profile) -> str:
    """Numbers of official documents (SuDoc and the like); two series of numbers that both differ part two documents."""
    mine = [value for value in left.ids if value.startswith("govdoc:")]
    theirs = [value for value in right.ids if value.startswith("govdoc:")]
    if not mine or not theirs:
        return "missing"
    if any(value in theirs for value in mine):
        return "shared"
    return "different_twice" if _documents_differ(left, right) else "different"


@comparison(0, "missing equal different", lambda profile: profile.student)
def student(left: Profile, right: Profile) -> str:
    """The student number of a thesis."""
    if not left.student or not right.student:
        return "missing"
    return "equal" if left.student == right.student else "different"
