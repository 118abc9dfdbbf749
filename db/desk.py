"""What cataloguers look at: the merge log, suspect clusters, doubtful pairs, a partner's ledger. Reads only.

Lists come newest or worst first, a page at a time behind a key, never by OFFSET over the whole table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, delete, func, or_, select

from db.engine import within
from db.tables import (
    change,
    cluster,
    cluster_brief,
    cluster_event,
    decision,
    label,
    membership,
    node,
    output_cursor,
    quarantine,
    record,
    record_version,
    source,
    warning,
)
from db.upsert import Row
from harvester.model import Address

KINDS = (
    "joined", "merged", "left", "split", "gone", "returned", "linked", "undone", "pinned", "unpinned", "pin_changed"
)  # fmt: skip


class LogFilter(NamedTuple):
    """Which lines of the merge log: times are ISO 8601 or days; `below` is the id to go on under (0: from the end)."""

    since: str = ""
    until: str = ""
    sources: tuple[str, ...] | None = None
    rule: str = ""
    actor: str = ""
    kind: str = ""
    low: float | None = None
    high: float | None = None
    below: int = 0
    cluster: int = 0


def merge_log(conn: Connection, wanted: LogFilter, limit: int) -> list[Row]:
    """Lines of the merge log, the newest first, with their bodies as plain data."""
    column = cluster_event.c
    conditions = [
        (bool(wanted.since), column.at >= wanted.since),
        (bool(wanted.until), column.at <= _end(wanted.until)),
        (bool(wanted.rule), column.rule == wanted.rule),
        (wanted.actor == "people", column.actor != "match"),
        (wanted.actor not in ("", "people"), column.actor == wanted.actor),
        (bool(wanted.kind), column.kind == wanted.kind),
        (wanted.low is not None, column.score >= wanted.low),
        (wanted.high is not None, column.score <= wanted.high),
        (bool(wanted.below), column.id < wanted.below),
        (bool(wanted.cluster), column.cluster_id == wanted.cluster),
    ]
    query = select(cluster_event).where(*(condition for used, condition in conditions if used))
    if wanted.sources is not None:
        query = query.where(column.source.in_(wanted.sources))
    rows = conn.execute(query.order_by(column.id.desc()).limit(limit)).mappings()
    return [{**row, "body": json.loads(row["body"])} for row in rows]


def _end(day: str) -> str:
    """The last moment of a day; a time stays as it is."""
    return f"{day}T23:59:59Z" if len(day) == 10 else day


def actors(conn: Connection) -> list[str]:
    """Who has written into the merge log."""
    return [row[0] for row in conn.execute(select(cluster_event.c.actor).distinct().order_by(cluster_event.c.actor))]


# ---- suspect clusters --------------------------------------------------------------------------------


def contradicting(conn: Connection, limit: int) -> list[tuple[int, str]]:
    """(cluster, reason) where two members stand together although their own comparison forbids it."""
    left, right = membership.alias("left_member"), membership.alias("right_member")
    query = (
        select(left.c.cluster_id, func.min(decision.c.reason))
        .select_from(decision)
        .join(left, left.c.node_id == decision.c.left_node)
        .join(right, and_(right.c.node_id == decision.c.right_node, right.c.cluster_id == left.c.cluster_id))
        .where(decision.c.verdict == "veto")
        .group_by(left.c.cluster_id)
        .order_by(left.c.cluster_id.desc())
        .limit(limit)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def weak_joins(conn: Connection, below: float, limit: int) -> list[tuple[int, float, str]]:
    """(cluster, score, rule) of members that joined by a score under *below*, the newest first."""
    column = cluster_event.c
    query = select(column.cluster_id, column.score, column.rule).where(
        column.kind.in_(("joined", "merged")), column.score < below, column.actor == "match"
    )
    return [(row[0], row[1], row[2]) for row in conn.execute(query.order_by(column.id.desc()).limit(limit))]


def crowded(conn: Connection, limit: int) -> list[tuple[int, int, int]]:
    """(cluster, members, partners) of clusters in which a partner has several records, the most crowded first."""
    surplus = cluster_brief.c.members - cluster_brief.c.partners
    query = select(cluster_brief.c.cluster_id, cluster_brief.c.members, cluster_brief.c.partners).where(surplus > 0)
    return [tuple(row) for row in conn.execute(query.order_by(surplus.desc(), cluster_brief.c.cluster_id).limit(limit))]  # type: ignore[misc]


def living(conn: Connection, cluster_ids: Iterable[int]) -> set[int]:
    """Those of the clusters that hold two members or more."""
    query = select(cluster.c.id).where(within(conn, cluster.c.id, cluster_ids), cluster.c.size > 1)
    return {row[0] for row in conn.execute(query)}


# ---- doubtful pairs ----------------------------------------------------------------------------------


class Place(NamedTuple):
    """Where a reader of the doubtful pairs stands: behind this score and pair."""

    score: float
    left: int
    right: int


def doubtful(conn: Connection, after: Place | None, limit: int) -> list[Row]:
    """Pairs of nodes that the rules leave to a person, the likeliest first."""
    column = decision.c
    query = select(column.left_node, column.right_node, column.score, column.reason).where(column.verdict == "review")
    if after is not None:
        behind = or_(
            column.score < after.score,
            and_(
                column.score == after.score,
                or_(
                    column.left_node > after.left,
                    and_(column.left_node == after.left, column.right_node > after.right),
                ),
            ),
        )
        query = query.where(behind)
    rows = conn.execute(query.order_by(column.score.desc(), column.left_node, column.right_node).limit(limit))
    return [dict(row) for row in rows.mappings()]


def doubtful_count(conn: Connection) -> int:
    """How many pairs the rules leave to a person, judged ones included."""
    query = select(func.count()).select_from(decision).where(decision.c.verdict == "review")
    return int(conn.execute(query).scalar_one())


def standing(conn: Connection, node_ids: Iterable[int]) -> dict[int, tuple[Address, int, str]]:
    """Node → (its smallest address, the cluster of that record, the partner), for nodes with a member."""
    query = (
        select(membership.c.node_id, source.c.code, record.c.identifier, membership.c.cluster_id, source.c.partner)
        .join(record, record.c.id == membership.c.record_id)
        .join(source, source.c.id == record.c.source_id)
        .where(within(conn, membership.c.node_id, node_ids))
    )
    found: dict[int, tuple[Address, int, str]] = {}
    for node_id, code, name, cluster_id, partner in conn.execute(query):
        here = (Address(code, name), cluster_id, partner)
        if node_id not in found or here < found[node_id]:
            found[node_id] = here
    return found


def forget_label(conn: Connection, left: Address, right: Address, author: str) -> bool:
    """Take back this person's newest verdict on a pair; whether there was one."""
    first, second = sorted((left, right))
    query = select(func.max(label.c.id)).where(
        label.c.left_source == first.source,
        label.c.left_identifier == first.identifier,
        label.c.right_source == second.source,
        label.c.right_identifier == second.identifier,
        label.c.author == author,
    )
    newest = conn.execute(query).scalar_one_or_none()
    if newest is None:
        return False
    conn.execute(delete(label).where(label.c.id == newest))
    return True


