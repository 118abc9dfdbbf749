"""A PostgreSQL server of the tests' own: its folder, its port, gone at the end.

PostgreSQL refuses to run as root, so as root everything runs as user `postgres`; the socket path must be short.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import text

from db.engine import Database
from tests import canaries
from tests.servers.ports import free_port


def binaries() -> Path | None:
    """The folder of the newest installed PostgreSQL, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Server:
    """A running server; `create()` gives the URL of a new, empty database."""

    def __init__(self, port: int, user: list[str], folder: Path, bin_folder: Path) -> None:
        self.port = port
        self._user = user
        self.folder = folder
        self._bin = bin_folder
        self._made = 0

    def create(self, template: str = "") -> str:
        """A new database, empty or a copy of the one at *template*, to which nobody may be connected."""
        self._made += 1
        name = f"induk{self._made}"
        self._psql(f"CREATE DATABASE {name}" + (f" TEMPLATE {template.rpartition('/')[2]}" if template else ""))
        return f"postgresql+psycopg://postgres:{canaries.DATABASE}@127.0.0.1:{self.port}/{name}"

    def drop(self, url: str) -> None:
        self._psql(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def start(self) -> None:
        """Start it; at work already, it stays so."""
        options = (
            f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off -c synchronous_commit=off "
            "-c full_page_writes=off -c max_connections=200"
        )
        if self.control("status", check=False):
            self.control("-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def restart(self) -> None:
        """Stop it as a crash would, if it still is at work, and start it."""
        self.control("-m", "immediate", "stop", check=False)
        self.start()

    def limit_files(self, size: str) -> None:
        """No file may grow beyond *size* bytes by a connection that is made from now on."""
        keeper = (self.folder / "d" / "postmaster.pid").read_text().split()[0]
        subprocess.run([*self._user, "prlimit", f"--fsize={size}:", "--pid", keeper], check=True)

    def control(self, *words: str, check: bool = True) -> int:
        """Run pg_ctl; returns its exit code."""
        command = [*self._user, str(self._bin / "pg_ctl"), "-D", str(self.folder / "d"), *words]
        return subprocess.run(command, check=check, capture_output=True, cwd="/").returncode

    def _psql(self, statement: str) -> None:
        command = [str(self._bin / "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-d", "postgres"]
        subprocess.run([*command, "-qc", statement], check=True, capture_output=True)


AT_WORK = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
    " AND (state <> 'idle' OR pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory'))"
)


def until_idle(url: str) -> None:
    """Wait until nobody is at work in the database or holds a lock of it.

    What a killed process had begun PostgreSQL ends when it notices, which may be after the next process has started.
    """
    if url.startswith("sqlite"):
        return
    database, ends = Database(url), time.monotonic() + 120
    try:
        while True:
            with database.read() as conn:
                number = conn.execute(AT_WORK).scalar_one()
            if not number:
                return
            assert time.monotonic() < ends, "somebody is at work"
            time.sleep(0.02)
    finally:
        database.close()


@contextmanager
def running(small: Path | None = None) -> Iterator[Server]:
    """Start a server on a free port of loopback; its data stands in *small*, a folder with little room, if given."""
    bin_folder = binaries()
    assert bin_folder is not None
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = small or Path(tempfile.mkdtemp(prefix="ipg", dir="/tmp"))
    try:
        if user:
            shutil.chown(folder, "postgres", "postgres")
        init = [str(bin_folder / "initdb"), "-D", str(folder / "d"), "-U", "postgres", "-A", "trust", "-N"]
        init += ["--wal-segsize=1"] if small else []
        subprocess.run([*user, *init, "-E", "UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, cwd="/")
        server = Server(free_port(), user, folder, bin_folder)
        server.start()
        try:
            yield server
        finally:
            server.control("-m", "immediate", "stop", check=False)
    finally:
        for _ in range(3):
            with suppress(OSError):
                shutil.rmtree(folder)
                break
            time.sleep(0.2)
