"""issn."""

from __future__ import annotations

from typing import Literal

from harvester.identifiers import issns
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("issn")
def issn(value: str, status: Literal["valid", "cancelled"] = "valid") -> list[Identifier]:
    """Every ISSN in the text as NNNN-NNNX; one with a wrong check digit as invalid.

    >>> issn("ISSN 0125-9008")
    [Identifier(kind='issn', value='0125-9008', qualifier='', status='valid')]
    """
    return list(issns(value, status))
