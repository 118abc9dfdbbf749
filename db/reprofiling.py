"""What other rules make of everything, stored beside what is served, and put in its place in one short transaction.

Profiles and keys of records, then the decisions on all pairs that they propose. A new node carries no record until the
swap, and nodes without a record are no candidates: what is served does not change while this goes on, and others write
in between. What is stored says how far it is, so that it goes on after a kill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    union_all,
    update,
)

from db import bulk, catalogue, placing, terms
from db.engine import within
from db.prepared import Profiled
from db.tables import decision, key_stat, match_key, match_queue, node, record, rejudged, rekeyed, reprofiled

Pair = tuple[int, int]
Block = tuple[int, str, Sequence[int], Sequence[int]]
JUDGED = ("left_node", "right_node", "verdict", "score", "reason_id", "evidence", "dictionary_id")
KEY = ("hash", "node_id", "kind_id", "likeness")
PORTION = 10_000
_mine = and_(reprofiled.c.record_id == record.c.id, reprofiled.c.version == record.c.version)


class Waiting(NamedTuple):
    """An active record that is to be profiled: its id and version."""

    record_id: int
    version: int


def begin(conn: Connection, rules: bytes) -> None:
    """Drop what was prepared for other rules."""
    if conn.execute(select(reprofiled.c.record_id).where(reprofiled.c.rules != rules).limit(1)).first():
        clear(conn)


def clear(conn: Connection) -> None:
    """Drop all that is prepared."""
    for table in (reprofiled, rekeyed, rejudged):
        conn.execute(delete(table))


def counts(conn: Connection) -> tuple[int, int]:
    """How many records are prepared, of how many."""
    done = select(func.count()).select_from(record.join(reprofiled, _mine)).where(record.c.state == "active")
    total = select(func.count()).where(record.c.state == "active")
    return int(conn.execute(done).scalar_one()), int(conn.execute(total).scalar_one())


# ---- profiles ----------------------------------------------------------------------------------------


def waiting(conn: Connection, after: int, limit: int) -> list[Waiting]:
    """Up to *limit* active records with an id above *after*, ascending, that are not prepared as they are now."""
    query = select(record.c.id, record.c.version).where(
        record.c.state == "active", record.c.id > after, ~exists().where(_mine)
    )
    return [Waiting(*row) for row in conn.execute(query.order_by(record.c.id).limit(limit))]


def hidden(conn: Connection, now: Iterable[int]) -> list[Waiting]:
    """The active records *now*, and those prepared without an identifier, which may be right again."""
    query = select(record.c.id, record.c.version).where(record.c.state == "active")
    left_out = query.join(reprofiled, reprofiled.c.record_id == record.c.id).where(reprofiled.c.hidden)
    rows = [*conn.execute(query.where(within(conn, record.c.id, now))), *conn.execute(left_out)]
    return sorted({Waiting(*row) for row in rows})


def keep(
    conn: Connection, rules: bytes, rows: Sequence[Waiting], made: Mapping[int, Profiled], hiding: Iterable[int]
) -> None:
    """Store the nodes of *made* (by record id), and the keys of those that have others now; *hiding*: see `hidden`."""
    ids = placing.store_nodes(conn, made.values())
    nodes = {ids[one.hash]: one for one in made.values()}
    other = _other(conn, nodes)
    conn.execute(delete(rekeyed).where(within(conn, rekeyed.c.node_id, other)))
    bulk.insert_new(conn, rekeyed, KEY, _lines(conn, {one: nodes[one] for one in other}))
    left_out = set(hiding)
    lines = [
        (
            one.record_id,
            one.version,
            rules,
            ids[found.hash],
            found.solid,
            one.record_id in left_out,
            ids[found.hash] in other,
        )
        for one in rows
        if (found := made.get(one.record_id)) is not None
    ]
    columns = ("record_id", "version", "rules", "node_id", "solid", "hidden", "rekeyed")
    bulk.upsert(conn, reprofiled, columns, lines, ["record_id"])


def _other(conn: Connection, nodes: Mapping[int, Profiled]) -> set[int]:
    """Those of the nodes that have other keys now, or another word on whether equals merge by themselves."""
    stored: dict[int, list[tuple[Any, ...]]] = {one: [] for one in nodes}
    for node_id, *key in placing.keys_of(conn, nodes):
        stored[node_id].append(tuple(key))
    solid = {
        row[0]: bool(row[1])
        for row in conn.execute(select(node.c.id, node.c.solid).where(within(conn, node.c.id, nodes)))
    }
    return {
        key
        for key, one in nodes.items()
        if solid[key] != one.solid
        or sorted(stored[key]) != sorted((name, value, like) for name, value, like in one.keys)
    }


def _lines(conn: Connection, nodes: Mapping[int, Profiled]) -> list[tuple[Any, ...]]:
    rows = [(value, node_id, kind, like) for node_id, one in nodes.items() for kind, value, like in one.keys]
    kinds = terms.numbers(conn, {row[2] for row in rows})
    return sorted((value, node_id, kinds[kind], like) for value, node_id, kind, like in rows)


# ---- pairs -------------------------------------------------------------------------------------------


def nodes(conn: Connection) -> set[int]:
    """The nodes that the active records will have."""
    query = select(reprofiled.c.node_id).distinct().join(record, record.c.id == reprofiled.c.record_id)
    return {row[0] for row in conn.execute(query.where(record.c.state == "active"))}


def carriers(conn: Connection, least: int, low: int, high: int) -> tuple[Iterator[Sequence[int]], list[int]]:
    """The nodes of keys from *low* to *high* with two carriers up to *least*, each list once; the keys that have more.

    The database groups, in one pass and in the order of its index; dead nodes are among them. Records that are alike
    share many keys: two thirds of the lists come again.
    """
    held = _held(conn)
    lists, keep, read = _LISTS[conn.dialect.name]
    query = select(held.c.hash, func.count(), lists(held.c.node_id)).where(held.c.hash.between(low, high))
    query = query.group_by(held.c.hash).having(func.count() > 1)
    found, crowded = set(), []
    for key, count, nodes in conn.execute(query.execution_options(yield_per=PORTION)):
        if count > least:
            crowded.append(key)
        else:
            found.add(keep(nodes))
    return map(read, found), crowded


# How the rows of a group become a list, what of it is kept to be compared, and what it is read with.
_LISTS: dict[str, tuple[Any, Callable[[Any], Hashable], Callable[[Any], Sequence[int]]]] = {
    "sqlite": (func.json_group_array, str, json.loads),
    "postgresql": (func.array_agg, tuple, list),
}


def blocks(conn: Connection, keys: Sequence[int]) -> Iterator[Block]:
    """(key, kind, nodes, their likenesses) of each of *keys*."""
    held = _held(conn)
    lists, _, read = _LISTS[conn.dialect.name]
    query = select(held.c.hash, func.min(held.c.kind_id), lists(held.c.node_id), lists(held.c.likeness))
    query = query.group_by(held.c.hash)
    kinds = terms.words(conn)
    for start in range(0, len(keys), PORTION):
        asked = query.where(within(conn, held.c.hash, keys[start : start + PORTION]))
        for key, kind, nodes, unlike in conn.execute(asked):
            yield key, kinds[kind], read(nodes), read(unlike)


def _held(conn: Connection) -> FromClause:
    """The keys as they will be."""
    replaced = select(reprofiled.c.node_id).where(reprofiled.c.rekeyed)
    if not conn.execute(replaced.limit(1)).first():
        return match_key
    staying = _columns(match_key).where(match_key.c.node_id.not_in(replaced))
    return union_all(staying, _columns(rekeyed).where(rekeyed.c.node_id.in_(replaced))).subquery()


def judged(conn: Connection) -> Iterator[Pair]:
    """The pairs whose decisions are stored beside."""
    query = select(rejudged.c.left_node, rejudged.c.right_node).execution_options(yield_per=PORTION)
    for row in conn.execute(query):
        yield row[0], row[1]


def keep_judged(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Store decisions beside those in use: nodes, verdict, score, reason, packed evidence, its dictionary."""
    bulk.insert_new(conn, rejudged, JUDGED, catalogue.with_reasons(conn, rows))


