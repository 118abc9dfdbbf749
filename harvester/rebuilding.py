"""Match everything again by other rules: made beside what is served, then put in force.

Worker processes make profiles and keys, then decide every pair that these propose; both are stored beside those in
use, in short transactions, while others go on reading, deciding, harvesting. One short transaction puts them in their
place, together with what came or changed meanwhile. Killed anywhere, the catalogue stands by the old rules or by the
new ones; called again, it goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import candidates, constants, derivations, ledger, migrate, reprofiling, rules, standing, whole, work
from db.engine import Database
from db.prepared import Profiled, digest
from db.reprofiling import Waiting
from harvester import faultpoint, pipeline, promoted, rule_files
from harvester.clock import stamp
from harvester.errors import ConfigError, Locked
from harvester.garbage import collect_rarely, share_heap
from harvester.heeding import without
from harvester.match import rules as match_rules
from harvester.match.constants import Constants
from harvester.match.rules import Rules
from harvester.matching import judge_again
from harvester.merge import survivorship
from harvester.model import Clock, NormalizedRecord
from harvester.preparing import profiled
from harvester.rejudging import Beside, Pace, Progress, Tell, rejudge
from harvester.settings import Settings
from harvester.workers import Workers, rules_at

BATCH = 1000
FEW = 1000  # so many changed records are left for the transaction that puts the rules in force
ROUNDS = 10
Work = tuple[bytes, Constants, set[tuple[str, str]]]  # normalized record, its source's constants, wrong identifiers
_decode = msgspec.json.Decoder(NormalizedRecord).decode


def _silent(seen: Progress) -> None:
    """Nobody looks."""


class Making(NamedTuple):
    """What is made beside, and by what: the rules, their file (None: the shipped one), and a name of both."""

    settings: Settings
    clock: Clock
    match: Rules
    merge: survivorship.Rules
    path: Path | None
    tag: bytes


def rebuild(settings: Settings, environ: Mapping[str, str], clock: Clock, tell: Tell = _silent) -> None:
    """Profile every active record by today's rules, judge every pair, and queue all; the next match groups them.

    Raises:
        Locked: a match is at work.
    """
    collect_rarely()
    share_heap()
    match, merge = rule_files.load_rules(settings)
    path = rule_files.rules_path(settings, settings.match.rules)
    with closing(Database(settings.database_url(environ))) as database:
        migrate.require(database)
        # no match runs meanwhile, but people's acts and harvests go on
        with database.lock(pipeline.MATCH_RUN_LOCK):
            making = Making(settings, clock, match, merge, path, _tag(database, match.hash))
            beside = _make(database, making, tell)
            with _between_acts(database), database.whole() as inside:
                _put_in_force(inside, making, beside)
                faultpoint.reach("rebuild.swap.written")
            faultpoint.reach("rebuild.swap.committed")


@contextmanager
def alone(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Iterator[Database]:
    """The database while neither a match nor a harvest is at work, which would bring profiles by the old rules.

    What waits for a match is matched first: it would be solved in the one transaction of `swap`.

    Raises:
        Locked: one of them is.
    """
    database = Database(settings.database_url(environ))
    with closing(database), ExitStack() as locks:
        for source in settings.sources:
            locks.enter_context(database.lock(pipeline.HARVEST_LOCK + source.code))
        drained = _drain(database, settings, clock)  # a match that cron begins behind it finds nothing to do
        locks.enter_context(database.lock(pipeline.MATCH_RUN_LOCK, wait=pipeline.MATCH_PATIENCE if drained else 0))
        yield database


def _drain(database: Database, settings: Settings, clock: Clock) -> bool:
    """Match what waits by the rules in force, in batches; whether there was anything."""
    with database.read() as conn:
        held = derivations.served_rules(conn)
        if held is None or not work.queued(conn):
            return False
    try:
        match, merge = match_rules.parse(held[1]), survivorship.parse(held[2])
    except ConfigError:  # they were written for another version of Induk: what waits is left for the swap
        return False
    with closing(Workers(settings.harvest.workers)) as workers:
        made = pipeline.over(database, settings, clock, match, merge, held[0])
        pipeline.match(msgspec.structs.replace(made, workers=workers))
    return True


def follow(settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
    """Match what a swap left waiting, in batches; a match that another process has begun does it."""
    with closing(Database(settings.database_url(environ))) as database, suppress(Locked):
        _drain(database, settings, clock)


def swap(database: Database, settings: Settings, clock: Clock, match: Rules) -> dict[str, Any]:
    """Profile and match everything by the rules *match*, which are `promoted.offered`, and put them in force.

    Readers and consumers have the groups of before until the end, and those of the new rules from then on; killed
    anywhere, nothing was done. The caller is `alone`. Returns the funnel of the match run. Where the survivorship rules
    changed too, the documents of groups that stay wait for `follow`.
    """
    merge = rule_files.load_rules(settings)[1]
    making = Making(settings, clock, match, merge, promoted.offered(settings), _tag(database, match.hash))
    beside = _make(database, making, _silent)
    with _between_acts(database), database.whole() as inside:
        with inside.read() as conn:
            waiting, kept = standing.queued(conn), standing.same_survivorship(conn, merge.hash)
        made = _put_in_force(inside, making, beside)
        with inside.write() as conn:
            left = standing.leave_standing(conn, waiting, match.max_component)
        funnel = pipeline.match(made)
        if not kept:
            with inside.write() as conn:
                work.mark_dirty(conn, left)
        faultpoint.reach("promote.matched")
    return funnel


# ---- beside ------------------------------------------------------------------------------------------


def _tag(database: Database, match_hash: str) -> bytes:
    """A name of what decides over profiles and pairs: the rules, this version, and the constants of the sources."""
    with database.read() as conn:
        held = {key: sorted(one.constants.items()) for key, one in sorted(constants.counted(conn).items())}
    return digest(match_hash.encode(), rule_files.version().encode(), repr(held).encode())


def _make(database: Database, making: Making, tell: Tell) -> Beside:
    """Profiles and decisions, until few records are left that came or changed while they were made."""
    with database.write() as conn:
        reprofiling.begin(conn, making.tag)
    with closing(Workers(making.settings.harvest.workers)) as workers:
        for _ in range(ROUNDS):
            _prepare(database, making, workers, tell)
            beside = rejudge(database, workers, making.path, tell)
            with database.read() as conn:
                if len(reprofiling.waiting(conn, 0, FEW + 1)) <= FEW:
                    break
    return beside


def _prepare(database: Database, making: Making, workers: Workers, tell: Tell) -> None:
    """Store beside what is in use what these rules make of every record that is not done yet."""
    with database.read() as conn:
        told = Pace("records", *reprofiling.counts(conn), tell)
    batches: list[tuple[list[Waiting], list[int]]] = []
    for made in workers.each(_profiles, _jobs(database, making.path, batches)):
        rows, hiding = batches.pop(0)
        database.give_way()
        database.persist(partial(_keep, database, making.tag, rows, made, hiding))
        faultpoint.reach("rebuild.batch.committed")
        told.advance(len(rows))


def _jobs(
    database: Database, path: Path | None, batches: list[tuple[list[Waiting], list[int]]]
) -> Iterator[tuple[dict[int, Work], Path | None]]:
    """What each job profiles; *batches* gets the records of each, and those without some identifiers."""
    after = 0
    while True:
        with database.read() as conn:
            rows = reprofiling.waiting(conn, after, BATCH)
            bodies = _bodies(conn, rows)
        if not rows:
            return
        after = rows[-1].record_id
        batches.append((rows, _hiding(bodies)))
        yield bodies, path


def _bodies(conn: Connection, rows: Sequence[Waiting]) -> dict[int, Work]:
    bodies = ledger.normalized_bodies(conn, [one.record_id for one in rows])
    common, wrong = constants.of_records(conn, bodies), whole.ignored(conn)
    return {key: (body, common[key], wrong.get(key, set())) for key, body in bodies.items()}


def _hiding(bodies: Mapping[int, Work]) -> list[int]:
    return [key for key, (_, _, wrong) in bodies.items() if wrong]


def _profiles(bodies: Mapping[int, Work], path: Path | None) -> dict[int, Profiled]:
    """In a worker: record id → what the rules of the file make of it."""
    match = rules_at(path)
    return {
        key: profiled(without(_decode(body), wrong), match, common) for key, (body, common, wrong) in bodies.items()
    }


def _keep(
    database: Database, tag: bytes, rows: Sequence[Waiting], made: Mapping[int, Profiled], hiding: Sequence[int]
) -> None:
    with database.write() as conn:
        reprofiling.keep(conn, tag, rows, made, hiding)
        faultpoint.reach("rebuild.batch.written")


# ---- in force ----------------------------------------------------------------------------------------


def _between_acts(database: Database) -> AbstractContextManager[None]:
    """The lock of one act of matching; a person's act that holds it is waited for."""
    return database.lock(pipeline.MATCH_LOCK, wait=pipeline.MATCH_PATIENCE)


