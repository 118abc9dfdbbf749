"""Match everything again: a new derivation, new profiles and keys, every record dirty; or all of it at once.

For `induk match --all` worker processes make the profiles, which are stored beside those in use, in short transactions,
while others go on reading, deciding, harvesting. One transaction then puts them in their place and judges every pair.
Killed anywhere, the catalogue stands by the old rules or by the new ones; called again, it goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import constants, ledger, migrate, reprofiling, rules, whole, work
from db.engine import Database
from db.prepared import Profiled, digest
from db.reprofiling import Waiting
from harvester import faultpoint, pipeline, rule_files
from harvester.clock import stamp
from harvester.errors import Locked
from harvester.heeding import without
from harvester.match.constants import Constants
from harvester.match.rules import Rules
from harvester.matching import judge_again
from harvester.merge import survivorship
from harvester.model import Clock, NormalizedRecord
from harvester.pipeline import Pipeline
from harvester.preparing import profiled
from harvester.settings import Settings
from harvester.workers import Workers, rules_at

BATCH = 1000
Work = tuple[bytes, Constants, set[tuple[str, str]]]  # normalized record, its source's constants, wrong identifiers
_decode = msgspec.json.Decoder(NormalizedRecord).decode


class Progress(NamedTuple):
    """How far it is; `rate` in records a second, `left` in seconds."""

    done: int
    total: int
    rate: float
    left: float


def rebuild(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    progress: Callable[[Progress], None] = lambda seen: None,
) -> None:
    """Profile every active record by today's rules, judge every pair, and queue all; the next match groups them.

    Raises:
        Locked: a match is at work.
    """
    match, merge = rule_files.load_rules(settings)
    database = Database(settings.database_url(environ))
    path = rule_files.rules_path(settings, settings.match.rules)
    with closing(database), closing(Workers(settings.harvest.workers)) as workers:
        migrate.require(database)
        # no match runs meanwhile, but people's acts and harvests go on
        with database.lock(pipeline.MATCH_RUN_LOCK):
            tag = _tag(database, match.hash)
            _prepare(database, tag, workers, path, progress)
            with _between_acts(database), database.whole() as inside:
                _put_in_force(inside, settings, clock, match, merge, tag)
                faultpoint.reach("rebuild.swap.written")
            faultpoint.reach("rebuild.swap.committed")


def _put_in_force(
    inside: Database, settings: Settings, clock: Clock, match: Rules, merge: survivorship.Rules, tag: bytes
) -> None:
    """Let what is prepared be served: a new derivation, every record queued, every pair judged."""
    path = rule_files.rules_path(settings, settings.match.rules)
    with inside.write() as conn:
        while rest := reprofiling.changed(conn, BATCH):
            reprofiling.keep(conn, tag, rest, _profiles(_bodies(conn, rest), path))
        hashes = bytes.fromhex(match.hash), bytes.fromhex(merge.hash)
        number = rules.start(conn, hashes, (match.text, merge.text), rule_files.version(), stamp(clock.now()))
        active = reprofiling.swap(conn)
    _judge(pipeline.over(inside, settings, clock, match, merge, number), active)


@contextmanager
def _between_acts(database: Database) -> Iterator[None]:
    """The lock of one act of matching; a person's act that holds it is waited for."""
    with ExitStack() as held:
        for _ in range(round(pipeline.MATCH_PATIENCE / pipeline.MATCH_PAUSE)):
            with suppress(Locked):
                held.enter_context(database.lock(pipeline.MATCH_LOCK))
                break
            time.sleep(pipeline.MATCH_PAUSE)
        else:
            held.enter_context(database.lock(pipeline.MATCH_LOCK))
        yield


def _tag(database: Database, match_hash: str) -> bytes:
    """A name of what decides over the profiles: the rules, this version, and the constants of the sources."""
    with database.read() as conn:
        held = {key: sorted(one.constants.items()) for key, one in sorted(constants.counted(conn).items())}
    return digest(match_hash.encode(), rule_files.version().encode(), repr(held).encode())


def _prepare(
    database: Database, tag: bytes, workers: Workers, path: Path | None, progress: Callable[[Progress], None]
) -> None:
    """Store beside what is in use what these rules make of every record that is not done yet."""
    with database.write() as conn:
        after = reprofiling.begin(conn, tag)
        done, total = reprofiling.counts(conn)
    already, started = done, time.monotonic()
    batches: list[list[Waiting]] = []
    for made in workers.each(_profiles, _jobs(database, after, path, batches)):
        rows = batches.pop(0)
        database.persist(partial(_store, database, tag, rows, made))
        faultpoint.reach("rebuild.batch.committed")
        done += len(rows)
        rate = (done - already) / max(time.monotonic() - started, 1e-6)
        progress(Progress(done, total, rate, max(total - done, 0) / rate))


