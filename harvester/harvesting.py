"""One source, one run: windows → pages → ledger, each page one transaction with its checkpoint.

A run is `complete` only when the source said so and the counts agree; otherwise `partial`, the window stays open
and the next run goes on where the last committed page ended. Deletions are collected and applied at the end, below
the guard's limits, or the run is `halted` until a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from db import ledger, work
from db.engine import Database
from harvester import faultpoint
from harvester.clock import stamp
from harvester.errors import Halted, ProtocolError, SourceError, SourceUnavailable, TokenExpired
from harvester.guards import DeletionLimits, Ruling, rule_on_deletions
from harvester.model import Clock, Harvester, Page, Value, Window
from harvester.preparing import Recipe, Sorted, dedupe, sort_page

MAX_RESTARTS = 3
OVERLAP = timedelta(minutes=15)


class Job(Value, frozen=True):
    """What a harvest of one source needs; `full` sweeps the whole list and looks for absent records."""

    database: Database
    clock: Clock
    recipe: Recipe
    source_id: int
    derivation_id: int
    limits: DeletionLimits
    full: bool = False
    since: str = ""
    until: str = ""
    limit: int = 0
    incremental: bool = True
    sweeps_absent: bool = False
    trust_list_size: bool = True
    night: str = ""
    progress: Callable[[Mapping[str, int]], None] = lambda counts: None
    log: Callable[..., None] = lambda event, **values: None


class Outcome(Value, frozen=True):
    """The verdict on a run. proof: proven | claimed | "" (when it is not complete)."""

    run_id: int
    verdict: str
    reason: str = ""
    proof: str = ""


class _Stopped(Exception):
    """Enough records for this run; the window stays open."""


def harvest(job: Job, open_harvester: Callable[[], Harvester]) -> Outcome:
    """Harvest one source. The caller holds its lock.

    Never raises for what the partner does: the verdict and the run row say it.
    """
    database, started = job.database, stamp(job.clock.now())
    with database.write() as conn:
        work.close_stuck(conn, "harvest", job.source_id, started)
        run_id = work.open_run(conn, "harvest", job.source_id, started, job.night)
    faultpoint.reach("harvest.run.opened")
    verdict, reason, proof = "complete", "", ""
    done: list[int] = []
    try:
        for window_id in _windows(job):
            found = _run_window(job, run_id, window_id, open_harvester)
            proof = "claimed" if "claimed" in (proof, found) else found
            done.append(window_id)
    except _Stopped:
        verdict, reason, proof = "partial", f"stopped after {job.limit} records as asked", ""
    except Halted as error:
        verdict, reason, proof = "halted", str(error), ""
    except SourceError as error:
        verdict, reason, proof = "partial", str(error), ""
    if verdict == "complete":
        ruling = _deletions(job, run_id, done, proof)
        if not ruling.allowed:
            verdict, reason = "halted", ruling.reason
    if verdict == "partial":
        verdict = _partial_or_failed(job, run_id)
    with database.write() as conn:
        ended = stamp(job.clock.now())
        work.close_run(conn, run_id, verdict=verdict, reason=reason, proof=proof, now=ended, body={"windows": done})
    faultpoint.reach("harvest.run.closed")
    return Outcome(run_id, verdict, reason, proof)


def _partial_or_failed(job: Job, run_id: int) -> str:
    """`failed` when nothing at all was received, else `partial`."""
    with job.database.read() as conn:
        row = work.get_run(conn, run_id)
    return "partial" if row and row["pages"] else "failed"


# ---- windows -----------------------------------------------------------------------------------------


def _windows(job: Job) -> list[int]:
    """Open gaps first; a new window only when there is none, or when the operator asks for a stretch."""
    asked = bool(job.since or job.until)
    with job.database.write() as conn:
        open_ones = work.open_windows(conn, job.source_id)
        if open_ones and not asked:
            return [row["id"] for row in open_ones]
        values: dict[str, Any] = {"since": job.since or None, "until": job.until or None}
        if not asked:
            values["since"] = None if job.full or not job.incremental else _resume_from(conn, job)
        values["full"] = values["since"] is None and values["until"] is None
        return [work.add_window(conn, job.source_id, values, stamp(job.clock.now()))]


def _resume_from(conn: Any, job: Job) -> str | None:
    """The end of the contiguous done prefix less an overlap: the server's clock when the last list began.

    Never a record's datestamp: lists come in any order (vufindharvest#7).
    """
    ends = [row["server_time"] for row in work.done_windows(conn, job.source_id) if row["server_time"]]
    if not ends:
        return None
    return _earlier(max(ends))


def _earlier(moment: str) -> str:
    return stamp(datetime.fromisoformat(moment.replace("Z", "+00:00")) - OVERLAP)


def _run_window(job: Job, run_id: int, window_id: int, open_harvester: Callable[[], Harvester]) -> str:
    """Bring one window to its end; returns the proof of its completeness.

    Raises:
        SourceError: it did not end; the checkpoint stands at the last committed page.
    """
    for _ in range(MAX_RESTARTS):
        with job.database.read() as conn:
            row = work.window(conn, window_id)
        try:
            if not row["ended"]:
                _pages(job, run_id, row, open_harvester)
            return _close_window(job, window_id)
        except TokenExpired as error:
            # the window starts again, not the catalogue: what is stored stays (sickle#19, oai-harvest#30)
            job.log("token_expired", source=job.recipe.source.code, window=window_id, error=str(error))
            with job.database.write() as conn:
                _restart(conn, window_id)
    raise SourceUnavailable(f"the resumption token expired {MAX_RESTARTS} times", place=job.recipe.source.code)


def _restart(conn: Any, window_id: int) -> None:
    """The window begins again from its first page; what is stored stays."""
    attempts = work.window(conn, window_id)["attempts"] + 1
    work.set_window(conn, window_id, {"token": "", "pages": 0, "broken_pages": 0, "ended": False, "attempts": attempts})


def _pages(job: Job, run_id: int, row: Mapping[str, Any], open_harvester: Callable[[], Harvester]) -> None:
    """Commit the pages of a window from its checkpoint on, each before the next is asked for.

    Only the page without a token waits: whether the list ended by itself is known when the source says so.
    """
    names = ("since", "until", "slice", "token", "pages", "attempts")
    window = Window(**{name: row[name] for name in names})
    mark = {name: row[name] for name in ("pages", "broken_pages", "list_size", "server_time")}
    with job.database.read() as conn:
        tokens = work.page_tokens(conn, row["id"], row["attempts"])
    taken = 0
    pages = open_harvester().pages(window)
    page = next(pages, None)
    if page is None:
        with job.database.write() as conn:
            work.set_window(conn, row["id"], {"ended": True})
    while page is not None:
        faultpoint.reach("harvest.page.fetched")
        tokens = _check_token(job, page, tokens)
        mark = _moved(mark, page)
        following, trouble = (None, None) if page.token else _peek(pages)
        ended = not page.token and following is None and trouble is None
        _store_page(job, run_id, row, page, {**mark, "token": page.token, "ended": ended})
        taken += len(page.records)
        if trouble is not None:
            with job.database.write() as conn:
                _restart(conn, row["id"])
            raise trouble
        if job.limit and taken >= job.limit and not ended:
            raise _Stopped
        page = following if following is not None or ended else next(pages, None)
        if page is None and not ended:
            raise SourceUnavailable("the list ended although the source promised more", place=job.recipe.source.code)


def _peek(pages: Iterator[Page]) -> tuple[Page | None, SourceError | None]:
    """The next page, or None at the true end, or the error that stands there."""
    try:
        return next(pages, None), None
    except SourceError as error:
        return None, error


def _moved(mark: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """The checkpoint behind *page*."""
    return {
        "pages": mark["pages"] + 1,
        "broken_pages": mark["broken_pages"] + int("salvaged" in page.flags),
        "list_size": page.list_size if page.list_size is not None else mark["list_size"],
        "server_time": mark["server_time"] or page.server_time,
    }


def _check_token(job: Job, page: Page, tokens: frozenset[bytes]) -> frozenset[bytes]:
    """The tokens met so far; one that comes again is a server's loop, also across restarts of ours (scythe#411)."""
    if not page.token:
        return tokens
    token = ledger.digest(page.token.encode())
    if token in tokens:
        raise ProtocolError("the server repeated a resumption token", place=job.recipe.source.code)
    return tokens | {token}


