"""Real servers on loopback: Zebra (Z39.50 and SRU over a MARC file) and yaz-ztest (canned records, delays).

By hand: `python -m tests.servers.yaz zebra FILE.mrc [TRUNCMAX]` and `python -m tests.servers.yaz ztest`.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.ports import free_port

CONFIG = Path(__file__).parent / "zebra_config"
LOGIN = (("username", "kadmin"), ("password", "geheim"))


@dataclass(frozen=True)
class Zebra:
    """A running Zebra; `auth_port` wants the log-in."""

    folder: Path
    port: int
    auth_port: int

    def update(self, *records: bytes) -> None:
        """Add or replace records."""
        changed = self.folder / "changed.mrc"
        changed.write_bytes(b"".join(records))
        _index(self.folder, "update", str(changed))


def _index(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["zebraidx", "-l", "index.log", "-c", "zebra.cfg", *arguments],
        cwd=folder,
        check=True,
        timeout=300,
        capture_output=True,
    )


def _modules() -> str:
    found = next((str(path.parent) for path in Path("/usr/lib").glob("**/idzebra-2.0/modules/mod-dom.so")), "")
    assert found, "Zebra's modules are not installed"
    return found


def _wait(process: subprocess.Popen[bytes], *ports: int) -> None:
    end = time.monotonic() + 120
    for port in ports:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert process.poll() is None, "the server ended"
                assert time.monotonic() < end, "the server does not listen"
                time.sleep(0.02)


@contextmanager
def _running(arguments: list[str], folder: Path, *ports: int) -> Iterator[None]:
    process = subprocess.Popen(arguments, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(process, *ports)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def zebra(records: bytes, truncmax: int = 1_000_000, folder: Path | None = None) -> Iterator[Zebra]:
    """A Zebra over *records* (ISO 2709) that expands a truncated search to *truncmax* terms."""
    place = Path(tempfile.mkdtemp(prefix="zebra-", dir=folder))
    made = Zebra(place, free_port(), free_port())
    values = {"DIR": place, "MODULES": _modules(), "TRUNCMAX": truncmax, "PORT": made.port, "AUTHPORT": made.auth_port}
    for template in CONFIG.iterdir():
        text = template.read_text()
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        (place / template.name).write_text(text)
    for name in ("db", "tmp"):
        (place / name).mkdir()
    (place / "catalogue.mrc").write_bytes(records)
    try:
        _index(place, "init")
        _index(place, "update", "catalogue.mrc")
        with _running(["zebrasrv", "-f", "yazgfs.xml", "-l", "server.log"], place, made.port, made.auth_port):
            yield made
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def ztest() -> Iterator[int]:
    """The port of a yaz-ztest: the search term is the number of hits; `Default?search-delay=3&fetch-delay=1` delays."""
    port = free_port()
    command = ["yaz-ztest", "-l", "server.log", f"tcp:127.0.0.1:{port}"]
    with tempfile.TemporaryDirectory(prefix="ztest-") as folder, _running(command, Path(folder), port):
        yield port


def main(kind: str, *arguments: str) -> None:
    """Start a server and leave it running until interrupted."""
    if kind == "zebra":
        with zebra(Path(arguments[0]).read_bytes(), *map(int, arguments[1:2])) as made:
            print(
                f"z3950://127.0.0.1:{made.port}/Default http://127.0.0.1:{made.port}/Default, log-in: {made.auth_port}"
            )
            time.sleep(1e9)
    with ztest() as port:
        print(f"z3950://127.0.0.1:{port}/Default")
        time.sleep(1e9)


if __name__ == "__main__":
    main(*sys.argv[1:])
