"""identifier."""

from __future__ import annotations

from typing import Literal

from harvester.model import Identifier
from harvester.normalize.functions import functions


@functions.register("identifier")
def identifier(value: str, kind: str, status: Literal["valid", "cancelled"] = "valid") -> Identifier | None:
    """The text as an identifier of the *kind* given, with single blanks.

    >>> identifier("Y 4.H 81/3:  97-12", "govdoc").value
    'Y 4.H 81/3: 97-12'
    """
    text = " ".join(value.split())
    return Identifier(kind, text, "", status) if text else None
