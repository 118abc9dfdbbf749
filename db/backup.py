"""A copy of the whole database while others work on it, its counts, and putting it back.

SQLite copies itself page by page by its backup interface; PostgreSQL by pg_dump from an exported snapshot, so that
counts and dump hash are of the very state that was copied.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, inspect, select, text

from db import changes, dump, migrate
from db.engine import Database
from db.tables import feed_counter, metadata
from harvester import faultpoint
from harvester.errors import ConfigError, IntegrityError, Locked

PAGES = 512  # of a SQLite file copied between two breaths: writers get in between
_SYSTEM = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid() AND database ="


def facts(conn: Connection) -> dict[str, Any]:
    """What identifies a state: schema, rows of each table, the feed's position, and the hash of the canonical dump.

    Of an older schema there is no dump: who has installed a version and not upgraded yet can still make a backup.
    """
    tables = [table for table in metadata.sorted_tables if inspect(conn).has_table(table.name)]
    counts = {table.name: int(conn.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables}
    one = feed_counter.c
    feed = dict(conn.execute(select(one.epoch, one.seq, one.released, one.min_seq)).mappings().one())
    schema = migrate.current(conn)
    dumped = dump_hash(conn) if schema == migrate.head() else ""
    return {"schema": schema, "counts": counts, "feed": feed, "dump": dumped}


def dump_hash(conn: Connection) -> str:
    """SHA-256 of `induk db dump`."""
    digest = hashlib.sha256()
    for line in dump.lines(conn):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def copy(database: Database, target: Path) -> dict[str, Any]:
    """Write the database to the file *target*; returns the facts of what was copied."""
    return _copy_sqlite(database, target) if database.sqlite else _copy_postgres(database, target)


def _copy_sqlite(database: Database, target: Path) -> dict[str, Any]:
    with sqlite3.connect(database.path) as source, sqlite3.connect(target) as made:
        source.backup(made, pages=PAGES)
    source.close()
    made.close()
    faultpoint.reach("backup.copied")
    copied = Database(f"sqlite:///{target}")
    try:
        with copied.read() as conn:
            found = facts(conn)
    finally:
        copied.close()
    for extra in ("-wal", "-shm"):
        target.with_name(target.name + extra).unlink(missing_ok=True)
    return found


def _copy_postgres(database: Database, target: Path) -> dict[str, Any]:
    with database.read() as conn:
        snapshot = conn.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        _run(database, ["pg_dump", "--format=custom", "--no-owner", f"--snapshot={snapshot}", f"--file={target}"])
        faultpoint.reach("backup.copied")
        return facts(conn)


# ---- putting back --------------------------------------------------------------------------------------


@contextmanager
def alone(database: Database) -> Iterator[None]:
    """Nobody else works: every lock is ours, or Locked is raised. New work that begins finds them held."""
    with ExitStack() as held:
        for name in ("schema", "match", "scheduler"):
            held.enter_context(database.lock(name))
        if database.sqlite:
            for path in sorted(database.path.with_name(database.path.name + ".locks").glob("*")):
                held.enter_context(_lock_file(path))
        else:
            oid = "(SELECT oid FROM pg_database WHERE datname = current_database())"
            with database.read() as conn:
                others = int(conn.execute(text(f"{_SYSTEM} {oid}")).scalar_one())
            if others > 3:  # besides our own three
                raise Locked("the database is at work", hint="stop the scheduler and every harvest first")
        yield


@contextmanager
def _lock_file(path: Path) -> Iterator[None]:
    """Hold the lock of another piece of work; our own are passed over."""
    handle = os.open(path, os.O_RDWR)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if path.name not in {_lock_name(name) for name in ("schema", "match", "scheduler")}:
                raise Locked("the database is at work", hint="stop the scheduler and every harvest first") from None
        yield
    finally:
        os.close(handle)


def _lock_name(name: str) -> str:
    return hashlib.blake2b(name.encode(), digest_size=12).hexdigest()


def is_empty(database: Database) -> bool:
    """Whether the database holds no table of ours."""
    if database.sqlite and not database.path.exists():
        return True
    with database.read() as conn:
        return not inspect(conn).has_table("record")


def put_back(database: Database, source: Path, wanted: dict[str, Any]) -> str:
    """Make the database what the copy *source* is, checked against *wanted*; returns the feed's new epoch.

    All or nothing: until the last step the old database stands.

    Raises:
        IntegrityError: what came out is not what was copied.
    """
    return _put_sqlite(database, source, wanted) if database.sqlite else _put_postgres(database, source, wanted)


def _put_sqlite(database: Database, source: Path, wanted: dict[str, Any]) -> str:
    fresh = database.path.with_name(database.path.name + ".restoring")
    for extra in ("", "-wal", "-shm"):
        fresh.with_name(fresh.name + extra).unlink(missing_ok=True)
    shutil.copyfile(source, fresh)
    opened = Database(f"sqlite:///{fresh}")
    try:
        epoch = _check_and_renew(opened, wanted)
        with opened.engine.connect() as conn:
            conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        opened.close()
    sync(fresh)
    faultpoint.reach("restore.checked")
    if database.path.exists():
        with database.engine.connect() as conn:  # what stands in the old log goes into the old file first
            conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    for extra in ("-wal", "-shm"):  # of the old file: they must never meet the new one
        database.path.with_name(database.path.name + extra).unlink(missing_ok=True)
        fresh.with_name(fresh.name + extra).unlink(missing_ok=True)
    fresh.replace(database.path)
    sync(database.path.parent)
    return epoch


def _put_postgres(database: Database, source: Path, wanted: dict[str, Any]) -> str:
    """Only into an empty database, which is empty again when what came out is wrong."""
    if not is_empty(database):
        raise ConfigError("the target is not empty", hint="restore into a new database, then change `database`")
    with database.write() as conn:
        conn.execute(text("DROP SCHEMA public CASCADE"))
        conn.execute(text("CREATE SCHEMA public"))
    command = ["pg_restore", "--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges"]
    _run(database, [*command, f"--dbname={database.url.database}", str(source)])
    faultpoint.reach("restore.checked")
    try:
        return _check_and_renew(database, wanted)
    except IntegrityError:
        with database.write() as conn:
            conn.execute(text("DROP SCHEMA public CASCADE"))
            conn.execute(text("CREATE SCHEMA public"))
        raise


def _check_and_renew(database: Database, wanted: dict[str, Any]) -> str:
    with database.read() as conn:
        found = facts(conn) if migrate.current(conn) == migrate.head() else {"schema": migrate.current(conn)}
    wrong = [name for name in found if found[name] != wanted.get(name)]
    if wrong:
        raise IntegrityError(f"the restored database differs from its manifest in {', '.join(wrong)}")
    with database.write(durable=True) as conn:
        return changes.start_anew(conn)


def sync(path: Path) -> None:
    """Have the file, or the names in the folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _run(database: Database, command: list[str]) -> None:
    """Run a PostgreSQL tool; the password goes by environment, which other users cannot read, not by argument."""
    url = database.url
    given = {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGDATABASE": url.database}
    environ = {**os.environ, **{name: str(value) for name, value in given.items() if value}}
    if url.password:
        environ["PGPASSWORD"] = str(url.password)
    if shutil.which(command[0]) is None:
        raise ConfigError(f"{command[0]} is not installed", hint="install the client tools of PostgreSQL")
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ConfigError(f"{command[0]} failed: {done.stderr.strip()[-500:]}")
