"""How a source is followed and what people decided about its runs: profiles, sweeps, halted deletions, statuses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from db import ledger
from db.compress import unpack
from db.engine import within
from db.prepared import digest
from db.tables import (
    decision_member,
    deletion_proposal,
    drift,
    harvest_window,
    membership,
    page,
    partner,
    quarantine,
    record,
    record_version,
    rejected_payload,
    run,
    source,
    source_profile,
    window_other,
)
from db.tables import purged as purged_table
from db.upsert import Row


def profile(conn: Connection, source_id: int) -> tuple[str, dict[str, Any]] | None:
    """(measured at, body) of the newest measured profile, or None."""
    query = select(source_profile).where(source_profile.c.source_id == source_id)
    row = conn.execute(query.order_by(source_profile.c.id.desc()).limit(1)).first()
    return (row.measured_at, msgspec.json.decode(row.body)) if row else None


def store_profile(conn: Connection, source_id: int, measured_at: str, body: bytes) -> None:
    """Keep a measured profile; earlier ones stay as history."""
    row = {"source_id": source_id, "measured_at": measured_at, "body": body.decode()}
    conn.execute(insert(source_profile), [row])


def last_full(conn: Connection, source_id: int) -> tuple[str, int]:
    """(when the last full list was closed, how many it held); ("", 0) when there was none."""
    done = select(func.max(harvest_window.c.closed_at)).where(
        harvest_window.c.source_id == source_id,
        harvest_window.c.state == "done",
        harvest_window.c.full,
        harvest_window.c.pages > 0,
    )
    count = select(source.c.last_full_count).where(source.c.id == source_id)
    return conn.execute(done).scalar_one() or "", conn.execute(count).scalar_one() or 0


def last_done(conn: Connection, source_id: int) -> str:
    """When the newest finished window was closed; "" when there is none."""
    query = select(func.max(harvest_window.c.closed_at)).where(
        harvest_window.c.source_id == source_id, harvest_window.c.state == "done"
    )
    return conn.execute(query).scalar_one() or ""


def done_since_full(conn: Connection, source_id: int) -> list[Row]:
    """The finished windows from the last full one on, oldest first: what the cursor is made of."""
    newest = select(func.max(harvest_window.c.id)).where(
        harvest_window.c.source_id == source_id, harvest_window.c.state == "done", harvest_window.c.since.is_(None)
    )
    query = select(harvest_window).where(
        harvest_window.c.source_id == source_id,
        harvest_window.c.state == "done",
        harvest_window.c.id >= func.coalesce(newest.scalar_subquery(), 0),
    )
    return [dict(row) for row in conn.execute(query.order_by(harvest_window.c.id)).mappings()]


def identifiers_seen(conn: Connection, window_id: int) -> set[bytes]:
    """The digests of every identifier that the window has brought, known here or not."""
    here = select(record.c.identifier).where(record.c.seen_window == window_id)
    digests = {digest(row[0].encode("utf-8", "replace")) for row in conn.execute(here)}
    others = select(window_other.c.digest).where(window_other.c.window_id == window_id)
    return digests | {bytes(row[0]) for row in conn.execute(others)}


def purged(conn: Connection, source_id: int) -> frozenset[bytes]:
    """The digests of addresses of the source that had to be forgotten."""
    query = select(purged_table.c.digest).where(purged_table.c.source_id == source_id)
    return frozenset(bytes(row[0]) for row in conn.execute(query))


def rejected_payloads(conn: Connection, source_id: int, among: Collection[bytes] | None = None) -> frozenset[bytes]:
    """The content hashes that a reverted run brought, which the source gives in vain: all, or those *among* some."""
    query = select(rejected_payload.c.payload_hash).where(rejected_payload.c.source_id == source_id)
    if among is not None:
        query = query.where(within(conn, rejected_payload.c.payload_hash, among))
    return frozenset(bytes(row[0]) for row in conn.execute(query))


def rejects(conn: Connection, source_id: int) -> bool:
    """Whether there are such hashes at all."""
    query = select(rejected_payload.c.source_id).where(rejected_payload.c.source_id == source_id).limit(1)
    return conn.execute(query).first() is not None


# ---- halted runs -------------------------------------------------------------------------------------


def reject_proposals(conn: Connection, source_id: int, run_id: int) -> int:
    """Reject the open proposals of a source that were made up to this run; returns how many."""
    done = conn.execute(
        update(deletion_proposal)
        .where(
            deletion_proposal.c.source_id == source_id,
            deletion_proposal.c.state == "proposed",
            deletion_proposal.c.run_id <= run_id,
        )
        .values(state="rejected")
    )
    return done.rowcount


def reopen_proposals(conn: Connection, source_id: int) -> None:
    """What was once rejected may be decided anew."""
    conn.execute(
        update(deletion_proposal)
        .where(deletion_proposal.c.source_id == source_id, deletion_proposal.c.state == "rejected")
        .values(state="proposed")
    )


def withdraw_proposals(conn: Connection, record_ids: Iterable[int]) -> None:
    """Forget what was proposed against these records."""
    conn.execute(delete(deletion_proposal).where(within(conn, deletion_proposal.c.record_id, list(record_ids))))


def current_bytes(conn: Connection, record_ids: Iterable[int]) -> dict[int, tuple[str, str, bytes]]:
    """Record id → (format, datestamp, bytes of the current version)."""
    query = select(record.c.id, record.c.format, record.c.datestamp, record.c.stored_hash)
    rows = conn.execute(query.where(within(conn, record.c.id, list(record_ids)))).all()
    return {row[0]: (row[1], row[2], ledger.raw(conn, bytes(row[3]))) for row in rows}


def settle_run(conn: Connection, run_id: int, verdict: str, reason: str) -> None:
    """Give a halted run its final verdict."""
    conn.execute(update(run).where(run.c.id == run_id).values(verdict=verdict, reason=reason))


def halted(conn: Connection) -> list[Row]:
    """Runs that wait for a decision, oldest first."""
    query = select(run, source.c.code.label("source")).join(source, source.c.id == run.c.source_id)
    query = query.where(run.c.verdict == "halted").order_by(run.c.id)
    return [dict(row) for row in conn.execute(query).mappings()]


# ---- quarantine --------------------------------------------------------------------------------------


def waiting_damage(conn: Connection, source_id: int, only: Iterable[int] = ()) -> list[Row]:
    """What waits in quarantine of a source (only these ids, or all) with its bytes, by id."""
    query = select(quarantine).where(quarantine.c.source_id == source_id, quarantine.c.state == "open")
    wanted = list(only)
    if wanted:
        query = query.where(within(conn, quarantine.c.id, wanted))
    rows = conn.execute(query.order_by(quarantine.c.id)).mappings()
    return [{**row, "payload": unpack(bytes(row["payload"]))} for row in rows]


def changed_after(conn: Connection, source_id: int, runs: Mapping[str, int]) -> set[str]:
    """Those of the identifiers whose active record was changed by a later run than the one given."""
    query = select(record.c.identifier, record.c.changed_run).where(
        record.c.source_id == source_id, record.c.state == "active", within(conn, record.c.identifier, runs)
    )
    return {row[0] for row in conn.execute(query) if (row[1] or 0) > runs[row[0]]}


def note_tries(conn: Connection, ids: Iterable[int]) -> None:
    """Count a try for each of these things; what was said of it first stays, for it knows where the bytes came from."""
    conn.execute(
        update(quarantine).where(within(conn, quarantine.c.id, list(ids))).values(tries=quarantine.c.tries + 1)
    )


def settle_damage(conn: Connection, ids: Iterable[int], state: str = "resolved") -> None:
    """These things wait no longer: they are `resolved`, or `ignored`."""
    conn.execute(update(quarantine).where(within(conn, quarantine.c.id, list(ids))).values(state=state))


def resolve_unnamed(conn: Connection, source_id: int, window_ids: Iterable[int]) -> None:
    """Close what waits without an identifier and was not met again by these windows (one proven full list)."""
    first = select(func.min(page.c.run_id)).where(within(conn, page.c.window_id, list(window_ids)))
    mine = (quarantine.c.source_id == source_id, quarantine.c.state == "open", quarantine.c.identifier == "")
    earlier = quarantine.c.last_run < first.scalar_subquery()
    conn.execute(update(quarantine).where(*mine, earlier).values(state="resolved"))


# ---- statuses ----------------------------------------------------------------------------------------


def set_status(conn: Connection, code: str, status: str) -> None:
    """Set a partner's status: pending, active, paused or retired."""
    conn.execute(update(partner).where(partner.c.code == code).values(status=status))


