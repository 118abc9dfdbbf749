"""What a cataloguer should look at: the questions to the database behind the review queue. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, func, or_, select

from db.engine import within
from db.tables import (
    cluster,
    cluster_event,
    decision,
    decision_member,
    human_decision,
    identifier,
    ignored_identifier,
    label,
    membership,
    record,
    run,
    source,
    term,
)

READ_AT_ONCE = 5_000


class Waiting(NamedTuple):
    """A pair of nodes in two clusters that waits for a person; `records` hang on it."""

    left_node: int
    right_node: int
    verdict: str
    score: float
    left_cluster: int
    right_cluster: int
    records: int


def pairs(conn: Connection, kinds: Iterable[str]) -> Iterator[Waiting]:
    """All pairs that wait: `review`, and `veto` where the score came near. In no order, read as they are asked for."""
    wanted = set(kinds)
    conditions = [decision.c.verdict == "review"] if "review" in wanted else []
    if "veto" in wanted:
        conditions.append(and_(decision.c.verdict == "veto", decision.c.evidence.is_not(None)))
    ends = (decision.c.left_node, decision.c.right_node)
    clusters = [
        select(func.min(membership.c.cluster_id)).where(membership.c.node_id == end).scalar_subquery() for end in ends
    ]
    found = select(
        *ends,
        decision.c.verdict,
        decision.c.score,
        clusters[0].label("left_cluster"),
        clusters[1].label("right_cluster"),
    ).where(or_(*conditions))
    one = found.subquery()
    left, right = cluster.alias("l"), cluster.alias("r")
    query = (
        select(*one.c, (left.c.size + right.c.size).label("records"))
        .join(left, left.c.id == one.c.left_cluster)
        .join(right, right.c.id == one.c.right_cluster)
        .where(one.c.left_cluster != one.c.right_cluster)
    )
    for row in conn.execute(query, execution_options={"yield_per": READ_AT_ONCE}):
        yield Waiting._make(row)


def reasons(conn: Connection, nodes: Iterable[int]) -> dict[tuple[int, int], str]:
    """(left node, right node) → why the pair was judged so; of all pairs whose left node is one of *nodes*."""
    query = select(decision.c.left_node, decision.c.right_node, term.c.word)
    query = query.join(term, term.c.id == decision.c.reason_id)
    return {(row[0], row[1]): row[2] for row in conn.execute(query.where(within(conn, decision.c.left_node, nodes)))}


def torn(conn: Connection, limit: int) -> list[int]:
    """Clusters that hold two nodes which the rules, asked about the two alone, would not merge; the worst first."""
    left, right = membership.alias("l"), membership.alias("r")
    query = (
        select(left.c.cluster_id, func.min(decision.c.score).label("worst"))
        .select_from(decision)
        .join(left, left.c.node_id == decision.c.left_node)
        .join(right, and_(right.c.node_id == decision.c.right_node, right.c.cluster_id == left.c.cluster_id))
        .where(decision.c.verdict != "merge")
        .group_by(left.c.cluster_id)
        .order_by("worst", left.c.cluster_id)
        .limit(limit)
    )
    return [row[0] for row in conn.execute(query)]


def lately_changed(conn: Connection, limit: int) -> list[int]:
    """Merged clusters, those changed last first."""
    query = (
        select(cluster.c.id)
        .where(cluster.c.state == "active", cluster.c.size > 1)
        .order_by(cluster.c.changed_at.desc(), cluster.c.size.desc(), cluster.c.id)
        .limit(limit)
    )
    return [row[0] for row in conn.execute(query)]


def grown(conn: Connection, least: int, limit: int) -> dict[int, int]:
    """Cluster → how many records the last match run brought it, from *least* on."""
    last = select(func.max(run.c.id)).where(run.c.kind == "match").scalar_subquery()
    number = func.count().label("number")
    query = (
        select(cluster_event.c.cluster_id, number)
        .where(cluster_event.c.run_id == last, cluster_event.c.kind.in_(("joined", "merged")))
        .group_by(cluster_event.c.cluster_id)
        .having(number >= least)
        .order_by(number.desc(), cluster_event.c.cluster_id)
        .limit(limit)
    )
    return {row[0]: int(row[1]) for row in conn.execute(query)}


def shared_isbns(conn: Connection, limit: int) -> list[tuple[str, list[int]]]:
    """ISBNs that stand on more than one cluster, with the clusters."""
    several = (
        select(identifier.c.value)
        .where(identifier.c.kind == "isbn")
        .group_by(identifier.c.value)
        .having(func.count() > 1)
        .order_by(func.count().desc(), identifier.c.value)
        .limit(limit)
    )
    values = [row[0] for row in conn.execute(several)]
    held: dict[str, list[int]] = {value: [] for value in values}
    query = select(identifier.c.value, identifier.c.cluster_id).where(
        identifier.c.kind == "isbn", within(conn, identifier.c.value, values)
    )
    for value, key in conn.execute(query.order_by(identifier.c.cluster_id)):
        held[value].append(key)
    return list(held.items())


def wrong_isbns(conn: Connection) -> set[tuple[int, str]]:
    """(cluster, ISBN) of every record on which a person called the number wrong."""
    said = ignored_identifier
    query = (
        select(membership.c.cluster_id, said.c.value)
        .select_from(said)
        .join(human_decision, human_decision.c.id == said.c.decision_id)
        .join(source, source.c.code == said.c.source)
        .join(record, and_(record.c.source_id == source.c.id, record.c.identifier == said.c.identifier))
        .join(membership, membership.c.record_id == record.c.id)
        .where(said.c.kind == "isbn", human_decision.c.state != "undone")
    )
    return {(row[0], row[1]) for row in conn.execute(query)}


def judged(conn: Connection) -> set[tuple[int, int]]:
    """The two clusters (the smaller id first) of every pair that a person has judged or keeps apart."""
    left, right = source.alias(), source.alias()
    mine, other = record.alias(), record.alias()
    labels = (
        select(mine.c.id, other.c.id)
        .select_from(label)
        .join(left, left.c.code == label.c.left_source)
        .join(right, right.c.code == label.c.right_source)
        .join(mine, and_(mine.c.source_id == left.c.id, mine.c.identifier == label.c.left_identifier))
        .join(other, and_(other.c.source_id == right.c.id, other.c.identifier == label.c.right_identifier))
    )
    found = _clusters_of(conn, labels)
    kept = human_decision.alias()
    one, two = decision_member.alias(), decision_member.alias()
    apart = (
        select(mine.c.id, other.c.id)
        .select_from(kept)
        .join(one, one.c.decision_id == kept.c.id)
        .join(two, and_(two.c.decision_id == kept.c.id, two.c.side > one.c.side))
        .join(left, left.c.code == one.c.source)
        .join(right, right.c.code == two.c.source)
        .join(mine, and_(mine.c.source_id == left.c.id, mine.c.identifier == one.c.identifier))
        .join(other, and_(other.c.source_id == right.c.id, other.c.identifier == two.c.identifier))
        .where(kept.c.kind.in_(("cannot", "split")), kept.c.state != "undone")
    )
    return found | _clusters_of(conn, apart)


def _clusters_of(conn: Connection, ends: Any) -> set[tuple[int, int]]:
    """The different clusters in which two records are, for each row of two record ids."""
    one = ends.subquery()
    left, right = membership.alias(), membership.alias()
    query = (
        select(left.c.cluster_id, right.c.cluster_id)
        .select_from(one)
        .join(left, left.c.record_id == one.c[0])
        .join(right, right.c.record_id == one.c[1])
        .where(left.c.cluster_id != right.c.cluster_id)
        .distinct()
    )
    return {(min(row), max(row)) for row in conn.execute(query)}
