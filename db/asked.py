"""Small questions of people and programs outside that the catalogue of outputs does not answer."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from db.tables import membership, record, run, source
from db.work import NOTHING


def home_of(conn: Connection, source_code: str, identifier: str) -> int | None:
    """The cluster in which a record stands, or None."""
    query = (
        select(membership.c.cluster_id)
        .join(record, record.c.id == membership.c.record_id)
        .join(source, source.c.id == record.c.source_id)
        .where(source.c.code == source_code, record.c.identifier == identifier, record.c.state == "active")
    )
    return conn.execute(query).scalar_one_or_none()


def last_complete(conn: Connection) -> dict[str, str]:
    """Source code → when its last complete harvest began: the time to which its records, and their absence, attest."""
    query = (
        select(source.c.code, func.max(run.c.started_at))
        .join(run, run.c.source_id == source.c.id)
        .where(run.c.verdict == "complete", ~run.c.body.startswith(NOTHING))
        .group_by(source.c.code)
    )
    return {row[0]: row[1] for row in conn.execute(query)}
