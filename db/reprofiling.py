"""Profiles by other rules, stored beside those that are matched by, and put in their place in one short transaction.

A new node carries no record until then, and nodes without a record are no candidates: what is served does not change
while this goes on, and others write in between. `reprofiled` says how far it is, so that it goes on after a kill.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, delete, exists, func, insert, select, update

from db import bulk, ledger
from db.engine import within
from db.prepared import Profiled
from db.tables import decision, key_stat, match_key, match_queue, node, record, reprofiled

Key = tuple[str, int, int]
KEYS = reprofiled.c["keys"]
_keys = msgspec.msgpack.Decoder(list[Key]).decode


class Waiting(NamedTuple):
    """An active record that is to be profiled: its id and version."""

    record_id: int
    version: int


def begin(conn: Connection, rules: bytes) -> int:
    """Drop what was prepared for other rules; returns the record id up to which everything is prepared for these."""
    conn.execute(delete(reprofiled).where(reprofiled.c.rules != rules))
    return int(conn.execute(select(func.max(reprofiled.c.record_id))).scalar_one() or 0)


def counts(conn: Connection) -> tuple[int, int]:
    """How many records are prepared, of how many."""
    done = select(func.count()).select_from(reprofiled)
    total = select(func.count()).where(record.c.state == "active")
    return int(conn.execute(done).scalar_one()), int(conn.execute(total).scalar_one())


def waiting(conn: Connection, after: int, limit: int) -> list[Waiting]:
    """Up to *limit* active records with an id above *after*, ascending."""
    query = select(record.c.id, record.c.version).where(record.c.state == "active", record.c.id > after)
    return [Waiting(*row) for row in conn.execute(query.order_by(record.c.id).limit(limit))]


def changed(conn: Connection, limit: int) -> list[Waiting]:
    """Up to *limit* active records that came or changed since they were prepared."""
    same = and_(reprofiled.c.record_id == record.c.id, reprofiled.c.version == record.c.version)
    query = select(record.c.id, record.c.version).where(record.c.state == "active", ~exists().where(same))
    return [Waiting(*row) for row in conn.execute(query.order_by(record.c.id).limit(limit))]


def keep(conn: Connection, rules: bytes, rows: Sequence[Waiting], made: Mapping[int, Profiled]) -> None:
    """Store the nodes of *made* (by record id), and for nodes that others have too how they are to be changed."""
    ids = ledger.store_nodes(conn, made.values())
    nodes = {ids[one.hash]: one for one in made.values()}
    stored: dict[int, list[Key]] = {one: [] for one in nodes}
    query = select(match_key.c.node_id, match_key.c.kind, match_key.c.hash, match_key.c.likeness)
    for node_id, *key in conn.execute(query.where(within(conn, match_key.c.node_id, nodes))):
        stored[node_id].append((key[0], key[1], key[2]))
    solid = {
        row[0]: bool(row[1])
        for row in conn.execute(select(node.c.id, node.c.solid).where(within(conn, node.c.id, nodes)))
    }
    other = {
        node_id
        for node_id, one in nodes.items()
        if solid[node_id] != one.solid
        or sorted(stored[node_id]) != sorted((key[0], key[1], key[2]) for key in one.keys)
    }
    lines = [
        (one.record_id, one.version, rules, ids[found.hash], found.solid, _packed(found, ids, other))
        for one in rows
        if (found := made.get(one.record_id)) is not None
    ]
    bulk.upsert(conn, reprofiled, ("record_id", "version", "rules", "node_id", "solid", "keys"), lines, ["record_id"])


def _packed(found: Profiled, ids: Mapping[bytes, int], other: set[int]) -> bytes | None:
    """The keys that the node is to have, where it has others now."""
    return msgspec.msgpack.encode(found.keys) if ids[found.hash] in other else None


def swap(conn: Connection) -> list[int]:
    """Give the records their new nodes, forget what was decided, and queue everything; returns the active records.

    Part of the transaction that puts the rules in force.
    """
    mine = and_(reprofiled.c.record_id == record.c.id, reprofiled.c.version == record.c.version)
    moved = select(reprofiled.c.node_id).where(mine).scalar_subquery()
    conn.execute(
        update(record)
        .where(record.c.state == "active", exists().where(mine, reprofiled.c.node_id != record.c.node_id))
        .values(node_id=moved)
    )
    query = select(reprofiled.c.node_id, reprofiled.c.solid, KEYS).where(KEYS.is_not(None))
    for rows in conn.execute(query).partitions(1000):
        change_nodes(conn, {row[0]: (row[1], _keys(row[2])) for row in rows})
    for table in (decision, key_stat, reprofiled):
        conn.execute(delete(table))
    active = [
        row[0] for row in conn.execute(select(record.c.id).where(record.c.state == "active").order_by(record.c.id))
    ]
    conn.execute(update(match_queue).values(version=match_queue.c.version + 1))
    queued = exists().where(match_queue.c.record_id == record.c.id)
    rest = select(record.c.id, 1).where(record.c.state == "active", ~queued)
    conn.execute(insert(match_queue).from_select(["record_id", "version"], rest))
    return active


def change_nodes(conn: Connection, nodes: Mapping[int, tuple[bool, Sequence[Key]]]) -> None:
    """Give nodes other keys, and another word on whether equals merge by themselves."""
    conn.execute(delete(match_key).where(within(conn, match_key.c.node_id, nodes)))
    bulk.update(conn, node, ("id", "solid"), [(key, solid) for key, (solid, _) in nodes.items()])
    lines = sorted((key, one, kind, likeness) for one, (_, keys) in nodes.items() for kind, key, likeness in keys)
    bulk.insert_new(conn, match_key, ("hash", "node_id", "kind", "likeness"), lines)
