"""True only if every member says so."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, by_rank, show
from harvester.merge.rules import rules
from harvester.model import Survivor


@rules.register("unanimous")
def unanimous(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """The best record's value if all values are equal, else nothing: one library's doubt hides nothing."""
    ranked = by_rank(offers)
    agreed = all(offer.value == ranked[0].value for offer in ranked)
    rule = "unanimous" if agreed else "dropped:unanimous"
    lines: dict[str, Survivor] = {}
    for offer in ranked:
        if offer.value:
            lines.setdefault(show(offer.value), Survivor(setting.field, offer.donor, rule, show(offer.value)))
    return Outcome(ranked[0].value if agreed else type(ranked[0].value)(), tuple(lines.values()))
