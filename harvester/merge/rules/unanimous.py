"""True only if every member says so."""

from __future__ import annotations

from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, agree, show
from harvester.merge.rules import rules
from harvester.model import Survivor


@rules.register("unanimous")
def unanimous(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """The best record's value if all values are equal, else nothing: one library's doubt hides nothing."""
    agreed, value = agree(offers), offers[0].value
    rule = "unanimous" if agreed else "dropped:unanimous"
    lines: dict[str, Survivor] = {}
    for offer in offers:
        if offer.value:
            lines.setdefault(show(offer.value), Survivor(setting.field, offer.donor, rule, show(offer.value)))
    return Outcome(value if agreed else type(value)(), tuple(lines.values()))
