"""isbn."""

from __future__ import annotations

from typing import Literal

from harvester.identifiers import isbns
from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("isbn")
def isbn(value: str, status: Literal["valid", "cancelled"] = "valid") -> list[Identifier]:
    """Every ISBN in the text as 13 digits with its qualifier; one with a wrong check digit as invalid.

    >>> isbn("979-3062-79-7 (pbk.) : Rp 59.000")
    [Identifier(kind='isbn', value='9789793062792', qualifier='pbk', status='valid')]
    >>> isbn("9789793062793")[0].status, isbn("080442957X", "cancelled")[0].status, isbn("tanpa ISBN")
    ('invalid', 'cancelled', [])
    """
    return list(isbns(value, status))
