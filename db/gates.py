"""What a gate measures of a harvest, and which sources are held back from matching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from db.tables import harvest_window, key_stat, match_key, match_queue, membership, record, run
from db.upsert import Row

CAUSE = "gate"
SAMPLE = 300
_MARK = f'%"cause":"{CAUSE}"%'


def full(conn: Connection, window_ids: Sequence[int]) -> bool:
    """Whether the windows bring the whole of the source."""
    rows = conn.execute(select(harvest_window.c.full).where(harvest_window.c.id.in_(list(window_ids))))
    return all(row[0] for row in rows)


def meeting(conn: Connection, source_id: int, run_id: int) -> tuple[int, int]:
    """(records that the run changed, at most SAMPLE; how many of them share a live key with another source's)."""
    changed = select(record.c.id, record.c.node_id).where(record.c.changed_run == run_id, record.c.state == "active")
    rows = conn.execute(changed.where(record.c.source_id == source_id).order_by(record.c.id).limit(SAMPLE)).all()
    nodes = {row.node_id for row in rows}
    mine, theirs, other = match_key.alias(), match_key.alias(), record.alias()
    suspended = exists().where(key_stat.c.hash == mine.c.hash)
    met = (
        select(mine.c.node_id)
        .distinct()
        .join(theirs, theirs.c.hash == mine.c.hash)
        .join(other, other.c.node_id == theirs.c.node_id)
        .where(mine.c.node_id.in_(nodes), other.c.source_id != source_id, ~suspended)
    )
    found = {row[0] for row in conn.execute(met)}
    return len(rows), sum(1 for row in rows if row.node_id in found)


def baselines(conn: Connection, source_id: int, kind: str) -> list[dict[str, Any]]:
    """The figures of the newest runs of the source that are complete or that a person decided about, newest first."""
    good = or_(run.c.verdict == "complete", run.c.body.like('%"decided":true%'))
    query = select(run.c.body).where(run.c.source_id == source_id, run.c.kind == kind, good)
    bodies = [msgspec.json.decode(row[0]) for row in conn.execute(query.order_by(run.c.id.desc()).limit(60))]
    return [body["figures"] for body in bodies if "figures" in body]


def counters(conn: Connection, run_id: int) -> Row:
    """The run's row."""
    return dict(conn.execute(select(run).where(run.c.id == run_id)).mappings().one())


def held_sources(conn: Connection) -> list[int]:
    """The sources that wait for a person before matching."""
    query = select(run.c.source_id).where(run.c.verdict == "halted", run.c.body.like(_MARK))
    return [row[0] for row in conn.execute(query.distinct())]


def may_match(conn: Connection) -> ColumnElement[bool] | None:
    """The condition on match_queue that leaves out what is held back; None when nothing is.

    A record in one cluster with a held record waits too: its cluster would be told anew with what is held.
    """
    sources = held_sources(conn)
    if not sources:
        return None
    mate, queue, here = membership.alias(), match_queue.alias(), membership.alias()
    held = exists().where(record.c.id == match_queue.c.record_id, record.c.source_id.in_(sources))
    other = record.alias()
    beside = exists().where(
        here.c.record_id == match_queue.c.record_id,
        mate.c.cluster_id == here.c.cluster_id,
        queue.c.record_id == mate.c.record_id,
        other.c.id == mate.c.record_id,
        other.c.source_id.in_(sources),
    )
    return ~or_(held, beside)


def held_records(conn: Connection) -> int:
    """How many queued records are held back."""
    condition = may_match(conn)
    if condition is None:
        return 0
    return int(conn.execute(select(func.count()).select_from(match_queue).where(~condition)).scalar_one())
