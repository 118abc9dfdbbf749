"""The value of the record that was changed last, by its own date: never by when it was harvested."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, choose
from harvester.merge.rules import rules


@rules.register("newest")
def newest(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose the latest `updated` (005 or its like); records without one come last."""
    return choose(sorted(offers, key=lambda offer: offer.updated, reverse=True), setting)
