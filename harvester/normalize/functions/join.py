"""join."""

from __future__ import annotations

from harvester.normalize.functions import functions


@functions.register("join")
def join(values: list[str], by: str = " ") -> str:
    """All values as one text, with *by* between them.

    >>> join(["Islam", "Sejarah"], " -- ")
    'Islam -- Sejarah'
    """
    return by.join(values)
