"""series_statement."""

from __future__ import annotations

import re

from harvester.model import Series
from harvester.normalize.functions import functions

_NUMBER = re.compile(
    r"\s*[;,]\s*((?:no|nomor|vol|v|jil|jilid|seri|bd|ke)?[-.\s]*[0-9][\w./ -]{0,20})\s*$", re.IGNORECASE
)


@functions.register("series_statement")
def series_statement(value: str) -> Series | None:
    """A series of one text, its number behind ` ; ` apart.

    >>> series_statement("Seri sastra dunia ; no. 5")
    Series(title='Seri sastra dunia', number='no. 5', issn='')
    """
    text = " ".join(value.split()).strip(" ;,()")
    if not any(c.isalpha() for c in text):
        return None
    match = _NUMBER.search(text)
    if match is None:
        return Series(text)
    return Series(text[: match.start()].rstrip(" ;,"), match[1].strip())
