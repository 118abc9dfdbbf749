"""cetakan."""

from __future__ import annotations

from harvester.model import Impression
from harvester.normalize.editions import impression_of
from harvester.normalize.functions import functions
from harvester.normalize.numerals import number_of


@functions.register("cetakan")
def cetakan(value: str) -> Impression | None:
    """The printing in a cell: as `impression`, and a bare number is the number of the printing.

    >>> cetakan("3"), cetakan("Edisi 2")
    (Impression(text='3', number=3), None)
    """
    text = value.strip(" .-")
    number = number_of(text.removeprefix("ke").strip(" -"))
    if number is not None and number < 200:
        return Impression(text, number)
    return impression_of(text)
