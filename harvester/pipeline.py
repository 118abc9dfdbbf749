"""The whole journey; read this first.

    source ──page──▶ parse ──▶ normalize ──▶ [ledger]           harvest(): one transaction a page
                                                │ dirty records
                                                ▼
      candidates ──▶ compare ──▶ decide ──▶ cluster ──▶ merge ──▶ [catalogue + numbered changes]    match()

Three stages with three durable queues between them (pages of a window, dirty records, changes). Each commits its
result, clears its mark and moves its cursor in the same transaction: killed anywhere and run again, nothing is lost
or doubled. The parts: harvesting.py (windows, deletions), storing.py (a page), preparing.py (one record),
matching.py (one batch), resolving.py (clusters again), merge_log.py (what people read of it).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import msgspec

from db import constants as db_constants
from db import control, dictionaries, gates, migrate, statistics, work
from db import rules as stored_rules
from db.engine import Database
from db.prepared import digest
from harvester import constants, faultpoint, gating, promoted, restoring, rule_files, schedule, worklist
from harvester.clock import stamp
from harvester.errors import ConfigError, Locked
from harvester.garbage import collect_rarely, collect_young, give_back, share_heap
from harvester.guards import DeletionLimits
from harvester.harvesting import harvest as harvest_source
from harvester.job import Job, Outcome
from harvester.laps import Laps, Spent
from harvester.lookahead import Lookahead
from harvester.match import rules as match_rules
from harvester.matching import Batch, Desk, match_batch, warm
from harvester.merge import survivorship
from harvester.model import Clock, Harvester, Partner, Source, Value
from harvester.preparing import Recipe
from harvester.promoted import MATCH_RUN_LOCK as MATCH_RUN_LOCK
from harvester.settings import Settings
from harvester.sources import Environment, sources
from harvester.sources.environment import Limits, Turns
from harvester.sources.windows import outlived
from harvester.workers import Workers

MATCH_LOCK = "match"  # held for a batch, or for one act of a person between two: those come first by `ahead`
SHORT_BATCH = 200  # records in a batch for SHORT_SECONDS after a person had to wait for one
SHORT_SECONDS = 60.0
MATCH_PATIENCE = 300.0
HARVEST_LOCK = "source:"
RETENTION = timedelta(days=30)  # how long a server that promises nothing remembers what it deleted


class Pipeline(Value, frozen=True):
    """Everything opened and checked once: settings, database, rules, clock."""

    settings: Settings
    database: Database
    clock: Clock
    match: match_rules.Rules
    merge: survivorship.Rules
    derivation_id: int
    source_ids: Mapping[str, int]
    turns: Turns
    workers: Workers
    cancel: Callable[[], bool] = lambda: False
    log: Callable[..., None] = lambda event, **values: None

    def now(self) -> str:
        """The time as it is stored."""
        return stamp(self.clock.now())

    @property
    def partners(self) -> dict[str, Partner]:
        """Partner code → partner."""
        return {one.code: one for one in self.settings.partners}


def open_pipeline(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    cancel: Callable[[], bool] = lambda: False,
    log: Callable[..., None] = lambda event, **values: None,
) -> Pipeline:
    """Check rules and mappings, open the database and enrol the partners; no network is touched.

    Raises:
        ConfigError: with every mistake at once.
    """
    collect_rarely()
    share_heap()
    database = Database(settings.database_url(environ))
    promoted.settle(settings, database)
    match, merge = rule_files.load_rules(settings)
    rule_files.check_mappings(settings)
    migrate.require(database)
    now = stamp(clock.now())
    with database.write() as conn:
        derivation_id = stored_rules.current(
            conn, match.hash, match.text, merge.hash, merge.text, rule_files.version(), now
        )
        ids: dict[str, int] = {}
        for partner in settings.partners:
            policy_hash = digest(msgspec.json.encode(partner.policy))
            ids |= work.enrol(conn, partner, policy_hash, now)
    return Pipeline(
        settings,
        database,
        clock,
        match,
        merge,
        derivation_id,
        ids,
        Turns(),
        Workers(settings.harvest.workers),
        cancel,
        log,
    )


def over(
    database: Database,
    settings: Settings,
    clock: Clock,
    match: match_rules.Rules,
    merge: survivorship.Rules,
    derivation_id: int,
) -> Pipeline:
    """A pipeline that matches over *database* by these rules; it knows no source."""
    return Pipeline(settings, database, clock, match, merge, derivation_id, {}, Turns(), Workers(1))


# ---- harvest -----------------------------------------------------------------------------------------


class Order(Value, frozen=True):
    """How to harvest: a stretch (ISO 8601), everything anew, at most so many records."""

    since: str = ""
    until: str = ""
    full: bool = False
    limit: int = 0
    night: str = ""
    kind: str = "harvest"
    spent: Spent = lambda stage, seconds: None  # is told what each stage took


def harvest(
    pipeline: Pipeline,
    codes: Sequence[str],
    order: Order = Order(),
    progress: Callable[[str, Mapping[str, int]], None] = lambda source, counts: None,
) -> dict[str, Outcome | Locked]:
    """Harvest these sources side by side; one source's trouble neither stops nor hides another.

    Returns source code → outcome, or the Locked error of a source that another process is harvesting.
    """
    workers = max(1, min(pipeline.settings.harvest.partners_at_once, len(codes)))
    with ThreadPoolExecutor(workers, thread_name_prefix="harvest") as pool:
        jobs = {code: pool.submit(harvest_one, pipeline, code, order, progress) for code in codes}
    results: dict[str, Outcome | Locked] = {}
    for code, job in jobs.items():
        error = job.exception()
        if isinstance(error, Locked):
            results[code] = error
        elif error is not None:
            raise error
        else:
            results[code] = job.result()
    return results


def harvest_one(
    pipeline: Pipeline,
    code: str,
    order: Order = Order(),
    progress: Callable[[str, Mapping[str, int]], None] = lambda source, counts: None,
    open_harvester: Callable[[], Harvester] | None = None,
    source: Source | None = None,
) -> Outcome:
    """Harvest one source into the ledger; *source* stands in for the configured one, as for an import.

    Raises:
        Locked: another process is at it.
        ConfigError: its code was changed in the settings, which would make a second library of the same records.
    """
    source = source or source_of(pipeline.settings, code)[0]
    _refuse_renamed(pipeline, source)
    with pipeline.database.lock(HARVEST_LOCK + code):
        promoted.refuse_overtaken(pipeline.database, pipeline.match, pipeline.merge)
        job = job_of(pipeline, source, order, progress)
        set_held_back(pipeline, code)
        outcome = harvest_source(job, open_harvester or (lambda: open_source(pipeline, source)))
        if outcome.verdict == "halted":
            set_held_back(pipeline, code)
        return outcome


def set_held_back(pipeline: Pipeline, code: str) -> None:
    """Set back what a gate holds of the source, until a person decides. The caller holds the lock of the source."""
    with pipeline.database.read() as conn:
        rows = gates.not_set_back(conn, pipeline.source_ids[code])
    for row in rows:
        if not row["created"] + row["updated"] + row["deleted"]:
            with pipeline.database.write() as conn:
                work.note_in_run(conn, row["id"], {"aside": 0})
            continue
        restoring.set_back(place_of(pipeline, code), row, {"reverts": row["id"], "by": "gate", "why": row["reason"]})


def place_of(pipeline: Pipeline, code: str) -> restoring.Place:
    """What setting back records of a source needs."""
    how = recipe(pipeline, *source_of(pipeline.settings, code))
    return restoring.Place(pipeline.database, pipeline.source_ids[code], pipeline.derivation_id, how, pipeline.now)


def _refuse_renamed(pipeline: Pipeline, source: Source) -> None:
    configured = [one.code for one in pipeline.settings.sources]
    with pipeline.database.read() as conn:
        before = work.renamed_from(conn, pipeline.source_ids[source.code], source, configured)
    if before:
        hint = f"a code is for ever: write {before} again, or `induk partner retire {before}` before another takes over"
        raise ConfigError(f"{source.code} has the address of {before}, which is in no file any more", hint=hint)


def open_source(pipeline: Pipeline, source: Source) -> Harvester:
    """The harvester of *source*; no network is touched yet."""
    return sources.get(source.protocol)(source, environment(pipeline, source))


def job_of(
    pipeline: Pipeline,
    source: Source,
    order: Order = Order(),
    progress: Callable[[str, Mapping[str, int]], None] = lambda source, counts: None,
) -> Job:
    """What a harvest of *source* needs, as it was measured and configured."""
    partner = pipeline.settings.partner_of(source.code)
    return Job(
        database=pipeline.database,
        clock=pipeline.clock,
        recipe=recipe(pipeline, source, partner),
        source_id=pipeline.source_ids[source.code],
        derivation_id=pipeline.derivation_id,
        limits=deletion_limits(pipeline.settings, source),
        workers=pipeline.workers,
        full=order.full,
        since=order.since,
        until=order.until,
        limit=order.limit,
        night=order.night,
        kind=order.kind,
        progress=lambda counts: progress(source.code, counts),
        log=pipeline.log,
        spent=order.spent,
        gate=gate_of(pipeline, pipeline.source_ids[source.code]),
        **strategy(pipeline, source),
    )


def source_of(settings: Settings, code: str) -> tuple[Source, Partner]:
    """The source called *code* and its partner; ConfigError when there is none."""
    partner = settings.partner_of(code)
    return next(one for one in partner.sources if one.code == code), partner


def strategy(pipeline: Pipeline, source: Source) -> dict[str, Any]:
    """How a source is followed: by its measured profile, else by what its software is known to do.

    SLiMS and INLISLite filter by creation date: an edit never comes back in a dated list, so they are swept.
    """
    with pipeline.database.read() as conn:
        measured = control.profile(conn, pipeline.source_ids[source.code])
        swept, _ = control.last_full(conn, pipeline.source_ids[source.code])
        seen = control.last_done(conn, pipeline.source_ids[source.code])
    body = measured[1] if measured else {}
    sweeping = source.preset in ("slims-oai", "slims-oai2", "inlislite") or source.protocol == "files"
    told = body.get("strategy") or ("sweep+absence" if sweeping else "incremental")
    told = {"sweep": "sweep+absence"}.get(chosen := source.options.get("strategy", told), chosen)
    days = int(body.get("sweep_days", 0))
    due = days > 0 and schedule.sweep_due(source.code, pipeline.clock.now(), swept, days)
    # deletions that a server forgets while nobody listens are found by their absence (vufind PR#1496)
    keeps = body.get("deleted_record") == "persistent"
    missed = bool(seen) and not keeps and outlived(seen, pipeline.now(), RETENTION)
    settings = pipeline.settings
    by_day = body.get("granularity") == "day"
    overlap = timedelta(days=settings.harvest.overlap_days) if by_day else None
    return {
        "incremental": told == "incremental" and not due and not missed,
        "delta": source.protocol == "files" and source.options.get("content", "full") != "full",
        "sweeps_absent": told == "sweep+absence" or missed or bool(body.get("absence")),
        "unstable": body.get("paging") == "unstable",
        "trust_list_size": source.options.get("list_size") != "untrusted",
        "shrink_percent": settings.guards_of(source).shrink_percent,
        "overlap": overlap or timedelta(minutes=settings.harvest.overlap_minutes),
    }


def recipe(pipeline: Pipeline, source: Source, partner: Partner) -> Recipe:
    """How the records of *source* are read."""
    with pipeline.database.read() as conn:
        measured = control.profile(conn, pipeline.source_ids.get(source.code, 0))
        unheeded = db_constants.of_source(conn, pipeline.source_ids.get(source.code, 0))
    fixed = measured[1].get("constants", ()) if measured else ()
    return Recipe(
        source=source,
        partner=partner.code,
        opac_url=partner.opac_url,
        lending=partner.lending,
        as_of=pipeline.now()[:10],
        directories=rule_files.mapping_folders(pipeline.settings),
        rules=pipeline.match,
        rules_path=rule_files.rules_path(pipeline.settings, pipeline.settings.match.rules),
        constants=tuple((name, value) for name, value in fixed),
        unheeded=unheeded,
    )


def gate_of(pipeline: Pipeline, source_id: int) -> Callable[[int, Sequence[int]], tuple[str, Mapping[str, Any]]]:
    """What asks, at the end of a harvest, whether it may go on to matching."""
    told = pipeline.settings.gates
    limits = gating.Limits(fewer=told.fewer_percent, failures=told.failures_percent, matches=told.matches_percent)
    return lambda run_id, windows: gating.gate(pipeline.database, source_id, run_id, windows, limits)


def deletion_limits(settings: Settings, source: Source) -> DeletionLimits:
    """The guard's limits for *source*."""
    guards = settings.guards_of(source)
    return DeletionLimits(
        percent=guards.delete_percent,
        records=guards.delete_records,
        records_cap_percent=guards.delete_cap_percent,
        month_percent=guards.month_percent,
    )


