"""One Z39.50 association over TCP or TLS: every answer is bounded in bytes and in time."""

from __future__ import annotations

import socket
import ssl
import time

import msgspec

from harvester.errors import ProtocolError, SourceError, SourceUnavailable
from harvester.sources.z3950 import apdu, pqf
from harvester.sources.z3950.apdu import Credentials, Diagnostic, PresentAnswer
from harvester.sources.z3950.ber import Frame

CHUNK = 1 << 18

# Bib-1 conditions that say "come back later"; the others refuse what was asked.
PASSING = {2, 10, 11, 109, 110, 111, 221, 1010, 1012, 1017, 1018}
LOST_RESULT_SET = {27, 30}
OUT_OF_RANGE = 13
TOO_LARGE = {16, 17}


class Target(msgspec.Struct, frozen=True):
    """Where to connect, how to log in, what to ask for, and every bound.

    `addresses` are the checked addresses of `host`; `host` itself is only compared with the certificate.
    """

    host: str
    port: int
    addresses: tuple[str, ...]
    databases: tuple[str, ...] = ("Default",)
    tls: bool = False
    ca_file: str = ""
    credentials: Credentials = Credentials()
    syntax: str = "usmarc"
    element_set: str = "F"
    named_sets: bool = True
    message_size: int = 4 << 20
    record_size: int = 4 << 20
    connect_seconds: float = 10
    read_seconds: float = 60
    answer_seconds: float = 600
    answer_bytes: int = 64 << 20

    @property
    def place(self) -> str:
        return f"{self.host}:{self.port}/{'+'.join(self.databases)}"


def error_of(diagnostics: tuple[Diagnostic, ...], place: str, doing: str) -> SourceError:
    """The error for non-surrogate diagnostics: unavailable when the first one asks to come back."""
    if not diagnostics:
        return ProtocolError(f"{doing} failed without a diagnostic", place=place)
    first = diagnostics[0]
    said = "; ".join(f"{one.code} {one.addinfo}".strip() for one in diagnostics[:5])
    if first.code.startswith("bib-1/") and first.condition in PASSING:
        return SourceUnavailable(f"{doing} failed: {said}", place=place)
    return ProtocolError(f"{doing} failed: {said}", place=place, code=first.code)


class Connection:
    """An open association. After any error that is not a diagnostic it is closed and of no more use.

    Raises:
        SourceUnavailable: no connection, no answer in time, connection lost.
        ProtocolError: refused log-in or search, or an answer that is no Z39.50.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self._buffer = bytearray()
        self._socket = self._connect()
        try:
            self.agreed = self._init()
        except BaseException:
            self.abort()
            raise

    # ---- the connection ------------------------------------------------------------------------------

    def _connect(self) -> socket.socket:
        reason = "no address"
        for address in self.target.addresses:
            try:
                raw = socket.create_connection((address, self.target.port), self.target.connect_seconds)
            except OSError as error:
                reason = error.strerror or str(error) or type(error).__name__
                continue
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._secured(raw) if self.target.tls else raw
        raise SourceUnavailable(f"no connection: {reason}", place=self.target.place)

    def _secured(self, raw: socket.socket) -> socket.socket:
        try:
            context = ssl.create_default_context(cafile=self.target.ca_file or None)
            return context.wrap_socket(raw, server_hostname=self.target.host)
        except ssl.SSLCertVerificationError as error:
            raw.close()
            raise ProtocolError(
                f"certificate refused: {error.verify_message}", place=self.target.place, code="tls"
            ) from None
        except OSError as error:
            raw.close()
            raise SourceUnavailable(f"no TLS connection: {error}", place=self.target.place) from None

    def abort(self) -> None:
        """Drop the connection without a word."""
        self._socket.close()

    def close(self) -> None:
        """Say good-bye and drop the connection."""
        try:
            self._socket.settimeout(1)
            self._socket.sendall(apdu.close())
        except OSError:
            pass  # the server was quicker
        finally:
            self.abort()

    def _exchange(self, request: bytes) -> bytearray:
        """Send *request*; the bytes of the next APDU."""
        deadline = time.monotonic() + self.target.answer_seconds
        try:
            self._socket.settimeout(self.target.read_seconds)
            self._socket.sendall(request)
            return self._receive(deadline)
        except TimeoutError:
            self.abort()
            raise SourceUnavailable("no complete answer in time", place=self.target.place) from None
        except OSError as error:
            self.abort()
            reason = error.strerror or type(error).__name__
            raise SourceUnavailable(f"connection lost: {reason}", place=self.target.place) from None
        except ProtocolError as error:
            self.abort()
            error.place = error.place or self.target.place
            raise

    def _receive(self, deadline: float) -> bytearray:
        frame = Frame(self.target.answer_bytes)
        buffer = self._buffer
        while (end := frame.end(buffer)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(min(left, self.target.read_seconds))
            received = self._socket.recv(CHUNK)
            if not received:
                raise ConnectionResetError(0, "closed by the server")
            buffer += received
        self._buffer = buffer[end:]
        del buffer[end:]
        return buffer

    # ---- the services --------------------------------------------------------------------------------

    def _init(self) -> apdu.InitAnswer:
        target = self.target
        answer = apdu.init_answer(
            self._exchange(apdu.init(target.credentials, target.message_size, target.record_size, target.named_sets))
        )
        if not answer.accepted:
            said = "; ".join(f"{one.code} {one.addinfo}".strip() for one in answer.diagnostics)
            raise ProtocolError(
                f"server refused the log-in {said}".rstrip(),
                place=target.place,
                code="login",
                hint="check the credentials of the source",
            )
        return answer

    @property
    def named_sets(self) -> bool:
        """Whether several result sets may be kept."""
        return self.target.named_sets and apdu.NAMED_SETS_BIT in self.agreed.options

    def search(self, query: pqf.Query, result_set: str = "default") -> int:
        """The number of hits of *query*, which are then at hand under *result_set*."""
        name = result_set if self.named_sets else "default"
        answer = apdu.search_answer(self._exchange(apdu.search(query, self.target.databases, name)))
        if answer.diagnostics or not answer.ok:
            raise error_of(answer.diagnostics, self.target.place, "search")
        return answer.hits

    def present(
        self, start: int, count: int, result_set: str = "default", element_set: str | None = None
    ) -> PresentAnswer:
        """At most *count* records from position *start*; maybe fewer, maybe with diagnostics among them."""
        name = result_set if self.named_sets else "default"
        elements = self.target.element_set if element_set is None else element_set
        syntax = apdu.SYNTAXES.get(self.target.syntax, self.target.syntax)
        answer = apdu.present_answer(self._exchange(apdu.present(name, start, count, elements, syntax)), count)
        if not answer.records and answer.diagnostics:
            raise error_of(answer.diagnostics, self.target.place, f"present {start}+{count}")
        return answer

    def scan(self, start: pqf.Term, count: int) -> list[tuple[str, int]]:
        """Up to *count* terms of an index from *start* on, with the number of records of each."""
        if apdu.SCAN_BIT not in self.agreed.options:
            raise ProtocolError("server offers no Scan", place=self.target.place, code="scan")
        answer = apdu.scan_answer(self._exchange(apdu.scan(start, self.target.databases, count)))
        if not answer.terms and answer.diagnostics:
            raise error_of(answer.diagnostics, self.target.place, "scan")
        return answer.terms
