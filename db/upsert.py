"""INSERT … ON CONFLICT for both databases, as batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

Row = dict[str, Any]


def insert_new(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert *rows*; those whose key is there already are left as they are."""
    if rows:
        conn.execute(_insert(conn, table).on_conflict_do_nothing(), list(rows))


def upsert(conn: Connection, table: Table, rows: Sequence[Row], key: Sequence[str]) -> None:
    """Insert *rows*, or overwrite every other column of those whose *key* is there. Rows must share their columns."""
    if not rows:
        return
    statement = _insert(conn, table)
    others = {name: statement.excluded[name] for name in rows[0] if name not in key}
    conn.execute(statement.on_conflict_do_update(index_elements=list(key), set_=others), list(rows))


def _insert(conn: Connection, table: Table) -> Any:
    return sqlite.insert(table) if conn.dialect.name == "sqlite" else postgresql.insert(table)
