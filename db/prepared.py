"""What the pipeline hands to the ledger. No database here: the worker processes that make it need not load one."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple


class Known(NamedTuple):
    """What the ledger holds of an identifier before a page is written."""

    record_id: int
    state: str
    version: int
    raw_hash: bytes
    payload_hash: bytes


class Profiled(NamedTuple):
    """What matching needs of a record: the profile (msgpack) and its hash, whether equals merge, its keys.

    A key is (kind, hash, likeness), as in a BlockingKey.
    """

    hash: bytes
    solid: bool
    profile: bytes
    keys: tuple[tuple[str, int, int], ...]


class Prepared(NamedTuple):
    """One live record, ready to be written. Hashes are 16 bytes."""

    identifier: str
    format: str
    datestamp: str
    payload: bytes
    raw_hash: bytes
    payload_hash: bytes
    normalized: bytes
    mapping_hash: bytes
    warnings: tuple[tuple[str, str, str], ...]
    profiled: Profiled
    packed: bytes = b""  # the payload and the normalized record as they are stored, when a worker has packed them
    packed_normalized: bytes = b""
    dictionaries: tuple[int | None, int | None] = (None, None)  # with which they are packed
    received: bytes = b""  # the bytes as they came, where the payload had to be mended to be readable


def digest(*parts: bytes) -> bytes:
    """The 16-byte hash used for every content address here."""
    measured = b"".join([each for part in parts for each in (len(part).to_bytes(8, "big"), part)])
    return blake2b(measured, digest_size=16).digest()
