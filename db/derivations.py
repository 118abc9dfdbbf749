"""Derivations: which rules and mappings made what is served, what waits beside it, and what it replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from db import dictionaries, work
from db.compress import unpack
from db.engine import within
from db.tables import derivation, normalized, quarantine, record, renormalized, ruleset, warning
from db.upsert import Row, upsert

# ---- rules -------------------------------------------------------------------------------------------


def current(conn: Connection) -> Row | None:
    """The derivation that is served, or None before the first."""
    query = select(derivation).where(derivation.c.state == "current").order_by(derivation.c.id.desc())
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def served_rules(conn: Connection) -> tuple[int, str, str] | None:
    """The derivation that is served and the texts of its match and survivorship rules, or None before the first."""
    match, merge = ruleset.alias(), ruleset.alias()
    query = (
        select(derivation.c.id, match.c.text, merge.c.text)
        .join(match, derivation.c.match_hash == match.c.hash)
        .join(merge, derivation.c.survivorship_hash == merge.c.hash)
        .where(derivation.c.state == "current")
    )
    found = conn.execute(query).first()
    return (int(found[0]), str(found[1]), str(found[2])) if found else None


def earlier_match_rules(conn: Connection) -> Row | None:
    """The rule set of the newest derivation that was made by other match rules than the current one, or None."""
    now = current(conn)
    if now is None:
        return None
    query = (
        select(ruleset)
        .join(derivation, derivation.c.match_hash == ruleset.c.hash)
        .where(derivation.c.id < now["id"], derivation.c.match_hash != now["match_hash"])
        .order_by(derivation.c.id.desc())
        .limit(1)
    )
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


# ---- normalizing again -------------------------------------------------------------------------------


def listed(conn: Connection, limit: int = 50) -> list[Row]:
    """Derivations, the newest first, with `body` read."""
    rows = conn.execute(select(derivation).order_by(derivation.c.id.desc()).limit(limit)).mappings()
    return [_read(row) for row in rows]


def get(conn: Connection, number: int) -> Row | None:
    """One derivation with `body` read, or None."""
    found = conn.execute(select(derivation).where(derivation.c.id == number)).mappings().first()
    return _read(found) if found else None


def waiting(conn: Connection) -> Row | None:
    """The derivation that is being built, or waits for a person, or None."""
    found = conn.execute(select(derivation).where(derivation.c.state == "next")).mappings().first()
    return _read(found) if found else None


def _read(row: Any) -> Row:
    hashes = {name: bytes(row[name]).hex() for name in ("match_hash", "survivorship_hash")}
    return {**row, **hashes, "body": msgspec.json.decode(row["body"])}


def begin(conn: Connection, body: Mapping[str, Any], now: str) -> int:
    """Make the next derivation, with the rules of the current one; returns its id."""
    served = current(conn)
    assert served is not None  # open_pipeline makes the first
    values = {name: served[name] for name in ("match_hash", "survivorship_hash")}
    values |= {"state": "next", "made_at": now, "body": msgspec.json.encode(body).decode()}
    return int(conn.execute(insert(derivation).values(values).returning(derivation.c.id)).scalar_one())


def note(conn: Connection, number: int, body: Mapping[str, Any], state: str = "") -> None:
    """Keep how far a derivation is, and its state when that changes."""
    values = {"body": msgspec.json.encode(body).decode()} | ({"state": state} if state else {})
    conn.execute(update(derivation).where(derivation.c.id == number).values(values))


def serve(conn: Connection, number: int) -> None:
    """Let derivation *number* be the current one, by the match rules that are in force now."""
    served = current(conn)
    assert served is not None
    values = {name: served[name] for name in ("match_hash", "survivorship_hash")}
    conn.execute(update(derivation).where(derivation.c.state == "current").values(state="old"))
    conn.execute(update(derivation).where(derivation.c.id == number).values(state="current", **values))


def keep(conn: Connection, rows: Sequence[Row]) -> None:
    """Put forms (and damages) beside those that are served."""
    upsert(conn, renormalized, rows, ["derivation_id", "record_id"])


def drop(conn: Connection, number: int) -> None:
    """Forget the forms of a derivation."""
    conn.execute(delete(renormalized).where(renormalized.c.derivation_id == number))


def counts(conn: Connection, number: int) -> dict[str, int]:
    """How many forms a derivation holds: still to be swapped in, swapped, damages."""
    damaged = renormalized.c.damage != ""
    query = (
        select(damaged, renormalized.c.swapped, func.count())
        .where(renormalized.c.derivation_id == number)
        .group_by(damaged, renormalized.c.swapped)
    )
    found = {"changed": 0, "failed": 0, "swapped": 0}
    for bad, done, count in conn.execute(query):
        found["failed" if bad else "changed"] += count
        found["swapped"] += count if done and not bad else 0
    return found


def forms(
    conn: Connection, number: int, *, source_id: int | None = None, swapped: bool | None = None, limit: int = 500
) -> list[Row]:
    """Up to *limit* forms of a derivation (`form`: unpacked), with identifier and version of their records, by id."""
    query = (
        select(
            renormalized,
            record.c.identifier,
            record.c.version.label("now"),
            record.c.state,
            record.c.format,
            record.c.stored_hash.label("stored"),
        )
        .join(record, record.c.id == renormalized.c.record_id)
        .where(renormalized.c.derivation_id == number)
        .order_by(renormalized.c.record_id)
        .limit(limit)
    )
    if source_id is not None:
        query = query.where(renormalized.c.source_id == source_id)
    if swapped is not None:
        query = query.where(renormalized.c.swapped == swapped)
    opened = dictionaries.opener(conn)
    rows = conn.execute(query).mappings()
    return [{**row, "form": opened(row["body"], row["dictionary_id"])} for row in rows]


def formats(conn: Connection, source_id: int) -> list[str]:
    """The formats of the source's active records, sorted."""
    query = select(record.c.format).where(record.c.source_id == source_id, record.c.state == "active").distinct()
    return sorted(row[0] for row in conn.execute(query))


