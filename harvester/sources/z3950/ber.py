"""BER (X.690) as Z39.50 uses it: elements as offsets into the received bytes, nothing copied until asked for.

A tag is one int: context-specific tags are their number, universal tags its negative, application and private
tags are above 1 << 40. A stop of an element never passes the stop of its parent, whatever its length field says.
"""

from __future__ import annotations

from typing import NamedTuple

from harvester.errors import ProtocolError

BOOLEAN, INTEGER, BIT_STRING, OCTET_STRING, NULL, OID, EXTERNAL, SEQUENCE = -1, -2, -3, -4, -5, -6, -8, -16
VISIBLE_STRING, GENERAL_STRING = -26, -27

MAX_DEPTH = 32
MAX_ELEMENTS = 10_000
MAX_TAG_BYTES = 4
MAX_LENGTH_BYTES = 8
_FOREIGN = 1 << 40

Buffer = bytes | bytearray


class Element(NamedTuple):
    """One element: *start* and *stop* enclose its contents, *next* is where its neighbour begins."""

    tag: int
    constructed: bool
    start: int
    stop: int
    next: int


class Incomplete(Exception):
    """More bytes are needed before this can be read."""


# ---- decoding ----------------------------------------------------------------------------------------


def _tag(buffer: Buffer, at: int, stop: int) -> tuple[int, bool, int]:
    """Read the identifier octets at *at*: tag, constructed, position of the length octets."""
    first = buffer[at]
    number = first & 0x1F
    at += 1
    if number == 0x1F:
        number = 0
        for _ in range(MAX_TAG_BYTES):
            if at >= stop:
                raise Incomplete
            octet = buffer[at]
            at += 1
            number = (number << 7) | (octet & 0x7F)
            if octet < 0x80:
                break
        else:
            raise ProtocolError(f"BER tag at byte {at} is longer than {MAX_TAG_BYTES} bytes")
    kind = first >> 6
    if kind == 0:
        number = -number
    elif kind != 2:
        number += _FOREIGN * kind
    return number, bool(first & 0x20), at


def header(buffer: Buffer, at: int, stop: int) -> tuple[int, bool, int, int]:
    """Read a tag and a length at *at*: tag, constructed, start of the contents, their length (-1 = indefinite).

    Raises:
        Incomplete: *stop* comes before the end of the header.
        ProtocolError: no header of BER.
    """
    if at + 1 >= stop:
        raise Incomplete
    first = buffer[at]
    if first & 0x1F == 0x1F or first < 0x40 or first & 0x40:
        tag, constructed, at = _tag(buffer, at, stop)
        if at >= stop:
            raise Incomplete
    else:
        tag, constructed = first & 0x1F, bool(first & 0x20)
        at += 1
    length = buffer[at]
    at += 1
    if length < 0x80:
        return tag, constructed, at, length
    if length == 0x80:
        if not constructed:
            raise ProtocolError(f"BER: primitive element without a length at byte {at}")
        return tag, constructed, at, -1
    size = length & 0x7F
    if size > MAX_LENGTH_BYTES:
        raise ProtocolError(f"BER: length of {size} bytes at byte {at}")
    if at + size > stop:
        raise Incomplete
    return tag, constructed, at + size, int.from_bytes(buffer[at : at + size], "big")


def skip(buffer: Buffer, at: int, stop: int) -> int:
    """The end of the contents that begin at *at* without a length, behind its end-of-contents octets."""
    depth = 1
    while depth:
        if at + 2 > stop:
            raise Incomplete
        if buffer[at] == 0 and buffer[at + 1] == 0:
            at += 2
            depth -= 1
            continue
        _, _, start, length = header(buffer, at, stop)
        if length < 0:
            depth += 1
            if depth > MAX_DEPTH:
                raise ProtocolError(f"BER: nested deeper than {MAX_DEPTH}")
            at = start
        elif start + length > stop:
            raise Incomplete
        else:
            at = start + length
    return at


def element(buffer: Buffer, at: int, stop: int) -> Element:
    """The element at *at*.

    Raises:
        ProtocolError: it does not end before *stop*.
    """
    try:
        tag, constructed, start, length = header(buffer, at, stop)
        if length < 0:
            end = skip(buffer, start, stop)
            return Element(tag, constructed, start, end - 2, end)
    except Incomplete:
        raise ProtocolError(f"BER: element at byte {at} passes the end of its parent") from None
    end = start + length
    if end > stop:
        raise ProtocolError(f"BER: element at byte {at} passes the end of its parent")
    return Element(tag, constructed, start, end, end)


def elements(buffer: Buffer, start: int, stop: int, most: int = MAX_ELEMENTS) -> list[Element]:
    """The elements between *start* and *stop*, in order.

    Raises:
        ProtocolError: something between them is no element, or there are more than *most*.
    """
    found: list[Element] = []
    while start < stop:
        if len(found) >= most:
            # Two bytes of an answer become a hundred in memory: ten megabytes of empty elements would be one gigabyte.
            raise ProtocolError(f"BER: more than {most} elements in one")
        one = element(buffer, start, stop)
        found.append(one)
        start = one.next
    return found


def fields(buffer: Buffer, parent: Element) -> dict[int, Element]:
    """The children of *parent* by tag; of a repeated tag the first."""
    if not parent.constructed:
        raise ProtocolError(f"BER: element {parent.tag} should hold others")
    found: dict[int, Element] = {}
    for one in elements(buffer, parent.start, parent.stop):
        found.setdefault(one.tag, one)
    return found