def status(conn: Connection, code: str) -> str:
    """A partner's status; empty when it is unknown here."""
    return conn.execute(select(partner.c.status).where(partner.c.code == code)).scalar_one_or_none() or ""


def holdings_of(conn: Connection, code: str) -> tuple[int, int, int, int]:
    """What a partner has: active records, clusters of its own, clusters shared with others, decisions about them."""
    mine = select(record.c.id).join(source, source.c.id == record.c.source_id).where(source.c.partner == code)
    active = mine.where(record.c.state == "active")
    records = conn.execute(select(func.count()).select_from(active.subquery())).scalar_one()
    touched = select(membership.c.cluster_id).where(membership.c.record_id.in_(active)).distinct()
    shared = (
        select(membership.c.cluster_id)
        .where(membership.c.cluster_id.in_(touched), ~membership.c.record_id.in_(active))
        .distinct()
    )
    every = conn.execute(select(func.count()).select_from(touched.subquery())).scalar_one()
    kept = conn.execute(select(func.count()).select_from(shared.subquery())).scalar_one()
    own = select(source.c.code).where(source.c.partner == code)
    decided = select(func.count(decision_member.c.decision_id.distinct())).where(decision_member.c.source.in_(own))
    return records, every - kept, kept, conn.execute(decided).scalar_one()


