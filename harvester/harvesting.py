"""One source, one run: windows → pages → ledger, each page one transaction with its checkpoint.

A run is `complete` only when the source said so and the counts agree; otherwise `partial`, the window stays open
and the next run goes on where the last committed page ended. Deletions are collected and applied at the end, below
the guard's limits, or the run is `halted` until a person decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from db import control, ledger, work
from db.prepared import digest
from harvester import constants, faultpoint
from harvester.clock import stamp
from harvester.errors import Halted, Locked, NothingYet, ProtocolError, SourceError, SourceUnavailable, TokenExpired
from harvester.guards import Ruling
from harvester.job import Job, Outcome
from harvester.laps import timed
from harvester.model import Harvester, Page, Window
from harvester.sources import HALTING, windows
from harvester.sources.proof import ListFacts, completeness, wants_a_person
from harvester.storing import Draft, begin, delete_absent, store_page

MAX_RESTARTS = 3


class _Short(Halted):
    """A whole list that is much shorter than the last one; `seen` is how many things it holds."""

    seen = 0


class _Held(Halted):
    """What came looks unlike the last good harvest: held back from matching until a person decides."""


class _Stopped(Exception):
    """Enough records for this run; the window stays open."""


def harvest(job: Job, open_harvester: Callable[[], Harvester]) -> Outcome:
    """Harvest one source. The caller holds its lock.

    Never raises for what the partner does: the verdict and the run row say it.

    Raises:
        Locked: other rules were put in force meanwhile; the next harvest goes on from the checkpoint.
    """
    database, started = job.database, stamp(job.clock.now())
    run_id = database.persist(lambda: _open_run(job, started))
    faultpoint.reach("harvest.run.opened")
    verdict, reason, proof, cause = "complete", "", "", ""
    done: list[int] = []
    figures: Mapping[str, Any] = {}
    body: dict[str, Any] = {}
    try:
        proof = _run_windows(job, run_id, open_harvester, done)
        reason, figures = job.gate(run_id, done)
        ruling = database.persist(lambda: _deletions(job, run_id, done, proof, hold=bool(reason)))
        if reason:
            raise _Held(reason)
        if not ruling.allowed:
            verdict, reason, cause = "halted", ruling.reason, "deletions"
    except _Stopped:
        verdict, reason = "partial", f"stopped after {job.limit} records as asked"
    except _Held as error:  # the deletions wait too, and are approved with the rest
        verdict, reason, cause = "halted", str(error), "gate"
    except Halted as error:
        verdict, reason, cause = "halted", str(error), f"short:{getattr(error, 'seen', 0)}"
    except NothingYet as error:  # the window stays open for the next run
        reason, body = str(error), {"nothing": True}
    except SourceError as error:
        halts = getattr(error, "code", "") in HALTING
        verdict, reason = "halted" if halts else _partial_or_failed(job, run_id), str(error)
        cause = error.code if isinstance(error, ProtocolError) and halts else ""
    except DBAPIError as error:  # disk full, or away for longer than persist waits: the checkpoint stands
        verdict, reason = "partial", f"the database: {error.orig}".strip().partition("\n")[0]
        job.log("database_failed", source=job.recipe.source.code, error=reason)
    except Locked as error:
        interrupted = Outcome(run_id, "partial", str(error))
        database.persist(lambda: _close_run(job, interrupted, {}))
        raise
    proof = proof if verdict == "complete" else ""
    body |= {"cause": cause} if cause else {}
    body |= {"figures": figures} if figures else {}
    outcome = Outcome(run_id, verdict, reason, proof)
    with suppress(DBAPIError):  # not even that: the run stays `running`, and the next one closes it as interrupted
        database.persist(lambda: _close_run(job, outcome, body))
    faultpoint.reach("harvest.run.closed")
    return outcome


def _open_run(job: Job, now: str) -> int:
    with job.database.write() as conn:
        work.close_stuck(conn, job.kind, job.source_id, now)
        return work.open_run(conn, job.kind, job.source_id, now, job.night)


def _close_run(job: Job, outcome: Outcome, body: Mapping[str, Any]) -> None:
    told = {"verdict": outcome.verdict, "reason": outcome.reason, "proof": outcome.proof}
    with job.database.write() as conn:
        work.close_run(conn, outcome.run_id, **told, now=stamp(job.clock.now()), body=body)
        work.tally_deletions(conn, outcome.run_id)


def _run_windows(job: Job, run_id: int, open_harvester: Callable[[], Harvester], done: list[int]) -> str:
    """Bring every window to its end; *done* grows as they close. Returns the weakest proof."""
    proof = ""
    waiting = deque(_windows(job))
    while waiting:
        window_id = waiting.popleft()
        found = _run_window(job, run_id, window_id, open_harvester)
        if isinstance(found, str):
            proof = "claimed" if "claimed" in (proof, found) else found
            done.append(window_id)
        else:
            waiting.extendleft(reversed(found))
    return proof


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
        values["full"] = values["since"] is None and values["until"] is None and not job.delta
        return [work.add_window(conn, job.source_id, values, stamp(job.clock.now()))]


def _resume_from(conn: Any, job: Job) -> str | None:
    """The end of the contiguous done prefix less an overlap: the server's clock when the last list began.

    Never a record's datestamp: lists come in any order (vufindharvest#7).
    """
    done = [_window(row) for row in control.done_since_full(conn, job.source_id)]
    known = windows.cursor(done)
    return windows.plan(known, overlap=job.overlap)[-1].since if known else None


def _window(row: Mapping[str, Any]) -> Window:
    names = ("since", "until", "slice", "token", "pages", "attempts")
    return Window(**{name: row[name] for name in names})


def _run_window(job: Job, run_id: int, window_id: int, open_harvester: Callable[[], Harvester]) -> str | list[int]:
    """Bring one window to its end; returns the proof of its completeness, or the windows that take its place.

    Raises:
        SourceError: it did not end; the checkpoint stands at the last committed page.
    """
    while True:
        with job.database.read() as conn:
            row = work.window(conn, window_id)
        try:
            if not row["ended"]:
                _pages(job, run_id, row, open_harvester)
            return _close_window(job, window_id, open_harvester)
        except TokenExpired as error:
            # the window starts again, not the catalogue: what is stored stays (sickle#19, oai-harvest#30)
            job.log("token_expired", source=job.recipe.source.code, window=window_id, error=str(error))
            again = windows.restart(_window(row), stamp(job.clock.now()))
            if len(again) > 1 and job.incremental and row["attempts"] >= windows.EXPIRIES - 1:
                return _halves(job, window_id, row, again)
            if row["attempts"] >= MAX_RESTARTS:
                raise SourceUnavailable("its resumption tokens keep expiring", place=job.recipe.source.code) from error
            with job.database.write() as conn:
                _restart(conn, job, window_id)


def _halves(job: Job, window_id: int, row: Mapping[str, Any], parts: Sequence[Window]) -> list[int]:
    """Two windows in place of one whose token never lives long enough."""
    now = stamp(job.clock.now())
    with job.database.write() as conn:
        work.set_window(conn, window_id, {"state": "failed", "closed_at": now})
        return [
            work.add_window(conn, job.source_id, {"since": one.since, "until": one.until, "slice": one.slice}, now)
            for one in parts
        ]


def _restart(conn: Any, job: Job, window_id: int) -> None:
    """The window begins again from its first page; what is stored stays.

    What a broken file brought is no part of the next one's list: it would make up for what is absent there.
    """
    if job.recipe.source.protocol == "files":
        work.forget_seen(conn, window_id)
    attempts = work.window(conn, window_id)["attempts"] + 1
    fresh = {"token": "", "pages": 0, "broken_pages": 0, "list_size": None, "ended": False, "attempts": attempts}
    work.set_window(conn, window_id, fresh)


def _pages(job: Job, run_id: int, row: Mapping[str, Any], open_harvester: Callable[[], Harvester]) -> None:
    """Commit the pages of a window from its checkpoint on, each before the next is asked for.

    Only the page without a token waits: whether the list ended by itself is known when the source says so.
    """
    window = _window(row)
    job, due = constants.heeding(job)
    mark = {name: row[name] for name in ("pages", "broken_pages", "list_size", "server_time")}
    with job.database.read() as conn:
        tokens = work.page_tokens(conn, row["id"], row["attempts"])
    pages = timed(open_harvester().pages(window), "fetch", job.spent)
    page = next(pages, None)
    if page is None:
        with job.database.write() as conn:
            work.set_window(conn, row["id"], {"ended": True})
    taken = 0
    held: Draft | None = None  # a page that other processes are preparing while the next one is fetched
    try:
        while page is not None:
            faultpoint.reach("harvest.page.fetched")
            tokens = _check_token(job, page, tokens)
            mark = _moved(mark, page)
            following, trouble = (None, None) if page.token else _peek(pages)
            ended = not page.token and following is None and trouble is None
            if due and taken >= due:
                store_page(job, run_id, row, held)
                held = None
                job, more = constants.heeding(job)
                due = more and taken + more
            draft = begin(job, page, {**mark, "token": page.token, "ended": ended})
            store_page(job, run_id, row, held)
            held = draft if held is None else draft.later()
            if trouble is not None or not draft.preparation.elsewhere:
                store_page(job, run_id, row, held)
                held = None
            taken += len(page.records)
            if trouble is not None:
                with job.database.write() as conn:
                    _restart(conn, job, row["id"])
                raise trouble
            if job.limit and taken >= job.limit and not ended:
                raise _Stopped
            page = following if following is not None or ended else next(pages, None)
            if page is None and not ended:
                message = "the list ended although the source promised more"
                raise SourceUnavailable(message, place=job.recipe.source.code)
    finally:
        store_page(job, run_id, row, held)


def _peek(pages: Iterator[Page]) -> tuple[Page | None, SourceError | None]:
    """The next page, or None at the true end, or the error that stands there."""
    try:
        return next(pages, None), None
    except SourceError as error:
        return None, error


def _moved(mark: Mapping[str, Any], page: Page) -> dict[str, Any]:
    """The checkpoint behind *page*. A list whose size changes counts as broken: with OFFSET paging a deletion in
    mid-list skips a live record, and the counts still agree (SLiMS)."""
    size = page.list_size if page.list_size is not None else mark["list_size"]
    restless = mark["list_size"] is not None and size != mark["list_size"]
    return {
        "pages": mark["pages"] + 1,
        "broken_pages": mark["broken_pages"] + int("salvaged" in page.flags or restless),
        "list_size": size,
        "server_time": mark["server_time"] or page.server_time,
    }


def _check_token(job: Job, page: Page, tokens: frozenset[bytes]) -> frozenset[bytes]:
    """The tokens met so far; one that comes again is a server's loop, also across restarts of ours (scythe#411)."""
    if not page.token:
        return tokens
    token = digest(page.token.encode())
    if token in tokens:
        raise ProtocolError("the server repeated a resumption token", place=job.recipe.source.code)
    return tokens | {token}


