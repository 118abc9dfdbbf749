"""table."""

from __future__ import annotations

from typing import Literal

from harvester.normalize.functions import functions
from harvester.normalize.tables import Table


@functions.register("table")
def table(value: str, name: Table, unknown: Literal["drop", "keep"] = "drop") -> str:
    """What the table *name* (mappings/tables) says for the text; unknown texts are dropped, or kept as they are.

    >>> relators = Table({"pembimbing": "advisor"})
    >>> table("Pembimbing.", relators), table("juru masak", relators), table("juru masak", relators, "keep")
    ('advisor', '', 'juru masak')
    """
    found = name.find(value)
    if found is None:
        return value if unknown == "keep" else ""
    return found
