"""A corpus made ten times as large, or more: other works that are described as the real ones are.

A generation has every record of the corpus once. Each word of its titles and names gets an ending of the generation,
its numbers become longer ones, ISBNs are drawn anew by a hash. So a generation has the blocks and
pairs of the corpus within itself; with others it shares what many works share, as publishers, years and extents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b

from bench.cut import built, fields

NUMBERS = {b"022", b"024", b"027", b"028", b"035", b"037", b"074", b"086", b"088"}
LONGEST = 9_000  # bytes of a field: its length stands in the directory with four digits
_word = re.compile(rb"(?<=[A-Za-z]{3})(?=[^A-Za-z\x80-\xff]|$)")
_digits = re.compile(rb"\d+")
_isbn = re.compile(rb"\b(\d{9}|97[89]\d{9})[\dX]\b")


def generations(records: Sequence[bytes], times: int) -> Iterator[bytes]:
    """The records, without their end marks, *times* over: first as they are, then as other works."""
    for generation in range(times):
        for one in records:
            yield other(one, generation) if generation else one


def other(payload: bytes, generation: int) -> bytes:
    """The record of another work that is described like this one."""
    ending = bytes([97 + int(digit) for digit in str(generation)])
    found = []
    for tag, body in fields(payload):
        if tag == b"001":
            body = _numbered(body, generation)
        elif tag in NUMBERS:
            body = _each(body, lambda code, text: _numbered(text, generation))
        elif tag == b"020":
            body = _each(body, lambda code, text: _isbn.sub(lambda match: _checked(match.group(1), generation), text))
        elif len(body) < LONGEST and (tag[:1] in b"148" or tag[:2] in (b"24", b"70", b"71", b"73")):
            body = _each(body, lambda code, text: _word.sub(ending, text) if code.isalpha() and code != b"x" else text)
        elif tag[:1] == b"7":
            body = _each(body, lambda code, text: _numbered(text, generation) if code == b"w" else text)
        found.append((tag, body))
    return built(payload[:24], found)


def _each(body: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    """The field with the text of each subfield changed; *change* is told its code."""
    first, *parts = body[:-1].split(b"\x1f")
    return b"\x1f".join([first, *(part[:1] + change(part[:1], part[1:]) for part in parts)]) + body[-1:]


def _numbered(text: bytes, generation: int) -> bytes:
    """The text with numbers that no other generation has, and no real record: of eleven digits and more."""
    return _digits.sub(lambda match: b"%d%s" % (generation, match.group().rjust(10, b"0")), text)


def _checked(digits: bytes, generation: int) -> bytes:
    """Another ISBN with as many digits."""
    number = int.from_bytes(blake2b(b"%d %s" % (generation, digits), digest_size=8).digest(), "big")
    drawn = b"%09d" % (number % 10**9)
    if len(digits) == 9:
        rest = -sum((10 - at) * int(digit) for at, digit in enumerate(drawn.decode())) % 11
        return drawn + (b"X" if rest == 10 else b"%d" % rest)
    made = digits[:3] + drawn
    return made + b"%d" % (-sum((3 if at % 2 else 1) * int(digit) for at, digit in enumerate(made.decode())) % 10)
