"""Connections, transactions and locks, the same on SQLite and PostgreSQL.

Writers begin with BEGIN IMMEDIATE on SQLite: a deferred transaction that turns into a writer fails at once with
"database is locked", whatever the time-out (cpython#124510). Locks die with their process: flock beside the SQLite
file, session-level advisory locks on PostgreSQL (so not through a transaction-pooling PgBouncer).

People go first: while somebody holds `ahead`, programs that `give_way` before their next transaction wait. SQLite has
one writer at a time and wakes those who wait in no order, so a load would otherwise leave a person standing.

`persist` does a whole transaction again when the database says "later" or is gone for a while. Whether a COMMIT
whose answer was lost took place is the work's own question: it must begin by looking.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

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
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from harvester.errors import ConfigError, Locked

T = TypeVar("T")
BUSY_MS = 30_000
LONG_LOG = 64 << 20
LOG_MS = 1_000  # for others to end what they read, while nobody writes
GLANCE = 0.01
PATIENCE = 2.0  # seconds that a program stands aside: people hinder a night, but do not stop it
AHEAD = "ahead"
PAUSES = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0)  # seconds; a PostgreSQL that is restarted is back within them
# serialization failure, deadlock, lock time-out, shut down, crashed, not yet up, failed over and still read-only
_LATER = frozenset(("40001", "40P01", "55P03", "57P01", "57P02", "57P03", "25006"))


class Database:
    """An open database: reading and writing transactions, and named locks."""

    def __init__(self, url: str | URL) -> None:
        self.url = make_url(url)
        self.sqlite = self.url.get_backend_name() == "sqlite"
        if not self.sqlite and self.url.get_backend_name() != "postgresql":
            raise ConfigError(f"no database of kind {self.url.get_backend_name()!r}", hint="sqlite or postgresql")
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.engine = _sqlite_engine(self.url) if self.sqlite else _postgres_engine(self.url)
        self._held: dict[int, Connection] = {}  # advisory locks of this process, by key
        self._guard = threading.Lock()
        self._log_held = 0  # bytes of SQLite's log that could not be taken out of it

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
            if self.sqlite:
                self._start_log_anew(conn)

    def _start_log_anew(self, conn: Connection) -> None:
        """Put what SQLite's log holds into the database, and empty it, once it is LONG_LOG bytes longer than last time.

        SQLite itself starts it anew only where nobody reads or writes at the end of a transaction. While several
        sources are harvested that never comes, and the log would be several times the database.
        """
        log = self.path.with_name(self.path.name + "-wal")
        with suppress(FileNotFoundError):
            size = log.stat().st_size
            self._log_held = min(self._log_held, size)  # another program may have emptied it
            if size < self._log_held + LONG_LOG:
                return
            raw: Any = conn.connection.driver_connection
            raw.execute(f"PRAGMA busy_timeout={LOG_MS}")
            with suppress(sqlite3.OperationalError):
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            raw.execute(f"PRAGMA busy_timeout={BUSY_MS}")
            self._log_held = log.stat().st_size  # of one who reads for long

    @contextmanager
    def whole(self) -> Iterator[Database]:
        """One durable writing transaction for the work of many: what is done with the database it gives, or nothing.

        Readers see the state of before until its end. Locks are the caller's business: inside none is taken.
        """
        with self.write(durable=True) as conn:
            yield _Inside(self, conn)

    def persist(self, work: Callable[[], T]) -> T:
        """What *work* gives: whole transactions, done again when they lost their connection or their turn.

        Raises:
            Locked: the connection that held a lock of ours was lost, and another process has taken the lock.
        """
        for pause in PAUSES:
            try:
                return work()
            except DBAPIError as error:
                if not passing(error):
                    raise
            time.sleep(pause)
            self._hold_again()
        return work()

    def _hold_again(self) -> None:
        """Take the locks anew whose connections are gone: a restarted PostgreSQL has forgotten them."""
        with self._guard:
            for key, conn in list(self._held.items()):
                try:
                    ping(conn)
                except DBAPIError:
                    with suppress(DBAPIError):  # still away: the next try asks again
                        conn.rollback()
                        if not _take(conn, key):
                            raise Locked("a lock was lost with its connection; another process has it now") from None

    @contextmanager
    def lock(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        """Hold the named lock, or raise Locked after *wait* seconds. It dies with the process."""
        until = time.monotonic() + wait
        with ExitStack() as held:
            while True:
                try:
                    held.enter_context(self._flock(name) if self.sqlite else self._advisory(name))
                    break
                except Locked:
                    if time.monotonic() >= until:
                        raise
                time.sleep(GLANCE)
            yield

    @contextmanager
    def ahead(self) -> Iterator[None]:
        """While a person writes; several people may be at it at once."""
        with self._flock(AHEAD, fcntl.LOCK_SH) if self.sqlite else self._advisory_shared(AHEAD):
            yield

    def give_way(self, patience: float = PATIENCE) -> bool:
        """Stand aside while people write, *patience* seconds at most; whether there was anybody."""
        waited = False
        until = time.monotonic() + patience
        while True:
            try:
                with self.lock(AHEAD):
                    return waited
            except Locked:
                waited = True
            if time.monotonic() > until:
                return waited
            time.sleep(GLANCE)

    @contextmanager
    def _flock(self, name: str, how: int = fcntl.LOCK_EX | fcntl.LOCK_NB) -> Iterator[None]:
        folder = self.path.with_name(self.path.name + ".locks")
        folder.mkdir(exist_ok=True)
        # hashed: a source code or output name never becomes part of a path
        handle = os.open(folder / hashlib.blake2b(name.encode(), digest_size=12).hexdigest(), os.O_RDWR | os.O_CREAT)
        try:
            try:
                fcntl.flock(handle, how)
            except BlockingIOError:
                raise Locked(f"{name} is already at work in another process", hint="try again later") from None
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _advisory(self, name: str) -> Iterator[None]:
        key = _key(name)
        with self.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT")
            if not _take(conn, key):
                raise Locked(f"{name} is already at work in another process", hint="try again later")
            self._held[key] = conn
            try:
                yield
            finally:
                # guarded: another thread that takes lost locks anew would take this one for ever
                with self._guard, suppress(DBAPIError):  # a lost connection has let go by itself
                    del self._held[key]
                    conn.execute(select(func.pg_advisory_unlock(key)))

    @contextmanager
    def _advisory_shared(self, name: str) -> Iterator[None]:
        with self.engine.connect() as conn:
            conn.execution_options(isolation_level="AUTOCOMMIT")
            conn.execute(select(func.pg_advisory_lock_shared(_key(name))))
            try:
                yield
            finally:
                with suppress(DBAPIError):
                    conn.execute(select(func.pg_advisory_unlock_shared(_key(name))))

    def close(self) -> None:
        self.engine.dispose()


class _Inside(Database):
    """A database whose transactions are parts of the one that is open."""

    def __init__(self, outside: Database, conn: Connection) -> None:
        self.__dict__.update(outside.__dict__)
        self._conn = conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        yield self._conn

    @contextmanager
    def write(self, *, durable: bool = False) -> Iterator[Connection]:
        yield self._conn

    def persist(self, work: Callable[[], T]) -> T:
        return work()

    @contextmanager
    def lock(self, name: str, *, wait: float = 0.0) -> Iterator[None]:
        yield

    def give_way(self, patience: float = PATIENCE) -> bool:
        return False


def passing(error: DBAPIError) -> bool:
    """Whether the same transaction may succeed at another try: the connection was lost, or two got in their way."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or state in _LATER or state.startswith("08"):
        return True
    # by another program, such as a shell
    return isinstance(error.orig, sqlite3.Error) and "locked" in str(error.orig).lower()


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big", signed=True)


