"""Bytes in and out of the database: zstd, with a trained dictionary where there is one."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 1  # records are short: level 3 makes them one per cent smaller and takes a third more time
# One for all: a compressor of its own for each record costs as much as compressing it. It has a lock.
_compressor = zstd.ZstdCompressor(level=LEVEL)


def pack(body: bytes, dictionary: bytes | None = None) -> bytes:
    """*body* compressed; empty stays empty."""
    if not body:
        return b""
    if dictionary:
        return bytes(zstd.compress(body, level=LEVEL, zstd_dict=zstd.ZstdDict(dictionary)))
    return bytes(_compressor.compress(body, zstd.ZstdCompressor.FLUSH_FRAME))


def unpack(body: bytes, dictionary: bytes | None = None) -> bytes:
    """The inverse of pack."""
    if not body:
        return b""
    known = zstd.ZstdDict(dictionary) if dictionary else None
    return bytes(zstd.decompress(body, zstd_dict=known))
