"""Dictionaries out of samples. No database here: the process that makes them need not load one."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

from db import phrases
from db.compress import Dictionary, Shelf, finished, packer

APART = 10  # every tenth record of a sample only tells how well the others serve
SIZE = 96 << 10
Samples = Sequence[tuple[int, bytes]]  # source id, bytes of one record


def trained(file: str, least: int) -> tuple[dict[str, bytes], float]:
    """The dictionary of each kind, empty below *least* bytes; and bytes packed for each byte raw.

    *file*, of the process that asks, holds one pickle for each sample: source id, bytes of each kind.
    """
    samples: dict[str, list[tuple[int, bytes]]] = {kind: [] for kind in Shelf._fields}
    with Path(file).open("rb") as rows:
        while rows.peek(1):
            source_id, parts = pickle.load(rows)  # noqa: S301 - written by our own process a moment ago
            for kind, body in zip(Shelf._fields, parts, strict=True):
                samples[kind].append((source_id, body))
    bodies = {
        kind: _made([row for number, row in enumerate(one) if number % APART], least) for kind, one in samples.items()
    }
    raws = [body for _, body in samples["raw"][::APART]]
    pack = packer(Dictionary(0, bodies["raw"]) if bodies["raw"] else None)
    return bodies, sum(len(pack(one)) for one in raws) / max(sum(map(len, raws)), 1)


def _made(samples: Samples, least: int) -> bytes:
    """A dictionary; empty where the records have too little in common."""
    content = phrases.content(samples, SIZE)
    number = 1 + sum(content) % 255
    return finished(content, [body for _, body in samples[:500]], number) if len(content) >= least else b""
