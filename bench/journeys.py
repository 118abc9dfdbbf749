"""The steps of bench.steps that fill a database: ours, and those that ours are compared with."""

from __future__ import annotations

import io
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LEDGER = ("zstd_dictionary", "payload", "node", "record", "record_version", "normalized", "warning", "match_key",
          "match_queue")  # fmt: skip


def timed(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What *work* says, and the seconds that it took."""
    started = time.perf_counter()
    said = work()
    return {"wall": time.perf_counter() - started, **said}


def alone(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The same, and the processor time of *work* without what led to it."""
    before = processors()
    return {**timed(work), "cpu_wall": processors() - before}


def processors() -> float:
    """Processor seconds so far of this process and of those that it has ended."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def size(path: Path, file: str) -> dict[str, float]:
    """The bytes of the database over those of the file."""
    return {"size": path.stat().st_size / Path(file).stat().st_size} if path.exists() else {}


def fresh(url: str) -> str:
    """The URL of an empty database on the same server, called like the one at *url* with _bench behind."""
    from sqlalchemy import create_engine, make_url, text

    given = make_url(url)
    name = f"{given.database}_bench"
    engine = create_engine(given, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.execute(text(f'DROP DATABASE IF EXISTS "{name}"'))
        conn.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return given.set(database=name).render_as_string(hide_password=False)


def consortium(home: str, url: str) -> Any:
    """A fresh catalogue without partners."""
    from tests.journey import Consortium

    folder = Path(home) / "union"
    shutil.rmtree(folder, ignore_errors=True)
    for path in Path(home).glob("induk.db*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return Consortium(folder, fresh(url) if url else f"sqlite:///{Path(home) / 'induk.db'}", batch=1000)


def joined(file: str, home: str, url: str) -> Any:
    """A fresh catalogue with the partners into whose files *file* was cut, or with one, whose file it is."""
    made = consortium(home, url)
    files = sorted(Path(file).parent.glob("partner*.mrc")) or [Path(file)]
    for number, path in enumerate(files):
        options = {"stable_seconds": 0, "format": "iso2709"}
        made.add(f"gpo{number}", protocol="files", url=str(path), options=options)
    return made


def plain(file: str, home: str, url: str) -> dict[str, Any]:
    """The straightforward pipeline."""
    from bench.plain import pipeline

    path = Path(home) / "plain.db"
    path.unlink(missing_ok=True)
    return pipeline(file, fresh(url) if url else f"sqlite:///{path}")


def ledger(file: str, home: str, url: str) -> dict[str, Any]:
    """Read, parse, normalize, profile, store; then the same records again, from another copy of the files."""
    made = joined(file, home, url)
    found = timed(lambda: made.harvest() and {})
    cpu = processors()
    path = Path(home) / "induk.db"
    if not url:
        with sqlite3.connect(path) as conn:
            conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copy(path, Path(home) / "ledger.db")
    for one in made.settings().sources:
        made.forget_files(one.code)
    again = timed(lambda: made.harvest() and {})
    return {**found, "cpu_wall": cpu, "again": again["wall"], **size(path, file)}


def whole(file: str, home: str, url: str) -> dict[str, Any]:
    """The ledger, matching, merging and the feed."""
    made = joined(file, home, url)

    def work() -> dict[str, Any]:
        loaded = timed(lambda: made.harvest() and {})["wall"]
        found = made.match()
        return {"loaded": loaded, "pairs": found["pairs"] / found["records"]}

    return {**timed(work), **size(Path(home) / "induk.db", file)}


def oai(file: str, home: str, url: str) -> dict[str, Any]:
    """Read → ledger of the same records as MARCXML over OAI-PMH, from a server on this machine."""
    made = consortium(home, url)
    with _serving(file) as address:
        made.add("oai", protocol="oai-pmh", url=address, internal=True, metadata_prefix="marc21")
        found = timed(lambda: made.harvest() and {})
    count = Path(file).read_bytes().count(b"\x1d")
    return {**found, "records": count}


@contextmanager
def _serving(file: str) -> Iterator[str]:
    server = subprocess.Popen([sys.executable, "-m", "bench.oai", file], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/oai"
    finally:
        server.terminate()
        server.wait()


def few(file: str, home: str, url: str) -> dict[str, Any]:
    """Read → ledger of one file, to compare with `oai`."""
    made = consortium(home, url)
    made.add("gpo", protocol="files", url=file, options={"stable_seconds": 0, "format": "iso2709"})
    return {**timed(lambda: made.harvest() and {}), "records": Path(file).read_bytes().count(b"\x1d")}


def catmandu(file: str, home: str, _url: str) -> dict[str, Any]:
    """Catmandu reads, maps the fields of bench.plain and stores, without matching."""
    from bench.plain import FIELDS

    fix, target = Path(home) / "bench.fix", Path(home) / "catmandu.db"
    lines = [f"marc_map({tag},{name}.$append)" for name, tag in FIELDS.items()]
    fix.write_text("\n".join([*lines, "remove_field(record)"]) + "\n", encoding="utf-8")
    target.unlink(missing_ok=True)
    command = ["catmandu", "import", "MARC", "--type", "RAW", "--fix", str(fix), "to", "DBI"]
    with open(file, "rb") as stream:
        subprocess.run(
            [*command, "--data_source", f"dbi:SQLite:{target}"],
            stdin=stream,
            check=True,
            capture_output=True,
            env=os.environ,
        )
    with sqlite3.connect(target) as conn:
        return {"records": conn.execute("SELECT count(*) FROM data").fetchone()[0]}


# ---- the rows of the ledger, by the database alone ---------------------------------------------------


def rows(file: str, home: str, url: str) -> dict[str, Any]:
    """The rows of the ledger, as the database takes them quickest, into the same tables of a new database."""
    return _copied(url) if url else _executemany(Path(home))


def _executemany(home: Path) -> dict[str, Any]:
    path = home / "rows.db"
    path.unlink(missing_ok=True)
    _empty(f"sqlite:///{path}")
    source = sqlite3.connect(home / "ledger.db")
    held = {name: source.execute(f"SELECT * FROM {name}").fetchall() for name in LEDGER}
    target = sqlite3.connect(path, isolation_level=None)
    target.execute("PRAGMA journal_mode=WAL")
    target.execute("PRAGMA synchronous=NORMAL")

    def work() -> dict[str, Any]:
        target.execute("BEGIN")
        for name, values in held.items():
            if values:
                marks = ", ".join("?" for _ in values[0])
                target.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
        target.execute("COMMIT")
        return {}

    return alone(work)


def _copied(url: str) -> dict[str, Any]:
    """Binary COPY out of the database that `ledger` filled, which then makes room for a new one, and into that."""
    import psycopg
    from sqlalchemy import make_url

    given = make_url(url)
    name = given.set(drivername="postgresql", database=f"{given.database}_bench")
    place = name.render_as_string(hide_password=False)
    with psycopg.connect(place) as conn, conn.cursor() as cursor:
        held = {}
        for table in LEDGER:
            out = io.BytesIO()
            with cursor.copy(f'COPY "{table}" TO STDOUT (FORMAT BINARY)') as copy:
                for piece in copy:
                    out.write(piece)
            held[table] = out.getvalue()
    _empty(fresh(url))
    with psycopg.connect(place) as conn, conn.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # no foreign keys: their tables are not all copied

        def work() -> dict[str, Any]:
            for table in LEDGER:
                with cursor.copy(f'COPY "{table}" FROM STDIN (FORMAT BINARY)') as copy:
                    copy.write(held[table])
            conn.commit()
            return {}

        return alone(work)


def _empty(url: str) -> None:
    from db import migrate
    from db.engine import Database

    database = Database(url)
    migrate.upgrade(database)
    database.close()
