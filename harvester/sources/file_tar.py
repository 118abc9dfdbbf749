"""A tar archive read front to back: only plain files and folders; long names bounded; links and devices refused.

tarfile reads extended headers of any size into memory and resolves links; neither is wanted here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from harvester.errors import Refused
from harvester.sources.inflate import CorruptPacking

BLOCK = 512
MAX_HEADER = 64 << 10  # bytes of a long name or an extended header
_CHUNK = 256 << 10
_PLAIN, _FOLDER, _EXTENDED = (b"0", b"\x00", b"7"), b"5", (b"L", b"x", b"g")


def looks_like_tar(head: bytes) -> bool:
    """True for the first block of a tar archive (ustar or GNU)."""
    return head[257:262] == b"ustar"


def tar_members(stream: BinaryIO) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and bytes of each plain file; read each to its end before the next.

    Raises:
        Refused: a link, a device, a header that is too large or claims a negative size.
        CorruptPacking: it ends without the empty block that ends every archive.
    """
    long_name = ""
    while header := stream.read(BLOCK):
        if len(header) < BLOCK:
            break
        if not header.strip(b"\x00"):
            return
        if _checksum(header) != _number(header[148:156]):
            raise Refused("the tar archive is damaged")
        name, kind, size = _name(header), header[156:157], _number(header[124:136])
        if kind in _EXTENDED:
            found = _extended(stream, kind, size)
            long_name = found or long_name
            continue
        if kind == _FOLDER:
            _skip(stream, size)
            long_name = ""
            continue
        if kind not in _PLAIN:
            raise Refused("a link or device in it", place=(long_name or name)[:100])
        chunks = _body(stream, size)
        yield long_name or name, chunks
        for _ in chunks:
            continue
        long_name = ""
    raise CorruptPacking("the tar archive ends too soon")


def _name(header: bytes) -> str:
    prefix = header[345:500].split(b"\x00")[0] if header[257:263] == b"ustar\x00" else b""
    name = header[:100].split(b"\x00")[0]
    return (prefix + b"/" + name if prefix else name).decode("utf-8", "replace")


def _number(field: bytes) -> int:
    """An octal number, or base 256 where the first bit is set (files over 8 GB)."""
    if field[0] & 0x80:
        return int.from_bytes(field, "big") & ~(0xFF << 8 * (len(field) - 1))
    text = field.strip(b"\x00 ")
    try:
        number = int(text, 8) if text else 0
    except ValueError:
        raise Refused("the tar archive is damaged") from None
    if number < 0:
        raise Refused("the tar archive is damaged")
    return number


def _checksum(header: bytes) -> int:
    return sum(header[:148]) + 8 * 32 + sum(header[156:])


def _extended(stream: BinaryIO, kind: bytes, size: int) -> str:
    """The long name that a GNU or pax header gives the next file, or ""."""
    if size > MAX_HEADER:
        raise Refused("a header of the tar archive is too large")
    content = stream.read(size)
    _skip(stream, -size % BLOCK)
    if kind == b"L":
        return content.rstrip(b"\x00").decode("utf-8", "replace")
    path = ""
    while content:
        length, _, _ = content.partition(b" ")
        if not length.isdigit() or not 0 < int(length[:8]) <= len(content):
            raise Refused("the tar archive is damaged")
        key, _, value = content[len(length) + 1 : int(length) - 1].partition(b"=")
        if key == b"size" or key.startswith(b"GNU.sparse"):
            raise Refused("sparse and very large files in a tar archive are not read")
        path = value.decode("utf-8", "replace") if key == b"path" else path
        content = content[int(length) :]
    return path if kind == b"x" else ""


def _body(stream: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        chunk = stream.read(min(left, _CHUNK))
        if not chunk:
            raise CorruptPacking("the tar archive ends too soon")
        left -= len(chunk)
        yield chunk
    _skip(stream, -size % BLOCK)


def _skip(stream: BinaryIO, count: int) -> None:
    while count > 0:
        chunk = stream.read(min(count, _CHUNK))
        if not chunk:
            return
        count -= len(chunk)
