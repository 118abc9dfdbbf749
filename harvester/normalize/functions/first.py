"""first."""

from __future__ import annotations

from typing import Any

from harvester.normalize.functions import functions


@functions.register("first")
def first(values: list[Any], count: int = 1) -> list[Any]:
    """The first value only, or the first *count* values.

    >>> first(["a", "b", "c"]), first(["a", "b", "c"], 2)
    (['a'], ['a', 'b'])
    """
    return values[:count]
