"""A page on its way into the ledger: one transaction with its checkpoint. And absent records, proposed and deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any, NamedTuple

from sqlalchemy import Connection

from db import control, dictionaries, ledger, work
from db.prepared import Known, digest
from harvester import faultpoint
from harvester.admitting import admit
from harvester.clock import stamp
from harvester.errors import SourceUnavailable
from harvester.guards import DeletionLimits, Ruling, rule_on_deletions
from harvester.job import Job
from harvester.laps import Laps
from harvester.model import Damage, Page
from harvester.preparing import Made, Sorted, dedupe, hashed, sort_page, to_prepare
from harvester.workers import Preparation


class Draft(NamedTuple):
    """A page on its way into the ledger, and the checkpoint behind it."""

    page: Page
    checkpoint: Mapping[str, Any]
    preparation: Preparation
    hashes: Mapping[str, bytes]  # of the bytes of the live records
    before: _Before | None
    barred: tuple[bytes, ...]

    def later(self) -> Draft:
        """The same, when something was stored since."""
        return self._replace(before=None)


class _Before(NamedTuple):
    """What the ledger holds of a page's records, and whether reverted runs had brought any."""

    known: Mapping[str, Known]
    rejects: bool


def begin(job: Job, page: Page, checkpoint: Mapping[str, Any]) -> Draft:
    """Begin to prepare what is new on the page."""
    with job.database.read() as conn:
        page, barred = admit(page, job.recipe.source, control.purged(conn, job.source_id))
        before = _before(conn, job, page)
    live = [one for one in page.records if not one.deleted]
    hashes = hashed(live)
    work, recipe = to_prepare(live, before.known, hashes), job.recipe
    if work:
        recipe = recipe._replace(shelf=dictionaries.in_use(job.database, lambda: stamp(job.clock.now())))
    preparation = job.workers.start(work, recipe)
    return Draft(page, checkpoint, preparation, hashes, None if preparation.elsewhere else before, barred)


def _before(conn: Connection, job: Job, page: Page) -> _Before:
    known = ledger.known(conn, job.source_id, {one.identifier for one in page.records})
    return _Before(known, control.rejects(conn, job.source_id))


class _Ready(NamedTuple):
    """A page with everything that is to be written of it. *told* are (record id, datestamp) of deletions."""

    page: Page
    known: Mapping[str, Known]
    result: Sorted
    damages: Sequence[tuple[Damage, str]]
    dead: Mapping[str, str]
    told: Sequence[tuple[int, str]]
    barred: Sequence[bytes]
    counts: Mapping[str, int]


def store_page(job: Job, run_id: int, window: Mapping[str, Any], draft: Draft | None) -> None:
    """Parse and normalize with no transaction open, then write the page and its checkpoint in one."""
    if draft is None:
        return
    laps = Laps(clock=perf_counter)
    made = draft.preparation.result()
    laps.lap("prepare")
    ready = _sorted(job, draft, made)
    faultpoint.reach("harvest.page.parsed")
    number = int(draft.checkpoint["pages"]) - 1
    now = stamp(job.clock.now())

    def commit(conn: Connection) -> None:
        if work.advance_window(conn, window["id"], number, draft.checkpoint):
            _write(conn, job, run_id, window, ready, now)
            _note_page(conn, run_id, window, number, ready.page, now)
            faultpoint.reach("harvest.page.written")
        # the answer to a COMMIT may be lost, but not what it did: the page's row stands in the same transaction
        elif not work.has_page(conn, window["id"], window["attempts"], number, run_id):
            raise SourceUnavailable("another run moved this window", place=job.recipe.source.code)

    laps.lap("sort")
    job.database.give_way()
    job.database.persist(lambda: _in_transaction(job, commit))
    laps.lap("store")
    faultpoint.reach("harvest.page.committed")
    inside = {f"- {stage}": took for stage, took in draft.preparation.seconds.items()}
    for stage, took in (laps.seconds | inside).items():
        job.spent(stage, took)
    job.progress(ready.counts)


def _sorted(job: Job, draft: Draft, made: Made) -> _Ready:
    """What is new, changed, damaged, withdrawn on the page, against what the ledger holds."""
    page, barred, before = draft.page, draft.barred, draft.before
    live = [one for one in page.records if not one.deleted]
    dead = {one.identifier: one.datestamp for one in page.records if one.deleted}
    if before is None:
        with job.database.read() as conn:
            before = _before(conn, job, page)
    known = before.known
    sorted_page = sort_page(live, known, job.recipe, draft.hashes, made)
    result, refused = _without_rejected(job, sorted_page, known) if before.rejects else (sorted_page, 0)
    alive = {one.identifier for one in live}
    told = [
        (known[name].record_id, datestamp)
        for name, datestamp in dead.items()
        if name in known and known[name].state == "active" and name not in alive
    ]
    damages = dedupe([*result.damages, *((one, "") for one in page.damages)])
    counts = count_page(page, result, known, len(told), excluded=len(barred) + refused, barred=len(barred))
    return _Ready(page, known, result, damages, dead, told, barred, counts)


