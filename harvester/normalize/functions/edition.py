"""edition."""

from __future__ import annotations

from harvester.model import Edition
from harvester.normalize.editions import edition_of
from harvester.normalize.functions import functions


@functions.register("edition")
def edition(value: str) -> Edition | None:
    """The edition statement with its number; a printing (cetakan) or a part alone is no edition.

    >>> edition("Edisi 2, cet. 3")
    Edition(text='Edisi 2', number=2, revised=False)
    >>> edition("Cet. 3"), edition("Edisi revisi").revised, edition("3rd rev. ed.").number
    (None, True, 3)
    """
    return edition_of(value)