def integer(buffer: Buffer, one: Element) -> int:
    """The value of an INTEGER (or BOOLEAN: 0 is false)."""
    if one.constructed or not 0 < one.stop - one.start <= 8:
        raise ProtocolError("BER: not an integer of at most 8 bytes")
    return int.from_bytes(buffer[one.start : one.stop], "big", signed=True)


def octets(buffer: Buffer, one: Element, depth: int = 0) -> bytes:
    """The bytes of an OCTET STRING, put together when the server sent it in segments."""
    if not one.constructed:
        return bytes(buffer[one.start : one.stop])
    if depth > MAX_DEPTH:
        raise ProtocolError(f"BER: nested deeper than {MAX_DEPTH}")
    return b"".join(octets(buffer, part, depth + 1) for part in elements(buffer, one.start, one.stop))


def text(buffer: Buffer, one: Element) -> str:
    """A character string; UTF-8 where it is that, else Latin-1 (only messages and names are read so)."""
    raw = octets(buffer, one)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def oid(buffer: Buffer, one: Element) -> str:
    """An OBJECT IDENTIFIER in dotted form."""
    if one.constructed or not 0 < one.stop - one.start <= 64:
        raise ProtocolError("BER: not an object identifier")
    numbers, value = [], 0
    for octet in buffer[one.start : one.stop]:
        value = (value << 7) | (octet & 0x7F)
        if octet < 0x80:
            numbers.append(value)
            value = 0
    if not numbers:
        raise ProtocolError("BER: object identifier without an end")
    top = min(numbers[0] // 40, 2)
    return ".".join(map(str, [top, numbers[0] - 40 * top, *numbers[1:]]))


class Frame:
    """Finds the end of one element in a growing buffer, reading each byte once."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._at = 0
        self._open = 0
        self._started = False

    def end(self, buffer: Buffer) -> int | None:
        """The length of the first element of *buffer*; None while more bytes are needed.

        Raises:
            ProtocolError: no BER, nested too deep, or longer than the limit.
        """
        try:
            while not self._started or self._open:
                self._step(buffer)
        except Incomplete:
            if len(buffer) > self._limit:
                raise ProtocolError(f"answer is longer than {self._limit} bytes") from None
            return None
        return self._at if self._at <= len(buffer) else None

    def _step(self, buffer: Buffer) -> None:
        at, size = self._at, len(buffer)
        if self._open and at + 2 <= size and buffer[at] == 0 and buffer[at + 1] == 0:
            self._at, self._open = at + 2, self._open - 1
            return
        _, _, start, length = header(buffer, at, size)
        if start + max(length, 0) > self._limit:
            raise ProtocolError(f"answer of {start + length} bytes is longer than {self._limit}")
        self._started = True
        if length < 0:
            self._open += 1
            if self._open > MAX_DEPTH:
                raise ProtocolError(f"BER: nested deeper than {MAX_DEPTH}")
        self._at = start + max(length, 0)


# ---- encoding ----------------------------------------------------------------------------------------


def _identifier(tag: int, constructed: bool) -> bytes:
    lead = (0x00 if tag < 0 else 0x80) | (0x20 if constructed else 0)
    number = abs(tag)
    if number < 0x1F:
        return bytes([lead | number])
    rest = [number & 0x7F]
    while number := number >> 7:
        rest.append(0x80 | (number & 0x7F))
    return bytes([lead | 0x1F, *reversed(rest)])


def _length(size: int) -> bytes:
    if size < 0x80:
        return bytes([size])
    octets_ = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets_)]) + octets_


def primitive(tag: int, contents: bytes) -> bytes:
    """An element that holds bytes."""
    return _identifier(tag, False) + _length(len(contents)) + contents


def constructed(tag: int, *parts: bytes) -> bytes:
    """An element that holds elements."""
    contents = b"".join(parts)
    return _identifier(tag, True) + _length(len(contents)) + contents


def encode_integer(tag: int, value: int) -> bytes:
    """An INTEGER in the fewest bytes."""
    return primitive(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def encode_boolean(tag: int, value: bool) -> bytes:
    """A BOOLEAN."""
    return primitive(tag, b"\xff" if value else b"\x00")


def encode_text(tag: int, value: str) -> bytes:
    """A character string in UTF-8."""
    return primitive(tag, value.encode("utf-8"))


def encode_oid(tag: int, dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    numbers = [int(part) for part in dotted.split(".")]
    body = b""
    for number in [numbers[0] * 40 + numbers[1], *numbers[2:]]:
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | (number & 0x7F))
        body += bytes(reversed(groups))
    return primitive(tag, body)


def encode_bits(tag: int, numbers: frozenset[int]) -> bytes:
    """A BIT STRING in which the bits *numbers* are set (0 is the first)."""
    width = max(numbers) // 8 + 1
    value = sum(1 << (width * 8 - 1 - number) for number in numbers)
    return primitive(tag, bytes([0]) + value.to_bytes(width, "big"))


def bits(buffer: Buffer, one: Element) -> frozenset[int]:
    """The numbers of the bits that are set in a BIT STRING."""
    body = buffer[one.start + 1 : min(one.stop, one.start + 9)]
    return frozenset(i * 8 + bit for i, octet in enumerate(body) for bit in range(8) if octet & (0x80 >> bit))