def _close_window(job: Job, window_id: int, open_harvester: Callable[[], Harvester]) -> str:
    """Close the window if its counts agree; returns the proof. A list that is not whole starts again next time."""
    with job.database.read() as conn:
        row = work.window(conn, window_id)
        seen = work.distinct_seen(conn, window_id)
        _, last_full = control.last_full(conn, job.source_id)
    if not row["pages"]:  # no page at all: a source that had nothing new to say, such as an unchanged file
        with job.database.write() as conn:
            _finish(conn, job, row, seen)
        return "claimed"
    facts = ListFacts(
        ended=True,
        distinct=seen,
        sizes=(row["list_size"],) if row["list_size"] is not None else (),
        sizes_trusted=job.trust_list_size,
        salvaged=row["broken_pages"] > 0,
        full=row["full"],
        last_full=last_full,
        unstable=job.unstable and row["full"],
        passes_agree=_second_pass(job, row, open_harvester) if job.unstable and row["full"] else None,
    )
    found = completeness(facts, job.shrink_percent)
    short = wants_a_person(facts, job.shrink_percent)
    with job.database.write() as conn:
        if found.verdict != "complete" or short:
            _restart(conn, job, window_id)
        elif not _sweeps(job, row):  # a sweep is closed with what it proves absent: see _deletions
            _finish(conn, job, row, seen)
    if short:
        # kept for a person who says that this is all there is: the next list is measured against it
        job.log("short_list", source=job.recipe.source.code, seen=seen, before=last_full)
        halt = _Short(f"{seen:,} records came where {last_full:,} were", place=job.recipe.source.code)
        halt.seen = seen
        raise halt
    if found.verdict != "complete":
        raise SourceUnavailable(found.reason, place=job.recipe.source.code)
    faultpoint.reach("harvest.window.closed")
    return found.proof


