"""main_first."""

from __future__ import annotations

import msgspec

from harvester.model import Contributor
from harvester.normalize.functions import functions


@functions.register("main_first")
def main_first(values: list[Contributor]) -> list[Contributor]:
    """The contributors with the first creator marked as the main one.

    >>> [one.main for one in main_first([Contributor("Hirata"), Contributor("Toer")])]
    [True, False]
    """
    for index, one in enumerate(values):
        if one.role in ("creator", "author"):
            return [*values[:index], msgspec.structs.replace(one, main=True), *values[index + 1 :]]
    return values
