"""An upgrade that is killed at any moment leaves the old schema or the new one, rows and all, and never one between."""

from __future__ import annotations

import multiprocessing
import os
import random
import re
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, Table, inspect, select, types
from sqlalchemy.exc import IntegrityError

from db import migrate
from db.engine import Database
from tests.journey import DEADLINE
from tests.ops.test_backup import blank, revisions
from tests.servers import postgres

pytestmark = pytest.mark.slow
SEED = 20261122
RECORDS = 60
_context = multiprocessing.get_context("forkserver")
OLD = revisions()[:-1]
SAID = {("link", "kind"): "must"}  # what stands in no check and in no type
CASES = [
    *(pytest.param(one, 10, id=f"{one}-10") for one in (OLD[0], OLD[len(OLD) // 2], OLD[-1])),
    *(pytest.param(one, 50, id=f"{one}-50", marks=pytest.mark.prove) for one in OLD),
]


def upgrading(url: str) -> None:
    """What is killed."""
    database = Database(url)
    migrate.upgrade(database)
    database.close()


def fill(database: Database) -> None:
    """Rows into every table of an old schema that our own code no longer knows."""
    with database.write() as conn:
        known = MetaData()
        looking = inspect(conn)
        known.reflect(conn)
        for table in known.sorted_tables:
            if table.name.startswith(("cluster_text", "alembic", "sqlite")):
                continue
            allowed = [str(one["sqltext"]) for one in looking.get_check_constraints(table.name)]
            for number in range(1, RECORDS + 1):
                with suppress(IntegrityError), conn.begin_nested():  # some tables hold one row only
                    conn.execute(table.insert(), [row(table, number, allowed)])
            assert conn.execute(select(table).limit(1)).first(), table.name


def row(table: Table, number: int, checks: list[str]) -> dict[str, Any]:
    return {column.name: value(column, number, checks) for column in table.columns}


def value(column: Any, number: int, checks: list[str]) -> Any:
    """Something that fits: what a check names first, else by type."""
    if (said := SAID.get((column.table.name, column.name))) is not None:
        return said
    for check in checks:
        named = re.search(rf"\b{column.name}\b", check)
        words = re.search(r"'([^']*)'", check)
        if named and words:
            return words[1]
    kind = column.type
    if isinstance(kind, types.Boolean):
        return False
    if isinstance(kind, types.Integer):
        return number
    if isinstance(kind, types.Float | types.Numeric):
        return 1.5
    if isinstance(kind, types.LargeBinary) or "BLOB" in str(kind).upper() or "BYTEA" in str(kind).upper():
        return number.to_bytes(16, "big")
    return "{}" if column.name in ("body", "quirks") else f"x{number}"


SHAPE = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'cluster_text%'",
    "postgresql": (
        "SELECT table_name, string_agg(column_name || ' ' || data_type || is_nullable, ',' ORDER BY column_name)"
        " FROM information_schema.columns WHERE table_schema = 'public' GROUP BY table_name"
        " UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
    ),
}


def picture(url: str) -> tuple[str, dict[str, Any]]:
    """(revision, every table with its columns and rows, every index and view)."""
    database = Database(url)
    with database.read() as conn:
        shape = {row[0]: row[1] for row in conn.exec_driver_sql(SHAPE[conn.dialect.name])}
        rows = {}
        for name in inspect(conn).get_table_names():
            rows[name] = sorted(repr(tuple(one)) for one in conn.exec_driver_sql(f'SELECT * FROM "{name}"'))
        revision = migrate.current(conn)
    database.close()
    return revision, {"shape": shape, "rows": rows}


def old_database(url: str, revision: str) -> None:
    from alembic import command

    blank(url)
    database = Database(url)
    with database.write() as conn:
        command.upgrade(migrate.config(conn), revision)
    fill(database)
    if database.sqlite:
        with database.engine.connect() as conn:
            conn.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()


class Copies:
    """The old database, and fresh copies of it."""

    def __init__(self, url: str, folder: Path, server: Any) -> None:
        self.url, self._folder, self._server = url, folder, server

    def fresh(self) -> str:
        """A copy's address."""
        if self._server is None:
            source = Database(self.url).path
            shutil.copyfile(source, self._folder / "copy.db")
            for extra in ("-wal", "-shm"):
                (self._folder / f"copy.db{extra}").unlink(missing_ok=True)
            return f"sqlite:///{self._folder / 'copy.db'}"
        return str(self._server.create(template=self.url))


@pytest.mark.timeout(0)
@pytest.mark.parametrize(("revision", "kills"), CASES)
def test_an_upgrade_is_done_or_not_done_wherever_it_is_killed(
    tmp_path: Path, database_url: str, request: pytest.FixtureRequest, revision: str, kills: int
) -> None:
    server = None if database_url.startswith("sqlite") else request.getfixturevalue("postgres_server")
    old_database(database_url, revision)
    before = picture(database_url)
    copies = Copies(database_url, tmp_path, server)
    url = copies.fresh()
    started = time.monotonic()
    run(url)
    longest = time.monotonic() - started
    after = picture(url)
    assert (before[0], after[0]) == (revision, migrate.head())
    dice, hit, olds = random.Random(f"{SEED}{revision}"), 0, 0
    url = copies.fresh()
    while hit < kills:
        hit += run(url, dice.uniform(0, longest))
        found = picture(url)
        assert found in (before, after), found[0]
        olds += found == before
        if found == after:
            url = copies.fresh()
    assert olds
    run(url)
    assert picture(url) == after


def run(url: str, seconds: float | None = None) -> bool:
    """Upgrade in a process of its own; killed after *seconds*. Whether it was."""
    process = _context.Process(target=upgrading, args=(url,))
    process.start()
    process.join(DEADLINE if seconds is None else seconds)
    if process.is_alive():
        assert seconds is not None
        os.kill(process.pid or 0, signal.SIGKILL)
    process.join(DEADLINE)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    postgres.until_idle(url)
    return bool(process.exitcode)
