"""impression."""

from __future__ import annotations

from harvester.model import Impression
from harvester.normalize.editions import impression_of
from harvester.normalize.functions import functions


@functions.register("impression")
def impression(value: str) -> Impression | None:
    """The printing in the text: Cet. 3, Cetakan ke-12, 5th printing.

    >>> impression("Ed. 2, cet. 3"), impression("Cetakan ke-XII").number, impression("Edisi 2")
    (Impression(text='cet. 3', number=3), 12, None)
    """
    return impression_of(value)
