"""rest."""

from __future__ import annotations

from typing import Any

from harvester.normalize.functions import functions


@functions.register("rest")
def rest(values: list[Any]) -> list[Any]:
    """All values but the first.

    >>> rest(["a", "b", "c"])
    ['b', 'c']
    """
    return values[1:]
