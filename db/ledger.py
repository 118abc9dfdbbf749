"""What was received: payloads, records, versions, normalized forms, nodes and keys, quarantine, deletions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, delete, exists, func, insert, select, update

from db import bulk, dictionaries, placing, rules, work
from db.compress import pack, unpack
from db.engine import within
from db.prepared import Known, Prepared, digest
from db.tables import (
    deletion_proposal,
    harvest_window,
    node,
    normalized,
    payload,
    quarantine,
    record,
    record_version,
    run,
    source,
    warning,
    window_other,
)
from db.upsert import Row, insert_new
from harvester.model import Damage


def known(conn: Connection, source_id: int, identifiers: Iterable[str]) -> dict[str, Known]:
    """What the ledger holds of these identifiers of the source."""
    columns = (record.c.identifier, record.c.id, record.c.state, record.c.version)
    query = select(*columns, record.c.raw_hash, record.c.payload_hash).where(
        record.c.source_id == source_id, within(conn, record.c.identifier, identifiers)
    )
    return {row[0]: Known(row[1], row[2], row[3], bytes(row[4]), bytes(row[5])) for row in conn.execute(query)}


def store(
    conn: Connection,
    rows: Sequence[Prepared],
    before: Mapping[str, Known],
    *,
    source_id: int,
    run_id: int,
    window_id: int | None,
    derivation_id: int,
    now: str,
) -> None:
    """Write new and changed records: payload, record, version, normalized form, warnings, node, keys, dirty mark.

    *before* is the state the caller compared with; every row given here differs from it.

    Raises:
        Locked: other rules are in force than those of the derivation.
    """
    if not rows:
        return
    rules.refuse_overtaken(conn, derivation_id)
    _store_payloads(conn, rows)
    likely = not any(one.identifier in before for one in rows)
    nodes = placing.store_nodes(conn, [one.profiled for one in rows])
    ids = _store_records(conn, rows, before, nodes, source_id, run_id, window_id)
    versions = [_version_row(one, before, ids, run_id, now) for one in rows]
    bulk.insert(conn, record_version, _VERSION, sorted(versions))
    forms = [
        (
            ids[one.identifier],
            derivation_id,
            one.mapping_hash,
            one.dictionaries[1],
            one.packed_normalized or pack(one.normalized),
        )
        for one in rows
    ]
    bulk.upsert(conn, normalized, _FORM, sorted(forms), ["record_id"], likely=likely)
    known_before = [ids[one.identifier] for one in rows if one.identifier in before]
    if known_before:
        conn.execute(delete(warning).where(within(conn, warning.c.record_id, known_before)))
        _withdraw_proposals(conn, known_before)
    lines = [line for one in rows for line in _warning_rows(one, ids[one.identifier])]
    bulk.insert_new(conn, warning, ("record_id", "number", "code", "field", "value"), lines, likely=True)
    work.mark_dirty(conn, ids.values())


def _store_payloads(conn: Connection, rows: Sequence[Prepared]) -> None:
    """Keep the bytes of each once, whoever has sent them."""
    raws: dict[bytes, tuple[Any, ...]] = {}
    for one in rows:
        if one.raw_hash not in raws:
            body = one.packed or pack(one.payload)
            raws[one.raw_hash] = (one.raw_hash, one.dictionaries[0], len(one.payload), body)
        if one.received:
            key = digest(one.received)
            raws[key] = (key, None, len(one.received), pack(one.received))
    if conn.dialect.name == "postgresql":  # a COPY that meets one would fail, and stand in the server's log
        held = select(payload.c.hash).where(within(conn, payload.c.hash, raws))
        # locked: what a prune is taking away is waited for, and is there no more
        for row in conn.execute(held.with_for_update(read=True, key_share=True)):
            del raws[bytes(row[0])]
    bulk.insert_new(conn, payload, ("hash", "dictionary_id", "size", "body"), sorted(raws.values()), likely=True)


_FORM = ("record_id", "derivation_id", "mapping_hash", "dictionary_id", "body")
_VERSION = ("record_id", "version", "state", "payload", "payload_hash", "datestamp", "run_id", "at")
_RECORD = (
    "source_id", "identifier", "state", "version", "format", "datestamp", "raw_hash", "stored_hash", "payload_hash",
    "node_id", "seen_window", "changed_run",
)  # fmt: skip


def _store_records(
    conn: Connection,
    rows: Sequence[Prepared],
    before: Mapping[str, Known],
    nodes: Mapping[bytes, int],
    source_id: int,
    run_id: int,
    window_id: int | None,
) -> dict[str, int]:
    """Write the current state of each address; returns identifier → record id."""
    states = [
        (
            source_id,
            one.identifier,
            "active",
            before[one.identifier].version + 1 if one.identifier in before else 1,
            one.format,
            one.datestamp,
            one.raw_hash,
            one.raw_hash,
            one.payload_hash,
            nodes[one.profiled.hash],
            window_id,
            run_id,
        )
        for one in rows
    ]
    likely = not any(one.identifier in before for one in rows)
    bulk.upsert(conn, record, _RECORD, sorted(states), ["source_id", "identifier"], likely=likely)
    query = select(record.c.identifier, record.c.id).where(
        record.c.source_id == source_id, within(conn, record.c.identifier, [one.identifier for one in rows])
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def _version_row(
    one: Prepared, before: Mapping[str, Known], ids: Mapping[str, int], run_id: int, now: str
) -> tuple[Any, ...]:
    held = before.get(one.identifier)
    version = held.version + 1 if held else 1
    record_id = ids[one.identifier]
    return record_id, version, "active", one.raw_hash, one.payload_hash, one.datestamp, run_id, now


def _warning_rows(one: Prepared, record_id: int) -> list[tuple[Any, ...]]:
    return [(record_id, number, *line) for number, line in enumerate(one.warnings)]


def touch(conn: Connection, record_ids: Sequence[int], window_id: int | None) -> None:
    """Note that unchanged records were seen in the window; what was proposed against them is withdrawn."""
    if record_ids:
        conn.execute(update(record).where(within(conn, record.c.id, record_ids)).values(seen_window=window_id))
        _withdraw_proposals(conn, record_ids)


def note_absent(conn: Connection, record_ids: Sequence[int], window_id: int | None) -> None:
    """Note that the window told of these records as deleted: they count as seen."""
    if record_ids:
        conn.execute(update(record).where(within(conn, record.c.id, record_ids)).values(seen_window=window_id))


def note_raw(conn: Connection, seen: Sequence[tuple[int, bytes]]) -> None:
    """Keep the hash of bytes that differ in volatile fields only, so that the next harvest need not parse them."""
    bulk.update(conn, record, ("id", "raw_hash"), list(seen))


# ---- deletions ---------------------------------------------------------------------------------------


def _withdraw_proposals(conn: Connection, record_ids: Iterable[int]) -> None:
    conn.execute(delete(deletion_proposal).where(within(conn, deletion_proposal.c.record_id, record_ids)))


def propose(
    conn: Connection, source_id: int, found: Sequence[tuple[int, str]], *, kind: str, run_id: int, now: str
) -> None:
    """Collect deletions (record id, datestamp); they wait for the end of the run. A rejected one is not asked again."""
    insert_new(
        conn,
        deletion_proposal,
        [
            {
                "record_id": record_id,
                "source_id": source_id,
                "kind": kind,
                "state": "proposed",
                "datestamp": datestamp,
                "run_id": run_id,
                "at": now,
            }
            for record_id, datestamp in found
        ],
    )


def proposals(conn: Connection, source_id: int) -> list[Row]:
    """The open proposals of the source, by identifier."""
    query = (
        select(deletion_proposal, record.c.identifier)
        .join(record, record.c.id == deletion_proposal.c.record_id)
        .where(deletion_proposal.c.source_id == source_id, deletion_proposal.c.state == "proposed")
        .order_by(record.c.identifier)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def absent(conn: Connection, source_id: int, window_ids: Iterable[int]) -> list[tuple[int, str]]:
    """Active records that none of these windows (one proven full list) has brought."""
    query = select(record.c.id, record.c.datestamp).where(
        record.c.source_id == source_id,
        record.c.state == "active",
        record.c.seen_window.is_(None) | ~within(conn, record.c.seen_window, list(window_ids)),
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def apply_deletions(conn: Connection, rows: Sequence[Row], run_id: int, now: str) -> int:
    """Delete the proposed records: a tombstone version that keeps the last payload, a dirty mark; returns how many."""
    ids = [row["record_id"] for row in rows]
    stamps = {row["record_id"]: row["datestamp"] for row in rows}
    held = conn.execute(
        select(record.c.id, record.c.version, record.c.stored_hash, record.c.payload_hash).where(
            within(conn, record.c.id, ids), record.c.state == "active"
        )
    ).all()
    if not held:
        return 0
    alive = [row.id for row in held]
    conn.execute(
        update(record)
        .where(within(conn, record.c.id, alive))
        .values(state="deleted", version=record.c.version + 1, node_id=None, changed_run=run_id)
    )
    conn.execute(
        insert(record_version),
        [
            {
                "record_id": row.id,
                "version": row.version + 1,
                "state": "deleted",
                "payload": row.stored_hash,
                "payload_hash": row.payload_hash,
                "datestamp": stamps[row.id],
                "run_id": run_id,
                "at": now,
            }
            for row in held
        ],
    )
    conn.execute(
        update(deletion_proposal).where(within(conn, deletion_proposal.c.record_id, ids)).values(state="applied")
    )
    work.mark_dirty(conn, alive)
    return len(alive)


def active_ids(conn: Connection, source_id: int, after: int = 0) -> array[int]:
    """The ids of the source's active records above *after*, ascending: eight bytes each.

    All at once: SQLite would sort all of them for each page that is asked for in order.
    """
    mine = (record.c.source_id == source_id, record.c.state == "active", record.c.id > after)
    return array("q", sorted(conn.execute(select(record.c.id).where(*mine)).scalars()))


def active_count(conn: Connection, source_id: int) -> int:
    """How many records of the source are active."""
    query = select(func.count()).where(record.c.source_id == source_id, record.c.state == "active")
    return int(conn.execute(query).scalar_one())


def deleted_since(conn: Connection, source_id: int, since: str) -> int:
    """How many tombstones runs gave the source since *since* (ISO 8601), without a person's approval."""
    query = (
        select(func.count())
        .select_from(run.join(record_version, run.c.id == record_version.c.run_id))
        .where(
            run.c.source_id == source_id,
            run.c.kind.in_(("harvest", "import", "audit")),
            run.c.ended_at.is_(None) | (run.c.ended_at >= since),
            record_version.c.state == "deleted",
            record_version.c.at >= since,
        )
    )
    return int(conn.execute(query).scalar_one())


