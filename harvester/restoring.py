"""Earlier versions stand again: what a run brought is set back, and brought again.

A harvest that a gate holds back is set back before anybody can match or read it, and brought again when a person
approves; a person can set back any run (reverting.py). Each step is a new version, so nothing is lost. A process that
is killed in between leaves a note in the run; the next call goes on from there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from db import ledger, reverting, work
from db.engine import Database
from db.prepared import Known, Prepared, digest
from db.reverting import Made
from harvester import faultpoint
from harvester.model import Damage, HarvestedRecord, Value
from harvester.preparing import Recipe, prepare
from harvester.sources.file_split import kind_of

BATCH = 500


class Place(NamedTuple):
    """Whose records are set back, and how its bytes are read again. The caller holds the lock of the source."""

    database: Database
    source_id: int
    derivation_id: int
    how: Recipe
    now: Callable[[], str]


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


def foresee(place: Place, row: Mapping[str, Any]) -> Reverted:
    """What setting back the run *row* would do."""
    with place.database.read() as conn:
        made = reverting.made_by(conn, row["id"])
    ours = [one for one in made if one.newest == one.last]
    later = tuple(one.identifier for one in made if one.newest != one.last)
    alive = sum(1 for one in ours if one.state_before == "active")
    gone = sum(1 for one in ours if one.state_before != "active" and one.state == "active")
    return Reverted(row["id"], 0, row["source"], alive, gone, 0, later)


def set_back(place: Place, row: Mapping[str, Any], body: Mapping[str, Any]) -> Reverted:
    """Restore what stood before the run *row*; what it brought is not taken again. *body* tells of the new run.

    Calling it again after a kill finishes what was begun.
    """
    number = row["id"]
    run_id = _begin(place, number, "reverting", "revert")
    with place.database.write(durable=True) as conn:
        hashes = reverting.hashes_of_run(conn, number)
        reverting.reject(conn, place.source_id, number, hashes)
        made = reverting.made_by(conn, number)
        done = {one.record_id for one in reverting.made_by(conn, run_id)}
    faultpoint.reach("revert.begun")
    ours = [one for one in made if one.newest == one.last]
    alive = [
        Back(one.record_id, one.identifier, one.format, one.before) for one in ours if one.state_before == "active"
    ]
    bad = restore(place, run_id, alive)
    mine = done | {one.record_id for one in ours}
    lost = [one.record_id for one in made if one.state == "deleted" and one.record_id in mine]
    with place.database.write(durable=True) as conn:
        reverting.keep_from_deletion(conn, place.source_id, lost, number, place.now())
    remove(place, run_id, [one for one in ours if one.state_before != "active" and one.state == "active"])
    faultpoint.reach("revert.moved")
    later = tuple(one.identifier for one in made if one.record_id not in mine)
    told = Reverted(number, run_id, row["source"], *_counts(place, run_id), len(hashes), later, tuple(bad))
    _close(place, told, {"reverted": run_id, "reverting": 0, "aside": told.restored + told.deleted}, body)
    return told


def bring_again(place: Place, row: Mapping[str, Any], body: Mapping[str, Any]) -> Reverted:
    """Take the contents of a run that was set back: at once where nothing newer stands, else when they are sent."""
    number, undoing = row["id"], json.loads(row["body"])["reverted"]
    run_id = _begin(place, number, "releasing", "release")
    with place.database.write(durable=True) as conn:
        freed = reverting.release(conn, number)
        mine = {one.record_id: one for one in reverting.made_by(conn, number)}
        standing = [one for one in reverting.made_by(conn, undoing) if one.newest == one.last]
    faultpoint.reach("revert.begun")
    again = [mine[one.record_id] for one in standing if one.record_id in mine]
    alive = [Back(one.record_id, one.identifier, one.format, one.last) for one in again if one.state == "active"]
    bad = restore(place, run_id, alive)
    remove(place, run_id, [one for one in again if one.state == "deleted"])
    faultpoint.reach("revert.moved")
    told = Reverted(number, run_id, row["source"], *_counts(place, run_id), freed, (), tuple(bad))
    _close(place, told, {"reverted": 0, "releasing": 0, "released": run_id}, body)
    return told


def _begin(place: Place, number: int, mark: str, kind: str) -> int:
    """The run that sets back or brings again: a new one, or the one that a kill interrupted."""
    with place.database.write(durable=True) as conn:
        row = work.get_run(conn, number)
        run_id = int(json.loads(row["body"]).get(mark) or 0) if row else 0
        if not run_id:
            run_id = work.open_run(conn, kind, place.source_id, place.now())
            work.note_in_run(conn, number, {mark: run_id})
    return run_id


def _counts(place: Place, run_id: int) -> tuple[int, int]:
    """(restored, deleted) by the run, over all its lives."""
    with place.database.read() as conn:
        made = reverting.made_by(conn, run_id)
    deleted = sum(1 for one in made if one.state == "deleted")
    return len(made) - deleted, deleted


def _close(place: Place, done: Reverted, mark: Mapping[str, int], body: Mapping[str, Any]) -> None:
    """Close the run and note in the old one what became of it."""
    now = place.now()
    with place.database.write(durable=True) as conn:
        count = done.restored + done.deleted
        work.count(conn, done.run, {"received": count, "updated": done.restored, "deleted": done.deleted})
        reason = f"{len(done.unreadable)} records cannot be read any more" if done.unreadable else ""
        verdict = "partial" if reason else "complete"
        work.close_run(conn, done.run, verdict=verdict, reason=reason, proof="", now=now, body=body)
        work.note_in_run(conn, done.undone, mark)


# ---- versions --------------------------------------------------------------------------------------------


def restore(place: Place, run_id: int, wanted: Sequence[Back]) -> list[str]:
    """Make earlier versions the newest ones, with today's mapping; returns the identifiers that it cannot read."""
    bad: list[str] = []
    for start in range(0, len(wanted), BATCH):
        batch = wanted[start : start + BATCH]
        with place.database.read() as conn:
            known = ledger.known(conn, place.source_id, [one.identifier for one in batch])
            raws = [_version(conn, one) for one in batch]
        made = [again(one, body, stamp, place.how) for one, (body, stamp) in zip(batch, raws, strict=True)]
        ready = [one for one in made if isinstance(one, Prepared)]
        bad += [one.identifier for one in made if isinstance(one, Damage)]
        _store(place, run_id, ready, known)
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


def _store(place: Place, run_id: int, ready: Sequence[Prepared], known: dict[str, Known]) -> None:
    with place.database.write(durable=True) as conn:
        ledger.store(
            conn,
            ready,
            known,
            source_id=place.source_id,
            run_id=run_id,
            window_id=None,
            derivation_id=place.derivation_id,
            now=place.now(),
        )


def remove(place: Place, run_id: int, gone: Iterable[Made]) -> int:
    """Tombstones for these records; returns how many."""
    rows = [{"record_id": one.record_id, "datestamp": ""} for one in gone]
    with place.database.write(durable=True) as conn:
        return ledger.apply_deletions(conn, rows, run_id, place.now())
