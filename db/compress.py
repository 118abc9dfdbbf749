"""Bytes in and out of the database: zstd, with a trained dictionary where there is one."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LEVEL = 3


def pack(body: bytes, dictionary: bytes | None = None) -> bytes:
    """*body* compressed; empty stays empty."""
    if not body:
        return b""
    known = zstd.ZstdDict(dictionary) if dictionary else None
    return bytes(zstd.compress(body, level=LEVEL, zstd_dict=known))


def unpack(body: bytes, dictionary: bytes | None = None) -> bytes:
    """The inverse of pack."""
    if not body:
        return b""
    known = zstd.ZstdDict(dictionary) if dictionary else None
    return bytes(zstd.decompress(body, zstd_dict=known))