# ---- quarantine --------------------------------------------------------------------------------------


def keep_damaged(conn: Connection, source_id: int, run_id: int, damages: Sequence[tuple[Damage, str]]) -> None:
    """File damaged things (damage, format) with their bytes; the same damage again only counts a try.

    What was read or gone in between, and is damaged again just so, waits again; what a person ignores stays ignored.
    """
    statement_rows: dict[bytes, Row] = {}
    for damage, format_name in damages:
        key = digest(damage.identifier.encode("utf-8", "replace"), damage.reason.encode(), damage.payload)
        statement_rows[key] = {
            "source_id": source_id,
            "digest": key,
            "identifier": damage.identifier,
            "stage": damage.stage,
            "reason": damage.reason,
            "message": damage.message[:2000],
            "place": damage.place[:500],
            "format": format_name,
            "payload": pack(damage.payload),
            "first_run": run_id,
            "last_run": run_id,
            "tries": 0,
            "state": "open",
        }
    insert_new(conn, quarantine, list(statement_rows.values()))
    if statement_rows:
        conn.execute(
            update(quarantine)
            .where(quarantine.c.source_id == source_id, within(conn, quarantine.c.digest, statement_rows))
            .values(
                last_run=run_id,
                tries=quarantine.c.tries + 1,
                state=case((quarantine.c.state == "resolved", "open"), else_=quarantine.c.state),
            )
        )


