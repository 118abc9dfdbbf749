"""parallel_title."""

from __future__ import annotations

from harvester.model import Title
from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim


@functions.register("parallel_title")
def parallel_title(title: Title) -> Title:
    """The title with both its texts trimmed; a remainder that is a parallel title keeps `= ` at its beginning.

    >>> parallel_title(Title("Islam dan negara =", "Islam and the state /")).remainder
    '= Islam and the state'
    >>> parallel_title(Title("Laskar pelangi :", "sebuah novel /")).remainder
    'sebuah novel'
    """
    proper, remainder = trim(title.proper), trim(title.remainder)
    if remainder and (title.proper.endswith("=") or title.remainder.startswith("=")):
        remainder = f"= {remainder.lstrip('= ')}"
    if proper == title.proper and remainder == title.remainder:
        return title
    numbers, names = title.part_numbers, title.part_names
    return Title(proper, remainder, numbers, names, title.responsibility, title.nonfiling, title.original)
