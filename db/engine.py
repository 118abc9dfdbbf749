"""Connections, transactions and locks, the same on SQLite and PostgreSQL.

Writers begin with BEGIN IMMEDIATE on SQLite: a deferred transaction that turns into a writer fails at once with
"database is locked", whatever the time-out (cpython#124510). Locks die with their process: flock beside the SQLite
file, session-level advisory locks on PostgreSQL (so not through a transaction-pooling PgBouncer).
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    Text,
    any_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import make_url

from harvester.errors import ConfigError, Locked

BUSY_MS = 30_000


class Database:
    """An open database: reading and writing transactions, and named locks."""

    def __init__(self, url: str) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if not self.sqlite and self.url.get_backend_name() != "postgresql":
            raise ConfigError(f"no database of kind {self.url.get_backend_name()!r}", hint="sqlite or postgresql")
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.engine = _sqlite_engine(self.url) if self.sqlite else _postgres_engine(self.url)

    @property
    def path(self) -> Path:
        """The SQLite file; only there."""
        return Path(str(self.url.database))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A reading transaction: one snapshot, never blocked by writers."""
        with self.engine.connect() as conn:
            if not self.sqlite:
                conn.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with conn.begin():
                yield conn

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        """A writing transaction. *durable* survives a power cut: human decisions and released changes."""
        with self.engine.connect() as conn:
            if self.sqlite:
                conn.execution_options(induk_write=True, induk_durable=durable)
            with conn.begin():
                yield conn

    @contextmanager
    def lock(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the named lock, or raise Locked. It dies with the process."""
        with self._flock(name) if self.sqlite else self._advisory(name):
            yield

    @contextmanager
    def _flock(self, name: str) -> Iterator[None]:
        folder = self.path.with_name(self.path.name + ".locks")
        folder.mkdir(exist_ok=True)
        # hashed: a source code or output name never becomes part of a path
        handle = os.open(folder / hashlib.blake2b(name.encode(), digest_size=12).hexdigest(), os.O_RDWR | os.O_CREAT)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked(f"{name} is already at work in another process", hint="try again later") from None
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _advisory(self, name: str) -> Iterator[None]:
        key = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)
        with self.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT")
            if not conn.execute(select(func.pg_try_advisory_lock(key))).scalar_one():
                raise Locked(f"{name} is already at work in another process", hint="try again later")
            try:
                yield
            finally:
                conn.execute(select(func.pg_advisory_unlock(key)))

    def close(self) -> None:
        self.engine.dispose()


def _sqlite_engine(url: Any) -> Engine:
    path = Path(str(url.database or ""))
    if not path.parent.is_dir():
        raise ConfigError(f"folder {path.parent} does not exist", hint="create it, or change `database`")
    engine = create_engine(url, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False})

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MS}",
            "cache_size=-65536",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        options = conn.get_execution_options()
        level = "FULL" if options.get("induk_durable") else "NORMAL"
        conn.exec_driver_sql(f"PRAGMA synchronous={level}")
        conn.exec_driver_sql("BEGIN IMMEDIATE" if options.get("induk_write") else "BEGIN")

    return engine


def _postgres_engine(url: Any) -> Engine:
    options = "-c statement_timeout=600000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=600000"
    return create_engine(url, pool_pre_ping=True, connect_args={"options": options, "connect_timeout": 10})


def within(conn: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """The condition that *column* is one of *values*, whatever their number: one bound parameter.

    Hashes (bytes) go as single parameters: a batch of up to 30,000 of them.
    """
    listed = list(values)
    if isinstance(column.type, LargeBinary):
        return column.in_(listed)
    if conn.dialect.name == "sqlite":
        return column.in_(select(func.json_each(json.dumps(listed)).table_valued("value").c.value))
    kind: Any = Text() if isinstance(column.type, Text) else BigInteger()
    return column == any_(cast(bindparam(None, listed, unique=True, type_=ARRAY(kind)), ARRAY(kind)))


def ping(conn: Connection) -> None:
    """Raise unless the database answers."""
    conn.execute(text("SELECT 1"))
