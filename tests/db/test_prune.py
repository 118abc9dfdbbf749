"""What a prune leaves to those who write beside it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, text

from db import ledger, migrate, prune, verify
from db.compress import pack
from db.engine import Database
from db.prepared import Prepared, Profiled, digest
from db.tables import derivation, harvest_window, partner, payload, record_version, ruleset, run, source, window_other
from tests.journey import DEADLINE
from tests.servers.postgres import Server

pytestmark = pytest.mark.slow
POLICY = prune.Policy(versions=1, runs_before="2000", changes_before="2000", now="2000")
BODY = b"the bytes" * 10
WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")


@pytest.mark.postgres
def test_bytes_that_a_harvest_has_just_taken_up_again_stay(postgres_server: Server) -> None:
    """The version that had them was pruned, and a record comes with them while the next prune is at work."""
    database = Database(postgres_server.create())
    migrate.upgrade(database)
    founded(database)
    profiled = Profiled(b"p" * 16, True, b"x", ())
    come = Prepared("r1", "iso2709", "2026", BODY, digest(BODY), digest(b"c"), b"{}", b"m", (), profiled)
    with ThreadPoolExecutor(1) as apart:
        with database.write() as conn:
            ledger.store(conn, [come], {}, source_id=1, run_id=1, window_id=None, derivation_id=1, now="2026")
            pruned = apart.submit(prune.prune, database, POLICY)
            ends = time.monotonic() + DEADLINE
            while not (pruned.done() or conn.execute(WAITING).scalar_one()):
                assert time.monotonic() < ends
                time.sleep(0.02)
        assert pruned.result(DEADLINE)["payloads"] == 0
    with database.read() as conn:
        assert conn.execute(select(func.count()).select_from(record_version)).scalar_one() == 1
        assert verify.payloads(conn) == 0
    database.close()


def test_a_window_of_many_goes_in_several_transactions(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Writers get in between, whatever the number of rows that begin with the same key."""
    monkeypatch.setattr(prune, "PORTION", 10)
    founded(database)
    with database.write() as conn:
        window = {"source_id": 1, "run_id": 1, "state": "done", "full": True, "opened_at": ""}
        conn.execute(insert(harvest_window), [{**window, "id": number} for number in (1, 2)])
        rows = [{"window_id": window, "digest": digest(b"%d" % one)} for window in (1, 2) for one in range(45)]
        conn.execute(insert(window_other), rows)
    taken: list[int] = []

    def look(_conn: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith("DELETE FROM window_other"):
            taken.append(cursor.rowcount)

    event.listen(database.engine, "after_cursor_execute", look)
    assert prune.prune(database, POLICY)["seen"] == 45
    assert taken == [10, 10, 10, 10, 5, 0, 0, 0, 0, 0]


def founded(database: Database) -> None:
    """A source, a run of it, rules, and bytes that no version has any more."""
    with database.write() as conn:
        conn.execute(insert(partner).values(code="p", status="active", policy_hash=b"x", body="{}", added_at=""))
        conn.execute(insert(source).values(id=1, code="a", partner="p", added_at=""))
        conn.execute(insert(run).values(id=1, kind="harvest", source_id=1, started_at="2026", verdict="running"))
        conn.execute(insert(ruleset).values(hash=b"h", kind="match", name="m", text="", code_version="", at=""))
        rules = {"match_hash": b"h", "survivorship_hash": b"h"}
        conn.execute(insert(derivation).values(id=1, state="current", made_at="", **rules))
        conn.execute(insert(payload).values(hash=digest(BODY), size=len(BODY), body=pack(BODY)))
