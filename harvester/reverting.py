"""Taking a run back, and letting it be again: the versions before it return, and its contents are not taken again.

The cursor is not rewound: what the source sends anew is judged anew, but what the run had brought stays out until
`induk run release`. Nothing is lost either way: each step is a new version, and the old ones stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from db import ledger, reverting, work
from db.prepared import Known, Prepared, digest
from db.reverting import Made
from harvester import pipeline as journey
from harvester.errors import UsageError
from harvester.model import Damage, HarvestedRecord, Value
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.preparing import Recipe, prepare
from harvester.sources.file_split import kind_of

REVERTIBLE = ("harvest", "import", "audit", "approve", "retire", "retry")
BATCH = 500


class Reverted(Value, frozen=True):
    """What a revert or a release did. `later` are records that were changed again since: they stay as they are."""

    undone: int
    run: int
    source: str
    restored: int = 0
    deleted: int = 0
    rejected: int = 0
    later: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


class Back(NamedTuple):
    """A record that is to stand again as it stood in *version* (0: not at all)."""

    record_id: int
    identifier: str
    format: str
    version: int


def revert(pipeline: Pipeline, number: int, author: str, why: str = "", *, preview: bool = False) -> Reverted:
    """Restore what stood before run *number*; what it brought is rejected until it is released.

    Raises:
        UsageError: it is no run that changed records, or is reverted already.
        Locked: the source is being harvested.
    """
    row = _changing(pipeline, number)
    body = json.loads(row["body"])
    if body.get("reverted"):
        raise UsageError(f"run {number} is reverted already, by run {body['reverted']}")
    with pipeline.database.read() as conn:
        made = reverting.made_by(conn, number)
    ours = [one for one in made if one.newest == one.last]
    later = tuple(one.identifier for one in made if one.newest != one.last)
    alive = [one for one in ours if one.state_before == "active"]
    gone = [one for one in ours if one.state_before != "active" and one.state == "active"]
    if preview:
        return Reverted(number, 0, row["source"], len(alive), len(gone), 0, later)
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        now = pipeline.now()
        with pipeline.database.write(durable=True) as conn:
            run_id = work.open_run(conn, "revert", row["source_id"], now)
            hashes = reverting.hashes_of_run(conn, number)
            reverting.reject(conn, row["source_id"], number, hashes)
        bad = restore(pipeline, row["source"], run_id, [_before(one) for one in alive])
        with pipeline.database.write(durable=True) as conn:
            lost = [one for one in ours if one.state == "deleted"]
            reverting.keep_from_deletion(conn, row["source_id"], [one.record_id for one in lost], number, now)
        removed = remove(pipeline, run_id, gone)
        done = Reverted(number, run_id, row["source"], len(alive) - len(bad), removed, len(hashes), later, tuple(bad))
        _close(pipeline, row, done, {"reverted": run_id}, {"reverts": number, "by": author, "why": why})
    return done


def release(pipeline: Pipeline, number: int, author: str, why: str = "") -> Reverted:
    """Take the contents of a reverted run again, at once where nothing newer stands, else when they are sent.

    Raises:
        UsageError: the run was not reverted.
        Locked: the source is being harvested.
    """
    row = _changing(pipeline, number)
    undoing = json.loads(row["body"]).get("reverted")
    if not undoing:
        raise UsageError(f"run {number} was not reverted: there is nothing to release")
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        now = pipeline.now()
        with pipeline.database.write(durable=True) as conn:
            run_id = work.open_run(conn, "release", row["source_id"], now)
            freed = reverting.release(conn, number)
            mine = {one.record_id: one for one in reverting.made_by(conn, number)}
            made = [one for one in reverting.made_by(conn, undoing) if one.newest == one.last]
        again = [mine[one.record_id] for one in made if one.record_id in mine]
        alive = [Back(one.record_id, one.identifier, one.format, one.last) for one in again if one.state == "active"]
        bad = restore(pipeline, row["source"], run_id, alive)
        removed = remove(pipeline, run_id, [one for one in again if one.state == "deleted"])
        done = Reverted(number, run_id, row["source"], len(alive) - len(bad), removed, freed, (), tuple(bad))
        _close(pipeline, row, done, {"reverted": 0}, {"releases": number, "by": author, "why": why})
    return done


def _changing(pipeline: Pipeline, number: int) -> dict[str, Any]:
    with pipeline.database.read() as conn:
        row = work.get_run(conn, number)
    if row is None:
        raise UsageError(f"no run {number}", hint="`induk run list` shows them")
    if row["kind"] not in REVERTIBLE or row["verdict"] == "running":
        raise UsageError(f"run {number} ({row['kind']}, {row['verdict']}) cannot be reverted")
    return row


def _before(one: Made) -> Back:
    return Back(one.record_id, one.identifier, one.format, one.before)


def _close(pipeline: Pipeline, row: dict[str, Any], done: Reverted, mark: dict[str, int], body: dict[str, Any]) -> None:
    """Close the run and note in the old one what became of it."""
    now = pipeline.now()
    with pipeline.database.write(durable=True) as conn:
        count = done.restored + done.deleted
        work.count(conn, done.run, {"received": count, "updated": done.restored, "deleted": done.deleted})
        reason = f"{len(done.unreadable)} records cannot be read any more" if done.unreadable else ""
        verdict = "partial" if reason else "complete"
        work.close_run(conn, done.run, verdict=verdict, reason=reason, proof="", now=now, body=body)
        work.note_in_run(conn, row["id"], mark)


# ---- versions --------------------------------------------------------------------------------------------


def restore(pipeline: Pipeline, code: str, run_id: int, wanted: Sequence[Back]) -> list[str]:
    """Make earlier versions the newest ones again, with today's mapping; returns the identifiers that it cannot read.

    The caller holds the lock of the source.
    """
    source, partner = journey.source_of(pipeline.settings, code)
    how = journey.recipe(pipeline, source, partner)
    bad: list[str] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        with pipeline.database.read() as conn:
            known = ledger.known(conn, pipeline.source_ids[code], [one.identifier for one in batch])
            raws = [_version(conn, one) for one in batch]
        made = [again(one, body, stamp, how) for one, (body, stamp) in zip(batch, raws, strict=True)]
        ready = [one for one in made if isinstance(one, Prepared)]
        bad += [one.identifier for one in made if isinstance(one, Damage)]
        _store(pipeline, code, run_id, ready, known)
    return bad


def _version(conn: Any, one: Back) -> tuple[bytes, str]:
    """(bytes, datestamp) of the version that is wanted."""
    row = next(row for row in ledger.versions(conn, one.record_id) if row["version"] == one.version)
    return ledger.raw(conn, bytes(row["payload"])), row["datestamp"]


def again(one: Back, body: bytes, datestamp: str, how: Recipe) -> Prepared | Damage:
    """Stored bytes made ready once more; their format is the record's, or what they look like after a migration."""
    guessed = kind_of(body[:4096])
    name = guessed if guessed in ("iso2709", "marcxml", "oai_dc", "mods") and one.format != "unimarc" else one.format
    return prepare(HarvestedRecord(one.identifier, name, body, datestamp), digest(body), how)


def _store(pipeline: Pipeline, code: str, run_id: int, ready: Sequence[Prepared], known: dict[str, Known]) -> None:
    with pipeline.database.write(durable=True) as conn:
        ledger.store(
            conn,
            ready,
            known,
            source_id=pipeline.source_ids[code],
            run_id=run_id,
            window_id=None,
            derivation_id=pipeline.derivation_id,
            now=pipeline.now(),
        )


def remove(pipeline: Pipeline, run_id: int, gone: Iterable[Made]) -> int:
    """Tombstones for these records; returns how many."""
    rows = [{"record_id": one.record_id, "datestamp": ""} for one in gone]
    with pipeline.database.write(durable=True) as conn:
        return ledger.apply_deletions(conn, rows, run_id, pipeline.now())