def settle(conn: Connection, source_id: int, good: Mapping[str, bytes]) -> None:
    """Close the quarantine rows of bytes that can be normalized now (identifier → stored bytes)."""
    query = select(quarantine.c.id, quarantine.c.identifier, quarantine.c.payload).where(
        quarantine.c.source_id == source_id,
        quarantine.c.state == "open",
        quarantine.c.stage.in_(("decode", "parse", "map")),
        within(conn, quarantine.c.identifier, list(good)),
    )
    ids = [row.id for row in conn.execute(query) if unpack(bytes(row.payload)) == good[row.identifier]]
    if ids:
        conn.execute(update(quarantine).where(within(conn, quarantine.c.id, ids)).values(state="resolved"))


def withdraw(conn: Connection, number: int, before: int) -> None:
    """Let the derivation *before* be served again instead of *number*, where that is still the current one."""
    ended = conn.execute(
        update(derivation).where(derivation.c.id == number, derivation.c.state == "current").values(state="dropped")
    )
    if ended.rowcount:
        conn.execute(update(derivation).where(derivation.c.id == before).values(state="current"))
    else:
        conn.execute(update(derivation).where(derivation.c.id == number).values(state="dropped"))


def swap(conn: Connection, number: int, rows: Sequence[Row], into: int, swapped: bool) -> None:
    """Exchange the forms *rows* with those that are served; what is served is then of derivation *into*.

    Doing it twice restores what was. Rows whose record has changed since are only marked. The caller gives the
    records their new profiles; they are queued for matching here.
    """
    live = [row for row in rows if row["state"] == "active" and row["version"] == row["now"] and not row["damage"]]
    ids = [row["record_id"] for row in live]
    held = {
        row.record_id: row
        for row in conn.execute(
            select(normalized, record.c.payload_hash)
            .join(record, record.c.id == normalized.c.record_id)
            .where(within(conn, normalized.c.record_id, ids))
        )
    }
    before = warnings(conn, ids)
    for row in live:
        old = held[row["record_id"]]
        key = (renormalized.c.derivation_id == number) & (renormalized.c.record_id == row["record_id"])
        conn.execute(
            update(normalized)
            .where(normalized.c.record_id == row["record_id"])
            .values(
                derivation_id=into,
                mapping_hash=row["mapping_hash"],
                dictionary_id=row["dictionary_id"],
                body=row["body"],
            )
        )
        conn.execute(update(record).where(record.c.id == row["record_id"]).values(payload_hash=row["payload_hash"]))
        conn.execute(
            update(renormalized)
            .where(key)
            .values(
                mapping_hash=old.mapping_hash,
                payload_hash=old.payload_hash,
                dictionary_id=old.dictionary_id,
                body=old.body,
                warnings=msgspec.json.encode(before.get(row["record_id"], [])).decode(),
            )
        )
    _replace_warnings(conn, live)
    every = [row["record_id"] for row in rows]
    mine = (renormalized.c.derivation_id == number) & within(conn, renormalized.c.record_id, every)
    conn.execute(update(renormalized).where(mine).values(swapped=swapped))
    work.mark_dirty(conn, ids)


def warnings(conn: Connection, ids: Iterable[int]) -> dict[int, list[list[str]]]:
    """Record id → its warnings as [code, field, value], in order."""
    mine = within(conn, warning.c.record_id, ids)
    found: dict[int, list[list[str]]] = {}
    for row in conn.execute(select(warning).where(mine).order_by(warning.c.record_id, warning.c.number)):
        found.setdefault(row.record_id, []).append([row.code, row.field, row.value])
    return found


def _replace_warnings(conn: Connection, rows: Sequence[Row]) -> None:
    conn.execute(delete(warning).where(within(conn, warning.c.record_id, [row["record_id"] for row in rows])))
    lines = [
        {"record_id": row["record_id"], "number": number, "code": code, "field": field, "value": value}
        for row in rows
        for number, (code, field, value) in enumerate(msgspec.json.decode(row["warnings"]))
    ]
    if lines:
        conn.execute(insert(warning), lines)
