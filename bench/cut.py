"""The corpus as four partners would send it: dealt out by a seed, with an overlap that is derived.

The corpus is one agency's, so nothing in it is held twice. Four fifths of the records are its first ones, each dealt to
one of four partners; the last fifth are copies of some of these at another partner, with a number of their own, the
title without its ISBD punctuation, and every second one without its 300 (extent).
"""

from __future__ import annotations

import gzip
import random
from pathlib import Path

PARTNERS, COPIES, SEED = 4, 0.2, 20261122
Field = tuple[bytes, bytes]


def take(folder: Path, target: Path, number: int) -> int:
    """Write the first *number* records of the first ISO 2709 file under *folder*/bench to *target*."""
    path = next(iter(sorted(folder.rglob("bench/*.mrc.gz")) or sorted(folder.rglob("*.mrc.gz"))))
    taken, rest = 0, b""
    with gzip.open(path) as stream, target.open("wb") as out:
        while taken < number and (chunk := stream.read(1 << 20)):
            parts = (rest + chunk).split(b"\x1d")
            rest = parts.pop()
            parts = parts[: number - taken]
            taken += len(parts)
            out.write(b"".join(part + b"\x1d" for part in parts))
    return taken


def cut(file: Path) -> list[Path]:
    """Put the records of *file*, the last fifth of them copies of others, in its place and in a file a partner."""
    records = file.read_bytes().split(b"\x1d")[:-1]
    draw = random.Random(SEED)
    own = records[: len(records) - int(len(records) * COPIES)]
    homes = [draw.randrange(PARTNERS) for _ in own]
    heaps: list[list[bytes]] = [[] for _ in range(PARTNERS)]
    for one, home in zip(own, homes, strict=True):
        heaps[home].append(one)
    for number, at in enumerate(sorted(draw.sample(range(len(own)), len(records) - len(own)))):
        other = (homes[at] + 1 + draw.randrange(PARTNERS - 1)) % PARTNERS
        heaps[other].append(copied(own[at], number))
    paths = [file.with_name(f"partner{number}.mrc") for number in range(PARTNERS)]
    for path, heap in zip(paths, heaps, strict=True):
        path.write_bytes(b"".join(one + b"\x1d" for one in heap))
    file.write_bytes(b"".join(path.read_bytes() for path in paths))
    return paths


def copied(payload: bytes, number: int) -> bytes:
    """The record as another library holds it."""
    found = []
    for tag, body in fields(payload):
        if tag == b"001":
            body = b"c%08d\x1e" % number
        elif tag == b"245":
            for mark in (b" /\x1f", b" :\x1f", b" ;\x1f"):
                body = body.replace(mark, b"\x1f")
        if tag != b"300" or number % 2:
            found.append((tag, body))
    return built(payload[:24], found)


def fields(payload: bytes) -> list[Field]:
    """(tag, body with its end mark) of each field, as the directory has them."""
    start = int(payload[12:17])
    found = []
    for at in range(24, start - 1, 12):
        length, place = int(payload[at + 3 : at + 7]), start + int(payload[at + 7 : at + 12])
        found.append((payload[at : at + 3], payload[place : place + length]))
    return found


def built(leader: bytes, found: list[Field]) -> bytes:
    """The record of these fields, without its end mark."""
    directory, body = b"", b""
    for tag, one in found:
        directory += b"%s%04d%05d" % (tag, len(one), len(body))
        body += one
    start = 24 + len(directory) + 1
    return b"%05d%s%05d%s" % (start + len(body) + 1, leader[5:12], start, leader[17:24]) + directory + b"\x1e" + body
