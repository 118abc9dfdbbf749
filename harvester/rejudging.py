"""Every pair that other rules propose, decided beside what is served: in worker processes, in short transactions.

The pairs come from a join over all keys, a part of them in each process; it is quick, and made anew each time.
Decisions are kept pair by pair, so that after a kill, or when records have changed meanwhile, only those that are
missing are made.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from db import dictionaries, reprofiling
from db.engine import Database
from db.reprofiling import Pair
from harvester import faultpoint
from harvester.judging import Judged, compare_all
from harvester.match.blocking import BITS, Proposed, join, unpacked
from harvester.matching import bare
from harvester.resolving import read_profiles
from harvester.workers import Workers, rules_at

CHUNK = 4000  # pairs that a worker compares at a time
HASH_BITS = 64  # of a key, signed


class Progress(NamedTuple):
    """How far it is with the `what` (records or pairs); `rate` in so many a second, `left` in seconds."""

    what: str
    done: int
    total: int
    rate: float
    left: float


Tell = Callable[[Progress], None]


class Beside(NamedTuple):
    """What lies ready: the nodes whose pairs are decided, how many pairs, and the suspended keys."""

    nodes: set[int]
    pairs: int
    suspended: Mapping[int, tuple[str, int]]


def rejudge(database: Database, workers: Workers, path: Path | None, tell: Tell) -> Beside:
    """Decide every pair that the prepared profiles propose by the rules at *path*, and is not decided yet."""
    with database.read() as conn:
        nodes = reprofiling.nodes(conn)
        held = {left << BITS | right for left, right in reprofiling.judged(conn)}
    proposed = propose(database, workers, path, nodes)
    if stale := sorted(held - proposed.pairs):
        database.persist(partial(_drop, database, list(map(unpacked, stale))))
    total = len(proposed.pairs)
    proposed.pairs.difference_update(held)
    rest = array("Q", sorted(proposed.pairs))
    proposed.pairs.clear()  # the list has them, in a ninth of the room
    told = Pace("pairs", total - len(rest), total, tell)
    for rows in workers.each(_judge, _jobs(database, path, rest)):
        database.give_way()
        database.persist(partial(_keep, database, rows))
        faultpoint.reach("rebuild.pairs.committed")
        told.advance(len(rows))
    return Beside(nodes, total, proposed.suspended)


def propose(database: Database, workers: Workers, path: Path | None, nodes: set[int]) -> Proposed:
    """The pairs of *nodes* that the prepared keys propose by the rules at *path*."""
    made = Proposed(set(), {})
    url, alive = database.url.render_as_string(hide_password=False), array("Q", nodes).tobytes()
    edges = [(part << HASH_BITS) // workers.number - (1 << HASH_BITS - 1) for part in range(workers.number + 1)]
    jobs = [(url, path, alive, low, high - 1) for low, high in pairwise(edges)]
    for packed, suspended in workers.each(_join, jobs):
        made.pairs.update(array("Q", packed))
        made.suspended.update(suspended)
    return made


def _join(url: str, path: Path | None, alive: bytes, low: int, high: int) -> tuple[bytes, dict[int, tuple[str, int]]]:
    """In a worker: the pairs by keys from *low* to *high*, as bytes: a set takes five times as long on its way."""
    limits = rules_at(path).suspend_at
    with closing(Database(url)) as database, database.read() as conn:
        lists, crowded = reprofiling.carriers(conn, min(limits.values()), low, high)
        made = join(lists, reprofiling.blocks(conn, crowded), set(array("Q", alive)), limits)
    return array("Q", made.pairs).tobytes(), made.suspended


class Pace:
    """Counts what is done, and tells of it."""

    def __init__(self, what: str, done: int, total: int, tell: Tell) -> None:
        self._what, self._done, self._total, self._tell = what, done, total, tell
        self._already, self._started = done, time.monotonic()

    def advance(self, number: int) -> None:
        """So many more are done."""
        self._done += number
        rate = (self._done - self._already) / max(time.monotonic() - self._started, 1e-6)
        self._tell(Progress(self._what, self._done, self._total, rate, max(self._total - self._done, 0) / rate))


def _jobs(database: Database, path: Path | None, pairs: Sequence[int]) -> Iterator[tuple[Any, ...]]:
    url = database.url.render_as_string(hide_password=False)
    for start in range(0, len(pairs), CHUNK):
        yield url, path, list(map(unpacked, pairs[start : start + CHUNK]))


def _judge(url: str, path: Path | None, pairs: Sequence[Pair]) -> list[Judged]:
    """In a worker: the decisions on *pairs*. It reads the profiles itself: they need not travel."""
    rules = rules_at(path)
    with closing(Database(url)) as database, database.read() as conn:
        profiles = read_profiles(conn, {node for pair in pairs for node in pair})
        packing = dictionaries.evidence(conn)
    return compare_all(rules, bare(profiles), pairs, packing)


def _keep(database: Database, rows: Sequence[tuple[Any, ...]]) -> None:
    with database.write() as conn:
        reprofiling.keep_judged(conn, rows)
        faultpoint.reach("rebuild.pairs.written")


def _drop(database: Database, pairs: Sequence[Pair]) -> None:
    with database.write() as conn:
        reprofiling.drop_judged(conn, pairs)
