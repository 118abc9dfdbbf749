"""Which values nearly every record of a source has, so that matching heeds them no more.

A system that writes `Text`, one fixed leader or one language into every record would tear books apart, or put them
together. Counted at the beginning of a match, after a complete harvest only: neither pages nor batches show in it.
A value becomes a constant above 99 % of at least 200 records and stays one down to 98 % of 150, so that one record
more or less does not turn it over every night.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from functools import partial

import msgspec

from db import constants, derivations, ledger, placing, work
from db.constants import Common, Counted
from db.engine import Database
from db.prepared import Profiled
from harvester import faultpoint
from harvester.errors import Locked
from harvester.match.constants import FIELDS, NONE, Constants
from harvester.match.profile import unheeding
from harvester.match.rules import Rules
from harvester.model import NormalizedRecord, Profile, Value
from harvester.preparing import Recipe, known_batch, profiled_batch

ENOUGH, ENOUGH_STILL = 200, 150
SHARE, SHARE_STILL = 0.99, 0.98
# A preset may say what its records are (OJS: articles, EPrints: online). That is a librarian's word, no system's.
STATED = ("material", "carrier_form")
_decode = msgspec.json.Decoder(NormalizedRecord).decode
_decode_profile = msgspec.msgpack.Decoder(Profile).decode


class _Codes(msgspec.Struct):
    """The part of a normalized record that is counted: reading no more takes a quarter of the time."""

    material: str = NormalizedRecord().material
    carrier_form: str = ""
    level: str = ""
    languages: tuple[str, ...] = ()
    country: str = ""


_codes = msgspec.json.Decoder(_Codes).decode


class Counting(Value, frozen=True):
    """What counting needs; `sources` are id → (code, the lock of its harvests)."""

    database: Database
    rules: Rules
    derivation_id: int
    sources: Mapping[int, tuple[str, str]]
    recipe: Callable[[str], Recipe]
    log: Callable[..., None]


def settle(job: Counting) -> dict[str, Constants]:
    """Count the sources whose constants may be others now, and queue the records that matching sees otherwise.

    Returns source code → its constants, where they changed. A source that is being harvested is left for the next
    time. The caller holds the lock of match runs.
    """
    with job.database.read() as conn:
        held = constants.counted(conn)
        done = constants.completed(conn)
    changed: dict[str, Constants] = {}
    for source_id, run_id in sorted(done.items()):
        before = held.get(source_id)
        if source_id not in job.sources or not _due(job, source_id, run_id, before):
            continue
        code, lock = job.sources[source_id]
        with suppress(Locked), job.database.lock(lock):
            if job.database.persist(partial(_settle, job, source_id, run_id, before)):
                with job.database.read() as conn:
                    changed[code] = constants.of_source(conn, source_id)
                job.log("constants", source=code, constants=changed[code])
    return changed


def _due(job: Counting, source_id: int, run_id: int, before: Counted | None) -> bool:
    """Whether a count could find other constants; a count that could not is the same as one that is not made."""
    if before is not None and not before.applied:
        return True
    with job.database.read() as conn:
        if before is None:
            return ledger.active_count(conn, source_id) >= ENOUGH
        if before.derivation_id != job.derivation_id:
            return True
        moved = constants.changed_since(conn, source_id, before.run_id) if run_id > before.run_id else 0
    common = [before.common.get(name, Common("", 0, False)) for name in FIELDS]
    return moved > 0 and any(_may_turn(one, before.records, moved) for one in common)


def _may_turn(one: Common, records: int, moved: int) -> bool:
    """Whether *moved* records more, fewer or edited may make a constant of the commonest value, or end it."""
    if one.constant:
        return records - moved < ENOUGH_STILL or one.records - moved <= SHARE_STILL * records
    return records + moved >= ENOUGH and one.records + moved > SHARE * (records - moved)


def _counts(count: int, records: int, was: bool) -> bool:
    """Whether a value in *count* of *records* is a constant, given whether it *was*."""
    enough, share = (ENOUGH_STILL, SHARE_STILL) if was else (ENOUGH, SHARE)
    return records >= enough and count > share * records


def _settle(job: Counting, source_id: int, run_id: int, before: Counted | None) -> bool:
    """Count the source and give its records the profiles that follow; whether any changed. Done twice it is the same.

    First what is to be is written, then the profiles, then that they are: killed between, all are made again.
    """
    was = before.constants if before else NONE
    found = _count(job, source_id, was)._replace(run_id=run_id)
    turned = was.items() ^ found.constants.items()
    whole = before is not None and not before.applied
    if turned or whole:
        with job.database.write(durable=True) as conn:
            constants.keep(conn, source_id, found._replace(applied=False))
        faultpoint.reach("constants.noted")
        _profile_again(job, source_id, found.constants, None if whole else turned)
    with job.database.write(durable=True) as conn:
        constants.keep(conn, source_id, found)
    return bool(turned or whole)


def _pages(job: Counting, source_id: int) -> Iterator[dict[int, bytes]]:
    last = 0
    while True:
        with job.database.read() as conn:
            page = constants.bodies(conn, source_id, last)
        if not page:
            return
        yield page
        last = max(page)


def _count(job: Counting, source_id: int, was: Constants) -> Counted:
    """The commonest value of each field in the source's records; of two equally common ones the first by name."""
    counts: Mapping[str, Counter[str]] = {name: Counter() for name in FIELDS}
    records = 0
    for page in _pages(job, source_id):
        records += len(page)
        seen = [_codes(body) for body in page.values()]
        for name, read in FIELDS.items():
            counts[name].update([read(one) for one in seen])
    stated = _stated(job, source_id)
    common = {}
    for name, counter in counts.items():
        ranked = sorted((-count, value) for value, count in counter.items() if value and (name, value) not in stated)
        for less, value in ranked[:1]:
            common[name] = Common(value, -less, _counts(-less, records, was.get(name) == value))
    return Counted(0, job.derivation_id, records, common)


def _stated(job: Counting, source_id: int) -> set[tuple[str, str]]:
    """What the mapping of the source itself says of every record, as (field, value)."""
    how = job.recipe(job.sources[source_id][0])
    with job.database.read() as conn:
        formats = derivations.formats(conn, source_id)
    return {
        (rule.target.name, str(value))
        for name in formats
        for rule in how.mapping(name).rules
        if rule.source_name == "value" and rule.target.name in STATED
        for value in rule.source({})
    }


def _profile_again(job: Counting, source_id: int, now: Constants, turned: Set[tuple[str, str]] | None) -> None:
    """Profile and queue the records with a (field, value) that *turned*; None: all of them."""
    more = turned is not None and turned <= now.items()
    for page in _pages(job, source_id):
        told = {key: _codes(body) for key, body in page.items()}
        if turned is not None:
            told = {key: one for key, one in told.items() if any(FIELDS[name](one) == value for name, value in turned)}
        if more:
            made = _unheeding(job, told, dict(turned or ()))
        else:
            made = profiled_batch([_decode(page[key]) for key in told], job.rules, now)
        if made:
            with job.database.write() as conn:
                placing.place(conn, dict(zip(told, made, strict=True)), same_keys=more)
                work.mark_dirty(conn, told)
        faultpoint.reach("constants.batch.committed")


def _unheeding(job: Counting, told: Mapping[int, _Codes], more: Constants) -> list[Profiled]:
    """What is known of the records of *told* when *more* is unheeded: nothing else of their profiles is another."""
    with job.database.read() as conn:
        held = constants.profiles(conn, told)
    profiles = [unheeding(_decode_profile(held[key]), one, more) for key, one in told.items()]
    return known_batch(profiles, job.rules)
