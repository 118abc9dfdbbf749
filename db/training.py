"""Dictionaries out of samples. No database here: the process that makes them need not load one."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

from db import phrases
from db.compress import Dictionary, finished, packer

APART = 10  # every tenth record of a sample only tells how well the others serve
SIZE = 96 << 10
Samples = Sequence[tuple[int, bytes]]  # source id, bytes of one record


def trained(file: str, least: int) -> dict[str, tuple[bytes, float]]:
    """Kind → its dictionary, empty below *least* bytes, and bytes packed with it for each byte.

    *file*, of the process that asks, holds one pickle for each sample: kind, source id, bytes.
    """
    samples: dict[str, list[tuple[int, bytes]]] = {}
    with Path(file).open("rb") as rows:
        while rows.peek(1):
            kind, source_id, body = pickle.load(rows)  # noqa: S301 - written by our own process a moment ago
            samples.setdefault(kind, []).append((source_id, body))
    made = {}
    for kind, one in samples.items():
        body = _made([row for number, row in enumerate(one) if number % APART], least)
        others = [other for _, other in one[::APART]]
        pack = packer(Dictionary(0, body) if body else None)
        made[kind] = body, sum(len(pack(other)) for other in others) / max(sum(map(len, others)), 1)
    return made


def _made(samples: Samples, least: int) -> bytes:
    """A dictionary; empty where the records have too little in common."""
    content = phrases.content(samples, SIZE)
    number = 1 + sum(content) % 255
    return finished(content, [body for _, body in samples[:500]], number) if len(content) >= least else b""