def _sweeps(job: Job, row: Mapping[str, Any]) -> bool:
    """Whether what the window does not bring may be deleted."""
    return bool(job.sweeps_absent and row["full"])


def _finish(conn: Any, job: Job, row: Mapping[str, Any], seen: int) -> None:
    closed = windows.close(_window(row), row["server_time"])
    values = {"state": "done", "token": "", "until": closed.until, "closed_at": stamp(job.clock.now())}
    work.set_window(conn, row["id"], values)
    if row["full"] and row["pages"]:
        work.set_source(conn, job.source_id, {"last_full_count": seen})


def _second_pass(job: Job, row: Mapping[str, Any], open_harvester: Callable[[], Harvester]) -> bool | None:
    """Whether a list of identifiers alone names exactly what the window brought; None where there is no such list."""
    listing = getattr(open_harvester(), "identifiers", None)
    if listing is None:
        return None
    again: set[bytes] = set()
    for page in listing(Window(since=row["since"], until=None, slice=row["slice"])):
        again.update(digest(one.identifier.encode("utf-8", "replace")) for one in page.records)
    with job.database.read() as conn:
        return again == control.identifiers_seen(conn, row["id"])


# ---- deletions ---------------------------------------------------------------------------------------


def _deletions(job: Job, run_id: int, windows: list[int], proof: str, *, hold: bool = False) -> Ruling:
    """Apply what was told or proven absent, if the guard lets it pass.

    Sweeps are closed in the same transaction: killed between the two, an unchanged file would never be read again,
    and what is absent from it would stay for ever.
    """
    missing: list[tuple[int, str]] = []
    gone: list[str] = []
    with job.database.read() as conn:
        rows = [work.window(conn, one) for one in windows]
        swept = bool(rows) and proof == "proven" and all(_sweeps(job, row) for row in rows)
        if swept:
            missing = ledger.absent(conn, job.source_id, windows)
            gone = ledger.absent_damaged(conn, job.source_id, windows)

    def close(conn: Connection, applied: bool) -> None:
        for row in rows:
            if row["state"] == "open":
                _finish(conn, job, row, work.distinct_seen(conn, row["id"]))
        if applied:
            ledger.resolve_damaged(conn, job.source_id, gone)
        if applied and swept:
            control.resolve_unnamed(conn, job.source_id, windows)

    return delete_absent(job, run_id, missing, hold=hold, close=close)
