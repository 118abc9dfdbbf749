"""Slots that were worked, and what the nights were like: the truth behind the schedule and the reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from db.tables import partner, quarantine, record, run, schedule_state, source
from db.upsert import Row, insert_new
from db.work import NOTHING

SLOT = "source:"  # schedule_state holds a row a source, and notes of other kinds under other names


def slots(conn: Connection) -> list[Row]:
    """Every source of an active partner: code, added_at, and its newest slot (night, started_at, ended_at, tries)."""
    state = schedule_state
    query = (
        select(source.c.code, source.c.added_at, state.c.night, state.c.started_at, state.c.ended_at, state.c.body)
        .join(partner, partner.c.code == source.c.partner)
        .join(state, state.c.name == SLOT + source.c.code, isouter=True)
        .where(partner.c.status == "active")
        .order_by(source.c.code)
    )
    return [{**row, "tries": _tries(row["body"])} for row in conn.execute(query).mappings()]


def claim(conn: Connection, code: str, slot: str, now: str) -> bool:
    """Begin *slot* of the source; False when somebody else has worked it. The caller holds the slot's lock."""
    name = SLOT + code
    insert_new(conn, schedule_state, [{"name": name, "night": "", "body": "{}"}])
    row = conn.execute(select(schedule_state).where(schedule_state.c.name == name)).mappings().one()
    if row["night"] == slot and row["ended_at"] is not None:
        return False
    tries = _tries(row["body"]) + 1 if row["night"] == slot else 1
    body = msgspec.json.encode({"tries": tries}).decode()
    values = {"night": slot, "started_at": now, "ended_at": None, "body": body}
    conn.execute(update(schedule_state).where(schedule_state.c.name == name).values(values))
    return True


def finish(conn: Connection, code: str, now: str) -> None:
    """The slot that was begun came to an end, whatever its verdict."""
    conn.execute(update(schedule_state).where(schedule_state.c.name == SLOT + code).values(ended_at=now))


def give_back(conn: Connection, code: str, before: Row) -> None:
    """Undo a claim: the source was at work otherwise, and the slot is tried again later."""
    values = {name: before[name] for name in ("night", "started_at", "ended_at")}
    values |= {"night": before["night"] or "", "body": before["body"] or "{}"}
    conn.execute(update(schedule_state).where(schedule_state.c.name == SLOT + code).values(values))


def _tries(body: str | None) -> int:
    return int(msgspec.json.decode(body or "{}").get("tries", 0))


def notes(conn: Connection, name: str) -> dict[str, Any]:
    """What was kept under *name*: what people were told, when something was last done."""
    body = conn.execute(select(schedule_state.c.body).where(schedule_state.c.name == name)).scalar_one_or_none()
    return dict(msgspec.json.decode(body or "{}"))


def keep_notes(conn: Connection, name: str, body: Mapping[str, Any]) -> None:
    """Keep *body* under *name*."""
    text = msgspec.json.encode(body).decode()
    found = update(schedule_state).where(schedule_state.c.name == name).values(body=text)
    if not conn.execute(found).rowcount:
        conn.execute(insert(schedule_state), [{"name": name, "body": text}])


def recent(conn: Connection, since: str) -> list[Row]:
    """Every harvest and match begun at or after *since*, the newest first, with its source's code."""
    query = (
        select(run, source.c.code.label("source"))
        .join(source, source.c.id == run.c.source_id, isouter=True)
        .where(run.c.kind.in_(("harvest", "import", "match")), run.c.started_at >= since)
        .order_by(run.c.id.desc())
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def approved(conn: Connection) -> dict[int, int]:
    """Halted run → how many deletions were made when a person approved it."""
    rows = conn.execute(select(run.c.body, run.c.deleted).where(run.c.kind == "approve"))
    return {msgspec.json.decode(body)["approved"]: count for body, count in rows}


def last_complete(conn: Connection) -> dict[str, str]:
    """Source code → end of its newest complete harvest, also one that a person approved, no vain one."""
    query = (
        select(source.c.code, func.max(run.c.ended_at))
        .join(source, source.c.id == run.c.source_id)
        .where(run.c.verdict == "complete", run.c.kind.in_(("harvest", "import")), ~run.c.body.startswith(NOTHING))
        .group_by(source.c.code)
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def counts(conn: Connection) -> dict[str, dict[str, int]]:
    """Source code → its active records and its open quarantine rows."""
    found: dict[str, dict[str, int]] = {}
    active = select(source.c.code, func.count()).join(record, record.c.source_id == source.c.id)
    for code, number in conn.execute(active.where(record.c.state == "active").group_by(source.c.code)):
        found.setdefault(code, {"active": 0, "quarantined": 0})["active"] = number
    held = select(source.c.code, func.count()).join(quarantine, quarantine.c.source_id == source.c.id)
    for code, number in conn.execute(held.where(quarantine.c.state == "open").group_by(source.c.code)):
        found.setdefault(code, {"active": 0, "quarantined": 0})["quarantined"] = number
    return found


def quarantine_reasons(conn: Connection, codes: Iterable[str], limit: int = 5) -> list[Row]:
    """The commonest reasons of open quarantine rows of these sources: source, stage, reason, number, an example."""
    query = (
        select(
            source.c.code.label("source"),
            quarantine.c.stage,
            quarantine.c.reason,
            func.count().label("number"),
            func.min(quarantine.c.identifier).label("example"),
        )
        .join(source, source.c.id == quarantine.c.source_id)
        .where(quarantine.c.state == "open", source.c.code.in_(list(codes)))
        .group_by(source.c.code, quarantine.c.stage, quarantine.c.reason)
        .order_by(func.count().desc(), quarantine.c.stage, quarantine.c.reason)
        .limit(limit)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def waiting(conn: Connection) -> list[Row]:
    """Halted runs that wait for a person, oldest first: id, source, reason, started_at, cause."""
    query = select(run, source.c.code.label("source")).join(source, source.c.id == run.c.source_id)
    rows = conn.execute(query.where(run.c.verdict == "halted").order_by(run.c.id)).mappings()
    return [{**row, "cause": str(msgspec.json.decode(row["body"]).get("cause", ""))} for row in rows]


def close_dead(conn: Connection, sources: Iterable[int], now: str) -> int:
    """Close runs of these sources that are marked as running; the caller holds their locks. Returns how many."""
    ids = list(sources)
    done = conn.execute(
        update(run)
        .where(run.c.verdict == "running", run.c.source_id.in_(ids))
        .values(verdict="partial", reason="interrupted: the process ended without closing the run", ended_at=now)
    )
    return done.rowcount
