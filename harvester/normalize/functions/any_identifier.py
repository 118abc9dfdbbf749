"""any_identifier."""

from __future__ import annotations

import re

from harvester import identifiers
from harvester.model import Identifier
from harvester.normalize.functions import functions

_ISSN_ALONE = re.compile(r"\s*(?:[ep]-?)?(?:issn)?[:\s]*[0-9]{4}-?[0-9]{3}[0-9Xx]\s*(?:\([^)]*\))?", re.IGNORECASE)
_HAS_ISBN_LENGTH = re.compile(r"(?<![0-9./])(?:[0-9][ \-]?){9}(?:(?:[0-9][ \-]?){3})?[0-9Xx](?![0-9/])")


@functions.register("any_identifier")
def any_identifier(value: str) -> list[Identifier]:
    """What a bare identifier of Dublin Core is by its shape: DOI, Handle, ISSN, ISBN, or nothing.

    Addresses and call numbers are no identifiers here; an ISBN must be right unless the text says ISBN.

    >>> texts = "https://doi.org/10.22146/jp.1", "0125-9008", "978-979-3062-79-2"
    >>> [one.kind for text in texts for one in any_identifier(text)]
    ['doi', 'issn', 'isbn']
    >>> any_identifier("899.221 HIR l"), any_identifier("1234567890"), any_identifier("ISBN 1234567890")[0].status
    ([], [], 'invalid')
    """
    text = value.strip()
    if doi := identifiers.doi(text):
        return [doi]
    if handle := identifiers.handle(text):
        return [handle]
    if text.lower().startswith(("http:", "https:", "oai:")):
        return []
    if _ISSN_ALONE.fullmatch(text):
        named = "issn" in text.lower()
        return [one for one in identifiers.issns(text) if named or one.status == "valid"]
    named = "isbn" in text.lower()
    if not named and not _HAS_ISBN_LENGTH.search(text):
        return []
    return [one for one in identifiers.isbns(text) if named or one.status == "valid"]
