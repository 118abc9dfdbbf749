"""Opens packed files and archives (gz, zst, zip, tar) as streams, within bounds; no name inside is ever used as a path.

An archive with anything that a partner's export never holds (links, devices, absolute or climbing names, passwords,
archives in archives) is refused as a whole: whoever packed that did not mean to send records.
"""

from __future__ import annotations

import io
import stat
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from harvester.errors import Refused
from harvester.sources.file_tar import looks_like_tar, tar_members
from harvester.sources.inflate import CorruptPacking, Inflater

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_CHUNK = 256 << 10
_GZIP, _ZSTD, _ZIP = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"
_EMPTY_ZIP = b"PK\x05\x06"
_OTHER = {b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x1f\x9d": "compress"}
_END_OF_DIRECTORY = b"PK\x05\x06"
_ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, ValueError)
_JUNK = ("__macosx/", ".ds_store", "thumbs.db", "desktop.ini")
_WORKBOOK_PARTS = (b"[Content_Types].xml", b"_rels/.rels", b"xl/", b"docProps/", b"mimetypeapplication/vnd.oasis")
_WINDOW_LOG = 27  # 128 MiB, what zstd itself takes without being asked


class FileLimits(NamedTuple):
    """Bounds on one file: its bytes unpacked, the ratio to its packed size (from ratio_floor on), files in it."""

    file_bytes: int = 4 << 30
    ratio: int = 200
    ratio_floor: int = 8 << 20
    members: int = 10_000


class Stream(io.RawIOBase):
    """Chunks as a readable stream. `broken` says why it ended too soon: what came before stays usable."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = memoryview(b"")
        self.broken = ""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        target = memoryview(buffer).cast("B")
        while not self._rest:
            try:
                self._rest = memoryview(next(self._chunks))
            except StopIteration:
                return 0
            except CorruptPacking as error:
                self.broken = str(error)
                return 0
        count = min(len(target), len(self._rest))
        target[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


class Member(NamedTuple):
    """One file inside: its name for messages only, its first bytes, its bytes (from the start), why it broke off."""

    name: str
    head: bytes
    stream: BinaryIO
    raw: Stream

    @property
    def broken(self) -> str:
        """Why the stream ended too soon, once it was read; "" when it is whole."""
        return self.raw.broken


HEAD = 64 << 10


def members(file: BinaryIO, name: str, limits: FileLimits) -> Iterator[Member]:
    """The files in *file* (seekable, at its start): itself when it is not packed. Read each before the next.

    Raises:
        Refused: a bound was passed, or something in it is not accepted.
        CorruptPacking: an archive ends too soon, between two files.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if size > limits.file_bytes:
        raise Refused(f"larger than {limits.file_bytes:,} bytes", place=name)
    head = file.read(8)
    file.seek(0)
    try:
        if head.startswith((_ZIP, _EMPTY_ZIP)) and not _is_workbook(file):
            yield from _zip(file, name, size, limits)
        else:
            yield from _unwrapped(_chunks(file, head, size, limits), name, limits)
    except Refused as error:
        raise Refused(error.message, place=error.place or name, hint=error.hint) from None


def _chunks(file: BinaryIO, head: bytes, size: int, limits: FileLimits) -> Iterator[bytes]:
    for start, packing in _OTHER.items():
        if head.startswith(start):
            raise Refused(f"packed as {packing}", hint="gz, zst, zip and tar are read")
    if head.startswith(_GZIP):
        return _gzip(file, limits)
    if head.startswith(_ZSTD):
        return _bounded(_zstd(file), size, limits)
    return iter(lambda: file.read(_CHUNK), b"")


def _unwrapped(chunks: Iterator[bytes], name: str, limits: FileLimits) -> Iterator[Member]:
    """The one file in *chunks*, or those of the tar archive that it is."""
    member = _member(name, chunks)
    if looks_like_tar(member.head):
        yield from _tar(member, limits)
    else:
        _refuse_nested(member)
        yield member


def _member(name: str, chunks: Iterator[bytes]) -> Member:
    raw = Stream(chunks)
    head = b""
    while len(head) < HEAD:
        more = raw.read(HEAD - len(head))
        if not more:
            break
        head += more
    # The head goes in front again: whoever reads the stream gets the file from its first byte.
    return Member(name, head, io.BufferedReader(_Joined(head, raw), _CHUNK), raw)


class _Joined(io.RawIOBase):
    """*head*, then what is left of *rest*."""

    def __init__(self, head: bytes, rest: Stream) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._head:
            return self._rest.readinto(buffer)
        target = memoryview(buffer).cast("B")
        count = min(len(target), len(self._head))
        target[:count] = self._head[:count]
        self._head = self._head[count:]
        return count


def _refuse_nested(member: Member) -> None:
    packed = (_GZIP, _ZSTD, *_OTHER)
    if member.head.startswith(packed) or looks_like_tar(member.head):
        raise Refused("an archive in an archive", place=member.name)


# ---- gzip and zstd ---------------------------------------------------------------------------------------


def _gzip(file: BinaryIO, limits: FileLimits) -> Iterator[bytes]:
    """What *file* unpacks to.

    Raises:
        Refused: too many bytes, or too high a ratio.
        CorruptPacking: damaged, or cut off.
    """
    inflater = Inflater("gzip", limit=limits.file_bytes, ratio=limits.ratio)
    while packed := file.read(_CHUNK):
        yield from inflater.feed(packed)
    yield from inflater.end()


