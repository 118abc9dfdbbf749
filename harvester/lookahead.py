"""Which nodes share a key with a batch, asked for the next batch by a worker process while this one is at work.

Keys change with harvests, not with matching: what was asked beforehand is as good as what is asked now, as long as
the marks are the same (`Lookahead.taken` looks), the nodes are, and each has a record still (`propose` looks). A
record that changes later keeps its mark and is matched again, as ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import NamedTuple

from sqlalchemy import URL, Connection
from sqlalchemy.exc import DBAPIError

from db import candidates, catalogue, work
from db.catalogue import RecordState
from db.engine import Database
from harvester.judging import Pair
from harvester.pairs import Comparison, How
from harvester.workers import Workers

Marks = Sequence[tuple[int, int]]  # record id, version of its mark
Limits = Mapping[str, int]  # kind of key → unlike carriers from which on it is suspended


class Shared(NamedTuple):
    """What nodes share with others."""

    now: frozenset[int]  # the nodes of some records
    touched: frozenset[int]  # and those that the records have left
    over: Mapping[int, tuple[str, int]]  # keys of `touched` that are over the limit → kind, unlike carriers
    pairs: AbstractSet[tuple[int, int]]  # of one of `now` and a node with a live key in common


def shared(conn: Connection, limits: Limits, now: AbstractSet[int], before: AbstractSet[int]) -> Shared:
    """What the nodes *now* of some records share with all others, *before* being those that they have left."""
    touched = frozenset(now | before)
    crowded = candidates.crowded_keys(conn, touched, min(limits.values()))
    over = {key: (kind, unlike) for key, (kind, unlike) in crowded.items() if unlike > limits[kind]}
    return Shared(frozenset(now), touched, over, candidates.sharing(conn, now, over))


def nodes_of(states: Iterable[RecordState]) -> tuple[set[int], set[int]]:
    """The nodes of *states* now, and as they were matched last."""
    now = {state.node_id for state in states if state.node_id is not None}
    return now, {state.old_node for state in states if state.old_node is not None}


class Next(NamedTuple):
    """The next batch: its marks, what its nodes share, and those of the pairs on which nothing was decided."""

    marks: Marks
    shared: Shared
    undecided: AbstractSet[Pair]


class Lookahead:
    """Asks for the next batch of a match run; without worker processes nothing is asked beforehand."""

    def __init__(self, database: Database, workers: Workers, limits: Limits) -> None:
        self._database, self._workers, self._limits = database, workers, limits
        self.answer: Future[Next | None] | None = None  # for the next batch
        self.compared: Comparison | None = None  # pairs of the next batch

    def begin(self, marks: Marks, limit: int) -> None:
        """Ask for the batch after the one of *marks*."""
        self.answer = self._workers.aside(_ask, self._database.url, self._limits, [one for one, _ in marks], limit)

    def compare(self, how: How, decided: AbstractSet[Pair], most: int) -> None:
        """Begin to compare the next batch's pairs, if they are known by now and no more than *most*.

        *decided* are this batch's.
        """
        with suppress(BrokenProcessPool, DBAPIError):
            found = self.answer.result() if self.answer and self.answer.done() else None
            pairs = found.undecided - decided if found else ()
            if 0 < len(pairs) <= most:
                with self._database.read() as conn:
                    self.compared = Comparison(conn, how, pairs)

    def taken(self, conn: Connection, limit: int) -> tuple[Marks, Shared, Comparison | None] | None:
        """The marks of the next batch and what it shares, if that was asked and every mark is still the same.

        And its pairs that are being compared already.
        """
        asked, self.answer = self.answer, None
        compared, self.compared = self.compared, None
        with suppress(BrokenProcessPool):
            found = asked and asked.result()
            if found and len(found.marks) <= limit and _same(conn, found.marks):
                return found.marks, found.shared, compared
        if compared:
            compared.drop()
        return None


def _same(conn: Connection, marks: Marks) -> bool:
    return work.dirty_among(conn, [one for one, _ in marks]) == marks


_opened: dict[URL, Database] = {}


def _ask(url: URL, limits: Limits, but_not: Sequence[int], limit: int) -> Next | None:
    """In a worker, whose connection stays open: what the next batch without these records shares.

    None when there is no such batch, or no database: then who waits for it will see that too.
    """
    database = _opened.get(url) or _opened.setdefault(url, Database(url))
    passed = set(but_not)
    with suppress(DBAPIError), database.read() as conn:
        marks = [one for one in work.dirty(conn, limit + len(passed)) if one[0] not in passed][:limit]
        if marks:
            states = catalogue.states_of_records(conn, [one for one, _ in marks])
            found = shared(conn, limits, *nodes_of(states))
            held = {(one[0], one[1]) for one in catalogue.decisions_of(conn, found.touched)}
            return Next(marks, found, found.pairs - held)
    return None
