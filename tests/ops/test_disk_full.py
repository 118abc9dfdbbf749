"""A disk that fills up under a harvest and a match: partial and clear, and after room is made nothing lost or doubled.

Where this user may mount, the disk is a tmpfs that really is full, in a mount namespace of its own, in which a process
runs `night`; elsewhere no file may grow beyond a size (RLIMIT_FSIZE).
"""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import canaries
from tests.ops.nights import Nights
from tests.ops.test_recovery import induk, nights_until_whole
from tests.servers import postgres

pytestmark = pytest.mark.slow
CODES = ("alun", "bukit")
ROOM = 96 << 20  # bytes of the disk; little, and yet a PostgreSQL fits
LEFT = 150_000  # of them free when the command begins
MOUNTED = f'mount -t tmpfs -o size={ROOM},mode=0777 tmpfs "$0" && exec "$@"'


class Disk:
    """`folder` has little room between `fill` and `free`."""

    def __init__(self, folder: Path, *, mounted: bool) -> None:
        self.folder, self.mounted = folder, mounted

    def fill(self, server: postgres.Server | None) -> dict[str, Any]:
        """Leave LEFT bytes; returns how a process that is to notice must be started."""
        if self.mounted:
            told = os.statvfs(self.folder)
            self._resize((told.f_blocks - told.f_bfree) * told.f_frsize + LEFT)
        elif server:
            server.limit_files(str(LEFT // 4))
        else:
            return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (LEFT, LEFT))}
        return {}

    def free(self, server: postgres.Server | None) -> None:
        if self.mounted:
            self._resize(ROOM)
        elif server:
            server.limit_files("unlimited")
        if server:
            server.restart()  # without room for its log it may have stopped, or be about to

    def _resize(self, size: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


def told_by(union: Nights, *words: str, **options: Any) -> tuple[int, str]:
    """The exit code of a command, and all that it said."""
    union.reopen()
    process = induk(union, *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    out = process.communicate(timeout=600)[0].decode()
    assert "Traceback" not in out, out
    return process.returncode, out


def night(command: str, kind: str, folder: Path, disk: Disk) -> None:
    """A night of which *command* meets a full disk, compared with one without faults."""
    with Nights(folder / "good", f"sqlite:///{folder / 'good.db'}", CODES, records=150) as good:
        good.work()
        expected = good.consortium.dump()
    with database(kind, disk) as (url, server), Nights(folder / "union", url, CODES, records=150) as union:
        if command == "match":
            assert told_by(union, "harvest")[0] == 0
        code, out = told_by(union, command, **disk.fill(server))
        print(out)
        assert code == 1, out
        assert any(word in out for word in ("full", "space", "disk", "bytes at block", "too large", "connection")), out
        disk.free(server)
        nights_until_whole(union, expected)


@contextmanager
def database(kind: str, disk: Disk) -> Iterator[tuple[str, postgres.Server | None]]:
    if kind == "sqlite":
        yield f"sqlite:///{disk.folder / 'induk.db'}", None
        return
    with postgres.running(disk.folder) as server:
        yield server.create(), server


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
@pytest.mark.parametrize("command", ["harvest", "match"])
def test_z096_a_full_disk_ends_in_a_partial_run_and_nothing_is_lost(tmp_path: Path, command: str, kind: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ifull", dir="/tmp"))  # short: PostgreSQL's socket stands there
    script = [sys.executable, "-m", "tests.ops.test_disk_full", command, kind, str(tmp_path), str(folder)]
    inside = ["unshare", "-m", *([] if os.geteuid() == 0 else ["-r"]), "sh", "-c", MOUNTED, str(folder)]
    may = kind == "sqlite" or os.geteuid() == 0  # PostgreSQL runs as nobody's root, and that is who a namespace has
    mounted = may and subprocess.run([*inside, "true"], capture_output=True, check=False).returncode == 0
    command_line = [*inside, *script, "mounted"] if mounted else script
    done = subprocess.run(command_line, capture_output=True, text=True, timeout=800, check=False)
    canaries.saw("a full disk", done.stdout, done.stderr)
    shutil.rmtree(folder, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr


if __name__ == "__main__":
    night(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Disk(Path(sys.argv[4]), mounted="mounted" in sys.argv))
