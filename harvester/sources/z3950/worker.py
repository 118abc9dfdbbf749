"""The process that talks to one Z39.50 server: whatever the server sends, it can at most end this process.

`python -m harvester.sources.z3950.worker` reads commands from stdin and writes replies to stdout (messages.py).
Memory and CPU time are bounded by the kernel; nothing can be written to a file.
"""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import msgspec

from harvester.errors import IndukError, ProtocolError, SourceError
from harvester.model import Damage, HarvestedRecord
from harvester.sources.received import Portion, from_bytes, from_marc, is_iso2709
from harvester.sources.z3950 import apdu, messages, opac, pqf
from harvester.sources.z3950.apdu import RawRecord
from harvester.sources.z3950.client import LOST_RESULT_SET, TOO_LARGE, Connection
from harvester.sources.z3950.messages import Command, Count, Counted, Fetch, Open, Opened, Reply, Scan, Terms

if sys.platform != "win32":
    import resource

OPAC, SUTRS = apdu.SYNTAXES["opac"], apdu.SYNTAXES["sutrs"]
_LOST = {f"bib-1/{condition}" for condition in LOST_RESULT_SET}
# Tried one after the other for a record that came empty or too large.
ALTERNATES = ("", "B")


class Worker:
    """One connection and the result set that is open on it."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._rule = ""
        self._cpu_seconds = 60
        self._query: pqf.Query | None = None
        self._hits = 0

    def answer(self, command: Command) -> Reply:
        """Do one command.

        Raises:
            SourceError: what went wrong, for the other side to raise.
        """
        bound_cpu(self._cpu_seconds)
        if isinstance(command, Open):
            return self._open(command)
        if self._connection is None:
            raise ProtocolError("the worker was not opened")
        if isinstance(command, Count):
            return Counted(self._count(self._connection, command.query))
        if isinstance(command, Scan):
            return Terms(tuple(self._connection.scan(command.start, command.count)))
        return self._fetch(self._connection, command)

    def _open(self, command: Open) -> Opened:
        self._rule, self._cpu_seconds = command.rule, command.cpu_seconds
        bound_memory(command.memory_bytes)
        self._connection = Connection(command.target)
        agreed = self._connection.agreed
        options = tuple(sorted(agreed.options))
        return Opened(agreed.implementation, options, agreed.message_size, agreed.record_size)

    def _count(self, connection: Connection, query: pqf.Query) -> int:
        if not connection.named_sets:
            self._query = None  # the one result set is replaced
        return connection.search(query, "count")

    def _fetch(self, connection: Connection, command: Fetch) -> Portion:
        self._search(connection, command.query)
        size = min(command.size, self._hits - command.position + 1)
        if size < 1:
            return Portion(self._hits, command.position)
        answer = self._present(connection, command.query, command.position, size)
        found = [self._record(connection, raw, command.position + at, command.label) for at, raw in enumerate(answer)]
        records = tuple(one for one in found if isinstance(one, HarvestedRecord))
        damages = tuple(one for one in found if isinstance(one, Damage))
        return Portion(self._hits, command.position + len(found), records, damages)

    def _search(self, connection: Connection, query: pqf.Query) -> None:
        if query != self._query:
            self._query = None
            self._hits = connection.search(query, "page")
            self._query = query

    def _present(self, connection: Connection, query: pqf.Query, position: int, size: int) -> list[RawRecord]:
        """The records from *position* on: at least one, not always *size*."""
        try:
            records = connection.present(position, size, "page").records
        except ProtocolError as error:
            # Result sets expire without a word (SRU: resultSetTTL; here bib-1 27 and 30): search again.
            if error.code not in _LOST:
                raise
            self._query = None
            self._search(connection, query)
            size = min(size, self._hits - position + 1)
            records = connection.present(position, size, "page").records if size > 0 else []
        if not records and size > 1:
            records = connection.present(position, 1, "page").records
        return records or [RawRecord("", b"")]

    def _record(self, connection: Connection, raw: RawRecord, position: int, label: str) -> HarvestedRecord | Damage:
        place = f"{label} position {position}".lstrip()
        if _is_blank(raw):
            return self._alternative(connection, raw, position, place)
        return read(raw, self._rule, place)

    def _alternative(
        self, connection: Connection, raw: RawRecord, position: int, place: str
    ) -> HarvestedRecord | Damage:
        """The record in another element set, for one that came empty or not at all because it is too large."""
        for element_set in ALTERNATES:
            if element_set == connection.target.element_set:
                continue
            try:
                other = connection.present(position, 1, "page", element_set).records
            except ProtocolError as error:
                if not error.code:
                    raise
                continue
            if other and not _is_blank(other[0]) and other[0].diagnostic is None:
                return read(other[0], self._rule, place, (f"element-set:{element_set or 'default'}",))
        return read(raw, self._rule, place)


def _is_blank(raw: RawRecord) -> bool:
    if raw.diagnostic is None:
        return not raw.payload.strip()
    return raw.diagnostic.condition in TOO_LARGE


def read(raw: RawRecord, rule: str, place: str, flags: tuple[str, ...] = ()) -> HarvestedRecord | Damage:
    """One record as received, in the syntax that it has, whatever was asked for."""
    if raw.diagnostic is not None:
        said = f"{raw.diagnostic.code} {raw.diagnostic.addinfo}".strip()
        reason = "too-large" if raw.diagnostic.condition in TOO_LARGE else "surrogate-diagnostic"
        return Damage("fetch", reason, f"the server sent a diagnostic instead: {said}", b"", "", place)
    if raw.syntax == OPAC:
        return _read_opac(raw, rule, place, flags)
    if raw.syntax == SUTRS:
        return Damage("parse", "unknown-format", "plain text (SUTRS), no record", raw.payload, "", place)
    if is_iso2709(raw.payload):
        return from_marc(raw.payload, rule, place, flags)
    return from_bytes(raw.payload, rule, place, flags)


def _read_opac(raw: RawRecord, rule: str, place: str, flags: tuple[str, ...]) -> HarvestedRecord | Damage:
    try:
        record, holdings = opac.read(raw.payload)
    except ProtocolError as error:
        return Damage("parse", "opac", error.message, raw.payload, "", place)
    if not record.payload:
        return Damage("parse", "empty", "OPAC record without a bibliographic record", raw.payload, "", place)
    if not holdings:
        return from_bytes(record.payload, rule, place, flags)
    payload = opac.with_fields(record.payload, holdings)
    if payload is None:
        return from_bytes(record.payload, rule, place, (*flags, f"holdings-left-out:{len(holdings)}"))
    return from_bytes(payload, rule, place, (*flags, f"holdings-added:{len(holdings)}"))


# ---- bounds ------------------------------------------------------------------------------------------


def bound_memory(size: int) -> None:
    """Let the kernel refuse this process more than *size* bytes, any file and any core dump."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def bound_cpu(seconds: int) -> None:
    """Let the kernel end this process when it needs *seconds* of CPU time more than until now."""
    if sys.platform != "win32":
        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = int(used.ru_utime + used.ru_stime) + seconds + 1
        resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


