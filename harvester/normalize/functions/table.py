"""table."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.tables import Table


@functions.register("table")
def table(value: str, name: Table, unknown: str = "drop") -> str:
    """What the table *name* (mappings/tables) says for the text; unknown texts are dropped, kept (`keep`) or replaced.

    >>> relators = Table({"pembimbing": "advisor"})
    >>> table("Pembimbing.", relators), table("juru masak", relators), table("juru masak", relators, "keep")
    ('advisor', '', 'juru masak')
    >>> table("juru masak", relators, "contributor")
    'contributor'
    """
    found = name.find(value)
    if found is not None or not value:
        return found or ""
    return {"drop": "", "keep": value}.get(unknown, unknown)
