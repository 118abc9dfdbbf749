"""Which decisions of people say opposite things of the same two records: the newest counts, none is forgotten."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

from db.links import Decided
from harvester.model import Address

BINDS = ("must", "split")
PARTS = ("cannot", "split")


def overruled(decisions: Sequence[Decided], about: Collection[int] = ()) -> list[str]:
    """One sentence for each decision that a newer one overrules, for some of its records.

    *about*: only where one of the two has one of these ids.
    """
    return [
        f"{_named(newer)} overrules {older.sentence} about {len(records)} records, "
        f"among them {min(records)} and {max(records)}"
        for older, newer, records in _opposed(decisions)
        if not about or older.id in about or newer.id in about
    ]


def _named(one: Decided) -> str:
    return one.sentence if one.at else f"{one.action} (this one)"


def _opposed(decisions: Sequence[Decided]) -> Iterator[tuple[Decided, Decided, set[Address]]]:
    ordered = sorted((one for one in decisions if one.kind), key=lambda one: one.id)
    places: dict[Address, list[tuple[int, int]]] = defaultdict(list)
    for number, one in enumerate(ordered):
        for side, members in enumerate(one.sides):
            for address in members:
                places[address].append((number, side))
    shared: dict[tuple[int, int], dict[tuple[int, int], list[Address]]] = defaultdict(lambda: defaultdict(list))
    for address, found in places.items():
        for position, (older, mine) in enumerate(found):
            for newer, theirs in found[position + 1 :]:
                shared[older, newer][mine, theirs].append(address)
    for (older, newer), cells in sorted(shared.items()):
        records = _against(ordered[older], ordered[newer], cells)
        if records:
            yield ordered[older], ordered[newer], records


def _against(older: Decided, newer: Decided, cells: dict[tuple[int, int], list[Address]]) -> set[Address]:
    """The records of two cells of which the two decisions say opposite things."""
    records: set[Address] = set()
    keys = sorted(cells)
    for position, (mine, theirs) in enumerate(keys):
        for other_mine, other_theirs in keys[position + 1 :]:
            parted = mine == other_mine and older.kind in BINDS and theirs != other_theirs and newer.kind in PARTS
            joined = mine != other_mine and older.kind in PARTS and theirs == other_theirs and newer.kind in BINDS
            if parted or joined:
                records.update(cells[mine, theirs][:1], cells[other_mine, other_theirs][:1])
    return records