def resolve_damaged(conn: Connection, source_id: int, identifiers: Iterable[str]) -> None:
    """Close the quarantine rows of identifiers that have now been read, or that are gone."""
    conn.execute(
        update(quarantine)
        .where(
            quarantine.c.source_id == source_id,
            quarantine.c.state == "open",
            quarantine.c.stage != "fetch",
            quarantine.c.reason != "duplicate-identifier",
            within(conn, quarantine.c.identifier, [one for one in identifiers if one]),
        )
        .values(state="resolved")
    )


def absent_damaged(conn: Connection, source_id: int, window_ids: Iterable[int]) -> list[str]:
    """Identifiers that wait in quarantine and that none of these windows (one proven full list) has brought."""
    ids = list(window_ids)
    listed = exists().where(
        record.c.source_id == source_id,
        record.c.identifier == quarantine.c.identifier,
        within(conn, record.c.seen_window, ids),
    )
    waiting = select(quarantine.c.identifier).where(
        quarantine.c.source_id == source_id,
        quarantine.c.state == "open",
        quarantine.c.identifier != "",
        ~listed,
    )
    seen = select(window_other.c.digest).where(within(conn, window_other.c.window_id, ids))
    there = {bytes(row[0]) for row in conn.execute(seen)}
    names = {row[0] for row in conn.execute(waiting)}
    return sorted(one for one in names if digest(one.encode("utf-8", "replace")) not in there)


# ---- reading -----------------------------------------------------------------------------------------


def find(conn: Connection, source_code: str, identifier: str) -> Row | None:
    """The record at an address with its source and partner, or None."""
    query = (
        select(record, source.c.code.label("source"), source.c.partner)
        .join(source, source.c.id == record.c.source_id)
        .where(source.c.code == source_code, record.c.identifier == identifier)
    )
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def raw(conn: Connection, payload_hash: bytes) -> bytes:
    """The bytes behind a payload hash, as received; empty when purged."""
    row = conn.execute(select(payload.c.body, payload.c.dictionary_id).where(payload.c.hash == payload_hash)).first()
    return dictionaries.opener(conn)(*row) if row else b""


