"""What nearly every record of a source says alike: when it was counted, what was found, and whether it is in force."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, delete, func, select

from db import dictionaries
from db.engine import within
from db.tables import node, normalized, record, record_version, run, source_constant
from db.upsert import upsert

PAGE = 2000
BODIES = 200  # whole records at once: one may be long
KINDS = ("harvest", "import")


class Common(NamedTuple):
    """The commonest value of a field, in how many records it stands, and whether it counts as a constant."""

    value: str
    records: int
    constant: bool


class Early(NamedTuple):
    """Which profiles follow a guess: of records above `upto` all, of the others some, or an earlier one.

    `said` is every (field, value) that was ever guessed.
    """

    upto: int
    said: tuple[tuple[str, str], ...]


class Counted(NamedTuple):
    """The count of a source after its complete run `run_id`; `applied` when every profile follows it.

    With `early` it is a guess, made while the source's first records came in.
    """

    run_id: int
    derivation_id: int
    records: int
    common: Mapping[str, Common]
    applied: bool = True
    early: Early | None = None

    @property
    def constants(self) -> dict[str, str]:
        """Field → value of what is a constant."""
        return {name: one.value for name, one in self.common.items() if one.constant}


_common = msgspec.json.Decoder(dict[str, Common]).decode
_early = msgspec.json.Decoder(Early).decode


def counted(conn: Connection) -> dict[int, Counted]:
    """Source id → its last count."""
    return {row.source_id: _read(row) for row in conn.execute(select(source_constant))}


def counted_of(conn: Connection, source_id: int) -> Counted | None:
    """The last count of a source, or None before the first."""
    row = conn.execute(select(source_constant).where(source_constant.c.source_id == source_id)).first()
    return _read(row) if row else None


def _read(row: object) -> Counted:
    names = ("run_id", "derivation_id", "records", "body", "applied", "early")
    run_id, derivation_id, records, body, applied, early = (getattr(row, name) for name in names)
    return Counted(run_id, derivation_id, records, _common(body), applied, _early(early) if early else None)


def of_source(conn: Connection, source_id: int) -> dict[str, str]:
    """Field → value of the constants of a source."""
    found = counted_of(conn, source_id)
    return found.constants if found else {}


def of_records(conn: Connection, record_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Record id → the constants of its source."""
    held = {source_id: one.constants for source_id, one in counted(conn).items()}
    query = select(record.c.id, record.c.source_id).where(within(conn, record.c.id, record_ids))
    return {row[0]: held.get(row[1], {}) for row in conn.execute(query)}


def keep(conn: Connection, source_id: int, found: Counted) -> None:
    """Store a count."""
    body = msgspec.json.encode(found.common).decode()
    early = msgspec.json.encode(found.early).decode() if found.early else ""
    row = {**found._asdict(), "source_id": source_id, "body": body, "early": early}
    row.pop("common")
    upsert(conn, source_constant, [row], ["source_id"])


def forget(conn: Connection, source_id: int) -> None:
    """Drop the count of a source."""
    conn.execute(delete(source_constant).where(source_constant.c.source_id == source_id))


def completed(conn: Connection) -> dict[int, int]:
    """Source id → its newest harvest or import that received anything, where that is complete."""
    brought = (run.c.kind.in_(KINDS), run.c.verdict.in_(("complete", "partial", "halted")))
    newest = select(func.max(run.c.id)).where(*brought).group_by(run.c.source_id)
    query = select(run.c.source_id, run.c.id).where(run.c.id.in_(newest), run.c.verdict == "complete")
    return {row[0]: row[1] for row in conn.execute(query)}


def changed_since(conn: Connection, source_id: int, run_id: int) -> int:
    """How many versions the source's records have got in runs after *run_id*."""
    later = select(run.c.id).where(run.c.source_id == source_id, run.c.id > run_id)
    return int(conn.execute(select(func.count()).where(record_version.c.run_id.in_(later))).scalar_one())


def last_record(conn: Connection, source_id: int) -> int:
    """The newest record id of the source."""
    return int(conn.execute(select(func.max(record.c.id)).where(record.c.source_id == source_id)).scalar_one())


def bodies_of(conn: Connection, record_ids: Collection[int]) -> dict[int, bytes]:
    """Record id → the record as it was normalized, of those that are active."""
    query = select(record.c.id, normalized.c.body, normalized.c.dictionary_id)
    query = query.join(normalized, normalized.c.record_id == record.c.id).where(record.c.state == "active")
    return _opened(conn, query.where(within(conn, record.c.id, record_ids)))


def profiles(conn: Connection, record_ids: Collection[int]) -> dict[int, bytes]:
    """Record id → the profile (msgpack) that it has, of those that are active."""
    query = select(record.c.id, node.c.profile, node.c.dictionary_id)
    query = query.join(node, node.c.id == record.c.node_id).where(record.c.state == "active")
    return _opened(conn, query.where(within(conn, record.c.id, record_ids)))


def _opened(conn: Connection, query: Select[Any]) -> dict[int, bytes]:
    """Record id → bytes, of rows with an id, packed bytes and their dictionary."""
    opened = dictionaries.opener(conn)
    return {row[0]: opened(row[1], row[2]) for row in conn.execute(query)}
