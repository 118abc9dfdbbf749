"""Nodes: a profile that matching has seen, with its keys; records with one profile share it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from sqlalchemy import Connection, delete, exists, or_, select
from sqlalchemy.exc import IntegrityError

from db import bulk, dictionaries, terms
from db.engine import within
from db.prepared import Profiled
from db.tables import decision, match_key, membership, node, record, reprofiled

_NAMING = (membership.c.node_id, reprofiled.c.node_id, decision.c.left_node, decision.c.right_node)


def store_nodes(conn: Connection, profiled: Iterable[Profiled]) -> dict[bytes, int]:
    """Write nodes with their keys, those of nodes that no record has anew; returns profile hash → node id."""
    wanted = {one.hash: one for one in profiled}
    query = select(node.c.profile_hash, node.c.id).where(within(conn, node.c.profile_hash, sorted(wanted)))
    query = query.with_for_update(read=True, key_share=True)  # what `place` changes is no such node any more
    ids = {bytes(row[0]): int(row[1]) for row in conn.execute(query)}
    new = [one for key, one in sorted(wanted.items()) if key not in ids]
    bulk.insert_new(conn, node, _NODE, _lines(conn, new), likely=True)
    fresh = select(node.c.profile_hash, node.c.id).where(within(conn, node.c.profile_hash, [one.hash for one in new]))
    held = [ids[key] for key in wanted if key in ids]
    idle = _idle(conn, held)
    if idle:  # what the rules of then made of the same profile
        conn.execute(delete(match_key).where(within(conn, match_key.c.node_id, idle)))
    ids |= {bytes(row[0]): int(row[1]) for row in conn.execute(fresh)} if new else {}
    _store_keys(conn, ids, [*new, *(one for key, one in wanted.items() if ids[key] in idle)])
    return ids


_NODE = ("profile_hash", "solid", "profile", "dictionary_id")
_KEY = ("hash", "node_id", "kind_id", "likeness")


def _lines(conn: Connection, profiled: Iterable[Profiled]) -> list[tuple[bytes, bool, bytes, int | None]]:
    """The columns _NODE."""
    packed, number = dictionaries.packing(conn, "profile")
    return [(one.hash, one.solid, packed(one.profile), number) for one in profiled]


def _idle(conn: Connection, node_ids: Sequence[int]) -> set[int]:
    """Those of the nodes that no active record has."""
    if not node_ids:
        return set()
    taken = exists().where(record.c.node_id == node.c.id)
    query = select(node.c.id).where(within(conn, node.c.id, node_ids), ~taken)
    return {row[0] for row in conn.execute(query)}


def _store_keys(conn: Connection, ids: Mapping[bytes, int], profiled: Iterable[Profiled]) -> None:
    # sorted by key: B-tree pages are then touched in order
    placed = [(ids[one.hash], one.keys) for one in profiled]
    kinds = terms.numbers(conn, {kind for _, several in placed for kind, _, _ in several})
    keys = [(key, number, kinds[kind], likeness) for number, several in placed for kind, key, likeness in several]
    keys.sort(key=itemgetter(0))
    bulk.insert_new(conn, match_key, _KEY, keys, likely=True)


def keys_of(conn: Connection, nodes: Iterable[int]) -> Iterator[tuple[int, str, int, int]]:
    """(node, kind, hash, likeness) of every key of these nodes."""
    kinds = terms.words(conn)
    columns = (match_key.c.node_id, match_key.c.kind_id, match_key.c.hash, match_key.c.likeness)
    for number, kind, key, likeness in conn.execute(select(*columns).where(within(conn, match_key.c.node_id, nodes))):
        yield number, kinds[kind], key, likeness


def _copy_keys(conn: Connection, sources: Mapping[int, int]) -> None:
    """Give nodes without keys those of others; *sources* are node → a node with its keys."""
    keyed = select(match_key.c.node_id).where(within(conn, match_key.c.node_id, sources)).distinct()
    wanted = sources.keys() - {row[0] for row in conn.execute(keyed)}
    held: dict[int, list[tuple[int, int, int]]] = {sources[one]: [] for one in wanted}
    columns = (match_key.c.node_id, match_key.c.hash, match_key.c.kind_id, match_key.c.likeness)
    for number, *key in conn.execute(select(*columns).where(within(conn, match_key.c.node_id, held))):
        held[number].append(tuple(key))
    keys = sorted((key, one, kind, like) for one in wanted for key, kind, like in held[sources[one]])
    bulk.insert_new(conn, match_key, _KEY, keys)


def place(conn: Connection, profiled: Mapping[int, Profiled], *, same_keys: bool = False) -> None:
    """Give records (by id) the profiles that today's rules make of them; what nothing names any more goes.

    With *same_keys* the caller knows that each has the keys of the profile before, and gives none.
    """
    held = select(record.c.id, record.c.node_id).where(
        within(conn, record.c.id, profiled), record.c.node_id.is_not(None)
    )
    before = {row[0]: row[1] for row in conn.execute(held)}
    turned = _turned(conn, profiled, before, same_keys)
    profiled = {key: one for key, one in profiled.items() if before.get(key) not in turned}
    if not profiled:
        return
    ids = store_nodes(conn, profiled.values())
    if same_keys:
        _copy_keys(conn, {ids[one.hash]: before[key] for key, one in profiled.items()})
    _store_keys(conn, ids, profiled.values())
    bulk.update(conn, node, ("id", "solid"), sorted({(ids[one.hash], one.solid) for one in profiled.values()}))
    bulk.update(conn, record, ("id", "node_id"), [(key, ids[one.hash]) for key, one in profiled.items()])
    _drop_unused(conn, set(before.values()) - turned - set(ids.values()))


def _turned(conn: Connection, profiled: Mapping[int, Profiled], before: Mapping[int, int], same_keys: bool) -> set[int]:
    """Put new profiles in the place of those that all their records leave for one; returns the nodes.

    A fifth of the work of new nodes with new keys, and the database does not grow. *before* is record id → node.
    """
    wanted = _leaving(conn, profiled, before)
    if not wanted:
        return set()
    lines = _lines(conn, wanted.values())
    try:
        with conn.begin_nested():
            rows = [(number, *line) for number, line in zip(wanted, lines, strict=True)]
            bulk.update(conn, node, ("id", *_NODE), rows)
    except IntegrityError:  # another transaction has just made a node of one of the profiles
        return set()
    if not same_keys:
        _turn_keys(conn, wanted)
    return set(wanted)


def _turn_keys(conn: Connection, wanted: Mapping[int, Profiled]) -> None:
    """Write the keys of the nodes that have others now."""
    keys: dict[int, set[tuple[str, int, int]]] = {number: set() for number in wanted}
    for number, kind, value, likeness in keys_of(conn, wanted):
        keys[number].add((kind, value, likeness))
    others = {number: one for number, one in wanted.items() if keys[number] != set(one.keys)}
    if others:
        conn.execute(delete(match_key).where(within(conn, match_key.c.node_id, others)))
        _store_keys(conn, {one.hash: number for number, one in others.items()}, others.values())


def _leaving(conn: Connection, profiled: Mapping[int, Profiled], before: Mapping[int, int]) -> dict[int, Profiled]:
    """Node → the new profile of all its records, where no other node has that one and nothing else names the node."""
    made: dict[int, dict[bytes, Profiled]] = {}
    for key, number in before.items():
        made.setdefault(number, {})[profiled[key].hash] = profiled[key]
    wanted: dict[bytes, tuple[int, Profiled]] = {}
    for number, several in sorted(made.items()):
        for one in several.values():
            if len(several) == 1:
                wanted.setdefault(one.hash, (number, one))
    hashes = select(node.c.profile_hash).where(within(conn, node.c.profile_hash, sorted(wanted)))
    for row in conn.execute(hashes).all():
        del wanted[bytes(row[0])]
    found = dict(wanted.values())
    conn.execute(select(node.c.id).where(within(conn, node.c.id, found)).with_for_update()).all()
    shared = select(record.c.node_id, record.c.id).where(within(conn, record.c.node_id, found))
    kept = {row[0] for row in conn.execute(shared) if row[1] not in profiled}
    for column in _NAMING:
        kept.update(row[0] for row in conn.execute(select(column).where(within(conn, column, found))))
    return {number: one for number, one in found.items() if number not in kept}


def _drop_unused(conn: Connection, nodes: set[int]) -> None:
    """Drop those of *nodes* that no record, membership or decision names, with their keys."""
    used = or_(*(exists().where(one == node.c.id) for one in (record.c.node_id, *_NAMING)))
    idle = [row[0] for row in conn.execute(select(node.c.id).where(within(conn, node.c.id, nodes), ~used))]
    conn.execute(delete(match_key).where(within(conn, match_key.c.node_id, idle)))
    conn.execute(delete(node).where(within(conn, node.c.id, idle)))
