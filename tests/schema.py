"""An empty database of today's schema: the migrations make it once in a process, every test gets a copy."""

from __future__ import annotations

import secrets
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

from db import migrate
from db.engine import Database


def prepare(database: Database) -> None:
    """Let *database* hold what `induk db upgrade` makes of an empty one; one that is there is upgraded."""
    if not database.sqlite or database.path.exists():
        migrate.upgrade(database)
        return
    database.path.write_bytes(_sqlite())
    with closing(sqlite3.connect(database.path, isolation_level=None)) as conn:  # no two databases have one epoch
        conn.execute("UPDATE feed_counter SET epoch = ?", [secrets.token_hex(8)])


@cache
def _sqlite() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "induk.db"
        made = Database(f"sqlite:///{path}")
        migrate.upgrade(made)
        made.close()  # the last connection moves the write-ahead log into the file
        assert not path.with_name("induk.db-wal").exists()
        return path.read_bytes()
