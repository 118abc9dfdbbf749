"""What a batch of matching tells consumers: rows of the change feed, and where ids lead that are no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from sqlalchemy import Connection

from db import catalogue, changes, linking
from db.catalogue import Head
from harvester.drawing import Sheet
from harvester.resolving import Grouping

Row = tuple[str, int, int | None]  # what: upsert, redirect or delete; cluster; where a redirect leads


def redirects(grouping: Grouping, ids: Sequence[int]) -> dict[int, int]:
    """Lost id → the cluster that most of its records are in now; ids whose records are all gone have none."""
    homes: dict[int, Counter[int]] = {old: Counter() for old in grouping.lost}
    for number, group in enumerate(grouping.groups):
        for one in group:
            if one.cluster_id in homes:
                homes[one.cluster_id][ids[number]] += 1
    return {old: min(home, key=lambda key: (-home[key], key)) for old, home in homes.items() if home}


def feed_rows(
    grouping: Grouping,
    hash_of: Mapping[int, bytes],
    old: Mapping[int, Head],
    redirects: Mapping[int, int],
    unsettled: AbstractSet[int],
) -> list[Row]:
    """What consumers are told: what ends first, then what is; of *unsettled* clusters also when nothing differs.

    *hash_of*: cluster → content hash, of those that this batch drew; empty where nothing may be seen. *old*: as stored.
    """
    ends: list[Row] = []
    for one in sorted(grouping.lost):
        target = redirects.get(one)
        if old[one].doc_hash:
            seen = target is not None and bool(hash_of.get(target, old[target].doc_hash))
            ends.append(("redirect", one, target) if seen else ("delete", one, None))
    told = {key: value for key, value in hash_of.items() if value != old[key].doc_hash}
    told |= {key: old[key].doc_hash for key in unsettled - hash_of.keys() if old[key].doc_hash}
    ends += [("delete", key, None) for key in sorted(told) if not told[key]]
    return [*ends, *(("upsert", key, None) for key in sorted(told) if told[key])]


def unsettled(grouping: Grouping, ids: Sequence[int], marks: Sequence[tuple[int, int]]) -> set[int]:
    """The clusters with a record that was marked more than once: gone and back, or changed there and back.

    Outputs read members as the ledger has them now, so a consumer may hold what was in between.
    """
    again = {record_id for record_id, version in marks if version > 1}
    return {ids[number] for number, group in enumerate(grouping.groups) if any(one.record_id in again for one in group)}


def left_before(conn: Connection, grouping: Grouping, ids: Sequence[int], rows: Sequence[Row]) -> list[Row]:
    """The last change, once more, of each cluster in which a record stood that was deleted and is back elsewhere.

    A consumer that is behind takes batches with common clusters together; without this one it could be told of the
    new place first, and hold the record twice.
    """
    here = {one.record_id: ids[n] for n, group in enumerate(grouping.groups) for one in group if one.cluster_id is None}
    stood = {home for record_id, home in catalogue.stood(conn, here).items() if home != here[record_id]}
    return changes.last_of(conn, stood - {cluster_id for _, cluster_id, _ in rows})


class Asking(NamedTuple):
    """Before a batch writes: the records that it touches, and those that name by control numbers what it touches."""

    touched: AbstractSet[int] = frozenset()
    records: AbstractSet[int] = frozenset()


def asking(conn: Connection, grouping: Grouping, sheets: Sequence[Sheet]) -> Asking:
    """What is drawn or taken away of what stood somewhere, and who names it by the names that it has until now."""
    drawn = [one for sheet in sheets for one in grouping.groups[sheet.number] if one.cluster_id is not None]
    gone = [one for one in grouping.records if one.node_id is None and one.cluster_id is not None]
    touched = [*drawn, *gone]
    if not touched or not linking.any_asked(conn):
        return Asking(frozenset(one.record_id for one in touched))
    records, clusters = {one.record_id for one in touched}, {one.cluster_id for one in touched if one.cluster_id}
    names = linking.names(conn, records, clusters) | {one.identifier for one in touched}
    return Asking(records, linking.asking(conn, names, clusters))


def naming(
    conn: Connection, grouping: Grouping, sheets: Sequence[Sheet], asking: Asking, rows: Sequence[Row]
) -> list[Row]:
    """Upserts of the clusters that name others than before in $w, beyond those of *rows*.

    Called when everything else is written; *asking* is what `asking` gave.
    """
    entries = [one for sheet in sheets for one in sheet.entries]
    numbers = [one for sheet in sheets for one in sheet.numbers]
    linking.write(conn, asking.touched, entries, numbers)
    if not linking.any_asked(conn):
        return []
    names = {one.identifier for sheet in sheets for one in grouping.groups[sheet.number]}
    names |= {one.number for one in numbers}
    documents = [sheet.drawn[0] for sheet in sheets if sheet.drawn]
    names |= {value for one in documents for kind, value in one.identifiers if kind in linking.IDENTIFIERS}
    again = linking.asking(conn, names, ()) | asking.records | {one.record_id for one in entries}
    told = {cluster_id for _, cluster_id, _ in rows}
    return [("upsert", one, None) for one in linking.answer(conn, again) if one not in told]


def foreseen_naming(
    conn: Connection, grouping: Grouping, ids: Sequence[int], sheets: Sequence[Sheet], rows: Sequence[Row]
) -> list[Row]:
    """What `naming` would add to *rows*, before anything is written."""
    asked = asking(conn, grouping, sheets).records
    homes = {one.record_id: ids[number] for number, group in enumerate(grouping.groups) for one in group}
    held: dict[int, Sequence[tuple[str, str]]] = {
        ids[one.number]: one.drawn[0].identifiers for one in sheets if one.drawn
    }
    supposed = linking.Supposed(homes, {**dict.fromkeys(grouping.lost, ()), **held})
    told = {cluster_id for _, cluster_id, _ in rows}
    return [("upsert", one, None) for one in sorted(linking.foresee(conn, asked, supposed) - told)]
