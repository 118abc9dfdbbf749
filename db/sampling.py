"""Samples of what is stored, out of which dictionaries are made: (kind, source id, bytes).

No record may be met in several samples of a kind: db.phrases takes each for another one, and counts them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from db.engine import within
from db.tables import cluster_event, decision, membership, node, normalized, payload, record, union_record

SAMPLE = 1_500  # records
CLUSTERS = 400
LONGEST = 16 << 10  # bytes of one sample
BUDGET = 8 << 20  # bytes of all samples together
Opener = Callable[[Any, int | None], bytes]
Sample = tuple[str, int, bytes]


def of_ledger(conn: Connection, opened: Opener) -> Iterator[Sample]:
    """Of a random sample of the active records: as received, normalized, profile."""
    ids = _among(conn, record.c.id, 2 * SAMPLE)
    active = select(record.c.id).where(within(conn, record.c.id, ids), record.c.state == "active")
    alive = {row[0] for row in conn.execute(active)}
    ids = [one for one in ids if one in alive][:SAMPLE]
    query = (
        select(
            record.c.source_id,
            payload.c.body,
            payload.c.dictionary_id,
            normalized.c.body,
            normalized.c.dictionary_id,
            node.c.profile,
            node.c.dictionary_id,
        )
        .join(payload, payload.c.hash == record.c.stored_hash)
        .join(normalized, normalized.c.record_id == record.c.id)
        .join(node, node.c.id == record.c.node_id)
        .where(within(conn, record.c.id, ids))
    )
    left = BUDGET
    for source_id, *packed in conn.execute(query):
        bodies = [opened(body, number)[:LONGEST] for body, number in zip(packed[::2], packed[1::2], strict=True)]
        left -= sum(map(len, bodies))
        if left < 0:
            break
        for kind, body in zip(("raw", "normalized", "profile"), bodies, strict=True):
            yield kind, source_id, body


def of_catalogue(conn: Connection, opened: Opener) -> Iterator[Sample]:
    """Of a random sample of the clusters about which the merge log has a line: the line, union record, evidence."""
    some = within(conn, cluster_event.c.id, _among(conn, cluster_event.c.id, 4 * CLUSTERS))
    lines = select(cluster_event.c.cluster_id, cluster_event.c.body, cluster_event.c.dictionary_id).where(some)
    found = {row.cluster_id: row for row in conn.execute(lines)}
    ids = list(found)[:CLUSTERS]
    unions = select(union_record.c.body, union_record.c.dictionary_id).where(
        within(conn, union_record.c.cluster_id, ids)
    )
    yield from _within_budget("event", ((row.body, row.dictionary_id) for row in map(found.__getitem__, ids)), opened)
    yield from _within_budget("union", conn.execute(unions), opened)
    yield from _within_budget("evidence", _apart(conn, ids), opened)


def _apart(conn: Connection, cluster_ids: Sequence[int]) -> Iterator[tuple[Any, int | None]]:
    """The evidence of pairs with a member of these clusters, no node in two pairs."""
    members = select(membership.c.node_id).where(within(conn, membership.c.cluster_id, cluster_ids))
    pairs = select(decision.c.left_node, decision.c.right_node, decision.c.evidence, decision.c.dictionary_id)
    met: set[int] = set()
    for left, right, body, number in conn.execute(
        pairs.where(decision.c.left_node.in_(members), decision.c.evidence.is_not(None))
    ):
        if not met & {left, right}:
            met |= {left, right}
            yield body, number


def _within_budget(kind: str, rows: Any, opened: Opener) -> Iterator[Sample]:
    left = BUDGET // 2
    for body, number in rows:
        sample = opened(body, number)[:LONGEST]
        left -= len(sample)
        if left < 0:
            return
        yield kind, 0, sample


def _among(conn: Connection, column: Any, most: int) -> list[int]:
    """Random numbers among those of an id."""
    low, high = conn.execute(select(func.min(column), func.max(column))).one()
    if low is None:
        return []
    dice = random.Random(high)  # noqa: S311 - a sample, not a secret
    return dice.sample(range(low, high + 1), min(most, high + 1 - low))
