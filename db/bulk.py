"""Many rows at once, the quick way of each database: executemany on SQLite, COPY and INSERT … SELECT on PostgreSQL.

Rows are tuples in the order of the given columns; nothing is looked at a row at a time on our side. On SQLite the
statement goes to the driver as it is: SQLAlchemy's parameter handling costs as much as the insert itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, LargeBinary, Table, Text
from sqlalchemy.exc import DBAPIError, IntegrityError

TOGETHER = 50  # rows of one statement: 600 values at most, where old builds of SQLite take 999
# From so many rows on COPY pays for its temporary table.
COPY_FROM = 50
# What PostgreSQL calls the types of our columns: without text in between both sides have half the work.
_TYPES = {BigInteger: "int8", Integer: "int4", Float: "float8", Boolean: "bool", LargeBinary: "bytea", Text: "text"}


def insert_new(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    likely: bool = False,
) -> None:
    """Insert *rows*; those whose key is there already are left as they are. *likely*: hardly ever is one there."""
    _run(conn, table, columns, rows, "ON CONFLICT DO NOTHING", likely)


def insert(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert *rows*; a key that is there already is an error."""
    _run(conn, table, columns, rows, "")


def upsert(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    key: Sequence[str],
    *,
    likely: bool = False,
) -> None:
    """Insert *rows*, or overwrite every other given column of those whose *key* is there; *likely*: hardly ever one."""
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in columns if name not in key)
    target = ", ".join(f'"{name}"' for name in key)
    _run(conn, table, columns, rows, f"ON CONFLICT ({target}) DO UPDATE SET {changed}", likely)


def count_up(conn: Connection, table: Table, columns: tuple[str, str], keys: Sequence[int]) -> None:
    """Insert (key, 1) for each of *keys*; where one has come meanwhile, add one to its count. Hardly ever one has."""
    key, counter = columns
    rest = f'ON CONFLICT ("{key}") DO UPDATE SET "{counter}" = "{table.name}"."{counter}" + 1'
    _run(conn, table, columns, [(one, 1) for one in keys], rest, likely=True)


def update(
    conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]], key: str = "id"
) -> None:
    """Set the other given columns of the rows whose *key* column is given; unknown keys are passed over."""
    if not rows:
        return
    others = [name for name in columns if name != key]
    if conn.dialect.name == "sqlite":
        settings = ", ".join(f'"{name}" = ?{columns.index(name) + 1}' for name in others)
        place = columns.index(key) + 1
        conn.exec_driver_sql(f'UPDATE "{table.name}" SET {settings} WHERE "{key}" = ?{place}', list(rows))  # noqa: S608
        return
    stage = _staged(conn, table, columns, rows)
    settings = ", ".join(f'"{name}" = s."{name}"' for name in others)
    conn.exec_driver_sql(f'UPDATE "{table.name}" t SET {settings} FROM {stage} s WHERE t."{key}" = s."{key}"')  # noqa: S608


def delete(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    """Delete what has the values of one of *rows* in *columns*."""
    if not rows:
        return
    if conn.dialect.name == "sqlite":
        same = " AND ".join(f'"{name}" = ?' for name in columns)
        conn.exec_driver_sql(f'DELETE FROM "{table.name}" WHERE {same}', list(rows))  # noqa: S608
        return
    stage = _staged(conn, table, columns, rows)
    same = " AND ".join(f't."{name}" = s."{name}"' for name in columns)
    conn.exec_driver_sql(f'DELETE FROM "{table.name}" t USING {stage} s WHERE {same}')  # noqa: S608


def _run(
    conn: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    rest: str,
    likely: bool = False,
) -> None:
    if not rows:
        return
    names = ", ".join(f'"{name}"' for name in columns)
    if conn.dialect.name == "sqlite":
        _together(conn, f'INSERT INTO "{table.name}" ({names}) VALUES', len(columns), rows, rest)
    elif len(rows) < COPY_FROM:
        marks = ", ".join("%s" for _ in columns)
        conn.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) {rest}', list(rows))  # noqa: S608
    elif not rest:
        copy(conn, f'"{table.name}"', names, rows, _types(table, columns))
    elif not (likely and _copied(conn, table, columns, names, rows)):
        stage = _staged(conn, table, columns, rows)
        conn.exec_driver_sql(f'INSERT INTO "{table.name}" ({names}) SELECT {names} FROM {stage} {rest}')  # noqa: S608


def _together(conn: Connection, start: str, width: int, rows: Sequence[tuple[Any, ...]], rest: str) -> None:
    """A statement for each TOGETHER rows, then one for each of the others: a fourth less work than a row at a time."""
    marks = f"({', '.join('?' * width)})"
    whole = len(rows) // TOGETHER * TOGETHER
    if whole:
        flat = list(chain.from_iterable(rows[:whole]))
        step = TOGETHER * width
        several = [tuple(flat[at : at + step]) for at in range(0, len(flat), step)]
        conn.exec_driver_sql(f"{start} {', '.join([marks] * TOGETHER)} {rest}", several)
    if whole < len(rows):
        conn.exec_driver_sql(f"{start} {marks} {rest}", list(rows[whole:]))


def _staged(conn: Connection, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> str:
    """The name of a temporary table, gone with the transaction, that holds *rows*."""
    stage = f'"stage_{table.name}"'
    names = ", ".join(f'"{name}"' for name in columns)
    conn.exec_driver_sql(f"DROP TABLE IF EXISTS {stage}")
    conn.exec_driver_sql(
        f'CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT {names} FROM "{table.name}" WITH NO DATA'  # noqa: S608
    )
    copy(conn, stage, names, rows, _types(table, columns))
    return stage


def _types(table: Table, columns: Sequence[str]) -> list[str]:
    return [_TYPES[type(table.c[name].type)] for name in columns]


def _copied(
    conn: Connection, table: Table, columns: Sequence[str], names: str, rows: Sequence[tuple[Any, ...]]
) -> bool:
    """COPY straight into the table, in a third less time than by way of a temporary one; False: a key is there."""
    try:
        with conn.begin_nested():
            copy(conn, f'"{table.name}"', names, rows, _types(table, columns))
    except IntegrityError:
        return False
    return True


def copy(conn: Connection, target: str, names: str, rows: Sequence[tuple[Any, ...]], types: Sequence[str] = ()) -> None:
    """Insert *rows* by COPY: in binary where *types* are given, as text where not.

    It goes past SQLAlchemy, and what fails must look as usual, or nobody tries again.
    """
    driver: Any = conn.connection.driver_connection
    statement = f"COPY {target} ({names}) FROM STDIN" + (" (FORMAT BINARY)" if types else "")
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            if types:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)
    except conn.dialect.loaded_dbapi.Error as error:
        kind = conn.dialect.loaded_dbapi.Error
        raise DBAPIError.instance(statement, None, error, kind, connection_invalidated=driver.closed) from error