def _put_in_force(inside: Database, making: Making, beside: Beside) -> pipeline.Pipeline:
    """Let what is prepared be served: a new derivation, every record queued, every pair decided.

    What came or changed meanwhile, or has an identifier that a person called wrong, is profiled and judged here.
    """
    settings, clock, match, merge, path, tag = making
    with inside.write() as conn:
        hashes = bytes.fromhex(match.hash), bytes.fromhex(merge.hash)
        # first: harvests at work store nothing by the old rules from here on
        number = rules.start(conn, hashes, (match.text, merge.text), rule_files.version(), stamp(clock.now()))
        for rows in _rest(conn):
            bodies = _bodies(conn, rows)
            reprofiling.keep(conn, tag, rows, _profiles(bodies, path), _hiding(bodies))
        active = reprofiling.swap(conn)
    made = pipeline.over(inside, settings, clock, match, merge, number)
    run_id = pipeline.open_match(made)
    with inside.write() as conn:
        reprofiling.decide(conn, number, run_id)
        at = made.now()
        asleep = [{"hash": key, "kind": one[0], "unlike": one[1], "at": at} for key, one in beside.suspended.items()]
        candidates.set_suspended(conn, asleep, ())
        now = reprofiling.carried(conn)
        reprofiling.clear(conn)
    pairs = judge_again(pipeline.desk_of(made, run_id), now - beside.nodes, beside.nodes - now)
    totals = {"records": len(active), "pairs": beside.pairs + pairs, "merges": 0, "changes": 0}
    pipeline.close_match(made, run_id, "complete", "", totals)
    return made


def _rest(conn: Connection) -> Iterator[list[Waiting]]:
    """What has to be profiled once more before it is put in force, in batches."""
    yield reprofiling.hidden(conn, whole.ignored(conn))
    while rows := reprofiling.waiting(conn, 0, BATCH):
        yield rows
