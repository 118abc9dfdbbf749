"""Taking a run back: which versions it made, what stood before, and what is not to be taken again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from db.tables import deletion_proposal, record, record_version, rejected_payload
from db.upsert import insert_new, upsert


class Made(NamedTuple):
    """What a run made of a record: its last version by that run, the record's newest one, and the one before the run.

    `before` is 0 for a record that the run created; `state_before` is active, deleted or empty.
    """

    record_id: int
    source_id: int
    identifier: str
    format: str
    last: int
    newest: int
    before: int
    state_before: str
    payload_hash: bytes
    state: str


def made_by(conn: Connection, run_id: int) -> list[Made]:
    """What the run made, by identifier."""
    mine = (
        select(
            record_version.c.record_id,
            func.min(record_version.c.version).label("first"),
            func.max(record_version.c.version).label("last"),
        )
        .where(record_version.c.run_id == run_id)
        .group_by(record_version.c.record_id)
        .subquery()
    )
    last = record_version.alias("last_version")
    before = record_version.alias("before_version")
    query = (
        select(
            record.c.id,
            record.c.source_id,
            record.c.identifier,
            record.c.format,
            mine.c.last,
            record.c.version,
            func.coalesce(before.c.version, 0),
            func.coalesce(before.c.state, ""),
            last.c.payload_hash,
            last.c.state,
        )
        .join(mine, mine.c.record_id == record.c.id)
        .join(last, (last.c.record_id == record.c.id) & (last.c.version == mine.c.last))
        .join(before, (before.c.record_id == record.c.id) & (before.c.version == mine.c.first - 1), isouter=True)
        .order_by(record.c.identifier)
    )
    return [Made(*row[:8], bytes(row[8]), row[9]) for row in conn.execute(query)]


def hashes_of_run(conn: Connection, run_id: int) -> set[bytes]:
    """The content hashes of every live version that the run made."""
    query = select(record_version.c.payload_hash).where(
        record_version.c.run_id == run_id, record_version.c.state == "active"
    )
    return {bytes(row[0]) for row in conn.execute(query)}


def reject(conn: Connection, source_id: int, run_id: int, hashes: Iterable[bytes]) -> None:
    """Do not take these contents from the source again, on account of the run."""
    rows = [{"source_id": source_id, "payload_hash": one, "run_id": run_id} for one in sorted(hashes)]
    insert_new(conn, rejected_payload, rows)


def keep_from_deletion(conn: Connection, source_id: int, record_ids: Iterable[int], run_id: int, now: str) -> None:
    """The deletions of these records, taken back, are not proposed again until the run is released."""
    blank = {
        "source_id": source_id,
        "kind": "absent",
        "state": "rejected",
        "datestamp": "",
        "run_id": run_id,
        "at": now,
    }
    upsert(conn, deletion_proposal, [{"record_id": one, **blank} for one in record_ids], ["record_id"])


def release(conn: Connection, run_id: int) -> int:
    """Forget what was rejected on account of the run; returns how many contents that were."""
    done = conn.execute(delete(rejected_payload).where(rejected_payload.c.run_id == run_id))
    conn.execute(
        delete(deletion_proposal).where(deletion_proposal.c.run_id == run_id, deletion_proposal.c.state == "rejected")
    )
    return done.rowcount
