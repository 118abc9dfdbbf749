"""Rows as dictionaries into tables, in the quick way of each database (db.bulk). Rows of a call share their columns."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table

from db import bulk

Row = dict[str, Any]


def insert(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert *rows*; a key that is there already is an error."""
    if rows:
        bulk.insert(conn, table, *_tuples(rows))


def insert_new(conn: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert *rows*; those whose key is there already are left as they are."""
    if rows:
        bulk.insert_new(conn, table, *_tuples(rows))


def upsert(conn: Connection, table: Table, rows: Sequence[Row], key: Sequence[str]) -> None:
    """Insert *rows*, or overwrite every other column of those whose *key* is there. No key comes twice."""
    if rows:
        bulk.upsert(conn, table, *_tuples(rows), key)


def _tuples(rows: Sequence[Row]) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """(columns, rows as tuples)"""
    columns = tuple(rows[0])
    if len(columns) == 1:
        return columns, [(row[columns[0]],) for row in rows]
    return columns, list(map(itemgetter(*columns), rows))