def _take(conn: Connection, key: int) -> bool:
    return bool(conn.execute(select(func.pg_try_advisory_lock(key))).scalar_one())


def _sqlite_engine(url: Any) -> Engine:
    path = Path(str(url.database or ""))
    if not path.parent.is_dir():
        raise ConfigError(f"folder {path.parent} does not exist", hint="create it, or change `database`")
    engine = create_engine(
        url, pool_use_lifo=True, connect_args={"timeout": BUSY_MS / 1000, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _connect(raw: Any, _record: Any) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves
        for pragma in (
            "page_size=8192",  # of a new file: records of a few hundred bytes leave half as much of a page empty
            "journal_mode=WAL",
            "synchronous=NORMAL",
            "foreign_keys=ON",
            f"busy_timeout={BUSY_MS}",
            "cache_size=-32768",
            "temp_store=MEMORY",
        ):
            raw.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "checkin")
    def _checkin(raw: Any, _record: Any) -> None:
        # among several, another has written before this one reads again, and then none of its pages is of any use
        if raw is not None and engine.pool.checkedout() > 1:  # type: ignore[attr-defined]
            raw.execute("PRAGMA shrink_memory")

    @event.listens_for(engine, "begin")
    def _begin(conn: Connection) -> None:
        options = conn.get_execution_options()
        level = "FULL" if options.get("induk_durable") else "NORMAL"
        conn.exec_driver_sql(f"PRAGMA synchronous={level}")
        conn.exec_driver_sql("BEGIN IMMEDIATE" if options.get("induk_write") else "BEGIN")

    return engine


def _postgres_engine(url: Any) -> Engine:
    options = "-c statement_timeout=600000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=600000"
    options += " -c jit=off"  # no statement of ours runs for seconds: to compile one took longer than to run it
    # a connection a lock and one a writer for each source at work: no cap of ours on their number
    arguments = {"options": options, "connect_timeout": 10}
    engine = create_engine(url, pool_pre_ping=True, max_overflow=-1, connect_args=arguments)
    reached = threading.Event()

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: Any, words: Any, named: Any) -> Any:
        """A server that answered once is waited for: it is being restarted. A wrong address is told at once."""
        for pause in PAUSES if reached.is_set() else ():
            try:
                return dialect.connect(*words, **named)
            except dialect.dbapi.OperationalError:
                time.sleep(pause)
        made = dialect.connect(*words, **named)
        reached.set()
        return made

    return engine