def _zstd(file: BinaryIO) -> Iterator[bytes]:
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    decompressor: Any = zstd.ZstdDecompressor(options=options)
    ended = True
    packed = file.read(_CHUNK)
    try:
        while packed or (not decompressor.needs_input and not decompressor.eof):
            ended = False
            yield decompressor.decompress(packed, _CHUNK)
            packed = b""
            if decompressor.eof:
                ended = True
                packed = decompressor.unused_data
                decompressor = zstd.ZstdDecompressor(options=options)
            if not packed and decompressor.needs_input:
                packed = file.read(_CHUNK)
    except zstd.ZstdError as error:
        raise CorruptPacking("packed file is damaged") from error
    if not ended:
        raise CorruptPacking("packed file ends too soon")


def _bounded(chunks: Iterator[bytes], packed: int, limits: FileLimits) -> Iterator[bytes]:
    given = 0
    for chunk in chunks:
        given += len(chunk)
        _check(given, packed, limits)
        yield chunk


def _check(given: int, packed: int, limits: FileLimits) -> None:
    if given > limits.file_bytes:
        raise Refused(f"unpacks to more than {limits.file_bytes:,} bytes")
    if given > limits.ratio_floor and given > limits.ratio * max(packed, 1):
        raise Refused(f"unpacks to more than {limits.ratio} times its size")


# ---- archives --------------------------------------------------------------------------------------------


def check_name(name: str) -> None:
    """Refuse a name that could lead out of a folder, although no name is ever used.

    Raises:
        Refused: absolute, climbing, with a drive, backslash or control character.
    """
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\", "~")) or ".." in parts or "\\" in name or ":" in name[:3] or not name.isprintable():
        raise Refused(f"the name {name[:60]!r} leads out of the archive")


def _is_workbook(file: BinaryIO) -> bool:
    """True for a zip file that is a spreadsheet."""
    start = file.read(200)
    file.seek(0)
    return _starts_workbook(start)


def _starts_workbook(start: bytes) -> bool:
    """True when the first entry of a zip file has a name that only the parts of spreadsheets have."""
    return start[30:].startswith(_WORKBOOK_PARTS)


def _zip(file: BinaryIO, name: str, size: int, limits: FileLimits) -> Iterator[Member]:
    _check_directory(file, size, limits)
    try:
        archive = zipfile.ZipFile(file)
    except _ZIP_DAMAGE as error:
        raise Refused("the zip file is damaged or incomplete", place=name) from error
    infos = archive.infolist()
    names = [info.filename for info in infos]
    if len(set(names)) != len(names):
        raise Refused("two files of one name", place=name)
    end = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        _check_entry(info, limits)
        if info.header_offset < end:
            raise Refused("files that lie in each other", place=name)
        end = info.header_offset + 30 + info.compress_size
    given = 0
    for info in infos:
        if info.is_dir() or info.filename.lower().endswith(_JUNK) or info.filename.lower().startswith(_JUNK):
            continue
        counted = _Counted(_zip_chunks(archive, info), given, size, limits)
        member = _member(f"{name}/{info.filename}", iter(counted))
        if member.head.startswith((_ZIP, _EMPTY_ZIP)) and not _starts_workbook(member.head):
            raise Refused("an archive in an archive", place=member.name)
        _refuse_nested(member)
        yield member
        _drain(member)
        given = counted.given


def _check_directory(file: BinaryIO, size: int, limits: FileLimits) -> None:
    """Refuse by the number of entries, before zipfile makes an object of each."""
    file.seek(max(0, size - (1 << 16) - 22))
    tail = file.read()
    file.seek(0)
    at = tail.rfind(_END_OF_DIRECTORY)
    if at < 0 or len(tail) < at + 12:
        raise Refused("the zip file is damaged or incomplete")
    (entries,) = struct.unpack_from("<H", tail, at + 10)
    if entries > limits.members:
        raise Refused(f"more than {limits.members:,} files in it")


def _check_entry(info: zipfile.ZipInfo, limits: FileLimits) -> None:
    check_name(info.filename)
    mode = info.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise Refused("a link or device in it", place=info.filename[:100])
    if info.flag_bits & 1:
        raise Refused("it has a password", place=info.filename[:100])
    if info.file_size > limits.file_bytes:
        raise Refused(f"unpacks to more than {limits.file_bytes:,} bytes", place=info.filename[:100])


def _zip_chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    try:
        with archive.open(info) as part:
            while chunk := part.read(_CHUNK):
                yield chunk
    except (*_ZIP_DAMAGE, RuntimeError) as error:
        raise CorruptPacking(f"packed file is damaged: {type(error).__name__}") from error


class _Counted:
    """Chunks whose bytes, with those *given* before, stay within the bounds of the whole archive."""

    def __init__(self, chunks: Iterator[bytes], given: int, packed: int, limits: FileLimits) -> None:
        self._chunks = chunks
        self._packed = packed
        self._limits = limits
        self.given = given

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self.given += len(chunk)
            _check(self.given, self._packed, self._limits)
            yield chunk


def _tar(member: Member, limits: FileLimits) -> Iterator[Member]:
    count = 0
    for name, chunks in tar_members(member.stream):
        count += 1
        if count > limits.members:
            raise Refused(f"more than {limits.members:,} files in it")
        check_name(name)
        inner = _member(f"{member.name}/{name}", chunks)
        if name.lower().endswith(_JUNK):
            _drain(inner)
            continue
        _refuse_nested(inner)
        yield inner
        _drain(inner)
        if inner.broken:
            return
    if member.broken:
        raise CorruptPacking(member.broken)


def _drain(member: Member) -> None:
    while member.stream.read(_CHUNK):
        pass
