"""Cut the objects out of a JSON file: one a line (NDJSON), one after another, or in a list; bounded memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harvester.formats.span import CHUNK, MAX_RECORD, Bytes, Piece, Span, as_stream, damages

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}]', re.DOTALL)
_NEXT_LINE = re.compile(rb"\n\s*(?=\{)")


def split_objects(source: Bytes) -> Iterator[Piece]:
    """Yield a Span for each outermost object and a Damage for one that does not end."""
    stream = as_stream(source)
    buffer, offset, done = b"", 0, False
    while not done:
        chunk = stream.read(CHUNK)
        done = not chunk
        buffer += chunk
        position = 0
        while True:
            start = buffer.find(b"{", position)
            if start < 0:
                position = len(buffer)
                break
            end = _end(buffer, start)
            if end is None and not done and len(buffer) - start <= MAX_RECORD:
                position = start
                break
            if end is None:
                # An object that does not end costs itself only: go on at the next line that begins one.
                further = _NEXT_LINE.search(buffer, start)
                end = further.end() if further else len(buffer)
                yield from damages(offset + start, buffer[start:end], "truncated", "The JSON object does not end.")
            else:
                yield Span(offset + start, buffer[start:end])
            position = end
        buffer, offset = buffer[position:], offset + position


def _end(buffer: bytes, start: int) -> int | None:
    """Behind the brace that closes the one at *start*; None when it is not there."""
    depth = 0
    for match in _TOKEN.finditer(buffer, start):
        token = match.group()
        if token == b"{":
            depth += 1
        elif token == b"}":
            depth -= 1
            if depth == 0:
                return match.end()
    return None
