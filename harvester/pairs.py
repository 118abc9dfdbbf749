"""Pairs being compared, many of them in worker processes: a batch's own, and the next one's while this is written.

What is compared beforehand rests on the profiles that are stored then. It is heeded for the pairs that are asked for
in the end, as far as both profiles are still the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from db import catalogue, dictionaries
from harvester import judging
from harvester.judging import Judged, Pair
from harvester.match.rules import Rules
from harvester.workers import Begun, Workers


class How(NamedTuple):
    """By what pairs are compared, and by whom; a worker process reads the rules from their file."""

    workers: Workers
    rules: Rules
    path: Path | None


class Comparison:
    """Pairs that are being compared, and the packed profiles on which that rests."""

    def __init__(self, conn: Connection, how: How, pairs: Collection[Pair], before: Comparison | None = None) -> None:
        """Begin; what *before* has of the same profiles is taken from there."""
        self.packed = catalogue.packed_profiles(conn, {node for pair in pairs for node in pair})
        self.pairs = frozenset(pairs)
        self._before = before
        self._told = before.unchanged(self) if before else frozenset()
        if before and not self._told:
            before.drop()
        rest = sorted(self.pairs - self._told)
        self._here = partial(judging.compare_packed, how.rules)
        self._jobs = self._cut(conn, how.workers, rest)
        elsewhere = partial(judging.compare_elsewhere, how.path, how.rules.hash)
        self._begun: Begun[list[Judged] | None] = how.workers.begin(elsewhere, self._jobs, self._here)

    def _cut(self, conn: Connection, workers: Workers, pairs: Sequence[Pair]) -> list[tuple[Any, ...]]:
        size = max(1, -(-len(pairs) // workers.portions(len(pairs))))
        packing, read = dictionaries.evidence(conn), dictionaries.bodies(conn, self.packed.values())
        cut = [pairs[start : start + size] for start in range(0, len(pairs), size)]
        return [(packing, read, {node: self.packed[node] for pair in one for node in pair}, one) for one in cut]

    def unchanged(self, later: Comparison) -> frozenset[Pair]:
        """The pairs that are *later*'s too, of the same profiles."""
        same = {node for node, body in later.packed.items() if self.packed.get(node) == body}
        return frozenset([one for one in self.pairs & later.pairs if one[0] in same and one[1] in same])

    def results(self) -> list[Judged]:
        """The decisions, by pair; waits for them."""
        made = zip(self._jobs, self._begun.results(), strict=True)
        found = [one for job, part in made for one in (self._here(*job) if part is None else part)]
        if self._before and self._told:
            found += [one for one in self._before.results() if (one.left, one.right) in self._told]
            found.sort()
        return found

    def drop(self) -> None:
        """Nobody wants the results."""
        self._begun.drop()
