"""Is what we hold what the source holds? A cheap comparison of identifiers, kept as drift, and put right.

Records that are missing here are fetched one by one; records that are gone there are proposed for deletion like any
other absence: only when the list of identifiers was proven complete, and below the guard's limits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from db import control, ledger, work
from harvester import pipeline as journey
from harvester import probing, schedule
from harvester.admitting import address, admit
from harvester.clock import stamp
from harvester.errors import SourceError, UsageError
from harvester.job import Job
from harvester.model import Page, Value, Window
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.preparing import dedupe, hashed, sort_page
from harvester.sources.probe_advice import CHECK_DAYS
from harvester.sources.proof import Completeness, ListFacts, completeness
from harvester.storing import count_page, delete_absent

BACKFILL = 500  # records fetched one by one in one audit; more than that is work for a full harvest


class Audit(Value, frozen=True):
    """Store against source: `missing` and `surplus` are what remains; `fetched` and `deleted` what was put right."""

    source: str
    run: int
    verdict: str
    here: int = 0
    there: int = 0
    missing: int = 0
    surplus: int = 0
    fetched: int = 0
    deleted: int = 0
    reason: str = ""


class _Listed(NamedTuple):
    """What a list of identifiers names."""

    live: frozenset[str]
    told: frozenset[str]
    judged: Completeness


def audit(pipeline: Pipeline, code: str) -> Audit:
    """Compare and put right; the run and the drift row say what was found.

    Raises:
        UsageError: the source gives no list of identifiers.
        Locked: it is being harvested.
    """
    source, _ = journey.source_of(pipeline.settings, code)
    harvester: Any = journey.open_source(pipeline, source)
    if not hasattr(harvester, "identifiers"):
        raise UsageError(f"{code} speaks {source.protocol}, which has no list of identifiers")
    with pipeline.database.lock(HARVEST_LOCK + code):
        job = journey.job_of(pipeline, source)
        with pipeline.database.write() as conn:
            work.close_stuck(conn, "audit", job.source_id, pipeline.now())
            run_id = work.open_run(conn, "audit", job.source_id, pipeline.now())
        try:
            found = _compare(job, run_id, harvester)
        except SourceError as error:
            found = Audit(code, run_id, "partial", reason=str(error))
        with pipeline.database.write() as conn:
            now = pipeline.now()
            body: dict[str, Any] = {"fetched": found.fetched, "deleted": found.deleted}
            body |= {"cause": "deletions"} if found.verdict == "halted" else {}
            if found.verdict != "partial":
                counts = {name: getattr(found, name) for name in ("here", "there", "missing", "surplus")}
                control.note_drift(conn, job.source_id, now, counts, body)
            work.close_run(conn, run_id, verdict=found.verdict, reason=found.reason, proof="", now=now, body=body)
            work.tally_deletions(conn, run_id)
    return found


def _compare(job: Job, run_id: int, harvester: Any) -> Audit:
    code = job.recipe.source.code
    listed = _list(job, harvester)
    if listed.judged.verdict != "complete":
        return Audit(code, run_id, "partial", reason=listed.judged.reason)
    with job.database.read() as conn:
        here = set(control.every_active(conn, job.source_id))
        elsewhere = control.set_aside(conn, job.source_id)
        purged = control.purged(conn, job.source_id)
    missing = sorted(name for name in listed.live - here - elsewhere if address(code, name) not in purged)
    fetched = sum(_fetch(job, run_id, harvester, name) for name in missing[:BACKFILL])
    surplus = here - listed.live
    proven = listed.judged.proof == "proven"
    verdict, reason, deleted = "complete", "", 0
    if surplus and proven:
        with job.database.read() as conn:
            ids = control.record_ids(conn, job.source_id, surplus)
        ruling = delete_absent(job, run_id, [(one, "") for _, one in sorted(ids.items())])
        verdict, reason = ("complete", "") if ruling.allowed else ("halted", ruling.reason)
        deleted = len(surplus) if ruling.allowed else 0
        with job.database.write() as conn:
            work.count(conn, run_id, {"received": len(surplus), "deleted": len(surplus)})
    if proven and verdict == "complete":
        with job.database.write() as conn:
            ledger.resolve_damaged(conn, job.source_id, control.damaged(conn, job.source_id) - listed.live)
    return Audit(
        source=code,
        run=run_id,
        verdict=verdict,
        here=len(here),
        there=len(listed.live),
        missing=len(missing) - fetched,
        surplus=len(surplus) - deleted,
        fetched=fetched,
        deleted=deleted,
        reason=reason,
    )


def _list(job: Job, harvester: Any) -> _Listed:
    """Every identifier that the source names now, and whether that is all."""
    live: set[str] = set()
    told: set[str] = set()
    sizes: list[int] = []
    salvaged = False
    pages: Iterable[Page] = harvester.identifiers(Window())
    for page in pages:
        for one in page.records:
            (told if one.deleted else live).add(one.identifier)
        sizes += [page.list_size] if page.list_size is not None else []
        salvaged = salvaged or "salvaged" in page.flags or bool(page.damages)
    with job.database.read() as conn:
        _, last_full = control.last_full(conn, job.source_id)
    facts = ListFacts(
        ended=True,
        distinct=len(live | told),
        sizes=tuple(sizes),
        sizes_trusted=job.trust_list_size,
        salvaged=salvaged,
        full=True,
        last_full=last_full,
        unstable=job.unstable,
    )
    return _Listed(frozenset(live - told), frozenset(told), completeness(facts, job.shrink_percent))


def _fetch(job: Job, run_id: int, harvester: Any, identifier: str) -> bool:
    """Bring one record in by itself; False when the source does not have it after all, or it cannot be read."""
    with job.database.read() as conn:
        purged = control.purged(conn, job.source_id)
        rejected = control.rejected_payloads(conn, job.source_id)
        known = ledger.known(conn, job.source_id, [identifier])
    page = admit(harvester.record(identifier), job.recipe.source, purged).page
    live = [one for one in page.records if not one.deleted and one.identifier == identifier]
    result = sort_page(live, known, job.recipe, hashed(live))
    changed = [one for one in result.changed if one.payload_hash not in rejected]
    with job.database.write() as conn:
        ledger.store(
            conn,
            changed,
            known,
            source_id=job.source_id,
            run_id=run_id,
            window_id=None,
            derivation_id=job.derivation_id,
            now=stamp(job.clock.now()),
        )
        damages = dedupe([*result.damages, *((one, "") for one in page.damages)])
        ledger.keep_damaged(conn, job.source_id, run_id, damages)
        excluded = len(result.changed) - len(changed)
        work.count(conn, run_id, count_page(page, result._replace(changed=tuple(changed)), known, 0, excluded=excluded))
    return bool(changed)


# ---- now and then ----------------------------------------------------------------------------------------


class Upkeep(Value, frozen=True):
    """What was due beside the harvest."""

    audits: tuple[Audit, ...] = ()
    rechecks: tuple[probing.Recheck, ...] = ()


def due(pipeline: Pipeline, codes: Iterable[str]) -> tuple[list[str], list[str]]:
    """(sources whose identifiers are to be compared, sources that are to be measured again) tonight.

    A full list that was harvested lately has compared everything already. Each source has a day of its own.
    """
    days = pipeline.settings.harvest.audit_days
    audits, rechecks = [], []
    for code in codes:
        source, _ = journey.source_of(pipeline.settings, code)
        if source.protocol != "oai-pmh":
            continue
        with pipeline.database.read() as conn:
            full, _ = control.last_full(conn, pipeline.source_ids[code])
            drift = control.last_drift(conn, pipeline.source_ids[code])
        last = max(full, drift["at"] if drift else "")
        now = pipeline.clock.now()
        if days and last and schedule.sweep_due(f"{code}/audit", now, last, days):
            audits.append(code)
        if probing.measured_long_ago(pipeline, code, CHECK_DAYS):
            rechecks.append(code)
    return audits, rechecks


def upkeep(pipeline: Pipeline, codes: Iterable[str]) -> Upkeep:
    """Do what is due for these sources; one source's trouble does not touch another."""
    audits, rechecks = due(pipeline, codes)
    return Upkeep(
        tuple(audit(pipeline, code) for code in audits), tuple(probing.recheck(pipeline, code) for code in rechecks)
    )
