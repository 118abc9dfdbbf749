"""Which values nearly every record of a source has, so that matching heeds them no more.

A system that writes `Text`, one fixed leader or one language into every record would tear books apart, or put them
together. Counted at the beginning of a match, after a complete harvest only: neither pages nor batches show in it.
A value becomes a constant above 99 % of at least 200 records and stays one down to 98 % of 150, so that one record
more or less does not turn it over every night. What a source's first records say alike is guessed to be one while the
rest comes in, so that most records get at once the profile that they keep; what was guessed wrong is put right here.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple

import msgspec

from db import constants, derivations, ledger, placing, work
from db.constants import Common, Counted, Early
from db.engine import Database
from db.prepared import Profiled
from harvester import faultpoint
from harvester.errors import Locked
from harvester.job import Job
from harvester.match.constants import FIELDS, NONE, Constants, silenced
from harvester.match.profile import changed
from harvester.match.rules import Rules
from harvester.model import NormalizedRecord, Profile, Value
from harvester.preparing import Recipe, known_batch, profiled_batch

ENOUGH, ENOUGH_STILL = 200, 150
SHARE, SHARE_STILL = 0.99, 0.98
# A preset may say what its records are (OJS: articles, EPrints: online). That is a librarian's word, no system's.
STATED = ("material", "carrier_form")
_decode = msgspec.json.Decoder(NormalizedRecord).decode
_decode_profile = msgspec.msgpack.Decoder(Profile).decode


class _Codes(msgspec.Struct, frozen=True):
    """The part of a normalized record that is counted: reading no more takes a quarter of the time."""

    material: str = NormalizedRecord().material
    carrier_form: str = ""
    level: str = ""
    languages: tuple[str, ...] = ()
    country: str = ""


_codes = msgspec.json.Decoder(_Codes).decode


class _Told(NamedTuple):
    """What the records of a source say: every combination once, and which one each record has, in 12 bytes."""

    codes: Sequence[_Codes]
    records: array[int]  # ascending
    places: array[int]  # in `codes`

    def cut(self, record_id: int) -> tuple[_Told, _Told]:
        """The records up to this one, and those after it."""
        place = bisect_right(self.records, record_id)
        first = self._replace(records=self.records[:place], places=self.places[:place])
        return first, self._replace(records=self.records[place:], places=self.places[place:])

    def of(self, wanted: Callable[[_Codes], bool]) -> Iterator[dict[int, _Codes]]:
        """Record id → codes of the records with *wanted* codes, a page at a time."""
        chosen = {place: one for place, one in enumerate(self.codes) if wanted(one)}
        found = ((key, chosen[place]) for key, place in zip(self.records, self.places, strict=True) if place in chosen)
        while page := dict(islice(found, constants.PAGE)):
            yield page


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

    Returns source code → its constants, where they changed. What was guessed of a source without a complete harvest
    is withdrawn. A source that is being harvested is left for the next time. The caller holds the lock of match runs.
    """
    held, done = job.database.persist(partial(_known, job))
    changed: dict[str, Constants] = {}
    guessed = {source_id for source_id, one in held.items() if one.early}
    for source_id in sorted(done.keys() | guessed):
        run_id = done.get(source_id, 0)
        due = partial(_due, job, source_id, run_id, held.get(source_id))
        if source_id not in job.sources or not job.database.persist(due):
            continue
        code, lock = job.sources[source_id]
        with suppress(Locked), job.database.lock(lock):
            if job.database.persist(partial(_settle, job, source_id, run_id)):
                with job.database.read() as conn:
                    changed[code] = constants.of_source(conn, source_id)
                job.log("constants", source=code, constants=changed[code])
    return changed


def _known(job: Counting) -> tuple[dict[int, Counted], dict[int, int]]:
    """Source id → its last count; and its newest harvest, where that is complete."""
    with job.database.read() as conn:
        return constants.counted(conn), constants.completed(conn)


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


def _settle(job: Counting, source_id: int, run_id: int) -> bool:
    """Count the source and give its records the profiles that follow; whether any changed. Done twice it is the same.

    First what is to be is written, then the profiles, then that they are: killed between, all are made again.
    """
    with job.database.read() as conn:
        before = constants.counted_of(conn, source_id)
    early = before.early if before else None
    if not run_id:
        return _withdraw(job, source_id, before)
    was = before.constants if before and not early else NONE
    told = _told(job.database, source_id)
    stated = _stated(job.database, source_id, job.recipe(job.sources[source_id][0]))
    found = _count(told, was, stated)._replace(run_id=run_id, derivation_id=job.derivation_id)
    turned = was.items() ^ found.constants.items()
    whole = before is not None and not before.applied
    if turned or whole:
        with job.database.write(durable=True) as conn:
            constants.keep(conn, source_id, found._replace(applied=False))
        faultpoint.reach("constants.noted")
        if before and early:
            _put_right(job, told, before, found.constants)
        else:
            _profile_again(job, told, found.constants, None if whole else turned)
    with job.database.write(durable=True) as conn:
        constants.keep(conn, source_id, found)
    return bool(turned or (whole and not early))


# While the first records of a source come in, a guess is made when so many of them are stored, of so many of these.
GUESSES = (2_000, 4_000)
GUESSED = 600


