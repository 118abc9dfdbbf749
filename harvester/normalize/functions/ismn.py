"""ismn."""

from __future__ import annotations

from typing import Literal

from harvester.identifiers import ismns
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("ismn")
def ismn(value: str, status: Literal["valid", "cancelled"] = "valid") -> list[Identifier]:
    """The ISMN in the text as 13 digits.

    >>> ismn("M-2306-7118-7")
    [Identifier(kind='ismn', value='9790230671187', qualifier='', status='valid')]
    """
    return list(ismns(value, status))