def environment(pipeline: Pipeline, source: Source) -> Environment:
    """What a source gets from outside."""
    polite = pipeline.settings.politeness_of(source)
    with pipeline.database.read() as conn:
        learned = work.learned(conn, pipeline.source_ids[source.code])
    bounds = {
        name: value for name, value in pipeline.settings.limits.model_dump().items() if name in Limits.__struct_fields__
    }
    bounds |= {name: value for name, value in polite.model_dump().items() if name in Limits.__struct_fields__}
    return Environment(
        clock=pipeline.clock,
        contact=pipeline.settings.contact,
        limits=Limits(**bounds),
        learned=learned,
        approvals=frozenset(source.options.get("approvals", ())),
        cancel=pipeline.cancel,
        log=pipeline.log,
        turns=pipeline.turns,
    )


# ---- match -------------------------------------------------------------------------------------------


def match(
    pipeline: Pipeline,
    progress: Callable[[Batch], None] = lambda batch: None,
    spent: Spent = lambda stage, seconds: None,
) -> dict[str, Any]:
    """Match every dirty record; returns the run's funnel. *spent* is told at the end what each stage took.

    Raises:
        Locked: another process is matching.
    """
    totals = {"records": 0, "pairs": 0, "merges": 0, "changes": 0}
    laps = Laps(clock=time.perf_counter)
    with pipeline.database.lock(MATCH_RUN_LOCK):
        promoted.refuse_overtaken(pipeline.database, pipeline.match, pipeline.merge)
        _set_all_back(pipeline)
        run_id = pipeline.database.persist(lambda: open_match(pipeline))
        faultpoint.reach("match.run.opened")
        desk = msgspec.structs.replace(desk_of(pipeline, run_id), lap=laps.lap)
        warm(desk)
        ahead = Lookahead(desk.database, desk.workers, desk.match_rules.suspend_at)
        turned = constants.settle(_counting(pipeline))
        laps.lap("constants")
        give_back()
        verdict, reason = "complete", ""
        short_until = -math.inf
        while True:
            if pipeline.database.give_way():
                short_until = pipeline.clock.monotonic() + SHORT_SECONDS
            laps.lap("wait")
            dictionaries.ready(pipeline.database, pipeline.now)
            statistics.refresh(pipeline.database)
            laps.lap("dictionaries")
            if not (batch := _locked_batch(pipeline, desk, ahead, short=pipeline.clock.monotonic() < short_until)):
                break
            for name in totals:
                totals[name] += getattr(batch, name)
            collect_young()
            progress(batch)
            if pipeline.cancel():
                verdict, reason = "partial", "stopped as asked; the rest stays queued"
                break
        pipeline.database.persist(lambda: close_match(pipeline, run_id, verdict, reason, totals))
        faultpoint.reach("match.run.closed")
        pipeline.database.persist(lambda: worklist.refresh(pipeline.database, pipeline.match, pipeline.derivation_id))
        laps.lap("worklist")
    for stage, seconds in laps.seconds.items():
        spent(stage, seconds)
    return {"run": run_id, "verdict": verdict, **totals, "constants": turned}


