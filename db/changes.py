"""The feed: changes numbered in commit order without gaps, and the consumers' positions.

Numbers come from a counter row updated as the last statement of the transaction. A PostgreSQL sequence would number
by start and not by commit: a consumer that asks for `seq > last` then missed half of the changes under four writers.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from db.tables import change, feed_counter, output_cursor
from db.upsert import Row, upsert
from harvester import faultpoint


def start_feed(conn: Connection) -> None:
    """Create the counter with a new epoch."""
    row = {"id": 1, "seq": 0, "released": 0, "min_seq": 1, "epoch": secrets.token_hex(8)}
    conn.execute(insert(feed_counter), [row])


def feed_state(conn: Connection) -> Row:
    """seq, released, min_seq and epoch of the feed."""
    return dict(conn.execute(select(feed_counter)).mappings().one())


def announce(conn: Connection, rows: Sequence[tuple[str, int, int | None]], run_id: int, now: str) -> tuple[int, int]:
    """Number *rows* (kind, cluster id, target id) as one batch and release it; the last act of a match transaction.

    Returns the first and the last number, (0, 0) for none. The caller holds the match lock.
    """
    if not rows:
        return 0, 0
    faultpoint.reach("match.batch.written")
    total = len(rows)
    last = int(
        conn.execute(
            update(feed_counter)
            .values(seq=feed_counter.c.seq + total, released=feed_counter.c.seq + total)
            .returning(feed_counter.c.seq)
        ).scalar_one()
    )
    first = last - total + 1
    conn.execute(
        insert(change),
        [
            {
                "seq": first + offset,
                "batch": last,
                "kind": kind,
                "cluster_id": cluster_id,
                "target_id": target_id,
                "run_id": run_id,
                "at": now,
            }
            for offset, (kind, cluster_id, target_id) in enumerate(rows)
        ],
    )
    faultpoint.reach("match.batch.numbered")
    return first, last


def since(conn: Connection, seq: int, limit: int = 1000) -> list[Row]:
    """Released changes after *seq*, whole batches, about *limit* of them (one batch is never cut)."""
    released = select(feed_counter.c.released).scalar_subquery()
    base = select(change).where(change.c.seq > seq, change.c.seq <= released)
    rows = [dict(row) for row in conn.execute(base.order_by(change.c.seq).limit(limit)).mappings()]
    if rows and rows[-1]["seq"] != rows[-1]["batch"]:
        rest = base.where(change.c.seq > rows[-1]["seq"], change.c.batch == rows[-1]["batch"])
        rows += [dict(row) for row in conn.execute(rest.order_by(change.c.seq)).mappings()]
    return rows


def gaps(conn: Connection) -> int:
    """How many numbers between min_seq and seq are missing: must be 0."""
    state = feed_state(conn)
    held = conn.execute(select(func.count(), func.max(change.c.seq)).select_from(change)).one()
    expected = state["seq"] - state["min_seq"] + 1
    return abs(int(expected - held[0])) + (0 if (held[1] or 0) in (0, state["seq"]) else 1)


def cursor(conn: Connection, name: str) -> Row | None:
    """The position of an output, or None."""
    found = conn.execute(select(output_cursor).where(output_cursor.c.name == name)).mappings().first()
    return dict(found) if found else None


def set_cursor(conn: Connection, name: str, epoch: str, seq: int, body: str, now: str) -> None:
    """Move an output's position."""
    row: dict[str, Any] = {"name": name, "epoch": epoch, "seq": seq, "body": body, "at": now}
    upsert(conn, output_cursor, [row], ["name"])
