"""call_number_holding."""

from __future__ import annotations

from harvester.model import Holding
from harvester.normalize.classes import class_of
from harvester.normalize.functions import functions


@functions.register("call_number_holding")
def call_number_holding(value: str, any_text: bool = False) -> Holding | None:
    """A holding with this call number; without *any_text* only when the text holds a class number and a mark.

    >>> call_number_holding("899.221 HIR l").call_number, call_number_holding("9789793062792")
    ('899.221 HIR l', None)
    """
    text = " ".join(value.split())
    if not any_text:
        found = class_of(text)
        if found is None or not (found.mark or found.scheme == "islam"):
            return None
    return Holding(call_number=text) if text else None