# ---- audit -------------------------------------------------------------------------------------------


def note_drift(conn: Connection, source_id: int, now: str, counts: dict[str, int], body: dict[str, Any]) -> None:
    """Keep how far store and source are apart."""
    text = msgspec.json.encode(body).decode()
    conn.execute(insert(drift), [{"source_id": source_id, "at": now, "body": text, **counts}])


def last_drift(conn: Connection, source_id: int) -> Row | None:
    """The newest audit of a source, or None."""
    query = select(drift).where(drift.c.source_id == source_id).order_by(drift.c.id.desc()).limit(1)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def active_identifiers(conn: Connection, source_id: int, after: str = "", limit: int = 10_000) -> list[str]:
    """Identifiers of active records above *after*, in byte order."""
    query = (
        select(record.c.identifier)
        .where(record.c.source_id == source_id, record.c.state == "active", record.c.identifier > after)
        .order_by(record.c.identifier)
        .limit(limit)
    )
    return [row[0] for row in conn.execute(query)]


def set_aside(conn: Connection, source_id: int) -> set[str]:
    """Identifiers that the source has and that are no active record here for a known reason: quarantined, reverted."""
    taken_back = (
        select(record.c.identifier)
        .join(record_version, record_version.c.record_id == record.c.id)
        .join(
            rejected_payload,
            (rejected_payload.c.source_id == record.c.source_id)
            & (rejected_payload.c.payload_hash == record_version.c.payload_hash),
        )
        .where(record.c.source_id == source_id, record.c.state == "deleted")
    )
    return damaged(conn, source_id, "open", "ignored") | {row[0] for row in conn.execute(taken_back)}


def damaged(conn: Connection, source_id: int, *states: str) -> set[str]:
    """The identifiers that wait in quarantine, or that are there in these states."""
    known = quarantine.c.state.in_(states or ("open",))
    query = select(quarantine.c.identifier).where(quarantine.c.source_id == source_id, known)
    return {row[0] for row in conn.execute(query) if row[0]}


def active_contents(conn: Connection, source_id: int) -> dict[str, bytes]:
    """Identifier → content hash of every active record of a source."""
    query = select(record.c.identifier, record.c.payload_hash).where(
        record.c.source_id == source_id, record.c.state == "active"
    )
    return {row[0]: bytes(row[1]) for row in conn.execute(query)}


def every_active(conn: Connection, source_id: int) -> Iterator[str]:
    """Every active identifier of a source, in byte order, read in portions."""
    last = ""
    while names := active_identifiers(conn, source_id, last):
        yield from names
        last = names[-1]


def propose_all(conn: Connection, source_id: int, run_id: int, now: str) -> int:
    """Propose every active record of a source for deletion: a partner leaves. Returns how many."""
    query = select(record.c.id, record.c.datestamp).where(record.c.source_id == source_id, record.c.state == "active")
    found = [(row[0], row[1]) for row in conn.execute(query)]
    ledger.propose(conn, source_id, found, kind="retired", run_id=run_id, now=now)
    return len(found)


def record_ids(conn: Connection, source_id: int, identifiers: Iterable[str]) -> dict[str, int]:
    """Identifier → record id."""
    query = select(record.c.identifier, record.c.id).where(
        record.c.source_id == source_id, within(conn, record.c.identifier, list(identifiers))
    )
    return {row[0]: row[1] for row in conn.execute(query)}
