"""merge_items."""

from __future__ import annotations

import msgspec

from harvester.model import Holding
from harvester.normalize.functions import functions

MAX_ITEMS = 500


@functions.register("merge_items")
def merge_items(values: list[Holding]) -> list[Holding]:
    """One holding for all items of one branch, collection and call number, with the number of copies.

    >>> items = [Holding("PST", call_number="297", items=(number,)) for number in "12"]
    >>> made = merge_items(items)
    >>> len(made), made[0].copies, made[0].items
    (1, 2, ('1', '2'))
    """
    if len(values) == 1:
        one = values[0]
        return [one if one.copies is not None else msgspec.structs.replace(one, copies=_counted(one))]
    groups: dict[tuple[str, ...], list[Holding]] = {}
    for holding in values:
        groups.setdefault((holding.branch, holding.collection, holding.call_number, holding.shelving), []).append(
            holding
        )
    merged = []
    for several in groups.values():
        items = tuple(dict.fromkeys(item for one in several for item in one.items))[:MAX_ITEMS]
        copies = sum(_counted(one) for one in several)
        merged.append(msgspec.structs.replace(several[0], items=items, copies=copies))
    return merged


def _counted(one: Holding) -> int:
    return one.copies or len(set(one.items)) or 1
