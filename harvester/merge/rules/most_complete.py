"""The value with the most parts filled, of a record that fell into no trap."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, agree, choose, filled, shouting, show
from harvester.merge.rules import rules


@rules.register("most_complete")
def most_complete(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose a value that is no shouting capitals, of a record without traps, with most parts, then the best record."""
    return choose(sorted(offers, key=_trapped if agree(offers) else _key), setting)


def _trapped(offer: Offer) -> bool:
    return offer.trapped


def _key(offer: Offer) -> tuple[bool, bool, int]:
    return shouting(show(offer.value)), offer.trapped, -filled(offer.value)
