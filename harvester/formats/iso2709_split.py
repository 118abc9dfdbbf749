"""Cut an ISO 2709 file into records and find the way again after damage.

A record ends at 0x1D; the length in its leader is only a hint, because real files have wrong lengths, five digits
for records over 99,999 bytes, and BOM, line ends, NUL or blanks between records (pymarc loses the neighbours of one
such record). After damage a record is taken up again at a leader whose directory proves it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from harvester.formats.span import CHUNK, MAX_DAMAGE, MAX_RECORD, Bytes, Piece, Span, as_stream, damages

END = b"\x1d"
FIELD_END = b"\x1e"
BOM = b"\xef\xbb\xbf"
PADDING = re.compile(rb"(?:[\x00\x09\x0a\x0d\x1a\x20]|\xef\xbb\xbf)*")
LEADER = re.compile(rb"[0-9 ]{5}[\x20-\x7e]{7}[0-9 ]{5}[\x20-\x7e]{7}")
# In the middle of other data only a leader of the usual make counts, and only with a sound directory behind it.
STRICT_LEADER = re.compile(
    rb"[0-9]{5}[a-z#| ][\x20-\x7e]{4}[0-9 ]{2}([0-9]{5})[\x20-\x7e]{7}(?=[0-9A-Za-z]{3}[0-9]{9})"
)
DIRECTORY = re.compile(rb"(?:[0-9A-Za-z]{3}[0-9]{9})+\x1e")
MAX_JOINS = 8
MAX_SEARCH = 20_000_000  # bytes of directories looked at within one piece


class Cut(NamedTuple):
    """A piece of the file before it is yielded; reason "" is a record."""

    offset: int
    payload: bytes
    reason: str = ""
    message: str = ""


def split(source: Bytes) -> Iterator[Piece]:
    """Yield a Span for each record and a Damage for all other bytes but the padding between records.

    Memory stays below MAX_RECORD plus a chunk, whatever the file holds. Garbage without a gap is one Damage.
    """
    waiting: list[Cut] = []
    size = 0
    for cut in _cuts(source):
        if waiting and (cut.reason != "garbage" or size > MAX_DAMAGE):
            yield from _garbage(waiting)
            waiting, size = [], 0
        if cut.reason == "garbage":
            waiting.append(cut)
            size += len(cut.payload)
        elif cut.reason:
            yield from damages(*cut)
        else:
            yield Span(cut.offset, cut.payload)
    yield from _garbage(waiting)


def _garbage(waiting: list[Cut]) -> Iterator[Piece]:
    if waiting:
        sample = waiting[0].payload[:24].decode("ascii", "replace")
        message = f"These bytes are no MARC record; they begin with {sample!r}."
        yield from damages(waiting[0].offset, b"".join(cut.payload for cut in waiting), "garbage", message)


def _cuts(source: Bytes) -> Iterator[Cut]:
    stream = as_stream(source)
    buffer, offset, done = b"", 0, False
    while not done:
        chunk = stream.read(CHUNK)
        done = not chunk
        buffer += chunk
        position = 0
        while True:
            end = buffer.find(END, position) + 1
            if end and LEADER.match(buffer, position) and position + _length(buffer, position) == end:
                yield Cut(offset + position, buffer[position:end])
                position = end
                continue
            cut = _next_cut(buffer, position, done)
            if cut is None:
                break
            yield from _pieces(buffer, position, cut, offset)
            position = cut
        if len(buffer) - position > MAX_RECORD and not done:
            keep = _last_leader(buffer, position)
            yield Cut(offset + position, buffer[position:keep], "oversized", _OVERSIZED)
            position = keep
        buffer, offset = buffer[position:], offset + position


_OVERSIZED = f"No record ends within {MAX_RECORD:,} bytes; this is no MARC record."


def _next_cut(buffer: bytes, position: int, done: bool) -> int | None:
    """Where the next piece ends, or None when more bytes must be read first (or nothing is left)."""
    start = _skip(buffer, position)
    if start == len(buffer):
        # All but the last bytes of long padding can go; those may be the beginning of a BOM or of a leader.
        rest = start if done else start - 5
        return rest if rest > position else None
    end = buffer.find(END, start)
    if end < 0:
        return len(buffer) if done else None
    hint = _length(buffer, start)
    if start + hint == end + 1:
        return end + 1
    # More must be known than the buffer holds: what follows decides whether this 0x1D is data.
    if not done and len(buffer) < max(end + 64, start + min(hint, MAX_RECORD) + 64):
        return None
    return _joined(buffer, start, end, hint)


def _joined(buffer: bytes, start: int, end: int, hint: int) -> int:
    """The end of the record at *start* whose first 0x1D, at *end*, is perhaps a character of its data."""
    if not LEADER.match(buffer, start):
        return end + 1
    far = start + hint - 1
    if far > end and buffer[far : far + 1] == END and not _leaders(buffer, start + 1, far) and _rests(buffer, far + 1):
        return far + 1
    expected = _expected_fields(buffer, start)
    cut = end
    for _ in range(MAX_JOINS):
        if expected == 0 or buffer.count(FIELD_END, start, cut) > expected or _rests(buffer, cut + 1):
            return cut + 1
        further = buffer.find(END, cut + 1)
        if further < 0 or _leaders(buffer, start + 1, further):
            break
        cut = further
    return end + 1


def _rests(buffer: bytes, position: int) -> bool:
    """True when a record, or the end of what was read, follows at *position*."""
    start = _skip(buffer, position)
    return start == len(buffer) or LEADER.match(buffer, start) is not None


def _expected_fields(buffer: bytes, start: int) -> int:
    """How many fields the directory of the record at *start* names; 0 when it cannot be read."""
    found = DIRECTORY.match(buffer, start + 24)
    return (found.end() - found.start() - 1) // 12 if found else 0


def _pieces(buffer: bytes, position: int, cut: int, offset: int) -> Iterator[Cut]:
    """The records and damages of buffer[position:cut], which holds at most one true record end."""
    start = _skip(buffer, position)
    if start >= cut:
        return
    ended = buffer[cut - 1 : cut] == END
    if ended and start + _length(buffer, start) == cut and LEADER.match(buffer, start):
        yield Cut(offset + start, buffer[start:cut])
        return
    if not _looks_like_record(buffer[start:cut]):
        start = position  # the padding before garbage goes with it
    # Another leader in between: the record before it lost its end.
    starts = [start, *(found for found in _leaders(buffer, start + 1, cut) if found > start)]
    for first, last in zip(starts, [*starts[1:], cut], strict=True):
        yield _one(buffer[first:last], offset + first, ended and last == cut)


def _one(payload: bytes, offset: int, ended: bool) -> Cut:
    if not _looks_like_record(payload):
        return Cut(offset, payload, "garbage")
    if ended or _length(payload, 0) == len(payload):
        return Cut(offset, payload)
    return Cut(offset, payload, "truncated", "The record breaks off before its end; the file may be cut.")


def _looks_like_record(payload: bytes) -> bool:
    """True for a plausible leader, or for a damaged one before a sound directory."""
    return LEADER.match(payload) is not None or DIRECTORY.match(payload, 24) is not None


def _leaders(buffer: bytes, start: int, end: int) -> list[int]:
    """Where records start between *start* and *end*: a usual leader before a directory that ends where it says."""
    starts, budget = [], MAX_SEARCH
    for match in STRICT_LEADER.finditer(buffer, start, end):
        base = match.start() + int(match[1])
        if base > end or buffer[base - 1 : base] != FIELD_END:
            continue
        budget -= base - match.start()
        if budget < 0:
            break
        directory = DIRECTORY.match(buffer, match.end(), end)
        if directory and directory.end() == base:
            starts.append(match.start())
    return starts


def _last_leader(buffer: bytes, position: int) -> int:
    """Where to go on in a buffer without a record end: at its last leader, else shortly before its end."""
    leaders = _leaders(buffer, position + 1, len(buffer))
    return leaders[-1] if leaders else len(buffer) - 64


def _skip(buffer: bytes, position: int) -> int:
    """The first byte at or after *position* that is no padding; blanks may also be the length in a leader."""
    match = PADDING.match(buffer, position)
    start = match.end() if match else position
    early = start - 5
    if early >= position and buffer[early:start] == b"     " and DIRECTORY.match(buffer, early + 24):
        return early
    return start


def _length(buffer: bytes, start: int) -> int:
    """The length that the leader at *start* states; 0 when it states none."""
    digits = buffer[start : start + 5]
    return int(digits) if digits.isdigit() else 0
