"""Which nodes share a key, and which keys are suspended because too many unlike nodes carry them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, delete, exists, func, select

from db import terms
from db.engine import listed, within
from db.tables import key_stat, match_key, record
from db.upsert import Row, upsert


def _alive(nodes: Any = match_key) -> Any:
    return exists().where(record.c.node_id == nodes.c.node_id)


def _keys_of(conn: Connection, node_ids: Iterable[int]) -> Any:
    return select(match_key.c.hash).where(within(conn, match_key.c.node_id, node_ids))


def crowded_keys(conn: Connection, node_ids: Iterable[int], least: int) -> dict[int, tuple[str, int]]:
    """Key → (kind, number of unlike carriers with an active record), of these nodes' keys with more than *least*."""
    unlike = func.count(match_key.c.likeness.distinct())
    # first which have so many at all: few have, and only of those is every carrier looked at
    own, carrier = _keys_of(conn, node_ids).distinct().subquery(), match_key.alias()
    more = select(carrier.c.node_id).where(carrier.c.hash == own.c.hash).limit(1).offset(least).exists()
    many = list(conn.execute(select(own.c.hash).where(more)).scalars())
    query = (
        select(match_key.c.hash, func.min(match_key.c.kind_id), unlike)
        .where(within(conn, match_key.c.hash, many), _alive())
        .group_by(match_key.c.hash)
        .having(unlike > least)
    )
    kinds = terms.words(conn)
    return {row[0]: (kinds[row[1]], row[2]) for row in conn.execute(query).all()}


def suspended_of(conn: Connection, node_ids: Iterable[int]) -> set[int]:
    """Those of these nodes' keys that are suspended as stored."""
    query = select(key_stat.c.hash).where(key_stat.c.hash.in_(_keys_of(conn, node_ids)))
    return {row[0] for row in conn.execute(query).all()}


def sharing(conn: Connection, node_ids: Iterable[int], but_not: Iterable[int]) -> set[tuple[int, int]]:
    """(node, other) with node < other: one of these nodes, and one with an active record that shares a key with it.

    The keys *but_not* do not count.
    """
    other = match_key.alias()
    query = (
        select(match_key.c.node_id, other.c.node_id)
        .distinct()
        .join(other, (other.c.hash == match_key.c.hash) & (other.c.node_id != match_key.c.node_id))
        .where(within(conn, match_key.c.node_id, node_ids), _alive(other))
    )
    keys = list(but_not)
    if keys:
        query = query.where(~within(conn, match_key.c.hash, keys))
    return {(row[0], row[1]) if row[0] < row[1] else (row[1], row[0]) for row in conn.execute(query).all()}


def living(conn: Connection, pairs: Collection[tuple[int, int]]) -> set[tuple[int, int]]:
    """Those of *pairs* whose nodes both have an active record."""
    nodes = {node for pair in pairs for node in pair}
    query = select(record.c.node_id).where(within(conn, record.c.node_id, nodes)).distinct()
    found = {row[0] for row in conn.execute(query).all()}
    return {pair for pair in pairs if pair[0] in found and pair[1] in found}


def suspended(conn: Connection, hashes: Iterable[int]) -> set[int]:
    """Those of the keys that are suspended as stored."""
    query = select(key_stat.c.hash).where(within(conn, key_stat.c.hash, hashes))
    return {row[0] for row in conn.execute(query).all()}


def nodes_of_keys(conn: Connection, hashes: Iterable[int]) -> set[int]:
    """The nodes, with an active record, that carry one of these keys."""
    query = select(match_key.c.node_id).where(within(conn, match_key.c.hash, hashes), _alive()).distinct()
    return {row[0] for row in conn.execute(query).all()}


def carriers_of_keys(conn: Connection, hashes: Iterable[int]) -> list[tuple[int, int]]:
    """(key, node) for these keys and their nodes with an active record."""
    query = select(match_key.c.hash, match_key.c.node_id).where(within(conn, match_key.c.hash, hashes), _alive())
    return [(row[0], row[1]) for row in conn.execute(query).all()]


def keys_by_node(conn: Connection, node_ids: Iterable[int]) -> list[tuple[int, int]]:
    """(key, node) for every key of these nodes."""
    query = select(match_key.c.hash, match_key.c.node_id).where(within(conn, match_key.c.node_id, list(node_ids)))
    return [(row[0], row[1]) for row in conn.execute(query).all()]


def met_elsewhere(conn: Connection, hashes: Iterable[int], source_id: int) -> set[int]:
    """Those of the keys that a record of another source carries."""
    theirs = select(match_key.c.node_id).join(record, record.c.node_id == match_key.c.node_id)
    asked = listed(conn, hashes)
    # offset: a look at each key that stops at the first, in whatever PostgreSQL would rather join as a whole
    there = theirs.where(match_key.c.hash == asked, record.c.source_id != source_id).offset(0).exists()
    return set(conn.execute(select(asked).where(there)).scalars())


def set_suspended(conn: Connection, now_suspended: Sequence[Row], now_live: Iterable[int]) -> None:
    """Store which keys crossed the limit, either way."""
    upsert(conn, key_stat, now_suspended, ["hash"])
    live = list(now_live)
    if live:
        conn.execute(delete(key_stat).where(within(conn, key_stat.c.hash, live)))