def versions(conn: Connection, record_id: int) -> list[Row]:
    """The versions of a record, oldest first."""
    query = select(record_version).where(record_version.c.record_id == record_id).order_by(record_version.c.version)
    return [dict(row) for row in conn.execute(query).mappings()]


def normalized_bodies(conn: Connection, record_ids: Iterable[int]) -> dict[int, bytes]:
    """Record id → normalized record as JSON bytes."""
    opened = dictionaries.opener(conn)
    return {key: opened(*packed) for key, packed in packed_bodies(conn, record_ids).items()}


def packed_bodies(conn: Connection, record_ids: Iterable[int]) -> dict[int, tuple[bytes, int | None]]:
    """The same as it is stored: packed, and the id of the dictionary."""
    columns = (normalized.c.record_id, normalized.c.body, normalized.c.dictionary_id)
    query = select(*columns).where(within(conn, normalized.c.record_id, record_ids))
    return {row[0]: (row[1], row[2]) for row in conn.execute(query)}


def warnings_of(conn: Connection, record_id: int) -> list[Row]:
    """The warnings of a record, in order."""
    query = select(warning).where(warning.c.record_id == record_id).order_by(warning.c.number)
    return [dict(row) for row in conn.execute(query).mappings()]


def list_quarantine(conn: Connection, *, source_code: str = "", state: str = "open", limit: int = 100) -> list[Row]:
    """Quarantine rows, newest first, without their bytes."""
    columns = [column for column in quarantine.c if column.name not in ("payload", "digest")]
    query = select(*columns, source.c.code.label("source")).join(source, source.c.id == quarantine.c.source_id)
    if source_code:
        query = query.where(source.c.code == source_code)
    if state:
        query = query.where(quarantine.c.state == state)
    query = query.order_by(quarantine.c.id.desc()).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def quarantined(conn: Connection, row_id: int) -> Row | None:
    """One quarantine row with its bytes, or None."""
    query = (
        select(quarantine, source.c.code.label("source"))
        .join(source, source.c.id == quarantine.c.source_id)
        .where(quarantine.c.id == row_id)
    )
    found = conn.execute(query).mappings().first()
    return {**found, "payload": unpack(bytes(found["payload"]))} if found else None


def window_counts(conn: Connection, source_id: int) -> dict[str, int]:
    """How many windows of the source are in each state."""
    query = (
        select(harvest_window.c.state, func.count())
        .where(harvest_window.c.source_id == source_id)
        .group_by(harvest_window.c.state)
    )
    return {str(row[0]): int(row[1]) for row in conn.execute(query)}


def profile_of(conn: Connection, record_id: int) -> tuple[int, Any] | None:
    """(node id, profile as msgpack) of an active record, or None."""
    columns = (node.c.id, node.c.profile, node.c.dictionary_id)
    query = select(*columns).join(record, record.c.node_id == node.c.id).where(record.c.id == record_id)
    row = conn.execute(query).first()
    return (int(row[0]), dictionaries.opener(conn)(row[1], row[2])) if row else None


def quarantine_of_run(conn: Connection, run_id: int, limit: int = 100) -> list[Row]:
    """What a run put into quarantine, or met there again."""
    columns = [column for column in quarantine.c if column.name not in ("payload", "digest")]
    query = select(*columns).where(quarantine.c.last_run == run_id).order_by(quarantine.c.id).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def source_counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Source code → active and deleted records, open quarantine rows."""
    found: dict[str, dict[str, int]] = {}
    states = (
        select(source.c.code, record.c.state, func.count())
        .join(record, record.c.source_id == source.c.id)
        .group_by(source.c.code, record.c.state)
    )
    for code, state, number in conn.execute(states):
        found.setdefault(code, {})[state] = number
    held = (
        select(source.c.code, func.count())
        .join(quarantine, quarantine.c.source_id == source.c.id)
        .where(quarantine.c.state == "open")
        .group_by(source.c.code)
    )
    for code, number in conn.execute(held):
        found.setdefault(code, {})["quarantined"] = number
    return found


def all_active(conn: Connection, after: int, limit: int) -> list[Row]:
    """Active records with an id above *after*, ascending: for going through everything again."""
    query = (
        select(record.c.id, record.c.node_id)
        .where(record.c.state == "active", record.c.id > after)
        .order_by(record.c.id)
        .limit(limit)
    )
    return [dict(row) for row in conn.execute(query).mappings()]
