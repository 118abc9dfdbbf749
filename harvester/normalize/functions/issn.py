"""issn."""

from __future__ import annotations

from typing import Literal

import msgspec

from harvester.identifiers import issns
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("issn")
def issn(value: str, status: Literal["valid", "cancelled"] = "valid", linking: bool = False) -> list[Identifier]:
    """Every ISSN in the text as NNNN-NNNX; one with a wrong check digit as invalid; a *linking* one is an ISSN-L.

    An ISSN-L stands for print and online together, so matching passes it over.

    >>> issn("ISSN 0125-9008")
    [Identifier(kind='issn', value='0125-9008', qualifier='', status='valid')]
    >>> issn("0125-9008", linking=True)[0].kind
    'issn-l'
    """
    found = list(issns(value, status))
    return [msgspec.structs.replace(one, kind="issn-l") for one in found] if linking else found