# ---- what downstream has -----------------------------------------------------------------------------


def last_changes(conn: Connection, cluster_id: int, limit: int = 5) -> list[Row]:
    """The last lines of the feed about a cluster, the newest first."""
    query = select(change).where(change.c.cluster_id == cluster_id).order_by(change.c.seq.desc()).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def cursors(conn: Connection) -> list[Row]:
    """The position of every output."""
    query = select(output_cursor.c.name, output_cursor.c.seq, output_cursor.c.at).order_by(output_cursor.c.name)
    return [dict(row) for row in conn.execute(query).mappings()]


def feed(conn: Connection, below: int, limit: int) -> list[Row]:
    """Lines of the feed, the newest first."""
    query = select(change).order_by(change.c.seq.desc()).limit(limit)
    if below:
        query = query.where(change.c.seq < below)
    return [dict(row) for row in conn.execute(query).mappings()]


# ---- a partner's ledger ------------------------------------------------------------------------------


def ledger(conn: Connection, sources: Sequence[str], after: tuple[str, str], limit: int) -> list[Row]:
    """Records of these sources with their state, cluster and number of warnings, by address behind *after*."""
    warnings = select(func.count()).select_from(warning).where(warning.c.record_id == record.c.id).scalar_subquery()
    query = (
        select(
            record.c.id,
            source.c.code.label("source"),
            record.c.identifier,
            record.c.state,
            record.c.version,
            record.c.datestamp,
            membership.c.cluster_id,
            warnings.label("warnings"),
        )
        .join(source, source.c.id == record.c.source_id)
        .join(membership, membership.c.record_id == record.c.id, isouter=True)
        .where(
            source.c.code.in_(sources),
            or_(source.c.code > after[0], and_(source.c.code == after[0], record.c.identifier > after[1])),
        )
        .order_by(source.c.code, record.c.identifier)
        .limit(limit)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def quarantined(conn: Connection, sources: Sequence[str] | None, state: str, below: int, limit: int) -> list[Row]:
    """What could not be read, the newest first, without its bytes; of these sources, or of all (None)."""
    columns = [column for column in quarantine.c if column.name not in ("payload", "digest")]
    query = select(*columns, source.c.code.label("source")).join(source, source.c.id == quarantine.c.source_id)
    if sources is not None:
        query = query.where(source.c.code.in_(sources))
    if state:
        query = query.where(quarantine.c.state == state)
    if below:
        query = query.where(quarantine.c.id < below)
    return [dict(row) for row in conn.execute(query.order_by(quarantine.c.id.desc()).limit(limit)).mappings()]


def warning_totals(conn: Connection, sources: Sequence[str]) -> list[tuple[str, int]]:
    """(warning code, how many records) of these sources, the most frequent first; places and values apart."""
    query = (
        select(warning.c.code, func.count())
        .join(record, record.c.id == warning.c.record_id)
        .join(source, source.c.id == record.c.source_id)
        .where(source.c.code.in_(sources))
        .group_by(warning.c.code)
        .order_by(func.count().desc(), warning.c.code)
        .limit(200)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def version_times(conn: Connection, record_id: int) -> list[Row]:
    """The versions of a record: number, state, datestamp, run and time, oldest first."""
    column = record_version.c
    query = select(column.version, column.state, column.datestamp, column.run_id, column.at, column.payload)
    query = query.where(column.record_id == record_id).order_by(column.version)
    return [dict(row) for row in conn.execute(query).mappings()]


def totals(conn: Connection) -> dict[str, int]:
    """The size of the catalogue, in one look."""
    counted: dict[str, Any] = {
        "records": select(func.count()).select_from(record).where(record.c.state == "active"),
        "clusters": select(func.count()).select_from(cluster).where(cluster.c.state == "active"),
        "merged": select(func.count()).select_from(cluster).where(cluster.c.size > 1),
        "nodes": select(func.count()).select_from(node),
    }
    return {name: int(conn.execute(query).scalar_one()) for name, query in counted.items()}
