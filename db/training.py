"""Dictionaries out of samples. No database here: the process that makes them need not load one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from db import phrases
from db.compress import Dictionary, finished, packer

APART = 10  # every tenth record of a sample only tells how well the others serve
SIZE = 96 << 10
Samples = Sequence[tuple[int, bytes]]  # source id, bytes of one record


def trained(samples: Mapping[str, Samples], least: int) -> tuple[dict[str, bytes], float]:
    """The dictionary of each kind, empty below *least* bytes; and bytes packed for each byte raw."""
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
