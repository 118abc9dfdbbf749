"""A loopback HTTP server that sends exactly the bytes that a test scripted, one connection per thread."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Request:
    """One request as it came; `number` counts from 1, `arguments` are those of the query or of the form."""

    number: int
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def arguments(self) -> dict[str, str]:
        query = urlsplit(self.target).query if self.method == "GET" else self.body.decode("latin-1")
        return dict(parse_qsl(query, keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What to send. A number in `chunks` is a pause in seconds; without `length` only the close ends the body.

    `raw` replaces everything, status line included.
    """

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "text/xml; charset=utf-8"),)
    length: int | None = -1
    chunks: Iterable[bytes | float] | None = None
    raw: Iterable[bytes | float] | None = None
    reset: bool = False


Script = Callable[[Request], Reply]


@dataclass
class ScriptedServer:
    """Serves *script* at `url`, *most* requests at most; `requests` is everything that was asked."""

    script: Script
    tls: ssl.SSLContext | None = None
    host: str = "127.0.0.1"
    most: int = 10_000
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> ScriptedServer:
        self._listener = socket.create_server((self.host, 0))
        self.port = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        self._listener.close()
        for connection in self._open:
            connection.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}/oai"

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with self._secured(connection) as stream:
                reader = stream.makefile("rb")
                while (request := self._read(reader)) is not None and self._answer(stream, request):
                    pass
        except (OSError, ValueError):
            return

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self.tls.wrap_socket(connection, server_side=True) if self.tls else connection

    def _read(self, reader: object) -> Request | None:
        line = reader.readline().decode("latin-1")  # type: ignore[attr-defined]
        if not line.strip():
            return None
        method, target, _ = line.split(" ", 2)
        headers: dict[str, str] = {}
        while line := reader.readline().decode("latin-1").strip():  # type: ignore[attr-defined]
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        body = reader.read(int(headers.get("content-length", "0")))  # type: ignore[attr-defined]
        with self._lock:
            request = Request(len(self.requests) + 1, method, target, headers, body)
            self.requests.append(request)
        return request

    def _answer(self, stream: socket.socket, request: Request) -> bool:
        """Send the scripted reply; False when the connection is to be closed behind it."""
        reply = self.script(request) if request.number <= self.most else Reply(reset=True)
        if reply.reset:
            # SO_LINGER 0: the close becomes a TCP reset
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return False
        parts = reply.raw if reply.raw is not None else self._parts(reply)
        for part in parts:
            if isinstance(part, bytes):
                stream.sendall(part)
            elif self._closing.wait(part):
                return False
        return reply.raw is None and reply.chunks is None and reply.length == -1

    def _parts(self, reply: Reply) -> Iterator[bytes | float]:
        head = [f"HTTP/1.1 {reply.status} Scripted"] + [f"{name}: {value}" for name, value in reply.headers]
        if reply.length is not None and reply.chunks is None:
            head.append(f"Content-Length: {len(reply.body) if reply.length < 0 else reply.length}")
        else:
            head.append("Connection: close")
        yield ("\r\n".join(head) + "\r\n\r\n").encode("latin-1")
        yield from reply.chunks if reply.chunks is not None else (reply.body,)


def in_turn(*replies: Reply) -> Script:
    """The replies one after another, whatever is asked; the last one for ever."""
    return lambda request: replies[min(request.number, len(replies)) - 1]


class TestClock:
    """Sleeping takes no time and is remembered; the monotonic clock runs on really, so deadlines hold."""

    __test__ = False

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self):  # type: ignore[no-untyped-def]
        from datetime import UTC, datetime

        return datetime(2026, 3, 2, 18, 0, tzinfo=UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