def within(conn: Connection, column: ColumnElement[Any], values: Iterable[Any]) -> ColumnElement[bool]:
    """The condition that *column* is one of *values*, whatever their number: one bound parameter.

    Hashes (bytes) go as single parameters: a batch of up to 30,000 of them.
    """
    listed = list(values)
    if isinstance(column.type, LargeBinary):
        # a parameter made here: SQLAlchemy looks at each value of a plain list
        return column.in_(bindparam(None, listed, unique=True, expanding=True, type_=column.type))
    if conn.dialect.name == "sqlite":
        return column.in_(select(func.json_each(json.dumps(listed)).table_valued("value").c.value))
    kind: Any = Text() if isinstance(column.type, Text) else BigInteger()
    return column == any_(cast(bindparam(None, listed, unique=True, type_=ARRAY(kind)), ARRAY(kind)))


class hexed(FunctionElement[str]):
    """Bytes as a text of lower-case hexadecimal digits."""

    type = Text()
    inherit_cache = True


@compiles(hexed)
def _hexed(element: hexed, compiler: SQLCompiler, **kwargs: Any) -> str:
    digits = compiler.process(element.clauses, **kwargs)
    return f"lower(hex({digits}))" if compiler.dialect.name == "sqlite" else f"encode({digits}, 'hex')"


def listed(conn: Connection, numbers: Iterable[int]) -> ColumnElement[int]:
    """The column of a table of *numbers*, to be selected from: one bound parameter."""
    made = list(numbers)
    if conn.dialect.name == "sqlite":
        return func.json_each(json.dumps(made)).table_valued("value").c.value
    array = cast(bindparam(None, made, unique=True, type_=ARRAY(BigInteger())), ARRAY(BigInteger()))
    return func.unnest(array).column_valued()


def ping(conn: Connection) -> None:
    """Raise unless the database answers."""
    conn.execute(text("SELECT 1"))
