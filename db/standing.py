"""Which records stand as the decisions in force would place them, so that nobody need look at them again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, exists, select

from db.engine import within
from db.tables import cluster, decision, decision_member, derivation, match_queue, membership, node, record, source

PORTION = 10_000


class _Home(NamedTuple):
    """A cluster as it stands: its records, the nodes that these have now."""

    records: list[int]
    nodes: set[int]


def queued(conn: Connection) -> set[int]:
    """The records that wait for a match."""
    return {row[0] for row in conn.execute(select(match_queue.c.record_id))}


def same_survivorship(conn: Connection, survivorship_hash: str) -> bool:
    """Whether the values in force were chosen by these rules."""
    held = select(derivation.c.survivorship_hash).where(derivation.c.state == "current")
    return any(bytes(row[0]).hex() == survivorship_hash for row in conn.execute(held))


def leave_standing(conn: Connection, waiting: Set[int], most: int) -> list[int]:
    """Take out of the queue what stands right by the decisions in force; returns these records.

    That is a cluster of which no person said anything and nobody waits (*waiting*), of *most* nodes at most, each two
    of which are decided to merge and none with a node elsewhere: such a cluster is made of its records in any order.
    """
    homes, odd = _homes(conn)
    odd |= {key for key, one in homes.items() if not one.nodes or len(one.nodes) > most}
    where: dict[int, int] = {}
    for key, one in homes.items():
        for number in one.nodes:
            other = where.setdefault(number, key)
            odd |= {key, other} if other != key else set()
        odd |= {key} if not waiting.isdisjoint(one.records) else set()
    inside: dict[int, int] = defaultdict(int)
    merged = select(decision.c.left_node, decision.c.right_node).where(decision.c.verdict == "merge")
    for left, right in conn.execute(merged.execution_options(yield_per=PORTION)):
        mine, theirs = where.get(left), where.get(right)
        if mine == theirs and mine is not None:
            inside[mine] += 1
        else:
            odd |= {one for one in (mine, theirs) if one is not None}
    right = [
        one
        for key, one in homes.items()
        if key not in odd and inside.get(key, 0) == len(one.nodes) * (len(one.nodes) - 1) // 2
    ]
    records = [number for one in right for number in one.records]
    for start in range(0, len(records), PORTION):
        part = records[start : start + PORTION]
        conn.execute(delete(match_queue).where(within(conn, match_queue.c.record_id, part)))
    return records


def _homes(conn: Connection) -> tuple[dict[int, _Home], set[int]]:
    """Every cluster with members, and those that have to be looked at whatever is decided."""
    said = exists().where(
        source.c.id == record.c.source_id,
        decision_member.c.source == source.c.code,
        decision_member.c.identifier == record.c.identifier,
    )
    fit = and_(
        record.c.state == "active", membership.c.node_id == record.c.node_id, node.c.solid, cluster.c.state == "active"
    )
    query = (
        select(membership.c.record_id, membership.c.cluster_id, membership.c.node_id, fit, said)
        .join(record, record.c.id == membership.c.record_id)
        .join(node, node.c.id == membership.c.node_id)
        .join(cluster, cluster.c.id == membership.c.cluster_id)
    )
    homes: dict[int, _Home] = {}
    odd: set[int] = set()
    for record_id, key, node_id, fits, spoken in conn.execute(query.execution_options(yield_per=PORTION)):
        home = homes.setdefault(key, _Home([], set()))
        home.records.append(record_id)
        home.nodes.add(node_id)
        if not fits or spoken:
            odd.add(key)
    return homes, odd
