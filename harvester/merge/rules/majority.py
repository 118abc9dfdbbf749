"""The value that most sources agree on; a source has one voice, however many copies of a record it sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from harvester.merge.offers import Offer, Outcome, Setting, agree, choose, show
from harvester.merge.rules import rules
from harvester.text import fold


@rules.register("majority")
def majority(offers: Sequence[Offer], setting: Setting) -> Outcome:
    """Choose the value (case and punctuation aside) with the most sources, then the best record's."""
    if agree(offers):
        return choose(offers, setting)
    voices: dict[str, set[str]] = defaultdict(set)
    for offer in offers:
        voices[_key(offer, setting)].add(offer.source)
    return choose(sorted(offers, key=lambda offer: -len(voices[_key(offer, setting)])), setting)


def _key(offer: Offer, setting: Setting) -> str:
    """What is counted: the whole value, or the parts named by `by` (years without the text they were read from)."""
    text = " ".join(str(getattr(offer.value, part)) for part in setting.by) if setting.by else show(offer.value)
    return fold(text) or text