def drop_judged(conn: Connection, pairs: Sequence[Pair]) -> None:
    """Drop decisions on pairs that are not proposed any more."""
    bulk.delete(conn, rejudged, JUDGED[:2], pairs)


# ---- putting in force --------------------------------------------------------------------------------


def swap(conn: Connection) -> list[int]:
    """Give the records their new nodes and the nodes their keys, and queue everything; returns the active records.

    Part of the transaction that puts the rules in force, as are `decide` and, last, `clear`.
    """
    moved = select(reprofiled.c.node_id).where(_mine).scalar_subquery()
    conn.execute(
        update(record)
        .where(record.c.state == "active", exists().where(_mine, reprofiled.c.node_id != record.c.node_id))
        .values(node_id=moved)
    )
    _change_nodes(conn)
    active = [
        row[0] for row in conn.execute(select(record.c.id).where(record.c.state == "active").order_by(record.c.id))
    ]
    conn.execute(update(match_queue).values(version=match_queue.c.version + 1))
    queued = exists().where(match_queue.c.record_id == record.c.id)
    rest = select(record.c.id, literal(1)).where(record.c.state == "active", ~queued)
    conn.execute(insert(match_queue).from_select(["record_id", "version"], rest))
    return active


def _change_nodes(conn: Connection) -> None:
    """Give nodes other keys, and another word on whether equals merge by themselves."""
    changed = select(reprofiled.c.node_id).where(reprofiled.c.rekeyed)
    solid = exists().where(reprofiled.c.node_id == node.c.id, reprofiled.c.solid)
    conn.execute(update(node).where(node.c.id.in_(changed)).values(solid=solid))
    conn.execute(delete(match_key).where(match_key.c.node_id.in_(changed)))
    conn.execute(insert(match_key).from_select(KEY, _columns(rekeyed).where(rekeyed.c.node_id.in_(changed))))


def _columns(table: Table) -> Select[Any]:
    return select(*(table.c[name] for name in KEY))


def decide(conn: Connection, derivation_id: int, run_id: int) -> None:
    """Put the decisions that were made beside in the place of the old ones."""
    for table in (decision, key_stat):
        conn.execute(delete(table))
    rows = select(*(rejudged.c[name] for name in JUDGED), literal(derivation_id), literal(run_id))
    ordered = rows.order_by(rejudged.c.left_node, rejudged.c.right_node)
    conn.execute(insert(decision).from_select([*JUDGED, "derivation_id", "run_id"], ordered))


def carried(conn: Connection) -> set[int]:
    """The nodes that active records have."""
    query = select(record.c.node_id).where(record.c.state == "active", record.c.node_id.is_not(None)).distinct()
    return {row[0] for row in conn.execute(query)}