def _close_window(job: Job, window_id: int) -> str:
    """Close the window if its counts agree; returns the proof."""
    place = job.recipe.source.code
    with job.database.read() as conn:
        row = work.window(conn, window_id)
        seen = work.distinct_seen(conn, window_id)
    broken, list_size = row["broken_pages"], row["list_size"]
    if broken:
        with job.database.write() as conn:
            _restart(conn, window_id)
        raise SourceUnavailable(f"{broken} pages could not be read whole", place=place)
    sized = list_size is not None and job.trust_list_size
    if sized and list_size is not None and seen < list_size:
        with job.database.write() as conn:
            _restart(conn, window_id)
        raise SourceUnavailable(f"{seen} of {list_size} announced records were received", place=place)
    with job.database.write() as conn:
        work.set_window(conn, window_id, {"state": "done", "token": "", "closed_at": stamp(job.clock.now())})
    faultpoint.reach("harvest.window.closed")
    return "proven" if sized else "claimed"


# ---- a page ------------------------------------------------------------------------------------------


def _store_page(job: Job, run_id: int, window: Mapping[str, Any], page: Page, checkpoint: Mapping[str, Any]) -> None:
    """Parse and normalize with no transaction open, then write the page and its checkpoint in one."""
    number = int(checkpoint["pages"]) - 1
    live = [one for one in page.records if not one.deleted]
    dead = {one.identifier: one.datestamp for one in page.records if one.deleted}
    with job.database.read() as conn:
        known = ledger.known(conn, job.source_id, {one.identifier for one in page.records})
    result = sort_page(live, known, job.recipe)
    faultpoint.reach("harvest.page.parsed")
    now = stamp(job.clock.now())
    damages = dedupe([*result.damages, *((one, "") for one in page.damages)])
    told = [
        (known[name].record_id, datestamp)
        for name, datestamp in dead.items()
        if name in known and known[name].state == "active" and name not in {one.identifier for one in live}
    ]
    counts = count_page(page, result, known, len(told))
    with job.database.write() as conn:
        if not work.advance_window(conn, window["id"], number, checkpoint):
            raise SourceUnavailable("another run moved this window", place=job.recipe.source.code)
        ledger.store(
            conn,
            result.changed,
            known,
            source_id=job.source_id,
            run_id=run_id,
            window_id=window["id"],
            derivation_id=job.derivation_id,
            now=now,
        )
        ledger.touch(conn, result.unchanged, window["id"])
        ledger.note_raw(conn, result.reworded)
        ledger.keep_damaged(conn, job.source_id, run_id, damages)
        ledger.resolve_damaged(conn, job.source_id, [one.identifier for one in result.changed])
        ledger.note_absent(conn, [known[name].record_id for name in dead if name in known], window["id"])
        ledger.propose(conn, job.source_id, told, kind="explicit", run_id=run_id, now=now)
        work.note_others(conn, window["id"], _others(page, result, known))
        work.learn(conn, job.source_id, _learned(page))
        _note_page(conn, run_id, window, number, page, now)
        work.count(conn, run_id, counts)
        faultpoint.reach("harvest.page.written")
    faultpoint.reach("harvest.page.committed")
    job.progress(counts)


