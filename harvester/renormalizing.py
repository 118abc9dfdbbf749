"""Normalize again from stored bytes: built beside what is served, looked at, then swapped in; no network.

`normalized` holds what is served; the new forms are collected in `renormalized`, in batches that can be killed and
gone on with. Only when few enough records fail or change are they swapped in; else a person decides. What was served
before stays there, so that rolling back is the same swap once more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from db import constants, derivations, dictionaries, ledger, placing, rules, whole, work
from db.prepared import Prepared, digest
from db.upsert import Row
from db.whole import Stored
from harvester import faultpoint, rule_files
from harvester import pipeline as journey
from harvester.errors import Halted, UsageError
from harvester.model import Damage, HarvestedRecord, NormalizedRecord, Value
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.preparing import Recipe, prepare, profiled
from harvester.workers import rules_at

LOCK = "normalize"
BATCH = 500
FEW = 5  # so many records may always fail or change
_decode = msgspec.json.Decoder(NormalizedRecord).decode


class Limits(Value, frozen=True):
    """Percent of a source's records that may fail, or change, before a person must decide."""

    failed: float = 2
    changed: float = 25


LIMITS = Limits()


class Progress(NamedTuple):
    """How far a source is; `rate` in records a second, `left` in seconds."""

    source: str
    read: int
    total: int
    changed: int
    failed: int
    rate: float
    left: float


class Outcome(Value, frozen=True):
    """What became of a derivation: served, waiting, partial (stopped, goes on), dropped, rolled back, unchanged."""

    derivation: int
    stage: str
    sources: Mapping[str, Mapping[str, int]] = {}
    reason: str = ""
    swapped: int = 0
    run: int = 0


def renormalize(
    pipeline: Pipeline,
    codes: Sequence[str],
    limits: Limits = LIMITS,
    progress: Callable[[Progress], None] = lambda seen: None,
) -> Outcome:
    """Normalize every stored record of the sources by today's mappings.

    Goes on where an earlier call was interrupted, unless mappings or sources are others now: then it starts again.

    Raises:
        Halted: an earlier derivation waits for a person.
        Locked: another process is at it, or harvests one of the sources.
    """
    with pipeline.database.lock(LOCK):
        number, body = _begun(pipeline, codes)
        if body["stage"] == "building":
            for code in codes:
                if not _build(pipeline, code, number, body, progress):
                    return _close(pipeline, number, body, "partial", "stopped as asked; the same command goes on")
            if reason := judge(body["sources"], limits):
                return _close(pipeline, number, {**body, "stage": "waiting"}, "halted", reason)
        return _swap_in(pipeline, number, body)


def judge(sources: Mapping[str, Mapping[str, int]], limits: Limits) -> str:
    """Why a person must decide; empty when nobody must."""
    for code, seen in sources.items():
        for kind, percent in (("failed", limits.failed), ("changed", limits.changed)):
            if seen[kind] > FEW and seen[kind] * 100 > percent * seen["read"]:
                verb = "can no longer be normalized" if kind == "failed" else "would change"
                return f"{code}: {seen[kind]:,} of {seen['read']:,} records {verb} (limit {percent:g} %)"
    return ""


