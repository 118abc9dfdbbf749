"""title_area."""

from __future__ import annotations

from harvester.model import Title
from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim
from harvester.normalize.functions.without_gmd import without_gmd


@functions.register("title_area")
def title_area(value: str) -> Title:
    """A title in one text, split at the ISBD marks ` : ` and ` / ` (also `:` with a blank on one side only).

    >>> title = title_area("Laskar pelangi : sebuah novel / Andrea Hirata")
    >>> title.proper, title.remainder, title.responsibility
    ('Laskar pelangi', 'sebuah novel', 'Andrea Hirata')
    >>> title_area("Sejarah kemerdekaan: 1945-1949").remainder
    '1945-1949'
    """
    text = without_gmd(" ".join(value.split()))
    front, _, responsibility = text.partition(" / ")
    for mark in (" : ", " :", ": "):
        proper, found, remainder = front.partition(mark)
        if found and proper.strip() and remainder.strip():
            return Title(trim(proper), trim(remainder), responsibility=trim(responsibility))
    return Title(trim(front), responsibility=trim(responsibility))
