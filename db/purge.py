"""Forgetting one record entirely: every row that holds something of it, and its address wherever it was written down.

Tables that came later are covered without being named here, as long as they follow the names of columns: `record_id`,
or `source` with `identifier`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, Text, and_, cast, delete, exists, or_, select, text, update

from db import catalogue, dictionaries, suspects
from db.compress import pack
from db.engine import hexed, within
from db.tables import (
    cluster_event,
    decision,
    human_decision,
    label,
    match_key,
    membership,
    metadata,
    node,
    payload,
    purged,
    quarantine,
    record,
    record_version,
    rejudged,
    rekey,
    rekey_pair,
    rekeyed,
    reprofiled,
    run,
    warning,
)
from db.upsert import insert_new

REDACTED = "(purged)"
PORTION = 5_000


def remember(conn: Connection, source_id: int, digest: bytes, now: str) -> None:
    """Let nothing in under this address (hashed) any more."""
    insert_new(conn, purged, [{"digest": digest, "source_id": source_id, "at": now}])


def first_seen(conn: Connection, record_id: int) -> str:
    """When the first version of the record was stored."""
    query = select(record_version.c.at).where(record_version.c.record_id == record_id)
    return conn.execute(query.order_by(record_version.c.version).limit(1)).scalar_one_or_none() or ""


def cluster_of(conn: Connection, record_id: int) -> int | None:
    """The cluster in which the record stands."""
    query = select(membership.c.cluster_id).where(membership.c.record_id == record_id)
    return conn.execute(query).scalar_one_or_none()


def scrub(conn: Connection, source_id: int, code: str, identifier: str, record_id: int | None) -> dict[str, int]:
    """Delete or redact everything of the record; returns table → rows. It stands in no cluster any more."""
    suspects.forget(conn)  # its reasons may name what is purged
    counts: dict[str, int] = {}
    hashes: list[bytes] = []
    if record_id is not None:
        hashes = _named(conn, record_id)
        counts |= _by_record(conn, record_id)
    counts |= _by_address(conn, source_id, code, identifier)
    if record_id is not None:
        conn.execute(delete(record).where(record.c.id == record_id))
    counts["payload"] = _payloads(conn, hashes)
    counts["node"] = _nodes(conn)
    counts["redacted"] = _redact(conn, code, identifier)
    return {name: number for name, number in counts.items() if number}


def _named(conn: Connection, record_id: int) -> list[bytes]:
    """The bytes of its versions, and those that came broken, which the warning of their mending names."""
    found = conn.execute(select(record_version.c.payload).where(record_version.c.record_id == record_id))
    broken = select(warning.c.value).where(warning.c.record_id == record_id, warning.c.code == "mended")
    return [*(bytes(row[0]) for row in found), *(bytes.fromhex(row[0]) for row in conn.execute(broken))]


def _by_record(conn: Connection, record_id: int) -> dict[str, int]:
    counts = {}
    for table in metadata.sorted_tables:
        if "record_id" in table.c and table is not record:
            counts[table.name] = conn.execute(delete(table).where(table.c.record_id == record_id)).rowcount
    return counts


def _by_address(conn: Connection, source_id: int, code: str, identifier: str) -> dict[str, int]:
    counts = {}
    for table in metadata.sorted_tables:
        if "identifier" in table.c and "source" in table.c:
            mine = and_(table.c.source == code, table.c.identifier == identifier)
            counts[table.name] = conn.execute(delete(table).where(mine)).rowcount
    held = and_(quarantine.c.source_id == source_id, quarantine.c.identifier == identifier)
    counts["quarantine"] = conn.execute(delete(quarantine).where(held)).rowcount
    sides = [
        and_(label.c.left_source == code, label.c.left_identifier == identifier),
        and_(label.c.right_source == code, label.c.right_identifier == identifier),
    ]
    counts["label"] = conn.execute(delete(label).where(or_(*sides))).rowcount
    ours = select(rekey.c.id).where(rekey.c.source_id == source_id)
    names = or_(rekey_pair.c.old_identifier == identifier, rekey_pair.c.new_identifier == identifier)
    counts["rekey_pair"] = conn.execute(delete(rekey_pair).where(names, rekey_pair.c.rekey_id.in_(ours))).rowcount
    return counts


def _payloads(conn: Connection, hashes: list[bytes]) -> int:
    """Drop those of these bytes that no other record needs."""
    if not hashes:
        return 0
    mine = within(conn, payload.c.hash, hashes)
    conn.execute(select(payload.c.hash).where(mine).with_for_update())  # a harvest that takes them up is waited for
    return conn.execute(delete(payload).where(mine, unnamed())).rowcount


def unnamed() -> ColumnElement[bool]:
    """Bytes that are no version's, and that did not come broken to be mended for a record that is there."""
    broken = select(warning.c.value).where(warning.c.code == "mended")
    return and_(~exists().where(record_version.c.payload == payload.c.hash), hexed(payload.c.hash).not_in(broken))


