"""The worklist of suspect clusters as a match run left it, and which clusters have been touched since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, insert, select

from db.engine import within
from db.tables import change, cluster, feed_counter, suspect, suspect_due, suspect_mark


def mark(conn: Connection) -> tuple[int, int] | None:
    """(position in the feed, rule set) for which the worklist was made; None when there is none."""
    row = conn.execute(select(suspect_mark.c.seq, suspect_mark.c.derivation_id)).first()
    return (row[0], row[1]) if row else None


def position(conn: Connection) -> int:
    """How far the feed has come."""
    return int(conn.execute(select(feed_counter.c.seq)).scalar_one())


def held(conn: Connection) -> dict[int, tuple[int, str]]:
    """Cluster → (the version that was looked at, what was found odd)."""
    return {row[0]: (row[1], row[2]) for row in conn.execute(select(suspect))}


def changed_since(conn: Connection, seq: int, limit: int) -> list[int]:
    """Up to *limit* clusters of which the feed has told since *seq*."""
    # + 0: SQLite would read the whole feed by the index of clusters, to meet each of them once
    query = select(change.c.cluster_id + 0).where(change.c.seq > seq).distinct().limit(limit)
    return [row[0] for row in conn.execute(query)]


def due(conn: Connection, limit: int) -> dict[int, int]:
    """Number → cluster, of up to *limit* notes on clusters that were matched again, and stayed what consumers have."""
    query = select(suspect_due.c.id, suspect_due.c.cluster_id).order_by(suspect_due.c.id).limit(limit)
    return {row[0]: row[1] for row in conn.execute(query)}


def note(conn: Connection, cluster_ids: Iterable[int], derivation_id: int) -> None:
    """Note that these clusters are due, if there is a worklist by these rules: without one all are looked at."""
    rows = [{"cluster_id": key} for key in cluster_ids]
    if rows and (made := mark(conn)) and made[1] == derivation_id:
        conn.execute(insert(suspect_due), rows)


def merged(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, int]:
    """Cluster → version, of those that hold two members or more."""
    query = select(cluster.c.id, cluster.c.version).where(
        within(conn, cluster.c.id, cluster_ids), cluster.c.state == "active", cluster.c.size > 1
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def replace(
    conn: Connection, rows: Sequence[tuple[int, int, str]], seq: int, derivation_id: int, done: Iterable[int]
) -> None:
    """Let the worklist be *rows* of (cluster, version, body), made at *seq*; the notes *done* are heeded in it."""
    _clear(conn)
    conn.execute(delete(suspect_due).where(within(conn, suspect_due.c.id, done)))
    if rows:
        conn.execute(insert(suspect), [dict(zip(("cluster_id", "version", "body"), row, strict=True)) for row in rows])
    conn.execute(insert(suspect_mark), [{"seq": seq, "derivation_id": derivation_id}])


def forget(conn: Connection) -> None:
    """Throw the worklist away: the next match makes it anew."""
    _clear(conn)
    conn.execute(delete(suspect_due))


def _clear(conn: Connection) -> None:
    conn.execute(delete(suspect))
    conn.execute(delete(suspect_mark))
