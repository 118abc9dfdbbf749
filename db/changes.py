"""The feed: changes numbered in commit order without gaps, and the consumers' positions.

Numbers come from a counter row updated as the last statement of the transaction. A PostgreSQL sequence would number
by start and not by commit: a consumer that asks for `seq > last` then missed half of the changes under four writers.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, delete, exists, func, insert, select, update

from db import bulk
from db.engine import within
from db.tables import change, cluster_redirect, feed_counter, output_cursor
from db.upsert import Row, upsert
from harvester import faultpoint


def start_feed(conn: Connection) -> None:
    """Create the counter with a new epoch."""
    row = {"id": 1, "seq": 0, "released": 0, "min_seq": 1, "epoch": secrets.token_hex(8), "at": "", "held": ""}
    conn.execute(insert(feed_counter), [row])


def feed_state(conn: Connection) -> Row:
    """seq, released, min_seq, epoch, at and held of the feed."""
    return dict(conn.execute(select(feed_counter)).mappings().one())


def announce(conn: Connection, rows: Sequence[tuple[str, int, int | None]], run_id: int, now: str) -> tuple[int, int]:
    """Number *rows* (kind, cluster id, target id) as one batch, and release it unless the feed is held.

    The last act of a match transaction; returns the first and the last number, (0, 0) for none. The caller holds the
    match lock.
    """
    if not rows:
        return 0, 0
    faultpoint.reach("match.batch.written")
    total = len(rows)
    counter = feed_counter.c
    last, at = conn.execute(
        update(feed_counter)
        .values(
            seq=counter.seq + total,
            released=case((counter.held == "", counter.seq + total), else_=counter.released),
            at=_not_before(now),
        )
        .returning(counter.seq, counter.at)
    ).one()
    first = last - total + 1
    lines = [(first + offset, last, *row, run_id, at) for offset, row in enumerate(rows)]
    bulk.insert(conn, change, ("seq", "batch", "kind", "cluster_id", "target_id", "run_id", "at"), lines)
    faultpoint.reach("match.batch.numbered")
    return first, int(last)


def _not_before(now: str) -> Any:
    """*now*, or the time of the newest change when the clock was set back: consumers that ask by time miss nothing."""
    return case((feed_counter.c.at > now, feed_counter.c.at), else_=now)


# ---- holding back ------------------------------------------------------------------------------------


def hold(conn: Connection, reason: str) -> None:
    """Let nothing more out until release(); consumers go on seeing what they saw. *reason* is shown to people.

    Held are the announcements, not the state: a document is always the present one.
    """
    conn.execute(update(feed_counter).values(held=reason or "held"))


def held(conn: Connection) -> Row | None:
    """None, or what is held: reason, the numbers in (released, seq], and how many clusters changed and ended."""
    state = feed_state(conn)
    if not state["held"]:
        return None
    waiting = change.c.seq > state["released"]
    by_kind = select(change.c.kind, func.count(change.c.cluster_id.distinct())).where(waiting).group_by(change.c.kind)
    kinds: dict[str, int] = {row[0]: row[1] for row in conn.execute(by_kind)}
    ended = kinds.get("delete", 0) + kinds.get("redirect", 0)
    numbers = {"released": state["released"], "seq": state["seq"]}
    return {"reason": state["held"], **numbers, "upserts": kinds.get("upsert", 0), "ended": ended}


def release(conn: Connection, now: str) -> int:
    """Let out everything that was held, dated now; returns how many changes that are.

    Consumers that ask by time (OAI-PMH) have passed the time at which the changes were made.
    """
    state = feed_state(conn)
    at = conn.execute(
        update(feed_counter)
        .values(released=feed_counter.c.seq, held="", at=_not_before(now))
        .returning(feed_counter.c.at)
    ).scalar_one()
    let = conn.execute(update(change).where(change.c.seq > state["released"]).values(at=at))
    return int(let.rowcount)


# ---- retention ---------------------------------------------------------------------------------------


def compact(conn: Connection, before: str) -> int:
    """Drop superseded changes older than *before* (ISO 8601); returns how many. The feed then starts later.

    The last change of each cluster stays for ever: a delete or redirect is a tombstone that OAI-PMH has promised to
    keep. A consumer that is older than the new start must begin again.
    """
    state = feed_state(conn)
    old = select(func.max(change.c.batch)).where(change.c.at < before, change.c.seq <= state["released"])
    last = conn.execute(old).scalar_one()
    if last is None or last < state["min_seq"]:
        return 0
    later = change.alias("later")
    superseded = exists().where(
        later.c.cluster_id == change.c.cluster_id, later.c.seq > change.c.seq, later.c.seq <= state["released"]
    )
    dropped = conn.execute(delete(change).where(change.c.seq <= last, superseded))
    conn.execute(update(feed_counter).values(min_seq=last + 1))
    return int(dropped.rowcount)


def start_anew(conn: Connection) -> str:
    """Give the feed a new epoch, after a restore: every consumer is told to begin again. Returns the epoch."""
    epoch = secrets.token_hex(8)
    conn.execute(update(feed_counter).values(epoch=epoch))
    return epoch


class Resync(NamedTuple):
    """Why a consumer must begin again, and where the feed stands."""

    reason: str
    epoch: str
    released: int
    kept_since: int


def resync(conn: Connection, epoch: str, seq: int) -> Resync | None:
    """Why a consumer at *seq* of *epoch* ("" does not say) must begin again, or None: it may go on."""
    state = feed_state(conn)
    reason = ""
    if epoch and epoch != state["epoch"]:
        reason = f"the feed's epoch is {state['epoch']}, not {epoch}: the catalogue was made or restored since"
    elif seq > state["seq"]:
        reason = f"the feed ends at {state['released']}, before {seq}"
    elif seq and seq < state["min_seq"] - 1:
        reason = f"the feed starts at {state['min_seq']}, after {seq}"
    if not reason:
        return None
    return Resync(reason, state["epoch"], state["released"], state["min_seq"])


# ---- reading -----------------------------------------------------------------------------------------


def since(conn: Connection, seq: int, limit: int = 1000) -> list[Row]:
    """Released changes after *seq*, whole batches, about *limit* of them (one batch is never cut).

    While the feed is held they end before the first batch that hangs together, by common clusters, with what is held:
    documents are the present ones, and a consumer would have a record in two clusters, or in none, until the release.
    """
    state = feed_state(conn)
    last = state["released"]
    if state["held"] and state["seq"] > last > seq:
        last = _before_held(conn, seq, last)
    rows = _between(conn, seq, last, limit)
    if rows and rows[-1]["seq"] != rows[-1]["batch"]:
        rows += _between(conn, rows[-1]["seq"], min(last, rows[-1]["batch"]), None)
    return rows


def _between(conn: Connection, seq: int, last: int, limit: int | None) -> list[Row]:
    query = select(change).where(change.c.seq > seq, change.c.seq <= last).order_by(change.c.seq).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def _before_held(conn: Connection, seq: int, released: int) -> int:
    """The last number after *seq* up to which nothing hangs together with what is held."""
    waiting = select(change.c.cluster_id).where(change.c.seq > released)
    tied = {row[0] for row in conn.execute(waiting.distinct())}
    batches: dict[int, set[int]] = {}
    pending = select(change.c.batch, change.c.cluster_id).where(change.c.seq > seq, change.c.seq <= released)
    for batch, cluster_id in conn.execute(pending):
        batches.setdefault(batch, set()).add(cluster_id)
    free = dict(sorted(batches.items()))
    while found := [batch for batch, touched in free.items() if not touched.isdisjoint(tied)]:
        for batch in found:
            tied |= free.pop(batch)
    stuck = sorted(batches.keys() - free.keys())
    if not stuck:
        return released
    return max((batch for batch in batches if batch < stuck[0]), default=seq)


def of_run(conn: Connection, run_id: int) -> list[Row]:
    """The changes that a run announced, in order."""
    query = select(change).where(change.c.run_id == run_id).order_by(change.c.seq)
    return [dict(row) for row in conn.execute(query).mappings()]


def last_of(conn: Connection, cluster_ids: Iterable[int]) -> list[tuple[str, int, int | None]]:
    """(kind, cluster id, target id as it is now) of the last change of each of these clusters that has one, by id."""
    newest = select(func.max(change.c.seq)).where(within(conn, change.c.cluster_id, cluster_ids))
    leads_to = func.coalesce(cluster_redirect.c.new_id, change.c.target_id)
    query = (
        select(change.c.kind, change.c.cluster_id, case((change.c.kind == "redirect", leads_to)))
        .join(cluster_redirect, cluster_redirect.c.old_id == change.c.cluster_id, isouter=True)
        .where(change.c.seq.in_(newest.group_by(change.c.cluster_id)))
    )
    return [(row[0], row[1], row[2]) for row in conn.execute(query.order_by(change.c.cluster_id))]


def gaps(conn: Connection) -> int:
    """How many numbers from min_seq to seq are missing, or stand beyond it: must be 0."""
    state = feed_state(conn)
    kept = select(func.count(), func.max(change.c.seq)).where(change.c.seq >= state["min_seq"])
    number, highest = conn.execute(kept).one()
    expected = state["seq"] - state["min_seq"] + 1
    return abs(int(expected - number)) + (0 if (highest or 0) in (0, state["seq"]) else 1)


def cursor(conn: Connection, name: str) -> Row | None:
    """The position of an output, or None."""
    found = conn.execute(select(output_cursor).where(output_cursor.c.name == name)).mappings().first()
    return dict(found) if found else None


def set_cursor(conn: Connection, name: str, epoch: str, seq: int, body: str, now: str) -> None:
    """Move an output's position."""
    row: dict[str, Any] = {"name": name, "epoch": epoch, "seq": seq, "body": body, "at": now}
    upsert(conn, output_cursor, [row], ["name"])
