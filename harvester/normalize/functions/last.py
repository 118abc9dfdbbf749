"""last."""

from __future__ import annotations

from typing import Any

from harvester.normalize.functions import functions


@functions.register("last")
def last(values: list[Any]) -> list[Any]:
    """The last value only.

    >>> last(["a", "b"])
    ['b']
    """
    return values[-1:]
