"""The longest value; among equals, of the best record."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, agree, choose
from harvester.merge.rules import rules


@rules.register("longest")
def longest(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose the value with the most characters of a record without traps."""
    return choose(sorted(offers, key=_trapped if agree(offers) else _key), setting)


def _trapped(offer: Offer) -> bool:
    return offer.trapped


def _key(offer: Offer) -> tuple[bool, int]:
    return offer.trapped, -_length(offer.value)


def _length(value: object) -> int:
    return len(value) if isinstance(value, str) else len(repr(value))
