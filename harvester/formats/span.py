"""What splitters yield: the bytes of one record and where they stood, or a Damage that accounts for other bytes."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

from harvester.model import Damage

CHUNK = 1 << 18
MAX_RECORD = 8_000_000  # bytes; the largest record seen in the field (holdings of a newspaper) had 1.1 million
MAX_DAMAGE = 1_000_000  # bytes kept in one Damage; longer damage is cut into several


class Span(NamedTuple):
    """The *payload* of one record, found *offset* bytes from the start of the (uncompressed) file."""

    offset: int
    payload: bytes


Piece = Span | Damage
Bytes = bytes | BinaryIO


def as_stream(source: Bytes) -> BinaryIO:
    """*source* as a readable binary stream."""
    return BytesIO(source) if isinstance(source, (bytes, bytearray, memoryview)) else source


def damages(offset: int, payload: bytes, reason: str, message: str) -> Iterator[Damage]:
    """*payload* as Damages of bounded size; `place` is `bytes FIRST-LAST`, counted from 0."""
    for start in range(0, len(payload), MAX_DAMAGE):
        part = payload[start : start + MAX_DAMAGE]
        first = offset + start
        place = f"bytes {first}-{first + len(part) - 1}"
        yield Damage(stage="split", reason=reason, message=message, payload=part, place=place)
