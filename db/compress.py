"""Bytes in and out of the database: zstd, with a trained dictionary where there is one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 1  # records are short: level 3 makes them one per cent smaller and takes a third more time
LEVEL_WITH_DICTIONARY = 3  # as quick as level 1 there, and six per cent smaller
LEVEL_AT_LEISURE = 12  # a tenth smaller than that, and five times as slow: where everything is packed again
# One for all: a compressor of its own for each record costs as much as compressing it. It has a lock.
_compressor = zstd.ZstdCompressor(level=LEVEL)

DictionaryError = zstd.ZstdError
Packed = tuple[bytes, int | None]  # and the id of the dictionary with which it was packed


class Dictionary(NamedTuple):
    """A trained dictionary and the id under which the database keeps it."""

    id: int
    body: bytes


class Shelf(NamedTuple):
    """The dictionaries in use, one for each kind of bytes; None before the first."""

    raw: Dictionary | None = None
    normalized: Dictionary | None = None
    profile: Dictionary | None = None


EMPTY = Shelf()


def packer(dictionary: Dictionary | None = None, level: int = LEVEL_WITH_DICTIONARY) -> Callable[[bytes], bytes]:
    """What compresses, at this level if there is a dictionary; empty stays empty."""
    compressor = _with(dictionary.body, level) if dictionary else _compressor
    compress = compressor.compress
    return lambda body: compress(body, zstd.ZstdCompressor.FLUSH_FRAME) if body else b""


def pack(body: bytes, dictionary: Dictionary | None = None) -> bytes:
    """*body* compressed; empty stays empty."""
    return packer(dictionary)(body)


def unpack(body: bytes, dictionary: bytes | None = None) -> bytes:
    """The inverse of pack.

    Raises:
        DictionaryError: it was packed with another dictionary, or is not whole.
    """
    return _unpacked(body, _read(dictionary) if dictionary else None)


def _unpacked(body: bytes, dictionary: zstd.ZstdDict | None) -> bytes:
    if not body:
        return b""
    opened = zstd.ZstdDecompressor(dictionary)  # zstd.decompress takes a sixth longer
    found = opened.decompress(body)
    if not opened.eof or opened.unused_data:
        raise DictionaryError("no whole frame, and nothing else")
    return found


def opener(dictionaries: Mapping[int, bytes]) -> Callable[[bytes, int | None], bytes]:
    """What unpacks bytes, given the id of their dictionary (None: without) among these."""
    read = {number: _read(body) for number, body in dictionaries.items()}
    return lambda body, number: _unpacked(body, None if number is None else read[number])


def finished(content: bytes, samples: list[bytes], number: int) -> bytes:
    """*content* as a dictionary with the statistics of *samples*; *number* (1 to 255) is written into what it packs."""
    body = zstd.finalize_dict(zstd.ZstdDict(content, is_raw=True), samples, len(content) + 4096, LEVEL_WITH_DICTIONARY)
    made = bytes(body.dict_content)
    return made[:4] + number.to_bytes(4, "little") + made[8:]


@lru_cache(maxsize=16)
def _with(body: bytes, level: int) -> zstd.ZstdCompressor:
    return zstd.ZstdCompressor(level=level, zstd_dict=_read(body).as_digested_dict)


@lru_cache(maxsize=64)
def _read(body: bytes) -> zstd.ZstdDict:
    return zstd.ZstdDict(body)
