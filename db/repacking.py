"""Everything packed again with the dictionaries in use: `induk db pack`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, bindparam, delete, exists, select, tuple_, update

from db import dictionaries
from db.compress import LEVEL_AT_LEISURE
from db.engine import Database, within
from db.tables import (
    cluster_event,
    decision,
    node,
    normalized,
    payload,
    rejudged,
    renormalized,
    union_record,
    zstd_dictionary,
)

PORTION = 1_000  # rows packed again in one transaction


class Place(NamedTuple):
    """Where bytes of a kind are stored."""

    kind: str
    table: Table
    key: tuple[Column[Any], ...]
    body: Column[Any]


PLACES = (
    Place("raw", payload, (payload.c.hash,), payload.c.body),
    Place("normalized", normalized, (normalized.c.record_id,), normalized.c.body),
    Place("profile", node, (node.c.id,), node.c.profile),
    Place("event", cluster_event, (cluster_event.c.id,), cluster_event.c.body),
    Place("union", union_record, (union_record.c.cluster_id,), union_record.c.body),
    Place("evidence", decision, (decision.c.left_node, decision.c.right_node), decision.c.evidence),
)
_USERS = (*(one.table for one in PLACES), renormalized, rejudged)


def repack(database: Database, progress: Callable[[str, int], None] = lambda kind, rows: None) -> dict[str, int]:
    """Pack everything with the dictionaries in use and drop those that nothing names any more; returns the rows.

    In short transactions: killed anywhere and run again, it goes on.
    """
    counts = {}
    for place in PLACES:
        counts[place.kind], last = 0, None
        while done := _repack_portion(database, place, last):
            counts[place.kind] += len(done)
            last = done[-1]
            progress(place.kind, counts[place.kind])
    with database.write() as conn:
        kept = dictionaries.in_force(conn).values()
        used = [exists().where(table.c.dictionary_id == zstd_dictionary.c.id) for table in _USERS]
        idle = delete(zstd_dictionary).where(~within(conn, zstd_dictionary.c.id, kept), *(~one for one in used))
        counts["dropped"] = conn.execute(idle).rowcount
    return counts


def _repack_portion(database: Database, place: Place, last: Sequence[Any] | None) -> list[Sequence[Any]]:
    """Pack a portion of what stands behind the key *last*; returns its keys."""
    with database.write() as conn:
        pack, wanted = dictionaries.packing(conn, place.kind, LEVEL_AT_LEISURE)
        if wanted is None:
            return []
        number = place.table.c.dictionary_id
        query = select(*place.key, place.body, number).order_by(*place.key).limit(PORTION)
        query = query.where(place.body.is_not(None), number.is_(None) | (number != wanted))
        rows = conn.execute(query if last is None else query.where(tuple_(*place.key) > tuple_(*last))).all()
        opened = dictionaries.opener(conn)
        _write(conn, place, [(*row[:-2], pack(opened(row[-2], row[-1])), wanted) for row in rows])
        return [row[:-2] for row in rows]


def _write(conn: Connection, place: Place, rows: Sequence[Sequence[Any]]) -> None:
    if not rows:
        return
    names = [f"k{number}" for number, _ in enumerate(place.key)]
    mine = [column == bindparam(name) for column, name in zip(place.key, names, strict=True)]
    change = update(place.table).where(*mine).values({place.body: bindparam("b"), "dictionary_id": bindparam("d")})
    conn.execute(change, [dict(zip([*names, "b", "d"], row, strict=True)) for row in rows])
