"""What the connections of one process hold in memory."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from db.engine import Database

MIB = 1 << 20


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(f"sqlite:///{tmp_path / 'induk.db'}")
    yield made
    made.close()


def test_one_after_the_other_reads_with_the_same_connection(database: Database) -> None:
    with database.read(), database.read(), database.read():
        pass
    used = set()
    for _ in range(4):
        with database.read() as conn:
            used.add(conn.connection.driver_connection)
    assert len(used) == 1


def test_of_several_connections_only_those_at_work_hold_pages(database: Database) -> None:
    with database.write() as conn:
        conn.exec_driver_sql("CREATE TABLE held (body BLOB)")
        conn.exec_driver_sql("INSERT INTO held SELECT randomblob(5000) FROM json_each(?)", (str([0] * 4000),))
        conn.exec_driver_sql("PRAGMA shrink_memory")
    before = resident()
    with database.read():
        with database.read() as conn:
            conn.exec_driver_sql("SELECT max(hex(body)) FROM held").all()
            assert resident() - before > 15 * MIB
        assert resident() - before < 5 * MIB


def resident() -> int:
    """Bytes of this process, without what is only free."""
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