def _begun(pipeline: Pipeline, codes: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """The derivation to work at: the one that was interrupted, or a new one."""
    plan = _plan(pipeline, codes)
    now = pipeline.now()
    with pipeline.database.write() as conn:
        work.close_stuck(conn, "normalize", None, now)
        held = derivations.waiting(conn)
        if held and held["body"]["stage"] == "waiting":
            hint = f"`induk derivation show {held['id']}`, then approve or drop"
            raise Halted(f"derivation {held['id']} waits: {held['body']['reason']}", hint=hint)
        run_id = work.open_run(conn, "normalize", None, now)
        if held and (held["body"]["plan"] == plan or held["body"]["stage"] == "swapping"):
            body = {**held["body"], "run": run_id}
            derivations.note(conn, held["id"], body)
            return held["id"], body
        if held:
            derivations.drop(conn, held["id"])
            derivations.note(conn, held["id"], {**held["body"], "stage": "dropped"}, "dropped")
        sources = {code: {"last": 0, "read": 0, "changed": 0, "failed": 0} for code in codes}
        body = {"kind": "normalize", "stage": "building", "plan": plan, "sources": sources, "run": run_id, "reason": ""}
        return derivations.begin(conn, body, now), body


def _plan(pipeline: Pipeline, codes: Sequence[str]) -> str:
    """A name of what is done: sources, mappings, policy texts that stand in holdings, version."""
    parts = [rule_files.version()]
    with pipeline.database.read() as conn:
        formats = {code: derivations.formats(conn, pipeline.source_ids[code]) for code in codes}
    for code in codes:
        how = _recipe(pipeline, code)
        parts += [code, how.opac_url, how.lending, *(how.mapping(name).hash for name in formats[code])]
    return digest(*(part.encode() for part in parts)).hex()


def _recipe(pipeline: Pipeline, code: str) -> Recipe:
    return journey.recipe(pipeline, *journey.source_of(pipeline.settings, code))


# ---- building ----------------------------------------------------------------------------------------


def _build(
    pipeline: Pipeline, code: str, number: int, body: dict[str, Any], progress: Callable[[Progress], None]
) -> bool:
    """Normalize the rest of a source beside what is served; False when asked to stop."""
    shelf = dictionaries.in_use(pipeline.database, pipeline.now)
    how, source_id = _recipe(pipeline, code)._replace(shelf=shelf), pipeline.source_ids[code]
    seen = body["sources"][code]
    with pipeline.database.read() as conn:
        total = ledger.active_count(conn, source_id)
    started, already = time.monotonic(), seen["read"]
    batches: list[list[Stored]] = []
    # a worker reads the rules itself, once
    plain = how._replace(rules=None)  # type: ignore[arg-type]
    jobs = _jobs(pipeline, (plain, source_id, number), seen["last"], batches)
    for rows in pipeline.workers.each(_all_again, jobs):
        if pipeline.cancel():
            return False
        batch = batches.pop(0)
        kept = [row for row in rows if row is not None]
        seen["last"], seen["read"] = batch[-1].record_id, seen["read"] + len(batch)
        seen["failed"] += (failed := sum(1 for row in kept if row["damage"]))
        seen["changed"] += len(kept) - failed
        good = {one.identifier: one.raw for one, row in zip(batch, rows, strict=True) if not (row and row["damage"])}
        with pipeline.database.write() as conn:
            derivations.keep(conn, kept)
            derivations.settle(conn, source_id, good)
            derivations.note(conn, number, body)
            faultpoint.reach("normalize.batch.written")
        faultpoint.reach("normalize.batch.committed")
        rate = (seen["read"] - already) / max(time.monotonic() - started, 1e-6)
        left = max(total - seen["read"], 0) / rate
        progress(Progress(code, seen["read"], total, seen["changed"], seen["failed"], rate, left))
    return not pipeline.cancel()


Told = dict[int, list[list[str]]]
Plan = tuple[Recipe, int, int]  # how, id of the source, number of the derivation


def _jobs(
    pipeline: Pipeline, plan: Plan, after: int, batches: list[list[Stored]]
) -> Iterator[tuple[list[Stored], Told, Plan]]:
    """What each job normalizes again; *batches* gets the records of each."""
    while True:
        with pipeline.database.read() as conn:
            ids = ledger.active_ids(conn, plan[1], after)
        if not ids:
            return
        for start in range(0, len(ids), BATCH):
            if pipeline.cancel():
                return
            with pipeline.database.read() as conn:
                batch = whole.stored(conn, ids[start : start + BATCH])
                before = derivations.warnings(conn, [one.record_id for one in batch])
            if batch:
                batches.append(batch)
                yield batch, before, plan
        after = ids[-1]  # some may have come meanwhile


def _all_again(batch: Sequence[Stored], before: Told, plan: Plan) -> list[Row | None]:
    """In a worker: what is to be kept of each record."""
    how, source_id, number = plan
    how = how._replace(rules=rules_at(how.rules_path))
    return [_again(one, before.get(one.record_id, []), how, source_id, number) for one in batch]


def _again(one: Stored, before: list[list[str]], how: Recipe, source_id: int, number: int) -> Row | None:
    """What is to be kept of a record that changes or fails; None for one that stays as it is.

    Holdings keep the date to which they refer: that of the version.
    """
    harvested = HarvestedRecord(one.identifier, one.format, one.raw, one.datestamp)
    made = prepare(harvested, one.raw_hash, how._replace(as_of=one.at[:10]))
    row: Row = {"derivation_id": number, "record_id": one.record_id, "source_id": source_id, "version": one.version}
    row |= {"swapped": False, "damage": "", "warnings": "[]", "body": b"", "dictionary_id": None}
    row |= {"mapping_hash": one.mapping_hash, "payload_hash": one.payload_hash}
    if isinstance(made, Damage):
        found = {name: getattr(made, name) for name in ("stage", "reason", "message", "place")}
        return row | {"damage": msgspec.json.encode(found).decode()}
    warnings = _warnings(before, made)
    same = made.payload_hash == one.payload_hash and warnings == before
    if same and _undated(made.normalized) == _undated(one.body):
        return None
    text = msgspec.json.encode(warnings).decode()
    hashes = {"mapping_hash": made.mapping_hash, "payload_hash": made.payload_hash}
    packed = {"body": made.packed_normalized, "dictionary_id": made.dictionaries[1]}
    return row | hashes | packed | {"warnings": text}


def _warnings(before: list[list[str]], made: Prepared) -> list[list[str]]:
    """What the readers said when the record came, which only they could know, and what is doubtful about it now."""
    told = [one for one in before if not _doubt(one)]
    return told + [list(one) for one in made.warnings if list(one) not in told]


def _doubt(warning: Sequence[str]) -> bool:
    code, field = warning[0], warning[1]
    return code in ("title-missing", "year-unreadable") or (code.endswith("-invalid") and field == "identifiers")


def _undated(body: bytes) -> NormalizedRecord:
    """The record without the dates to which its holdings refer: a version may have come a day after its harvest."""
    record = _decode(body)
    holdings = tuple(msgspec.structs.replace(one, as_of="") for one in record.holdings)
    return msgspec.structs.replace(record, holdings=holdings)


# ---- swapping ----------------------------------------------------------------------------------------


def approve(pipeline: Pipeline, number: int, author: str, why: str = "") -> Outcome:
    """Swap in what waits; the next match tells the consumers.

    Raises:
        UsageError: the derivation does not wait.
        Locked: a source is being harvested; approve again later.
    """
    with pipeline.database.lock(LOCK):
        body = _state(pipeline, number, ("waiting", "swapping"))
        with pipeline.database.write(durable=True) as conn:
            run_id = work.open_run(conn, "normalize", None, pipeline.now())
            body = {**body, "run": run_id, "approved_by": author, "why": why}
            derivations.note(conn, number, body)
        return _swap_in(pipeline, number, body)


def drop(pipeline: Pipeline, number: int, author: str, why: str = "") -> Outcome:
    """Forget what waits; what is served stays.

    Raises:
        UsageError: the derivation does not wait.
    """
    with pipeline.database.lock(LOCK):
        body = _state(pipeline, number, ("waiting", "building"))
        body |= {"stage": "dropped", "dropped_by": author, "why": why}
        with pipeline.database.write(durable=True) as conn:
            derivations.drop(conn, number)
            derivations.note(conn, number, body, "dropped")
    return Outcome(number, "dropped", body["sources"])


def rollback(pipeline: Pipeline, number: int, author: str, why: str = "") -> Outcome:
    """Put back what was served before derivation *number*, except records that have changed since.

    The mapping files are not touched: put the old ones back too, or the next harvest goes on by the new ones.

    Raises:
        UsageError: it is not the newest one that was swapped in.
        Locked: a source is being harvested.
    """
    with pipeline.database.lock(LOCK):
        body = _state(pipeline, number, ("served", "rolling back"))
        with pipeline.database.write(durable=True) as conn:
            newer = [one["id"] for one in derivations.listed(conn, 1000) if one["body"].get("stage") == "served"]
            if max([number, *newer]) != number:
                raise UsageError(f"derivation {max(newer)} was swapped in later: roll that back first")
            body |= {"stage": "rolling back", "rolled_back_by": author, "why": why}
            body["run"] = work.open_run(conn, "normalize", None, pipeline.now())
            derivations.note(conn, number, body)
        count = sum(_swap(pipeline, code, number, body["before"], False, body["run"]) for code in body["sources"])
        with pipeline.database.write(durable=True) as conn:
            derivations.withdraw(conn, number, body["before"])
        return _close(pipeline, number, {**body, "stage": "rolled back"}, "complete", "", count)


def _state(pipeline: Pipeline, number: int, stages: Sequence[str]) -> dict[str, Any]:
    with pipeline.database.read() as conn:
        row = derivations.get(conn, number)
    if row is None:
        raise UsageError(f"no derivation {number}", hint="`induk derivation list` shows them")
    stage = row["body"].get("stage", row["state"])
    if stage not in stages:
        raise UsageError(f"derivation {number} is {stage}", hint=f"this is for one that is {' or '.join(stages)}")
    return dict(row["body"])


def _swap_in(pipeline: Pipeline, number: int, body: dict[str, Any]) -> Outcome:
    with pipeline.database.write() as conn:
        body = {**body, "stage": "swapping"}
        derivations.note(conn, number, body)
    count = sum(_swap(pipeline, code, number, number, True, body["run"]) for code in body["sources"])
    with pipeline.database.write(durable=True) as conn:
        served = derivations.current(conn)
        body["before"] = served["id"] if served else 0
        derivations.serve(conn, number)
    return _close(pipeline, number, {**body, "stage": "served"}, "complete", "", count)


def _swap(pipeline: Pipeline, code: str, number: int, into: int, forward: bool, run_id: int) -> int:
    """Exchange the forms of a source in batches, each in one transaction; returns how many records changed."""
    source_id = pipeline.source_ids.get(code)
    if source_id is None:  # the partner is gone from the settings; its records stay as they are
        return 0
    count = 0
    with pipeline.database.lock(HARVEST_LOCK + code):
        while True:
            with pipeline.database.read() as conn:
                rows = derivations.forms(conn, number, source_id=source_id, swapped=not forward, limit=BATCH)
                common = constants.of_source(conn, source_id)
                raws = {row["record_id"]: ledger.raw(conn, bytes(row["stored"])) for row in rows if row["damage"]}
            if not rows:
                return count
            live = [row for row in rows if row["body"] and row["version"] == row["now"] and row["state"] == "active"]
            made = {row["record_id"]: profiled(_decode(row["form"]), pipeline.match, common) for row in live}
            failing = [(_damage(row, raws[row["record_id"]]), row["format"]) for row in rows if row["damage"]]
            with pipeline.database.write(durable=True) as conn:
                rules.refuse_overtaken(conn, pipeline.derivation_id)
                derivations.swap(conn, number, rows, into, forward)
                if made:
                    placing.place(conn, made)
                if forward:
                    ledger.keep_damaged(conn, source_id, run_id, failing)
                faultpoint.reach("normalize.swap.written")
            faultpoint.reach("normalize.swap.committed")
            count += len(live)


def _damage(row: Row, raw: bytes) -> Damage:
    return Damage(payload=raw, identifier=row["identifier"], **msgspec.json.decode(row["damage"]))


def _close(pipeline: Pipeline, number: int, body: dict[str, Any], verdict: str, reason: str, count: int = 0) -> Outcome:
    """End the run with its funnel and keep where the derivation stands."""
    now = pipeline.now()
    total = {name: sum(one[name] for one in body["sources"].values()) for name in ("read", "changed", "failed")}
    body = {**body, "reason": reason}
    with pipeline.database.write(durable=True) as conn:
        rest = total["read"] - total["changed"] - total["failed"]
        counts = {"updated": total["changed"], "quarantined": total["failed"], "unchanged": rest}
        work.count(conn, body["run"], {"received": total["read"], **counts})
        facts = {"derivation": number, "cause": "derivation", "stage": body["stage"]}
        work.close_run(conn, body["run"], verdict=verdict, reason=reason, proof="", now=now, body=facts)
        derivations.note(conn, number, body)
    stage = "partial" if verdict == "partial" else body["stage"]
    return Outcome(number, stage, body["sources"], reason, count, body["run"])
