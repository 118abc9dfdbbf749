"""Runs, windows, pages and queues: what is being done, how far it is, and what waits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from db import bulk, gates, linking, shown
from db.engine import within
from db.tables import harvest_window, match_queue, page, partner, record, record_version, run, source, window_other
from db.upsert import Row, insert_new, upsert
from harvester.model import Partner, Policy, Source

NOTHING = '{"nothing":true'  # how the body of a harvest begins that found only what is still being written
COUNTERS = ("received", "created", "updated", "unchanged", "deleted", "quarantined", "excluded")


def enrol(conn: Connection, known: Partner, policy_hash: bytes, now: str) -> dict[str, int]:
    """Make the partner and its sources known; returns source code → source id. Secrets stay out.

    A policy other than the stored one makes every record of the partner dirty: the next match merges and tells anew.
    A tighter one also takes what lists, look-ups and full text show of its clusters away until then.
    """
    body = msgspec.structs.replace(
        known, sources=tuple(msgspec.structs.replace(one, credentials=()) for one in known.sources)
    )
    columns = (partner.c.status, partner.c.added_at, partner.c.policy_hash, partner.c.body)
    old = conn.execute(select(*columns).where(partner.c.code == known.code)).first()
    row = {
        "code": known.code,
        "status": old.status if old else "active",
        "policy_hash": policy_hash,
        "body": msgspec.json.encode(body).decode(),
        "added_at": old.added_at if old else now,
    }
    upsert(conn, partner, [row], ["code"])
    insert_new(
        conn,
        source,
        [{"code": one.code, "partner": known.code, "added_at": now} for one in known.sources],
    )
    if old and bytes(old.policy_hash) != policy_hash:
        mine = select(record.c.id).join(source, source.c.id == record.c.source_id).where(source.c.partner == known.code)
        mark_dirty(conn, [row[0] for row in conn.execute(mine.where(record.c.state == "active"))])
        if tightened(msgspec.json.decode(old.body, type=Partner).policy, known.policy):
            shown.withdraw(conn, known.code, wholly=known.policy.visibility == "withheld")
    before = _called(msgspec.json.decode(old.body, type=Partner)) if old else set()
    mark_dirty(conn, linking.by_organization(conn, before ^ _called(known)))
    codes = [one.code for one in known.sources]
    known_ids = select(source.c.code, source.c.id).where(source.c.code.in_(codes))
    return {row[0]: row[1] for row in conn.execute(known_ids)}


def _called(one: Partner) -> set[str]:
    """The codes behind which control numbers of the library stand."""
    return {code for code in (one.isil, one.npp, *(source.code for source in one.sources)) if code}


def tightened(old: Policy, new: Policy) -> bool:
    """Whether something that may be seen under *old* may not be under *new*."""
    return bool(
        _CLOSED.index(new.visibility) > _CLOSED.index(old.visibility)
        or set(new.withheld) - set(old.withheld)
        or new.value_filters > old.value_filters
        or new.quality_floor > old.quality_floor
    )


_CLOSED = ("public", "members", "withheld")


def partners(conn: Connection) -> list[Partner]:
    """Every partner as it was enrolled last, without secrets, by code: the policy in force."""
    bodies = conn.execute(select(partner.c.body).order_by(partner.c.code))
    return [msgspec.json.decode(row[0], type=Partner) for row in bodies]


def sources(conn: Connection) -> list[Row]:
    """Every known source with its partner, status and learned quirks, by code."""
    query = select(source, partner.c.status).join(partner, partner.c.code == source.c.partner).order_by(source.c.code)
    return [dict(row) for row in conn.execute(query).mappings()]


def renamed_from(conn: Connection, source_id: int, known: Source, configured: Collection[str]) -> str:
    """The code of an active source that is configured no more, whose address and sets *known*, a new one, has now."""
    if conn.execute(select(record.c.id).where(record.c.source_id == source_id).limit(1)).first():
        return ""
    for row in conn.execute(select(partner.c.body).where(partner.c.status == "active")):
        for one in msgspec.json.decode(row[0], type=Partner).sources:
            same = one.url and (one.url, one.sets) == (known.url, known.sets)
            if same and one.code != known.code and one.code not in configured:
                return one.code
    return ""


def open_run(conn: Connection, kind: str, source_id: int | None, now: str, night: str = "") -> int:
    """Start a run; returns its id."""
    values = {"kind": kind, "source_id": source_id, "started_at": now, "verdict": "running", "night": night}
    return int(conn.execute(insert(run).values(values).returning(run.c.id)).scalar_one())


def close_run(conn: Connection, run_id: int, *, verdict: str, reason: str, proof: str, now: str, body: Any) -> None:
    """End a run with its verdict; `body` (JSON) holds its funnel and notes."""
    conn.execute(
        update(run)
        .where(run.c.id == run_id)
        .values(verdict=verdict, reason=reason, proof=proof, ended_at=now, body=msgspec.json.encode(body).decode())
    )


def note_in_run(conn: Connection, run_id: int, facts: Mapping[str, Any]) -> None:
    """Add facts to the notes of a run that has ended."""
    body = msgspec.json.decode(conn.execute(select(run.c.body).where(run.c.id == run_id)).scalar_one())
    text = msgspec.json.encode({**body, **facts}).decode()
    conn.execute(update(run).where(run.c.id == run_id).values(body=text))


def close_stuck(conn: Connection, kind: str, source_id: int | None, now: str) -> int:
    """Close runs left `running` by a process that died (the caller holds the lock, so none is alive)."""
    done = conn.execute(
        update(run)
        .where(run.c.verdict == "running", run.c.kind == kind, run.c.source_id.is_not_distinct_from(source_id))
        .values(verdict="partial", reason="interrupted: the process ended without closing the run", ended_at=now)
        .returning(run.c.id)
    )
    stuck = [row[0] for row in done]
    for run_id in stuck:
        tally_deletions(conn, run_id)
    return len(stuck)


def count(conn: Connection, run_id: int, counts: Mapping[str, int]) -> None:
    """Add *counts* (received, created, …, pages, broken_pages) to the run."""
    changed = {name: run.c[name] + number for name, number in counts.items() if number}
    if changed:
        conn.execute(update(run).where(run.c.id == run_id).values(changed))


def tally_deletions(conn: Connection, run_id: int) -> None:
    """Let `deleted` of a run that ends be what it deleted. What was only told, and waits for a person or for the rest
    of its list, is unchanged; what nobody told, as it was absent, was not received: `absent` in the notes counts it."""
    made = select(func.count()).where(record_version.c.run_id == run_id, record_version.c.state == "deleted")
    told = conn.execute(select(run.c.deleted).where(run.c.id == run_id)).scalar_one()
    more = int(conn.execute(made).scalar_one()) - int(told)
    count(conn, run_id, {"deleted": more, "unchanged": max(-more, 0)})
    if more > 0:
        note_in_run(conn, run_id, {"absent": more})


def get_run(conn: Connection, run_id: int) -> Row | None:
    """One run with its source code, or None."""
    query = _runs().where(run.c.id == run_id)
    found = conn.execute(query).mappings().first()
    return dict(found) if found else None


def list_runs(conn: Connection, *, source_code: str = "", limit: int = 50) -> list[Row]:
    """The newest runs first."""
    query = _runs().order_by(run.c.id.desc()).limit(limit)
    if source_code:
        query = query.where(source.c.code == source_code)
    return [dict(row) for row in conn.execute(query).mappings()]


def _runs() -> Any:
    return select(run, source.c.code.label("source")).join(source, source.c.id == run.c.source_id, isouter=True)


# ---- windows -----------------------------------------------------------------------------------------


def open_windows(conn: Connection, source_id: int) -> list[Row]:
    """The source's unfinished windows, oldest first: gaps are retried before anything new."""
    query = (
        select(harvest_window)
        .where(harvest_window.c.source_id == source_id, harvest_window.c.state == "open")
        .order_by(harvest_window.c.id)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def done_windows(conn: Connection, source_id: int) -> list[Row]:
    """The source's finished windows, oldest first."""
    query = (
        select(harvest_window)
        .where(harvest_window.c.source_id == source_id, harvest_window.c.state == "done")
        .order_by(harvest_window.c.id)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def add_window(conn: Connection, source_id: int, values: Mapping[str, Any], now: str) -> int:
    """Open a window; returns its id."""
    row = {"source_id": source_id, "state": "open", "opened_at": now, "full": False, **values}
    return int(conn.execute(insert(harvest_window).values(row).returning(harvest_window.c.id)).scalar_one())


def window(conn: Connection, window_id: int) -> Row:
    """One window."""
    return dict(conn.execute(select(harvest_window).where(harvest_window.c.id == window_id)).mappings().one())


def advance_window(conn: Connection, window_id: int, expected_pages: int, values: Mapping[str, Any]) -> bool:
    """Move the checkpoint; False when somebody else has moved it (the page is then not committed)."""
    done = conn.execute(
        update(harvest_window)
        .where(harvest_window.c.id == window_id, harvest_window.c.pages == expected_pages)
        .values(dict(values))
    )
    return done.rowcount == 1


def set_window(conn: Connection, window_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a window: closing it, restarting it, counting an attempt."""
    conn.execute(update(harvest_window).where(harvest_window.c.id == window_id).values(dict(values)))


def page_tokens(conn: Connection, window_id: int, attempt: int) -> frozenset[bytes]:
    """The hashes of the tokens that this attempt at the window has met."""
    query = select(page.c.token_hash).where(page.c.window_id == window_id, page.c.attempt == attempt)
    return frozenset(bytes(row[0]) for row in conn.execute(query) if row[0])


def add_page(conn: Connection, row: Row) -> None:
    """Note a page that is being committed."""
    conn.execute(insert(page).values(row))


def has_page(conn: Connection, window_id: int, attempt: int, number: int, run_id: int) -> bool:
    """Whether this run has committed this page of the window."""
    query = select(page.c.id).where(
        page.c.window_id == window_id, page.c.attempt == attempt, page.c.number == number, page.c.run_id == run_id
    )
    return conn.execute(query).first() is not None


def note_others(conn: Connection, window_id: int, digests: Iterable[bytes]) -> None:
    """Note identifiers (hashed) that the window brought and that are no record here."""
    insert_new(conn, window_other, [{"window_id": window_id, "digest": one} for one in sorted(set(digests))])


def distinct_seen(conn: Connection, window_id: int) -> int:
    """How many distinct identifiers the window has brought so far."""
    here = select(func.count()).where(record.c.seen_window == window_id)
    others = select(func.count()).where(window_other.c.window_id == window_id)
    return int(conn.execute(here).scalar_one()) + int(conn.execute(others).scalar_one())


def forget_seen(conn: Connection, window_id: int) -> None:
    """Forget which identifiers the window has brought; what is stored of them stays."""
    conn.execute(update(record).where(record.c.seen_window == window_id).values(seen_window=None))
    conn.execute(delete(window_other).where(window_other.c.window_id == window_id))


def set_source(conn: Connection, source_id: int, values: Mapping[str, Any]) -> None:
    """Set columns of a source: learned quirks, the count of the last full list."""
    conn.execute(update(source).where(source.c.id == source_id).values(dict(values)))


def learned(conn: Connection, source_id: int) -> dict[str, str]:
    """What earlier runs learned about the source's server."""
    row = conn.execute(select(source.c.quirks).where(source.c.id == source_id)).scalar_one()
    return dict(msgspec.json.decode(row))


def learn(conn: Connection, source_id: int, facts: Mapping[str, str]) -> None:
    """Keep facts about the source's server; an empty value forgets one."""
    if not facts:
        return
    known = {**learned(conn, source_id), **facts}
    kept = {name: value for name, value in sorted(known.items()) if value}
    set_source(conn, source_id, {"quirks": msgspec.json.encode(kept).decode()})


# ---- the match queue ---------------------------------------------------------------------------------


def mark_dirty(conn: Connection, record_ids: Iterable[int]) -> None:
    """Queue records for matching. Marking again raises the mark's version, so that a match under way keeps it."""
    ids = sorted(set(record_ids))
    if not ids:
        return
    again = update(match_queue).where(within(conn, match_queue.c.record_id, ids))
    again = again.values(version=match_queue.c.version + 1).returning(match_queue.c.record_id)
    held = {row[0] for row in conn.execute(again)}
    bulk.count_up(conn, match_queue, ("record_id", "version"), [one for one in ids if one not in held])


def dirty(conn: Connection, limit: int) -> list[tuple[int, int]]:
    """Up to *limit* queued records as (record id, mark version), oldest record first; none that is held back."""
    query = select(match_queue.c.record_id, match_queue.c.version).order_by(match_queue.c.record_id).limit(limit)
    condition = gates.may_match(conn)
    if condition is not None:
        query = query.where(condition)
    return [(row[0], row[1]) for row in conn.execute(query)]


def dirty_among(conn: Connection, record_ids: Iterable[int]) -> list[tuple[int, int]]:
    """Those of the records that are queued, as (record id, mark version), oldest record first."""
    query = select(match_queue.c.record_id, match_queue.c.version).where(
        within(conn, match_queue.c.record_id, record_ids)
    )
    return [(row[0], row[1]) for row in conn.execute(query.order_by(match_queue.c.record_id))]


def queued(conn: Connection) -> int:
    """How many records wait for matching."""
    return int(conn.execute(select(func.count()).select_from(match_queue)).scalar_one())


def clear_dirty(conn: Connection, marks: Sequence[tuple[int, int]]) -> None:
    """Take the marks off the queue, but only those whose version is still the one that was seen."""
    by_version: dict[int, list[int]] = {}
    for record_id, version in marks:
        by_version.setdefault(version, []).append(record_id)
    for version, ids in by_version.items():
        conn.execute(
            delete(match_queue).where(within(conn, match_queue.c.record_id, ids), match_queue.c.version == version)
        )


def last_good(conn: Connection, row: Row) -> Row | None:
    """The last good run of the same kind and source before *row*, or None.

    Of a harvest it is the one that a gate compares with: complete or decided about, and it received something; for a
    whole list another whole list.
    """
    earlier = [run.c.id < row["id"], run.c.kind == row["kind"], run.c.source_id.is_not_distinct_from(row["source_id"])]
    good = run.c.verdict == "complete"
    if row["kind"] in ("harvest", "import"):
        good = (good | run.c.body.like('%"decided":true%')) & (run.c.received > 0)
    rows = conn.execute(select(run).where(*earlier, good).order_by(run.c.id.desc()).limit(60)).mappings()
    whole = _whole(row)
    return next((one for one in map(dict, rows) if not whole or _whole(one)), None)


def _whole(row: Row) -> bool:
    """Whether the run brought a whole list, as its gate saw it."""
    return bool(msgspec.json.decode(row["body"]).get("figures", {}).get("full"))