def heeding(job: Job) -> tuple[Job, int]:
    """*job* with the constants in force, guessed if it is time; after how many more records to ask again (0: never).

    The caller holds the lock of the source, and no record of it is being prepared elsewhere.
    """
    held, stored = job.database.persist(partial(_stored, job))
    if held and not held.early:
        return job, 0
    if stored < 2 * max(GUESSES) and any((held.records if held else 0) < enough <= stored for enough in GUESSES):
        held = job.database.persist(partial(_guess, job, held, stored))
    if held:
        job = msgspec.structs.replace(job, recipe=job.recipe._replace(unheeded=held.constants))
    return job, next((enough - stored for enough in GUESSES if enough > stored), 0)


def _stored(job: Job) -> tuple[Counted | None, int]:
    """The last count of the source, and how many records it has."""
    with job.database.read() as conn:
        return constants.counted_of(conn, job.source_id), ledger.active_count(conn, job.source_id)


def _guess(job: Job, before: Counted | None, stored: int) -> Counted:
    """Count some of what is stored of the source and keep it as a guess."""
    with job.database.read() as conn:
        last = constants.last_record(conn, job.source_id)
    told = _told(job.database, job.source_id, max(stored // GUESSED, 1))
    found = _count(told, NONE, _stated(job.database, job.source_id, job.recipe))
    early = before.early if before else None
    if not early or not before or before.constants != found.constants:
        said = {*(early.said if early else ()), *found.constants.items()}
        early = Early(last, tuple(sorted(said)))
    common = {name: one._replace(records=one.records * stored // found.records) for name, one in found.common.items()}
    found = found._replace(records=stored, common=common, derivation_id=job.derivation_id, applied=False, early=early)
    with job.database.write() as conn:
        constants.keep(conn, job.source_id, found)
    return found


def _withdraw(job: Counting, source_id: int, before: Counted | None) -> bool:
    """Take back what was guessed of a source whose first harvest did not come to its end; nothing is settled of it."""
    if before and before.early:
        _put_right(job, _told(job.database, source_id), before, NONE)
        with job.database.write(durable=True) as conn:
            constants.forget(conn, source_id)
    return False


def _put_right(job: Counting, told: _Told, guessed: Counted, now: Constants) -> None:
    """Give the records that heed what was guessed, or not yet, the profiles that follow *now*."""
    assert guessed.early
    first, later = told.cut(guessed.early.upto)
    _profile_again(job, first, now, now.items() | guessed.early.said)
    _profile_again(job, later, now, now.items() ^ guessed.constants.items())


def _told(database: Database, source_id: int, every: int = 1) -> _Told:
    """Read what the active records of the source say; with *every* about one of so many."""
    places: dict[_Codes, int] = {}
    with database.read() as conn:
        ids = ledger.active_ids(conn, source_id)
    told = _Told([], array("q"), array("I"))
    asked = [one for one in ids if one % every == 0]
    for start in range(0, len(asked), constants.BODIES):
        with database.read() as conn:
            page = sorted(constants.bodies_of(conn, asked[start : start + constants.BODIES]).items())
        told.records.extend([one for one, _ in page])
        told.places.extend([places.setdefault(_codes(body), len(places)) for _, body in page])
    return told._replace(codes=list(places))


def _count(told: _Told, was: Constants, stated: Set[tuple[str, str]]) -> Counted:
    """The commonest value of each field in the source's records; of two equally common ones the first by name.

    *stated* values never count.
    """
    counted = Counter(told.places)
    records, common = len(told.records), {}
    for name, read in FIELDS.items():
        counts: Counter[str] = Counter()
        for place, count in counted.items():
            counts[read(told.codes[place])] += count
        ranked = sorted((-count, value) for value, count in counts.items() if value and (name, value) not in stated)
        for less, value in ranked[:1]:
            common[name] = Common(value, -less, _counts(-less, records, was.get(name) == value))
    return Counted(0, 0, records, common)


def _stated(database: Database, source_id: int, how: Recipe) -> set[tuple[str, str]]:
    """What the mapping of the source itself says of every record, as (field, value)."""
    with database.read() as conn:
        formats = derivations.formats(conn, source_id)
    return {
        (rule.target.name, str(value))
        for name in formats
        for rule in how.mapping(name).rules
        if rule.source.label == "value" and rule.target.name in STATED
        for value in rule.source.read({})
    }


def _profile_again(job: Counting, told: _Told, now: Constants, turned: Set[tuple[str, str]] | None) -> None:
    """Profile and queue the records with a (field, value) that *turned*; None: all of them."""
    more = turned is not None and turned <= now.items()
    for page in told.of(lambda one: turned is None or any(FIELDS[name](one) == value for name, value in turned)):
        made = _unheeding(job, page, dict(turned or ())) if more else _anew(job, page, now)
        if made:
            with job.database.write() as conn:
                placing.place(conn, made, same_keys=more)
                work.mark_dirty(conn, made)
        faultpoint.reach("constants.batch.committed")


def _anew(job: Counting, record_ids: Collection[int], now: Constants) -> dict[int, Profiled]:
    """What is known of the records when *now* is unheeded."""
    with job.database.read() as conn:
        bodies = constants.bodies_of(conn, record_ids)
    return dict(zip(bodies, profiled_batch(map(_decode, bodies.values()), job.rules, now), strict=True))


def _unheeding(job: Counting, told: Mapping[int, _Codes], more: Constants) -> dict[int, Profiled]:
    """What is known of the records when *more* is unheeded: nothing else of their profiles is another, and no key."""
    silent = {one: silenced(one, more) for one in set(told.values())}
    with job.database.read() as conn:
        held = constants.profiles(conn, told)
    profiles = [changed(_decode_profile(body), silent[told[key]]) for key, body in held.items()]
    return dict(zip(held, known_batch(profiles, job.rules, with_keys=False), strict=True))
