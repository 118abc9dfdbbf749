"""The value of the partner with the highest priority; among equals, of the best record."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, choose
from harvester.merge.rules import rules


@rules.register("best_source")
def best_source(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose by the partner's priority (policy), then by quality."""
    return choose(sorted(offers, key=lambda offer: -offer.priority), setting)
