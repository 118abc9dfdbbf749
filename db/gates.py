"""What a gate measures of a harvest, and which sources are held back from matching."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, exists, or_, select

from db import candidates
from db.engine import within
from db.tables import harvest_window, key_stat, match_key, match_queue, record, record_version, run, source
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
    brought = select(record_version.c.record_id).where(record_version.c.run_id == run_id)  # there is an index of that
    changed = select(record.c.id, record.c.node_id).where(record.c.id.in_(brought), record.c.changed_run == run_id)
    here = changed.where(record.c.state == "active", record.c.source_id + 0 == source_id)  # + 0: not by that index
    rows = conn.execute(here.order_by(record.c.id).limit(SAMPLE)).all()
    suspended = exists().where(key_stat.c.hash == match_key.c.hash)
    keys = select(match_key.c.hash, match_key.c.node_id).where(~suspended)
    mine = conn.execute(keys.where(within(conn, match_key.c.node_id, {row.node_id for row in rows}))).all()
    met = candidates.met_elsewhere(conn, {row.hash for row in mine}, source_id)
    found = {row.node_id for row in mine if row.hash in met}
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


def waiting(conn: Connection, source_id: int | None = None) -> list[Row]:
    """Harvests that a gate holds back and nobody has decided about, oldest first, with their notes as `notes`."""
    query = select(run, source.c.code.label("source")).join(source, source.c.id == run.c.source_id)
    query = query.where(run.c.verdict == "halted", run.c.body.like(_MARK)).order_by(run.c.id)
    if source_id is not None:
        query = query.where(run.c.source_id == source_id)
    return [{**row, "notes": msgspec.json.decode(row["body"])} for row in conn.execute(query).mappings()]


def not_set_back(conn: Connection, source_id: int | None = None) -> list[Row]:
    """Those of the waiting harvests whose changes still stand in the ledger: the process died between the two."""
    return [row for row in waiting(conn, source_id) if "aside" not in row["notes"]]


def may_match(conn: Connection) -> ColumnElement[bool] | None:
    """The condition on match_queue that leaves out what is held back and not yet set back; None when nothing is."""
    sources = {row["source_id"] for row in not_set_back(conn)}
    if not sources:
        return None
    return ~exists().where(record.c.id == match_queue.c.record_id, record.c.source_id.in_(sources))


def held_records(conn: Connection) -> int:
    """How many records gates hold back."""
    return sum(int(row["notes"].get("aside", 0)) for row in waiting(conn))
