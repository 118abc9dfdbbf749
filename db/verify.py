"""Does the catalogue contradict itself? Each check is one question with the number of things that answer it badly."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, and_, case, exists, func, or_, select, text

from db import changes, dump, linking, work
from db.tables import (
    cluster,
    cluster_brief,
    cluster_redirect,
    decision,
    harvest_window,
    match_key,
    match_queue,
    membership,
    node,
    normalized,
    payload,
    record,
    record_version,
    run,
    union_record,
)


class Check(NamedTuple):
    """One question, and how many rows answer it badly (0 is good)."""

    name: str
    sentence: str
    bad: int


_CHECKS: dict[str, tuple[str, Callable[[Connection], int]]] = {}


def _check(sentence: str) -> Callable[[Callable[[Connection], int]], Callable[[Connection], int]]:
    def keep(function: Callable[[Connection], int]) -> Callable[[Connection], int]:
        _CHECKS[function.__name__] = (sentence, function)
        return function

    return keep


def verify(conn: Connection) -> Iterator[Check]:
    """Every check, in the order of the journey."""
    for name, (sentence, function) in _CHECKS.items():
        yield Check(name, sentence, int(function(conn)))


def _count(conn: Connection, *conditions: object) -> int:
    return int(conn.execute(select(func.count()).where(*conditions)).scalar_one())  # type: ignore[arg-type]


@_check("received = created + updated + unchanged + deleted but not as absent + quarantined + excluded, in every run")
def conservation(conn: Connection) -> int:
    parts = run.c.created + run.c.updated + run.c.unchanged + run.c.deleted + run.c.quarantined + run.c.excluded
    others = conn.execute(select(parts - run.c.received, run.c.body).where(run.c.received != parts))
    return sum(1 for more, body in others if more != msgspec.json.decode(body).get("absent", 0))


@_check("no run but the one at work is marked as running for more than a day")
def stuck_runs(conn: Connection) -> int:
    newest = select(func.max(run.c.started_at)).scalar_subquery()
    return _count(conn, run.c.verdict == "running", func.substr(run.c.started_at, 1, 10) < func.substr(newest, 1, 10))


@_check("a finished window has no token left")
def windows(conn: Connection) -> int:
    return _count(conn, harvest_window.c.state == "done", harvest_window.c.token != "")


@_check("every record's version is its newest one, with the same state")
def versions(conn: Connection) -> int:
    newest = select(func.max(record_version.c.version)).where(record_version.c.record_id == record.c.id)
    same = exists().where(
        record_version.c.record_id == record.c.id,
        record_version.c.version == record.c.version,
        record_version.c.state == record.c.state,
    )
    return _count(conn, or_(record.c.version != newest.scalar_subquery(), ~same))


@_check("every version's bytes are kept")
def payloads(conn: Connection) -> int:
    return _count(conn, ~exists().where(payload.c.hash == record_version.c.payload), record_version.c.version > 0)


@_check("every active record is normalized and has a node; no deleted one has")
def nodes(conn: Connection) -> int:
    bare = and_(
        record.c.state == "active",
        or_(record.c.node_id.is_(None), ~exists().where(normalized.c.record_id == record.c.id)),
    )
    return _count(conn, or_(bare, and_(record.c.state == "deleted", record.c.node_id.is_not(None))))


@_check("every active record that is not queued stands in a cluster, with its present node")
def placed(conn: Connection) -> int:
    queued = exists().where(match_queue.c.record_id == record.c.id)
    home = exists().where(membership.c.record_id == record.c.id, membership.c.node_id == record.c.node_id)
    return _count(conn, record.c.state == "active", ~queued, ~home)


@_check("no deleted record that is not queued stands in a cluster")
def orphans(conn: Connection) -> int:
    queued = exists().where(match_queue.c.record_id == membership.c.record_id)
    alive = exists().where(record.c.id == membership.c.record_id, record.c.state == "active")
    return _count(conn, membership.c.record_id.is_not(None), ~queued, ~alive)


@_check("every cluster has the number of members it says, and none is empty")
def sizes(conn: Connection) -> int:
    held = select(func.count()).where(membership.c.cluster_id == cluster.c.id).scalar_subquery()
    wrong = case((cluster.c.state == "active", cluster.c.size), else_=0) != held
    return _count(conn, or_(wrong, and_(cluster.c.state == "active", cluster.c.size == 0)))


@_check(
    "living clusters of two or more have a union record, those that are gone have none; all living ones have columns"
)
def unions(conn: Connection) -> int:
    has = exists().where(union_record.c.cluster_id == cluster.c.id)
    brief = exists().where(cluster_brief.c.cluster_id == cluster.c.id)
    many = and_(cluster.c.state == "active", cluster.c.size > 1)
    gone = cluster.c.state == "gone"  # a single has one where a person pinned something
    return _count(conn, or_(and_(many, ~has), and_(gone, has), and_(cluster.c.state == "active", ~brief)))


@_check("a redirect starts at a cluster that is gone and ends at a living one, or at one that went later")
def redirects(conn: Connection) -> int:
    start_lives = exists().where(cluster.c.id == cluster_redirect.c.old_id, cluster.c.state == "active")
    ends = exists().where(cluster.c.id == cluster_redirect.c.new_id)
    return _count(conn, cluster_redirect.c.old_id.is_not(None), or_(start_lives, ~ends))


@_check("every decision is between two nodes that exist, in order")
def decisions(conn: Connection) -> int:
    left = exists().where(node.c.id == decision.c.left_node)
    return _count(conn, or_(decision.c.left_node >= decision.c.right_node, ~left))


@_check("every key is one of a node that exists")
def keys(conn: Connection) -> int:
    if conn.dialect.name == "sqlite":  # has a foreign key: `storage` looks
        return 0
    return _count(conn, match_key.c.node_id.is_not(None), ~exists().where(node.c.id == match_key.c.node_id))


@_check("control numbers by which records name others lead to the clusters that have them, where nothing is queued")
def linked(conn: Connection) -> int:
    return 0 if work.queued(conn) else linking.wrong(conn)


@_check("the feed has no gap")
def feed(conn: Connection) -> int:
    return changes.gaps(conn)


@_check("replaying the feed gives the clusters that may be seen")
def replay(conn: Connection) -> int:
    return len(dump.live_by_feed(conn) ^ dump.live_by_catalogue(conn))


@_check("the database file itself is sound")
def storage(conn: Connection) -> int:
    if conn.dialect.name != "sqlite":
        return 0
    broken = [row[0] for row in conn.execute(text("PRAGMA quick_check(10)")) if row[0] != "ok"]
    return len(broken) + len(list(conn.execute(text("PRAGMA foreign_key_check"))))
