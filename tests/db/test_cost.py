"""What a statement costs follows from what it gives: plans of a journey on SQLite, and steps of its virtual machine.

SQLite plans by the indexes alone while nobody has counted its tables: plans of a small database are those of a large
one. They do not say how far a range reaches; that is counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import event, insert

from db import changes, control, desk, gates, ledger, migrate, prune, suspects, verify
from db.engine import Database
from db.feed_reader import FeedReader
from db.tables import change, partner, payload, record, record_version, run, source
from harvester import inspecting, reporting, reviewing
from tests.pipeline.shelf import Book, Union

LARGE = frozenset((
    "change", "cluster", "cluster_brief", "cluster_event", "cluster_partner", "decision", "holding", "identifier",
    "match_key", "membership", "node", "normalized", "page", "payload", "record", "record_version", "union_record",
    "warning",
))  # fmt: skip
# the first of all, asked when a match ends: no index gives their order
RANKED = re.compile(r"ORDER BY (worst|number|count\(\*\)|cluster\.changed_at)\b")
pytestmark = pytest.mark.slow
NOW = "2026-01-01T00:00:00Z"


class Line(NamedTuple):
    """A line of a plan, below another one."""

    number: int
    above: int
    detail: str


@contextmanager
def watched(database: Database) -> Iterator[dict[str, list[Line]]]:
    """Statement → its plan, of everything that is done meanwhile."""
    plans: dict[str, list[Line]] = {}

    def look(conn: Any, _cursor: Any, statement: str, values: Any, _context: Any, many: bool) -> None:
        if statement not in plans and not many and re.match(r"SELECT|UPDATE|DELETE|INSERT|WITH", statement):
            raw = conn.connection.dbapi_connection
            rows = raw.execute(f"EXPLAIN QUERY PLAN {statement}", values)
            plans[statement] = [Line(row[0], row[1], row[3]) for row in rows]

    event.listen(database.engine, "before_cursor_execute", look)
    try:
        yield plans
    finally:
        event.remove(database.engine, "before_cursor_execute", look)


def scanned(line: Line) -> bool:
    """Whether the line reads a large table, or an index of it, from end to end."""
    found = re.match(r"SCAN (\w+?)(_\d+)?( |$)", line.detail)
    return bool(found) and found[1] in LARGE


def faults(statement: str, plan: list[Line]) -> list[str]:
    """What grows faster than the tables: a large one read for each row of another, or sorted for each page."""
    lines = {one.number: one for one in plan}
    found = []
    for one in filter(scanned, plan):
        above = one.above
        while above and not lines[above].detail.startswith("CORRELATED"):
            above = lines[above].above
        loops = [it for it in plan if it.above == one.above and it.number < one.number]
        if above or any(it.detail.startswith(("SCAN", "SEARCH")) for it in loops):
            found.append(f"{one.detail}, again and again")
    sorts = any("TEMP B-TREE FOR ORDER BY" in one.detail for one in plan)
    paged = re.search(r"ORDER BY [^()]+ LIMIT \?", statement) and any(f" {name}." in statement for name in LARGE)
    if sorts and paged and not RANKED.search(statement):
        found.append("sorts all for a page")
    return found


def test_no_statement_of_a_journey_reads_a_large_table_for_each_row_or_sorts_it_for_each_page(tmp_path: Path) -> None:
    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    database = made.pipeline.database
    with watched(database) as plans:
        made.night({f"alun/{number}": Book(f"Buku nomor {number} dari alun", isbn="") for number in range(30)})
        made.night({f"bukit/{number}": Book(f"Buku nomor {number} dari alun") for number in range(10)})
        made.night({"alun/1": Book("Buku nomor 1 dari kota")})
        look_around(made)
        with database.read() as conn:
            assert [one for one in verify.verify(conn) if one.bad] == []
        prune.prune(database, prune.Policy(versions=1, runs_before="2000", changes_before="2000", now="2000"))
    made.close()
    assert len(plans) > 150
    assert {statement: bad for statement, plan in plans.items() if (bad := faults(statement, plan))} == {}


def look_around(made: Union) -> None:
    """What people ask for, in lists and pages."""
    reporting.report(made.pipeline)
    reviewing.queue(made.pipeline)
    inspecting.partners(made.pipeline)
    with made.pipeline.database.read() as conn:
        run_id = max(row["id"] for row in desk.runs(conn, "", "", 0, 5))
        desk.merge_log(conn, desk.LogFilter(), 5)
        desk.ledger(conn, ["alun", "bukit"], ("alun", "1"), 5)
        desk.ledger(conn, ["alun", "bukit"], ("", ""), 5, [1, 2, 3])
        desk.numbered(conn, ["alun"], "1", 5)
        desk.feed(conn, 5, 5)
        desk.warning_totals(conn, ["alun"])
        gates.meeting(conn, 1, run_id)
        ledger.all_active(conn, 1, 5)
        ledger.deleted_since(conn, 1, "2000")
        control.active_identifiers(conn, 1, "a", 5)
        changes.since(conn, 3, 2)


# ---- steps ---------------------------------------------------------------------------------------------


@contextmanager
def counted(raw: Any) -> Iterator[list[None]]:
    """As many as SQLite's virtual machine makes hundreds of steps on this connection."""
    made: list[None] = []
    raw.set_progress_handler(lambda: made.append(None), 100)
    yield made
    raw.set_progress_handler(None, 0)


