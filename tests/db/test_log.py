"""SQLite's log stays short, also while several write and somebody always reads."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from db import engine
from db.engine import Database

SHORT = 1 << 20


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(engine, "LONG_LOG", SHORT)
    monkeypatch.setattr(engine, "LOG_MS", 1)
    made = Database(f"sqlite:///{tmp_path / 'induk.db'}")
    with made.write() as conn:
        conn.exec_driver_sql("CREATE TABLE thing (body BLOB)")
    return made


def put(database: Database, size: int) -> int:
    """Write so many bytes; the size of the log after that."""
    with database.write() as conn:
        conn.exec_driver_sql("INSERT INTO thing VALUES (zeroblob(?))", (size,))
    return database.path.with_name("induk.db-wal").stat().st_size


def test_a_long_log_is_emptied_and_a_short_one_is_left(database: Database) -> None:
    assert 0 < put(database, SHORT // 4) < SHORT
    assert put(database, 2 * SHORT) == 0
    with sqlite3.connect(database.path) as conn:
        assert conn.execute("SELECT sum(length(body)) FROM thing").fetchone() == (2 * SHORT + SHORT // 4,)


def test_who_reads_for_long_keeps_nobody_from_writing_and_the_log_is_emptied_later(database: Database) -> None:
    with database.read() as reading:
        before = reading.exec_driver_sql("SELECT count(*) FROM thing").scalar_one()
        held = put(database, 2 * SHORT)
        assert held >= 2 * SHORT
        assert put(database, SHORT // 4) > held
        assert reading.exec_driver_sql("SELECT count(*) FROM thing").scalar_one() == before
    assert put(database, SHORT) == 0


def test_a_log_that_another_program_has_emptied_is_kept_short_again(database: Database) -> None:
    with database.read() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM thing").scalar_one()
        assert put(database, 4 * SHORT) >= 4 * SHORT
    with sqlite3.connect(database.path) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert put(database, SHORT // 4) < SHORT
    assert put(database, 2 * SHORT) == 0