def _nodes(conn: Connection) -> int:
    """Drop profiles that no record has any more, with their keys and the evidence of their pairs."""
    placed = or_(*(exists().where(table.c.node_id == node.c.id) for table in (membership, reprofiled)))
    idle = [
        row[0] for row in conn.execute(select(node.c.id).where(~exists().where(record.c.node_id == node.c.id), ~placed))
    ]
    if idle:
        pairs = or_(within(conn, decision.c.left_node, idle), within(conn, decision.c.right_node, idle))
        conn.execute(delete(decision).where(pairs))
        beside = or_(within(conn, rejudged.c.left_node, idle), within(conn, rejudged.c.right_node, idle))
        conn.execute(delete(rejudged).where(beside))
        for table in (match_key, rekeyed):
            conn.execute(delete(table).where(within(conn, table.c.node_id, idle)))
        conn.execute(delete(node).where(within(conn, node.c.id, idle)))
    return len(idle)


# ---- what was written down about it ------------------------------------------------------------------


def _redact(conn: Connection, code: str, identifier: str) -> int:
    """Take the address out of logs and notes; lines of the merge log about it lose their evidence."""
    address = f"{code}/{identifier}"
    found = 0
    for row_id, body in _lines_about(conn, address):
        fresh = pack(json.dumps(_without(json.loads(body), address), ensure_ascii=False).encode())
        changed = update(cluster_event).where(cluster_event.c.id == row_id)
        conn.execute(changed.values(body=fresh, dictionary_id=None))
        found += 1
    for table, names in ((human_decision, ("reason", "body")), (rekey, ("body",)), (run, ("reason", "body"))):
        found += sum(_replace(conn, table, name, identifier) for name in names)
    for column in (cluster_event.c.record, cluster_event.c.other):
        conn.execute(update(cluster_event).where(column == address).values({column: REDACTED}))
    return found


def _lines_about(conn: Connection, address: str) -> Iterator[tuple[int, bytes]]:
    """Id and body of every line of the merge log that holds the address."""
    forms = {json.dumps(address, ensure_ascii=flag)[1:-1].encode() for flag in (True, False)}
    opened, last = dictionaries.opener(conn), 0
    query = select(cluster_event.c.id, cluster_event.c.body, cluster_event.c.dictionary_id)
    query = query.order_by(cluster_event.c.id).limit(PORTION)
    while rows := conn.execute(query.where(cluster_event.c.id > last)).all():
        last = rows[-1].id
        for row in rows:
            body = opened(row.body, row.dictionary_id)
            if any(form in body for form in forms):
                yield row.id, body


def _mentions(column: Any, text_: str) -> Any:
    """Whether a JSON text holds this string, however it is escaped."""
    forms = {json.dumps(text_, ensure_ascii=flag)[1:-1] for flag in (True, False)}
    return or_(*(cast(column, Text).contains(form, autoescape=True) for form in sorted(forms)))


def _without(value: Any, address: str) -> Any:
    """*value* with the address replaced; an object that names it keeps neither evidence nor reasons."""
    if isinstance(value, dict):
        about = any(one == address for one in value.values())
        kept = {key: one for key, one in value.items() if not (about and key in ("evidence", "reason", "why", "value"))}
        return {key: _without(one, address) for key, one in kept.items()}
    if isinstance(value, list):
        return [_without(one, address) for one in value]
    return value.replace(address, REDACTED) if isinstance(value, str) else value


def _replace(conn: Connection, table: Table, name: str, identifier: str) -> int:
    column, key = table.c[name], table.c.id
    found = 0
    for row_id, body in conn.execute(select(key, column).where(_mentions(column, identifier))).all():
        for form in {json.dumps(identifier, ensure_ascii=flag)[1:-1] for flag in (True, False)}:
            body = body.replace(form, REDACTED)
        conn.execute(update(table).where(key == row_id).values({name: body}))
        found += 1
    return found


def note(conn: Connection, cluster_id: int, run_id: int, actor: str, now: str) -> None:
    """The one line that stays: that something was purged from a cluster, when and by whom."""
    body = json.dumps({"record": REDACTED})
    row = {"cluster_id": cluster_id, "kind": "purged", "actor": actor, "run_id": run_id, "at": now, "body": body}
    catalogue.write_events(conn, [row])


def overwrite(conn: Connection) -> None:
    """On SQLite: fill what is deleted from now on with zeros, so that the file does not keep it."""
    if conn.dialect.name == "sqlite":
        conn.execute(text("PRAGMA secure_delete = ON"))


def flush(raw: Any, *, sqlite: bool) -> None:
    """On SQLite: empty the write-ahead log, which holds pages as they were; outside of any transaction."""
    if sqlite:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