def steps(conn: Any, work: Callable[[], object]) -> int:
    """How many hundreds of steps *work* takes."""
    with counted(conn.connection.dbapi_connection) as made:
        work()
    return len(made)


@pytest.fixture
def sqlite(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Database]:
    """An empty database of the one kind that counts its steps."""
    database = Database(f"sqlite:///{tmp_path / 'cost.db'}")
    migrate.upgrade(database)
    yield database
    database.close()


def test_a_page_of_the_feed_costs_the_same_however_long_the_feed_is(sqlite: Database) -> None:
    costs: list[list[int]] = []
    made: Any = None  # no document is asked for
    with sqlite.write() as conn:
        for start in (0, 10_000):
            rows = [
                {"seq": one, "batch": -(-one // 100) * 100, "kind": "upsert", "cluster_id": one, "run_id": 1, "at": NOW}
                for one in range(start + 1, start * 10 + 10_001)
            ]
            conn.execute(insert(change), rows)
            conn.exec_driver_sql(f"UPDATE feed_counter SET seq = {rows[-1]['seq']}, released = {rows[-1]['seq']}")
            pages = [
                lambda: changes.since(conn, 30, 150),
                lambda: suspects.changed_since(conn, 30, 100),
                lambda: FeedReader(conn, made, made, ()).touched("2030", "", "", "", 0, 100),
            ]
            costs.append([steps(conn, page) for page in pages])
        assert [one["seq"] for one in changes.since(conn, 30, 150)] == list(range(31, 201))
    assert all(after <= before * 1.1 + 5 for before, after in zip(*costs, strict=True))


def test_a_prune_looks_at_each_row_a_bounded_number_of_times(sqlite: Database) -> None:
    with sqlite.write() as conn:
        conn.execute(
            insert(partner), [{"code": "p", "status": "active", "policy_hash": b"", "body": "{}", "added_at": NOW}]
        )
        conn.execute(insert(source), [{"code": "p", "partner": "p", "added_at": NOW}])
        conn.execute(insert(run), [{"kind": "harvest", "source_id": 1, "started_at": NOW, "verdict": "complete"}])
    costs = []
    policy = prune.Policy(versions=1, runs_before="2000", changes_before="2000", now=NOW)
    for start, end in ((1, 1_001), (1_001, 11_001)):
        with sqlite.write() as conn:
            stored(conn, start, end)
            held = conn.connection.dbapi_connection
        with sqlite.read() as conn:
            assert conn.connection.dbapi_connection is held  # the pool's only one, which the prune gets too
        with counted(held) as made:
            found = prune.prune(sqlite, policy)
        assert found["payloads"] == end - start
        costs.append(len(made))
    assert costs[1] < costs[0] * 20  # eleven times the rows


def stored(conn: Any, start: int, end: int) -> None:
    """Records of two versions, the bytes of each."""
    ids = range(start, end)
    body = {"format": "marcxml", "datestamp": NOW, "raw_hash": b"", "payload_hash": b"", "state": "active"}
    conn.execute(
        insert(record),
        [
            {**body, "id": one, "source_id": 1, "identifier": str(one), "version": 2, "stored_hash": b"b%d" % one}
            for one in ids
        ],
    )
    version = {"state": "active", "payload_hash": b"", "datestamp": NOW, "run_id": 1, "at": NOW}
    rows = [
        {**version, "record_id": one, "version": 1 + (kind == b"b"), "payload": b"%s%d" % (kind, one)}
        for one in ids
        for kind in (b"a", b"b")
    ]
    conn.execute(insert(record_version), rows)
    conn.execute(insert(payload), [{"hash": row["payload"], "size": 1, "body": b"x"} for row in rows])