def _counting(pipeline: Pipeline) -> constants.Counting:
    return constants.Counting(
        pipeline.database,
        pipeline.match,
        pipeline.derivation_id,
        {number: (code, HARVEST_LOCK + code) for code, number in pipeline.source_ids.items()},
        lambda code: recipe(pipeline, *source_of(pipeline.settings, code)),
        pipeline.log,
    )


def _set_all_back(pipeline: Pipeline) -> None:
    """What a killed harvest should have set back; a source that is being harvested does it itself."""
    with pipeline.database.read() as conn:
        codes = {row["source"] for row in gates.not_set_back(conn)}
    for code in sorted(codes & pipeline.source_ids.keys()):
        with suppress(Locked), pipeline.database.lock(HARVEST_LOCK + code):
            set_held_back(pipeline, code)


def desk_of(pipeline: Pipeline, run_id: int, actor: str = "match", *, durable: bool = False) -> Desk:
    """What the batches of a match run share; *actor* is whom events name, *durable* survives a power cut."""
    return Desk(
        pipeline.database,
        pipeline.match,
        pipeline.merge,
        pipeline.partners,
        run_id,
        pipeline.derivation_id,
        pipeline.now,
        actor,
        durable,
        pipeline.workers,
        rule_files.rules_path(pipeline.settings, pipeline.settings.match.rules),
    )


