"""The longest value; among equals, of the best record."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, by_rank, choose
from harvester.merge.rules import rules


@rules.register("longest")
def longest(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose the value with the most characters of a record without traps."""
    return choose(sorted(by_rank(offers), key=lambda offer: (offer.trapped, -_length(offer.value))), setting)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else len(repr(value))
