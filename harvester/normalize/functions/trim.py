"""trim."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

_TAIL = re.compile(r"[\s/:;=,]+$")
# A last full stop belongs to an initial (J.), an abbreviation (Inc., Tbk.) or an ellipsis; otherwise it is ISBD.
_ABBREVIATED = re.compile(
    r"(?:\.\.|\b\w|\b(?:Inc|Ltd|Co|Corp|Tbk|dkk|etc|al|ed|jil|vol|no|cet|Jr|Sr|St|ca)|\.\w{1,4})\.$", re.IGNORECASE
)


@functions.register("trim")
def trim(value: str) -> str:
    """The text with single blanks and without the ISBD marks at its end.

    >>> trim("Laskar  pelangi /")
    'Laskar pelangi'
    >>> trim("Bentang Pustaka,"), trim("Gramedia."), trim("Tolkien, J. R. R.")
    ('Bentang Pustaka', 'Gramedia', 'Tolkien, J. R. R.')
    """
    if "  " in value or not value.isprintable():
        value = " ".join(value.split())
    if value[-1:] in " /:;=,":
        value = _TAIL.sub("", value)
    if value[-1:] == "." and not _ABBREVIATED.search(value):
        value = value[:-1].rstrip()
    return value
