"""number."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.numerals import number_in


@functions.register("number")
def number(value: str) -> int | None:
    """The first whole number in the text, as digits, Roman numerals or a word (kedua, second).

    >>> number("2"), number("ke-3"), number("jilid IV"), number("cetakan kedua"), number("none")
    (2, 3, 4, 2, None)
    """
    return number_in(value)
