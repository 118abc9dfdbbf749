"""The value with the most parts filled, of a record that fell into no trap."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, by_rank, choose, filled, shouting, show
from harvester.merge.rules import rules


@rules.register("most_complete")
def most_complete(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose a value that is no shouting capitals, of a record without traps, with most parts, then the best record."""
    return choose(sorted(by_rank(offers), key=_key), setting)


def _key(offer: Offer) -> tuple[bool, bool, int]:
    return shouting(show(offer.value)), offer.trapped, -filled(offer.value)
