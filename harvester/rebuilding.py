"""Match everything again: a new derivation, new profiles and keys, every record dirty; or all of it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import msgspec

from db import constants, ledger, migrate, rules, whole, work
from db.engine import Database
from harvester import faultpoint, pipeline
from harvester.clock import stamp
from harvester.heeding import without
from harvester.match.rules import Rules
from harvester.matching import judge_again
from harvester.merge import survivorship
from harvester.model import Clock, NormalizedRecord
from harvester.pipeline import Pipeline
from harvester.preparing import profiled
from harvester.settings import Settings

BATCH = 2000
_decode = msgspec.json.Decoder(NormalizedRecord).decode


def rebuild(settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
    """Profile every active record by today's rules, judge every pair, and queue all; the next match groups them.

    One transaction: killed half-way, the catalogue still stands by the old rules.
    """
    match, merge = pipeline.load_rules(settings)
    database = Database(settings.database_url(environ))
    with closing(database):
        migrate.require(database)
        run, batch = database.lock(pipeline.MATCH_RUN_LOCK), database.lock(pipeline.MATCH_LOCK)
        with run, batch, database.whole() as inside:
            _renew(inside, settings, clock, match, merge)


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
    merge = pipeline.load_rules(settings)[1]
    with database.whole() as inside:
        made = pipeline.match(_renew(inside, settings, clock, match, merge))
        faultpoint.reach("promote.matched")
    return made


def _renew(inside: Database, settings: Settings, clock: Clock, match: Rules, merge: survivorship.Rules) -> Pipeline:
    """A new derivation, every active record with its profile by these rules and queued, and every pair judged."""
    hashes = bytes.fromhex(match.hash), bytes.fromhex(merge.hash)
    with inside.write() as conn:
        number = rules.start(conn, hashes, (match.text, merge.text), pipeline.version(), stamp(clock.now()))
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
