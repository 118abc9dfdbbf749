"""The identifiers of a source are exchanged: records, decisions and quarantine follow, ids of records stay."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from db import catalogue, linking, work
from db.engine import within
from db.tables import (
    decision_member,
    deletion_proposal,
    harvest_window,
    ignored_identifier,
    imported_id,
    label,
    match_key,
    normalized,
    page,
    pin,
    quarantine,
    record,
    record_version,
    rekey,
    rekey_pair,
    warning,
)
from db.upsert import Row, insert_new

_CONTENT = ("format", "datestamp", "raw_hash", "stored_hash", "payload_hash", "node_id", "seen_window")


class Pair(NamedTuple):
    """A record and its new identifier; `twin` is the record that has come under it already."""

    record_id: int
    old: str
    new: str
    twin: int | None
    version: int


class Side(NamedTuple):
    """A record as pairing by content sees it."""

    record_id: int
    identifier: str
    node_id: int


# ---- which records -----------------------------------------------------------------------------------


def identifiers(conn: Connection, source_id: int) -> dict[str, tuple[int, str, int]]:
    """Identifier → (record id, state, version) of every record of the source, deleted ones too."""
    query = select(record.c.identifier, record.c.id, record.c.state, record.c.version)
    return {row[0]: (row[1], row[2], row[3]) for row in conn.execute(query.where(record.c.source_id == source_id))}


def sides(conn: Connection, source_id: int) -> tuple[list[Side], list[Side]]:
    """Active records that the last full list did not show, and those that came first with it; by identifier."""
    last = select(func.max(harvest_window.c.id)).where(
        harvest_window.c.source_id == source_id,
        harvest_window.c.state == "done",
        harvest_window.c.full,
        harvest_window.c.pages > 0,
    )
    window_id = conn.execute(last).scalar_one()
    if window_id is None:
        return [], []
    first_run = conn.execute(select(func.min(page.c.run_id)).where(page.c.window_id == window_id)).scalar_one() or 0
    active = (
        select(record.c.id, record.c.identifier, record.c.node_id)
        .where(record.c.source_id == source_id, record.c.state == "active")
        .order_by(record.c.identifier)
    )
    seen = record.c.seen_window == window_id
    olds = active.where(record.c.seen_window.is_(None) | ~seen)
    born = select(record_version.c.record_id).where(record_version.c.version == 1, record_version.c.run_id >= first_run)
    news = active.where(seen, record.c.id.in_(born))
    return [Side(*row) for row in conn.execute(olds)], [Side(*row) for row in conn.execute(news)]


def keys_of(conn: Connection, node_ids: Iterable[int]) -> list[tuple[int, int]]:
    """(key, node) of these nodes."""
    query = select(match_key.c.hash, match_key.c.node_id).where(within(conn, match_key.c.node_id, node_ids))
    return [(row[0], row[1]) for row in conn.execute(query)]


def profiles_of(conn: Connection, node_ids: Iterable[int]) -> dict[int, bytes]:
    """Node → profile as msgpack."""
    return {key: body for key, (body, _) in catalogue.profiles(conn, node_ids).items()}


def formats_of(conn: Connection, record_ids: Iterable[int]) -> dict[int, str]:
    """Record id → the format of its newest bytes."""
    query = select(record.c.id, record.c.format).where(within(conn, record.c.id, list(record_ids)))
    return {row[0]: row[1] for row in conn.execute(query)}


# ---- exchanging --------------------------------------------------------------------------------------


def add(conn: Connection, source_id: int, author: str, now: str, body: Mapping[str, Any], pairs: Sequence[Pair]) -> int:
    """Note a rekey with its pairs, so that it can be undone; returns its id."""
    values = {"source_id": source_id, "author": author, "at": now, "state": "active", "body": json.dumps(dict(body))}
    made = int(conn.execute(insert(rekey).values(values).returning(rekey.c.id)).scalar_one())
    rows = [
        {
            "rekey_id": made,
            "record_id": one.record_id,
            "old_identifier": one.old,
            "new_identifier": one.new,
            "twin_id": one.twin,
            "version": one.version,
        }
        for one in pairs
    ]
    if rows:
        conn.execute(insert(rekey_pair), rows)
    return made


def newest(conn: Connection, source_id: int) -> tuple[Row, list[Pair]] | None:
    """The newest rekey of the source that is in force, with its pairs; None when there is none."""
    query = select(rekey).where(rekey.c.source_id == source_id, rekey.c.state == "active").order_by(rekey.c.id.desc())
    found = conn.execute(query.limit(1)).mappings().first()
    if found is None:
        return None
    columns = (rekey_pair.c.record_id, rekey_pair.c.old_identifier, rekey_pair.c.new_identifier)
    pairs = select(*columns, rekey_pair.c.twin_id, rekey_pair.c.version).where(rekey_pair.c.rekey_id == found["id"])
    return dict(found), [Pair(*row) for row in conn.execute(pairs.order_by(rekey_pair.c.old_identifier))]


def end(conn: Connection, rekey_id: int) -> None:
    """Mark a rekey as undone."""
    conn.execute(update(rekey).where(rekey.c.id == rekey_id).values(state="undone"))


def rename(conn: Connection, names: Mapping[int, str]) -> None:
    """Give records (by id) new identifiers, by way of names that nobody has, so that two may change places."""
    if not names:
        return
    # whoever names them is looked at again: matching will not know what they were called
    called = {row[0] for row in conn.execute(select(record.c.identifier).where(within(conn, record.c.id, names)))}
    work.mark_dirty(conn, linking.asking(conn, called, ()))
    statement = update(record).where(record.c.id == bindparam("key")).values(identifier=bindparam("name"))
    conn.execute(statement, [{"key": key, "name": f"\x01rekey:{key}"} for key in names])
    conn.execute(statement, [{"key": key, "name": name} for key, name in sorted(names.items())])


def take_over(conn: Connection, pairs: Sequence[tuple[int, int]], run_id: int, now: str) -> None:
    """Each record (first id) gets what its twin (second id) holds, as a new version; the twin becomes a tombstone."""
    if not pairs:
        return
    ids = [one for pair in pairs for one in pair]
    rows = {row.id: row for row in conn.execute(select(record).where(within(conn, record.c.id, ids)))}
    contents, versions, stones = [], [], []
    for old, twin in pairs:
        held, gone = rows[old], rows[twin]
        contents.append(
            {
                "key": old,
                **{f"new_{name}": getattr(gone, name) for name in _CONTENT},
                "new_state": "active",
                "new_version": held.version + 1,
                "new_run": run_id,
            }
        )
        versions.append(_version(old, held.version + 1, "active", gone, run_id, now))
        versions.append(_version(twin, gone.version + 1, "deleted", gone, run_id, now))
        stones.append({"key": twin, "new_version": gone.version + 1, "new_run": run_id})
    table = record.c
    conn.execute(
        update(record)
        .where(table.id == bindparam("key"))
        .values(
            **{name: bindparam(f"new_{name}") for name in _CONTENT},
            state=bindparam("new_state"),
            version=bindparam("new_version"),
            changed_run=bindparam("new_run"),
        ),
        contents,
    )
    conn.execute(
        update(record)
        .where(table.id == bindparam("key"))
        .values(
            state="deleted",
            node_id=None,
            seen_window=None,
            version=bindparam("new_version"),
            changed_run=bindparam("new_run"),
        ),
        stones,
    )
    conn.execute(insert(record_version), sorted(versions, key=lambda row: (row["record_id"], row["version"])))
    _copy_forms(conn, pairs)
    conn.execute(delete(deletion_proposal).where(within(conn, deletion_proposal.c.record_id, ids)))
    work.mark_dirty(conn, ids)


def _version(record_id: int, version: int, state: str, held: Any, run_id: int, now: str) -> Row:
    return {
        "record_id": record_id,
        "version": version,
        "state": state,
        "payload": held.stored_hash,
        "payload_hash": held.payload_hash,
        "datestamp": held.datestamp,
        "run_id": run_id,
        "at": now,
    }


def _copy_forms(conn: Connection, pairs: Sequence[tuple[int, int]]) -> None:
    """Normalized records and warnings follow the content."""
    olds = {twin: old for old, twin in pairs}
    for table in (normalized, warning):
        conn.execute(delete(table).where(within(conn, table.c.record_id, olds.values())))
        rows = conn.execute(select(table).where(within(conn, table.c.record_id, olds))).mappings()
        made = [{**row, "record_id": olds[row["record_id"]]} for row in rows]
        if made:
            conn.execute(insert(table), made)


def write_forms(conn: Connection, forms: Mapping[int, bytes]) -> None:
    """Normalized bodies (packed) under the new identifiers: addresses in the catalogue may hold them."""
    rows = [{"key": key, "packed": body} for key, body in sorted(forms.items())]
    if rows:
        statement = update(normalized).where(normalized.c.record_id == bindparam("key"))
        conn.execute(statement.values(body=bindparam("packed"), dictionary_id=None), rows)


def move_addresses(conn: Connection, code: str, source_id: int, names: Mapping[str, str]) -> int:
    """Decisions, pins, labels and quarantine under old identifiers are under the new ones; returns how many rows."""
    moved = 0
    for table in (decision_member, ignored_identifier, imported_id):
        mine = (table.c.source == code) & within(conn, table.c.identifier, names)
        rows = [dict(row) for row in conn.execute(select(table).where(mine)).mappings()]
        conn.execute(delete(table).where(mine))
        insert_new(conn, table, [{**row, "identifier": names[row["identifier"]]} for row in rows])
        moved += len(rows)
    for source, column, key in (
        (pin.c.source, pin.c.identifier, pin.c.id),
        (label.c.left_source, label.c.left_identifier, label.c.id),
        (label.c.right_source, label.c.right_identifier, label.c.id),
    ):
        found = conn.execute(select(key, column).where(source == code, within(conn, column, names))).all()
        for row_id, name in found:
            conn.execute(update(column.table).where(key == row_id).values({column: names[name]}))
        moved += len(found)
    held = select(quarantine.c.id, quarantine.c.identifier).where(
        quarantine.c.source_id == source_id, within(conn, quarantine.c.identifier, names)
    )
    for row_id, name in conn.execute(held).all():
        conn.execute(update(quarantine).where(quarantine.c.id == row_id).values(identifier=names[name]))
    return moved


def decisions_under(conn: Connection, code: str, names: Iterable[str]) -> int:
    """How many decisions of people are about these records."""
    query = select(func.count(decision_member.c.decision_id.distinct())).where(
        decision_member.c.source == code, within(conn, decision_member.c.identifier, names)
    )
    return int(conn.execute(query).scalar_one())
