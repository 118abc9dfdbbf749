"""Match everything again by today's rules: a new derivation, new profiles and keys, every record dirty."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import msgspec

from db import constants, ledger, migrate, rules, work
from db.engine import Database
from harvester import pipeline
from harvester.clock import stamp
from harvester.model import Clock, NormalizedRecord
from harvester.preparing import profiled
from harvester.settings import Settings

BATCH = 2000
_decode = msgspec.json.Decoder(NormalizedRecord).decode


def rebuild(settings: Settings, environ: Mapping[str, str], clock: Clock) -> None:
    """Profile every active record by today's rules and queue it; the next match does the rest.

    One transaction: killed half-way, the catalogue still stands by the old rules.
    """
    match, merge = pipeline.load_rules(settings)
    database = Database(settings.database_url(environ))
    with closing(database):
        migrate.require(database)
        hashes = bytes.fromhex(match.hash), bytes.fromhex(merge.hash)
        run, batch = database.lock(pipeline.MATCH_RUN_LOCK), database.lock(pipeline.MATCH_LOCK)
        with run, batch, database.write(durable=True) as conn:
            rules.start(conn, hashes, (match.text, merge.text), pipeline.version(), stamp(clock.now()))
            ledger.forget_decisions(conn)
            last = 0
            while rows := ledger.all_active(conn, last, BATCH):
                last = rows[-1]["id"]
                bodies = ledger.normalized_bodies(conn, [row["id"] for row in rows])
                common = constants.of_records(conn, bodies)
                ledger.place(conn, {key: profiled(_decode(body), match, common[key]) for key, body in bodies.items()})
                work.mark_dirty(conn, bodies)
