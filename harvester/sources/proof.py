"""Whether a list that ended was complete, and whether that is proven or only the server's word. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from harvester.model import Value


class ListFacts(Value, frozen=True):
    """What was seen of one list.

    `distinct` counts different identifiers, deleted ones included; `nameless` counts damages without identifier.
    `sizes` are the completeListSize of each page that had one, in order; `last_full` is how many the last complete
    list of the same extent held (0: unknown). `passes_agree`: a second pass of identifiers gave the same set; None
    means that there was none.
    """

    ended: bool
    distinct: int
    nameless: int = 0
    sizes: tuple[int, ...] = ()
    sizes_trusted: bool = True
    repeated: bool = False
    salvaged: bool = False
    full: bool = False
    last_full: int = 0
    unstable: bool = False
    passes_agree: bool | None = None


class Completeness(NamedTuple):
    """`claimed` is never a basis for deletion; `reason` says why, in one sentence."""

    verdict: Literal["complete", "partial"]
    proof: Literal["proven", "claimed"]
    reason: str


def completeness(facts: ListFacts, shrink_percent: float = 20) -> Completeness:
    """The verdict on one list.

    A list is partial when it broke off, repeated itself, had unreadable parts, brought fewer records than the server
    counted, changed its size while it was read, or (full lists) is empty or shorter by more than *shrink_percent* than
    the last one without a count that explains it. It is proven when the count is met, or when two passes agree.
    """
    broken = _broken(facts)
    if broken:
        return Completeness("partial", "claimed", broken)
    received = facts.distinct + facts.nameless
    if facts.full and not received and (facts.last_full or not facts.passes_agree):
        # An empty answer is what a broken server gives, too: it is never believed at once (SobekCM#6).
        return _partial(f"nothing came where {facts.last_full or 'some'} records were expected")
    if facts.passes_agree:
        return Completeness("complete", "proven", "two passes over the identifiers agree")
    if facts.unstable:
        return _partial("paging is not stable: a second pass over the identifiers must agree")
    if facts.sizes and facts.sizes_trusted:
        return _against_size(facts, received)
    if facts.full and received < facts.last_full * (1 - shrink_percent / 100):
        return _partial(f"{received:,} records where {facts.last_full:,} were, and the server gives no count")
    return Completeness("complete", "claimed", "the server gives nothing to check against")


def wants_a_person(facts: ListFacts, shrink_percent: float = 20) -> bool:
    """Whether a full list is whole, but so short that only a person can say that this is how it should be.

    An empty answer where records were is one such case (SobekCM#6: a set had disappeared), whatever the server counts.
    """
    received = facts.distinct + facts.nameless
    if _broken(facts) or not facts.full or received >= facts.last_full * (1 - shrink_percent / 100):
        return False
    return not received or not (facts.passes_agree or facts.unstable or (facts.sizes and facts.sizes_trusted))


def _broken(facts: ListFacts) -> str:
    if not facts.ended:
        return "the list did not end"
    if facts.repeated:
        return "a token or page came again"
    if facts.salvaged:
        return "a page could not be read wholly"
    if facts.passes_agree is False:
        return "two passes over the identifiers differ"
    return ""


def _against_size(facts: ListFacts, received: int) -> Completeness:
    size = facts.sizes[-1]
    if len(set(facts.sizes)) > 1:
        # With OFFSET paging a deletion in mid-list skips a live record, and the counts still agree (SLiMS).
        told = f"{facts.sizes[0]:,} to {size:,}"
        return _partial(f"the list changed its size while it was read ({told})")
    if received < size:
        return _partial(f"{received:,} of {size:,} records came")
    if received > size:
        return Completeness("complete", "claimed", f"{received:,} records came, the server counted {size:,}")
    return Completeness("complete", "proven", f"all {size:,} records came")


def _partial(reason: str) -> Completeness:
    return Completeness("partial", "claimed", reason)