def _locked_batch(pipeline: Pipeline, desk: Desk, ahead: Lookahead, *, short: bool) -> Batch | None:
    """One batch under the match lock; a person's act that holds it is waited for. What comes out is the same if it
    is *short*."""
    size = pipeline.settings.match.batch
    with pipeline.database.lock(MATCH_LOCK, wait=MATCH_PATIENCE):
        return match_batch(desk, min(size, SHORT_BATCH) if short else size, ahead=ahead)


def open_match(pipeline: Pipeline) -> int:
    """Begin a match run; the caller holds the lock, so an earlier one that is still open was interrupted."""
    with pipeline.database.write() as conn:
        work.close_stuck(conn, "match", None, pipeline.now())
        return work.open_run(conn, "match", None, pipeline.now())


def close_match(pipeline: Pipeline, run_id: int, verdict: str, reason: str, totals: Mapping[str, int]) -> None:
    """End a match run."""
    with pipeline.database.write() as conn:
        work.close_run(conn, run_id, verdict=verdict, reason=reason, proof="", now=pipeline.now(), body=totals)


def active_sources(pipeline: Pipeline, names: Iterable[str] = ()) -> list[str]:
    """The source codes meant by *names* (partners or sources; none: every one of an active partner).

    Raises:
        ConfigError: an unknown name, or one that is not active.
    """
    with pipeline.database.read() as conn:
        status = {row["code"]: row["status"] for row in work.sources(conn)}
    wanted = list(names)
    if not wanted:
        return [one.code for one in pipeline.settings.sources if status.get(one.code) == "active"]
    codes: list[str] = []
    for name in wanted:
        partner = pipeline.partners.get(name)
        found = [one.code for one in partner.sources] if partner else [source_of(pipeline.settings, name)[0].code]
        codes += found
    for code in codes:
        if status.get(code) != "active":
            raise ConfigError(
                f"{code} is not active, its status is {status.get(code)}", hint="`induk partner resume` makes it active"
            )
    return list(dict.fromkeys(codes))
