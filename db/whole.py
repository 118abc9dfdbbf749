"""The whole catalogue read through, page by page: for what-if questions, training and coverage. Reads only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, select

from db import catalogue, dictionaries, ledger
from db.catalogue import RecordState
from db.engine import within
from db.tables import human_decision, ignored_identifier, label, normalized, payload, record, record_version, source
from harvester.model import Address

PAGE = 1000
IN_FORCE = ("pending", "active")


class Stored(NamedTuple):
    """An active record with the bytes of its current version and what was made of them."""

    record_id: int
    identifier: str
    version: int
    format: str
    datestamp: str
    raw_hash: bytes
    payload_hash: bytes
    at: str  # when the version came
    raw: bytes
    body: bytes
    mapping_hash: bytes


def states(conn: Connection) -> Iterator[list[tuple[RecordState, bytes]]]:
    """Pages of every active record with its normalized body, by record id."""
    last = 0
    while rows := ledger.all_active(conn, last, PAGE):
        last = rows[-1]["id"]
        bodies = ledger.normalized_bodies(conn, [row["id"] for row in rows])
        found = catalogue.states_of_records(conn, bodies)
        yield [(one, bodies[one.record_id]) for one in sorted(found)]


def ignored(conn: Connection) -> dict[int, set[tuple[str, str]]]:
    """Record id → the identifiers (kind, value) that a person called wrong."""
    table = ignored_identifier
    query = (
        select(record.c.id, table.c.kind, table.c.value)
        .join(source, source.c.code == table.c.source)
        .join(record, and_(record.c.source_id == source.c.id, record.c.identifier == table.c.identifier))
        .join(human_decision, human_decision.c.id == table.c.decision_id)
        .where(human_decision.c.state.in_(IN_FORCE))
    )
    found: dict[int, set[tuple[str, str]]] = {}
    for record_id, kind, value in conn.execute(query):
        found.setdefault(record_id, set()).add((kind, value))
    return found


def labels(conn: Connection) -> dict[tuple[Address, Address], bool]:
    """Pairs that people have judged, the smaller address first; of several verdicts the newest counts."""
    return {
        (Address(row.left_source, row.left_identifier), Address(row.right_source, row.right_identifier)): row.duplicate
        for row in conn.execute(select(label).order_by(label.c.id))
    }


def stored(conn: Connection, record_ids: Iterable[int]) -> list[Stored]:
    """Those of these records that are active, by id."""
    columns: list[Any] = [
        record.c.id,
        record.c.identifier,
        record.c.version,
        record.c.format,
        record.c.datestamp,
        record.c.raw_hash,
        record.c.payload_hash,
        record_version.c.at,
        payload.c.body,
        payload.c.dictionary_id,
        normalized.c.body,
        normalized.c.dictionary_id,
        normalized.c.mapping_hash,
    ]
    query = (
        select(*columns)
        .join(payload, payload.c.hash == record.c.stored_hash)
        .join(normalized, normalized.c.record_id == record.c.id)
        .join(
            record_version,
            and_(record_version.c.record_id == record.c.id, record_version.c.version == record.c.version),
        )
        .where(within(conn, record.c.id, record_ids), record.c.state == "active")
        .order_by(record.c.id)
    )
    opened = dictionaries.opener(conn)
    return [
        Stored(
            row[0],
            row[1],
            row[2],
            row[3],
            row[4],
            bytes(row[5]),
            bytes(row[6]),
            row[7],
            opened(row[8], row[9]),
            opened(row[10], row[11]),
            bytes(row[12]),
        )
        for row in conn.execute(query)
    ]