def _write(conn: Connection, job: Job, run_id: int, window: Mapping[str, Any], ready: _Ready, now: str) -> None:
    """Everything of the page but its own row, in the transaction of *conn*."""
    result, known, source_id = ready.result, ready.known, job.source_id
    ledger.store(
        conn,
        result.changed,
        known,
        source_id=source_id,
        run_id=run_id,
        window_id=window["id"],
        derivation_id=job.derivation_id,
        now=now,
    )
    # a record that is there but can no longer be read is neither absent nor missing from the list
    spoilt = [known[one.identifier].record_id for one, _ in ready.damages if one.identifier in known]
    ledger.touch(conn, (*result.unchanged, *spoilt), window["id"])
    ledger.note_raw(conn, result.reworded)
    ledger.keep_damaged(conn, source_id, run_id, ready.damages)
    # withdrawn by its partner, it waits no longer either
    ledger.resolve_damaged(conn, source_id, [*(one.identifier for one in result.changed), *ready.dead])
    ledger.note_absent(conn, [known[name].record_id for name in ready.dead if name in known], window["id"])
    ledger.propose(conn, source_id, ready.told, kind="explicit", run_id=run_id, now=now)
    work.note_others(conn, window["id"], [*_others(ready.page, result, known), *ready.barred])
    work.learn(conn, source_id, _learned(ready.page))
    work.count(conn, run_id, ready.counts)


def _in_transaction(job: Job, commit: Callable[[Connection], None]) -> None:
    with job.database.write() as conn:
        commit(conn)


def _without_rejected(job: Job, result: Sorted, known: Mapping[str, Known]) -> tuple[Sorted, int]:
    """*result* without what a reverted run had brought, which counts as seen only; how many those are."""
    with job.database.read() as conn:
        rejected = control.rejected_payloads(conn, job.source_id, {one.payload_hash for one in result.changed})
    refused = [one for one in result.changed if one.payload_hash in rejected]
    if not refused:
        return result, 0
    seen = tuple(known[one.identifier].record_id for one in refused if one.identifier in known)
    kept = tuple(one for one in result.changed if one.payload_hash not in rejected)
    return result._replace(changed=kept, unchanged=(*result.unchanged, *seen)), len(refused)


def _learned(page: Page) -> dict[str, str]:
    """Facts about the server that the page's flags tell: `learned:NAME=VALUE`."""
    facts = (flag.removeprefix("learned:").partition("=") for flag in page.flags if flag.startswith("learned:"))
    return {name: value for name, _, value in facts}


def _others(page: Page, result: Sorted, known: Mapping[str, Known]) -> list[bytes]:
    """What the page brought that is no record here, as digests: it counts for the completeness of the list."""
    here = known.keys() | {one.identifier for one in result.changed}
    others = [one.identifier.encode("utf-8", "replace") for one in page.records if one.identifier not in here]
    return [digest(one) for one in others] + [
        digest(one.identifier.encode("utf-8", "replace") or one.payload) for one in page.damages
    ]


def _note_page(conn: Any, run_id: int, window: Mapping[str, Any], number: int, page: Page, now: str) -> None:
    row = {
        "window_id": window["id"],
        "attempt": window["attempts"],
        "number": number,
        "token_hash": digest(page.token.encode()) if page.token else b"",
        "records_hash": digest(*(one.identifier.encode("utf-8", "replace") for one in page.records)),
        "records": len(page.records),
        "run_id": run_id,
        "at": now,
    }
    work.add_page(conn, row)


def count_page(
    page: Page, result: Sorted, known: Mapping[str, Known], told: int, *, excluded: int = 0, barred: int = 0
) -> dict[str, int]:
    """The page's counters; received = created + updated + unchanged + deleted + quarantined + excluded.

    Of the *excluded*, *barred* are no longer on the page.

    `deleted` counts what the source told, until the run ends (work.tally_deletions). A deletion of what we never
    had, and a repetition of the same bytes, change nothing.
    """
    created = sum(1 for one in result.changed if one.identifier not in known)
    received = len(page.records) + len(page.damages) + barred
    quarantined = len(result.damages) + len(page.damages)
    updated = len(result.changed) - created
    return {
        "received": received,
        "created": created,
        "updated": updated,
        "unchanged": received - created - updated - told - quarantined - excluded,
        "excluded": excluded,
        "deleted": told,
        "quarantined": quarantined,
        "pages": 1,
        "broken_pages": int("salvaged" in page.flags),
    }


def delete_absent(
    job: Job,
    run_id: int,
    missing: Sequence[tuple[int, str]],
    *,
    hold: bool = False,
    close: Callable[[Connection, bool], None] = lambda conn, applied: None,
) -> Ruling:
    """Propose *missing* (record id, datestamp) as absent; apply all that is proposed if the guard lets it pass.

    With *hold* nothing is applied: a person decides about the run first. *close* is part of the transaction.
    """
    now = stamp(job.clock.now())
    with job.database.write() as conn:
        ledger.propose(conn, job.source_id, missing, kind="absent", run_id=run_id, now=now)
        rows = ledger.proposals(conn, job.source_id)
        active = ledger.active_count(conn, job.source_id)
        ruling = rule(conn, job.source_id, len(rows), active, job.clock.now(), job.limits)
        close(conn, ruling.allowed and not hold)
        if ruling.allowed and not hold:
            ledger.apply_deletions(conn, rows, run_id, now)
            faultpoint.reach("harvest.deletions.written")
    faultpoint.reach("harvest.deletions.committed")
    return ruling


def rule(conn: Connection, source_id: int, proposed: int, active: int, at: datetime, limits: DeletionLimits) -> Ruling:
    """May *proposed* of *active* records of the source go, after what went in the month before *at*?"""
    month_ago = stamp(at - timedelta(days=30))
    lately = ledger.deleted_since(conn, source_id, month_ago) if proposed else 0
    return rule_on_deletions(proposed, active, lately, limits)