# ---- the pipe ----------------------------------------------------------------------------------------


def _read_exactly(stream: BinaryIO, size: int) -> bytes:
    received = stream.read(size)
    return received if len(received) == size else b""


def serve(commands: BinaryIO, replies: BinaryIO) -> None:
    """Answer commands until there are no more."""
    worker = Worker()
    decoder = msgspec.msgpack.Decoder(Command)
    encoder = msgspec.msgpack.Encoder()
    while head := _read_exactly(commands, messages.HEADER):
        body = _read_exactly(commands, int.from_bytes(head, "big"))
        reply: Reply
        try:
            reply = worker.answer(decoder.decode(body))
        except SourceError as error:
            reply = messages.failed(error)
        except (IndukError, RecursionError) as error:
            reply = messages.failed(ProtocolError(f"cannot be asked or read: {error}"))
        encoded = encoder.encode(reply)
        replies.write(len(encoded).to_bytes(messages.HEADER, "big") + encoded)
        replies.flush()


def main() -> None:
    """Serve the other end of stdin and stdout; whatever else prints goes nowhere."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        serve(sys.stdin.buffer, replies)
    except (MemoryError, BrokenPipeError):
        os._exit(70)  # EX_SOFTWARE: nothing can be said any more, the pipe's end says it


if __name__ == "__main__":
    main()
