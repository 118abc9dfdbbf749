"""Unpacks what servers send packed, a little at a time, within a bound on bytes and on the ratio.

What the bytes are is read from the bytes: servers announce gzip and send plain XML, and the other way round.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from harvester.errors import Refused

_STEP = 256 << 10
_RATIO_FLOOR = 1 << 20  # small answers may be packed as well as they like
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_PLAIN = (b"<", b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe", b" ", b"\n", b"\r", b"\t")
_ZLIB = (b"\x78\x01", b"\x78\x9c", b"\x78\xda")
_RAW, _ZLIB_WRAPPED, _GZIP_WRAPPED = -15, 15, 31


class CorruptPacking(Exception):
    """The packed bytes are damaged or end too soon; another try may bring whole ones."""


class Inflater:
    """Unpacks one answer; `flags` tells where the announced packing was not the real one."""

    def __init__(self, announced: str, *, limit: int, ratio: int) -> None:
        self.flags: tuple[str, ...] = ()
        self._announced = announced.strip().lower().removeprefix("x-")
        self._limit = limit
        self._ratio = ratio
        self._head: bytes | None = b""
        self._wrapping = 0
        self._inflate: zlib._Decompress | None = None
        self._taken = 0
        self._given = 0

    def feed(self, packed: bytes) -> Iterator[bytes]:
        """Yield what can be unpacked so far.

        Raises:
            Refused: more bytes, or a higher ratio, than allowed; or a packing that was not asked for.
            CorruptPacking: the bytes are no such packing.
        """
        self._taken += len(packed)
        if self._head is not None:
            packed = self._head + packed
            if len(packed) < 4:
                self._head = packed
                return
            self._begin(packed)
        yield from self._unpack(packed)

    def end(self) -> Iterator[bytes]:
        """Yield the rest.

        Raises:
            CorruptPacking: the packed bytes end too soon.
        """
        if self._head:
            head = self._head
            self._begin(head)
            yield from self._unpack(head)
        if self._inflate is None:
            return
        # The last bytes can still stand in zlib's own window when the bound of a step was hit exactly.
        yield self._counted(self._inflate.flush(_STEP))
        if not self._inflate.eof:
            raise CorruptPacking("packed answer ends too soon")

    def _begin(self, head: bytes) -> None:
        self._head = None
        self._wrapping = self._wrapping_of(head)
        if self._wrapping:
            self._inflate = zlib.decompressobj(self._wrapping)

    def _wrapping_of(self, head: bytes) -> int:
        announced = self._announced not in ("", "identity")
        if head.startswith(_GZIP):
            self.flags += () if announced else ("gzip-unannounced",)
            return _GZIP_WRAPPED
        if head.startswith(_PLAIN) or not announced:
            if announced:
                self.flags += ("encoding-lie",)
            return _ZLIB_WRAPPED if head.startswith(_ZLIB) else 0
        if self._announced == "deflate" and not head.startswith(_ZSTD):
            return _ZLIB_WRAPPED if head[0] & 15 == 8 and (head[0] << 8 | head[1]) % 31 == 0 else _RAW
        if self._announced == "gzip" and not head.startswith(_ZSTD):
            raise CorruptPacking("announced as gzip, but is not")
        raise Refused(f"answer is packed as {self._announced[:40]!r}, which was not asked for")

    def _unpack(self, packed: bytes) -> Iterator[bytes]:
        if self._inflate is None:
            yield self._counted(packed)
            return
        while packed:
            if self._inflate.eof and not self._next_member(packed):
                return
            try:
                yield self._counted(self._inflate.decompress(packed, _STEP))
            except zlib.error as error:
                raise CorruptPacking("packed answer is damaged") from error
            packed = self._inflate.unconsumed_tail or self._inflate.unused_data

    def _next_member(self, rest: bytes) -> bool:
        """True when *rest* starts another gzip member; padding behind the last one is ignored."""
        if self._wrapping != _GZIP_WRAPPED or not rest.startswith(_GZIP):
            return False
        self._inflate = zlib.decompressobj(_GZIP_WRAPPED)
        return True

    def _counted(self, plain: bytes) -> bytes:
        self._given += len(plain)
        if self._given > self._limit:
            raise Refused(f"answer larger than {self._limit:,} bytes")
        packed = self._inflate is not None
        if packed and self._given > _RATIO_FLOOR and self._given > self._ratio * self._taken:
            raise Refused(f"answer unpacks to more than {self._ratio} times its size")
        return plain
