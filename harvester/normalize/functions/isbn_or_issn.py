"""isbn_or_issn."""

from __future__ import annotations

from harvester import identifiers
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("isbn_or_issn")
def isbn_or_issn(value: str) -> list[Identifier]:
    """The numbers of a cell that holds ISBN or ISSN: eight digits with the right check digit are an ISSN.

    >>> [one.kind for one in (*isbn_or_issn("0125-9008"), *isbn_or_issn("979-3062-79-7"))]
    ['issn', 'isbn']
    """
    digits = "".join(c for c in value if c.isalnum())
    if len(digits) == 8 and (found := [one for one in identifiers.issns(value) if one.status == "valid"]):
        return found
    return list(identifiers.isbns(value))
