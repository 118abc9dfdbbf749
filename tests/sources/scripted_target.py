"""A loopback Z39.50 server that answers as a test scripted it, and the answers to script with."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from harvester.sources.z3950 import apdu, ber

DIAGNOSTICS = "1.2.840.10003.4.1"
Answer = bytes | Iterable[bytes | float] | None


@dataclass(frozen=True)
class Request:
    """One APDU as it came; the numbers are those of Present."""

    number: int
    kind: int
    start: int = 0
    count: int = 0
    element_set: str = ""
    result_set: str = ""
    body: bytes = b""


Script = Callable[[Request], Answer]


@dataclass
class ScriptedTarget:
    """Serves *script* on `port`; None closes the connection, a number in an answer is a pause in seconds."""

    script: Script
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> ScriptedTarget:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._closing.set()
        for each in (self._listener, *self._open):
            each.close()

    @property
    def url(self) -> str:
        return f"z3950{'s' if self.tls else ''}://127.0.0.1:{self.port}/Default"

    def presents(self) -> list[tuple[int, int]]:
        """(start, count) of every Present."""
        return [(one.start, one.count) for one in self.requests if one.kind == apdu.PRESENT]

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
        stream = connection
        try:
            stream = self.tls.wrap_socket(connection, server_side=True) if self.tls else connection
            buffer = bytearray()
            while block := stream.recv(65536):
                buffer += block
                end = ber.Frame(1 << 20).end(buffer)
                if end is None:
                    continue
                body = bytes(buffer[:end])
                del buffer[:end]
                if not self._answer(stream, self._read(body)):
                    return
        except OSError:
            return
        finally:
            stream.close()

    def _read(self, body: bytes) -> Request:
        top = ber.element(body, 0, len(body))
        found = ber.fields(body, top)
        number = len(self.requests) + 1
        if top.tag == apdu.PRESENT:
            elements = ber.fields(body, found[19]) if 19 in found else {}
            request = Request(
                number,
                top.tag,
                ber.integer(body, found[30]),
                ber.integer(body, found[29]),
                ber.text(body, elements[0]) if 0 in elements else "",
                ber.text(body, found[31]),
                body,
            )
        else:
            request = Request(number, top.tag, body=body)
        self.requests.append(request)
        return request

    def _answer(self, stream: socket.socket, request: Request) -> bool:
        answer = self.script(request)
        if answer is None:
            return False
        for part in [answer] if isinstance(answer, bytes) else answer:
            if isinstance(part, bytes):
                stream.sendall(part)
            elif self._closing.wait(part):
                return False
        return True


# ---- answers -----------------------------------------------------------------------------------------


def diagnostic(condition: int, said: str = "", tag: int = ber.SEQUENCE) -> bytes:
    return ber.constructed(
        tag,
        ber.encode_oid(ber.OID, DIAGNOSTICS),
        ber.encode_integer(ber.INTEGER, condition),
        ber.encode_text(ber.VISIBLE_STRING, said),
    )


def init(accepted: bool = True, options: frozenset[int] = frozenset({0, 1, 7, 14})) -> bytes:
    return ber.constructed(
        apdu.INIT_RESPONSE,
        ber.encode_bits(3, frozenset({0, 1, 2})),
        ber.encode_bits(4, options),
        ber.encode_integer(5, 1 << 20),
        ber.encode_integer(6, 1 << 20),
        ber.encode_boolean(12, accepted),
    )


def search(hits: int) -> bytes:
    return ber.constructed(
        apdu.SEARCH_RESPONSE,
        ber.encode_integer(23, hits),
        ber.encode_integer(24, 0),
        ber.encode_integer(25, 1),
        ber.encode_boolean(22, True),
    )


def search_failed(condition: int, said: str = "") -> bytes:
    return ber.constructed(
        apdu.SEARCH_RESPONSE,
        ber.encode_integer(23, 0),
        ber.encode_integer(24, 0),
        ber.encode_integer(25, 1),
        ber.encode_boolean(22, False),
        diagnostic(condition, said, 130),
    )


def external(payload: bytes, syntax: str = "usmarc", *, single: bool = False) -> bytes:
    held = ber.constructed(0, payload) if single else ber.primitive(1, payload)
    return ber.constructed(ber.EXTERNAL, ber.encode_oid(ber.OID, apdu.SYNTAXES[syntax]), held)


def record(payload: bytes, syntax: str = "usmarc", *, single: bool = False) -> bytes:
    return _named(ber.constructed(1, external(payload, syntax, single=single)))


def surrogate(condition: int, said: str = "") -> bytes:
    return _named(ber.constructed(2, diagnostic(condition, said)))


def _named(choice: bytes) -> bytes:
    return ber.constructed(ber.SEQUENCE, ber.encode_text(0, "Default"), ber.constructed(1, choice))


def present(*records: bytes, status: int = 0) -> bytes:
    return ber.constructed(
        apdu.PRESENT_RESPONSE,
        ber.encode_integer(24, len(records)),
        ber.encode_integer(25, 0),
        ber.encode_integer(27, status),
        ber.constructed(28, *records) if records else b"",
    )


def present_failed(condition: int, said: str = "") -> bytes:
    return ber.constructed(
        apdu.PRESENT_RESPONSE,
        ber.encode_integer(24, 0),
        ber.encode_integer(25, 0),
        ber.encode_integer(27, 5),
        diagnostic(condition, said, 130),
    )


def scan(*terms: tuple[str, int]) -> bytes:
    entries = [ber.constructed(1, ber.encode_text(45, term), ber.encode_integer(2, count)) for term, count in terms]
    return ber.constructed(
        apdu.SCAN_RESPONSE,
        ber.encode_integer(4, 0),
        ber.encode_integer(5, len(terms)),
        ber.constructed(7, ber.constructed(1, *entries)),
    )


def holding(records: list[bytes], **also: Callable[[Request], Answer]) -> Script:
    """A well-behaved target over NamePlusRecords; `also` names what answers `init`, `search` or `present` instead."""

    def script(request: Request) -> Answer:
        name = {apdu.INIT: "init", apdu.SEARCH: "search", apdu.PRESENT: "present"}.get(request.kind, "")
        if name in also:
            return also[name](request)
        if request.kind == apdu.INIT:
            return init()
        if request.kind == apdu.SEARCH:
            return search(len(records))
        if request.kind == apdu.PRESENT:
            if request.start + request.count - 1 > len(records):
                return present_failed(13)
            return present(*records[request.start - 1 : request.start - 1 + request.count])
        return None

    return script