def _learned(page: Page) -> dict[str, str]:
    """Facts about the server that the page's flags tell: `learned:NAME=VALUE`."""
    facts = (flag.removeprefix("learned:").partition("=") for flag in page.flags if flag.startswith("learned:"))
    return {name: value for name, _, value in facts}


def _others(page: Page, result: Sorted, known: Mapping[str, ledger.Known]) -> list[bytes]:
    """What the page brought that is no record here, as digests: it counts for the completeness of the list."""
    here = known.keys() | {one.identifier for one in result.changed}
    others = [one.identifier.encode("utf-8", "replace") for one in page.records if one.identifier not in here]
    return [ledger.digest(one) for one in others] + [
        ledger.digest(one.identifier.encode("utf-8", "replace") or one.payload) for one in page.damages
    ]


def _note_page(conn: Any, run_id: int, window: Mapping[str, Any], number: int, page: Page, now: str) -> None:
    row = {
        "window_id": window["id"],
        "attempt": window["attempts"],
        "number": number,
        "token_hash": ledger.digest(page.token.encode()) if page.token else b"",
        "records_hash": ledger.digest(*(one.identifier.encode("utf-8", "replace") for one in page.records)),
        "records": len(page.records),
        "run_id": run_id,
        "at": now,
    }
    work.add_page(conn, row)


def count_page(page: Page, result: Sorted, known: Mapping[str, ledger.Known], told: int) -> dict[str, int]:
    """The page's counters; received = created + updated + unchanged + deleted + quarantined + excluded.

    `deleted` counts what the source told; whether it is applied is the run's to say. A deletion of what we never
    had, and a repetition of the same bytes, change nothing.
    """
    created = sum(1 for one in result.changed if one.identifier not in known)
    received = len(page.records) + len(page.damages)
    quarantined = len(result.damages) + len(page.damages)
    updated = len(result.changed) - created
    return {
        "received": received,
        "created": created,
        "updated": updated,
        "unchanged": received - created - updated - told - quarantined,
        "deleted": told,
        "quarantined": quarantined,
        "pages": 1,
        "broken_pages": int("salvaged" in page.flags),
    }


# ---- deletions ---------------------------------------------------------------------------------------


def _deletions(job: Job, run_id: int, windows: list[int], proof: str) -> Ruling:
    """Apply what was told or proven absent, if the guard lets it pass."""
    now = stamp(job.clock.now())
    with job.database.write() as conn:
        full = all(work.window(conn, one)["full"] for one in windows)
        if job.sweeps_absent and full and proof == "proven" and windows:
            missing = ledger.absent(conn, job.source_id, windows)
            ledger.propose(conn, job.source_id, missing, kind="absent", run_id=run_id, now=now)
        rows = ledger.proposals(conn, job.source_id)
        active = ledger.active_count(conn, job.source_id)
        month_ago = stamp(job.clock.now() - timedelta(days=30))
        ruling = rule_on_deletions(len(rows), active, ledger.deleted_since(conn, job.source_id, month_ago), job.limits)
        if ruling.allowed:
            ledger.apply_deletions(conn, rows, run_id, now)
            faultpoint.reach("harvest.deletions.written")
    faultpoint.reach("harvest.deletions.committed")
    return ruling