def _jobs(
    database: Database, after: int, path: Path | None, batches: list[list[Waiting]]
) -> Iterator[tuple[dict[int, Work], Path | None]]:
    """What each job profiles; *batches* gets the records of each."""
    while True:
        with database.read() as conn:
            rows = reprofiling.waiting(conn, after, BATCH)
            bodies = _bodies(conn, rows)
        if not rows:
            return
        after = rows[-1].record_id
        batches.append(rows)
        yield bodies, path


def _bodies(conn: Connection, rows: Sequence[Waiting]) -> dict[int, Work]:
    bodies = ledger.normalized_bodies(conn, [one.record_id for one in rows])
    common, wrong = constants.of_records(conn, bodies), whole.ignored(conn)
    return {key: (body, common[key], wrong.get(key, set())) for key, body in bodies.items()}


def _profiles(bodies: Mapping[int, Work], path: Path | None) -> dict[int, Profiled]:
    """In a worker: record id → what the rules of the file make of it."""
    match = rules_at(path)
    return {
        key: profiled(without(_decode(body), wrong), match, common) for key, (body, common, wrong) in bodies.items()
    }


def _store(database: Database, tag: bytes, rows: Sequence[Waiting], made: Mapping[int, Profiled]) -> None:
    with database.write() as conn:
        reprofiling.keep(conn, tag, rows, made)
        faultpoint.reach("rebuild.batch.written")


# ---- all at once ------------------------------------------------------------------------------------


@contextmanager
def alone(settings: Settings, environ: Mapping[str, str]) -> Iterator[Database]:
    """The database while neither a match nor a harvest is at work, which would bring profiles by the old rules.

    Raises:
        Locked: one of them is.
    """
    database = Database(settings.database_url(environ))
    with closing(database), ExitStack() as locks:
        for source in settings.sources:
            locks.enter_context(database.lock(pipeline.HARVEST_LOCK + source.code))
        locks.enter_context(database.lock(pipeline.MATCH_RUN_LOCK))
        locks.enter_context(database.lock(pipeline.MATCH_LOCK))
        yield database


def swap(database: Database, settings: Settings, clock: Clock, match: Rules) -> dict[str, Any]:
    """Profile and match everything by the rules *match* in one transaction: they are in force at its end.

    Readers and consumers have the groups of before until then, and those of the new rules from then on; killed
    anywhere, nothing was done. The caller is `alone`. Returns the funnel of the match run.
    """
    merge = rule_files.load_rules(settings)[1]
    with database.whole() as inside:
        made = pipeline.match(_renew(inside, settings, clock, match, merge))
        faultpoint.reach("promote.matched")
    return made


def _renew(inside: Database, settings: Settings, clock: Clock, match: Rules, merge: survivorship.Rules) -> Pipeline:
    """A new derivation, every active record with its profile by these rules and queued, and every pair judged."""
    hashes = bytes.fromhex(match.hash), bytes.fromhex(merge.hash)
    with inside.write() as conn:
        number = rules.start(conn, hashes, (match.text, merge.text), rule_files.version(), stamp(clock.now()))
        ledger.forget_decisions(conn)
        wrong = whole.ignored(conn)
        active: list[int] = []
        while rows := ledger.all_active(conn, active[-1] if active else 0, BATCH):
            active += [row["id"] for row in rows]
            bodies = ledger.normalized_bodies(conn, [row["id"] for row in rows])
            records = {key: _decode(body) for key, body in bodies.items()}
            records |= {key: without(one, wrong[key]) for key, one in records.items() if key in wrong}
            common = constants.of_records(conn, bodies)
            ledger.place(conn, {key: profiled(one, match, common[key]) for key, one in records.items()})
            work.mark_dirty(conn, bodies)
    made = pipeline.over(inside, settings, clock, match, merge, number)
    _judge(made, active)
    return made


def _judge(made: Pipeline, active: Sequence[int]) -> None:
    """Every pair of the records, in a match run of its own."""
    size = made.settings.match.batch
    run_id = pipeline.open_match(made)
    desk = pipeline.desk_of(made, run_id)
    slices = [active[start : start + size] for start in range(0, len(active), size)]
    pairs = sum(judge_again(desk, one) for one in slices)
    totals = {"records": len(active), "pairs": pairs, "merges": 0, "changes": 0}
    pipeline.close_match(made, run_id, "complete", "", totals)
