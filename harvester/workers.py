"""Worker processes: they prepare records for the ledger, compare pairs, draw clusters.

Few records are prepared where they are; many are cut into chunks for the processes, and come back in order. What
comes back does not depend on how many processes there are. A worker that dies takes the page with it, not the run:
the page is prepared again in the main process.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import util
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from db.prepared import Prepared, Profiled
from harvester.garbage import collect_rarely
from harvester.laps import Laps, Seconds, add
from harvester.match import rules as match_rules
from harvester.match.rules import Rules
from harvester.model import Damage
from harvester.preparing import Made, Recipe, Work, prepare_batch

R = TypeVar("R")
MANY = 150  # records for which processes are started
MANY_TO_START = 500  # things in small portions from which on they are: it takes half a second until one is there
FEW = 40  # records that go to a process once it is there
CHUNK = 250
AHEAD = 2  # jobs begun for each process
PORTIONS = 4  # for each process: nobody waits long for the last


class Chunk(NamedTuple):
    """Records prepared in a worker, as plain lists; what matching needs of each stands apart, in order."""

    rows: list[list[Any]]
    profiles: bytes  # pickle would take its many numbers one by one
    damages: list[Damage]
    seconds: Seconds


class Preparation:
    """Records being prepared; `result()` waits for them."""

    def __init__(self, work: Work, recipe: Recipe, jobs: Sequence[Future[Chunk]]) -> None:
        self._work = work
        self._recipe = recipe
        self._jobs = jobs
        self.seconds: Seconds = {}  # of processors, by stage

    @property
    def elsewhere(self) -> bool:
        """Whether other processes are at it, so that there is time for something else."""
        return bool(self._jobs)

    def result(self) -> Made:
        try:
            made: Made = {}
            payloads = {one.identifier: one.payload for one, _ in self._work}
            for job in self._jobs:
                done = job.result()
                profiles = _profiles(done.profiles)
                made |= {row[0]: _whole(row, payloads[row[0]], p) for row, p in zip(done.rows, profiles, strict=True)}
                made |= {one.identifier: one for one in done.damages}
                for stage, took in done.seconds.items():
                    add(self.seconds, stage, took)
            return made if self._jobs else self._here()
        except BrokenProcessPool:
            return self._here()

    def _here(self) -> Made:
        return prepare_batch(self._work, self._recipe, Laps(self.seconds))


class Begun(Generic[R]):
    """Jobs that the processes are at."""

    def __init__(
        self, here: Callable[..., R], jobs: Sequence[tuple[Any, ...]], begun: Sequence[Future[R] | None]
    ) -> None:
        self._here, self._jobs, self._begun = here, jobs, begun

    def results(self) -> list[R]:
        """What comes of each job, in order; those that no process has taken up yet are done here, the last first."""
        here: list[R] = []
        rest = len(self._jobs)
        while rest and ((future := self._begun[rest - 1]) is None or future.cancel()):
            rest -= 1
            here.append(self._here(*self._jobs[rest]))
        begun = zip(self._jobs[:rest], self._begun[:rest], strict=True)
        return [_ended(self._here, job, future) for job, future in begun] + here[::-1]

    def drop(self) -> None:
        """Nobody asks for the results: what no process has taken up yet is not done."""
        for future in self._begun:
            if future is not None:
                future.cancel()


class Workers:
    """The processes, started when there is first enough to do. *number* 0 is one per processor core; 1 is none."""

    def __init__(self, number: int = 0) -> None:
        self._number = number or os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        self._starting = threading.Lock()  # sources are harvested side by side: a second pool would never be ended
        self._met = 0  # records so far: many servers send pages of a hundred

    @property
    def number(self) -> int:
        """How many there are, or would be."""
        return self._number

    def start(self, work: Work, recipe: Recipe) -> Preparation:
        """Begin to prepare *work*."""
        self._met += len(work)
        if self._number < 2 or len(work) < (FEW if self._met > MANY_TO_START else MANY):
            return Preparation(work, recipe, ())
        plain = recipe._replace(rules=None)  # type: ignore[arg-type]  # a worker reads the rules itself, once
        size = min(CHUNK, -(-len(work) // self._number))  # a page keeps every process busy
        chunks = [work[start : start + size] for start in range(0, len(work), size)]
        try:
            return Preparation(work, recipe, [self._started().submit(_prepare, chunk, plain) for chunk in chunks])
        except BrokenProcessPool:
            self._number = 1
            return Preparation(work, recipe, ())

    def each(self, function: Callable[..., R], jobs: Iterable[tuple[Any, ...]]) -> Iterator[R]:
        """What *function* gives for each of the jobs, in order; a few are begun before they are asked for.

        A single job is done where it is: starting processes takes longer.
        """
        begun: deque[tuple[tuple[Any, ...], Future[R] | None]] = deque()
        rest = iter(jobs)
        first = list(islice(rest, 2))
        if len(first) == 1:
            yield function(*first[0])
            return
        for job in chain(first, rest):
            begun.append((job, self._begin(function, job)))
            if len(begun) > AHEAD * self._number:
                yield _ended(function, *begun.popleft())
        while begun:
            yield _ended(function, *begun.popleft())

    def begin(
        self, function: Callable[..., R], jobs: Sequence[tuple[Any, ...]], here: Callable[..., R] | None = None
    ) -> Begun[R]:
        """Hand the jobs to the processes; there is time for something else until their results are asked for.

        *here* is what this process does instead of *function*. A single job is done where it is.
        """
        few = len(jobs) < 2
        return Begun(here or function, jobs, [None if few else self._begin(function, job) for job in jobs])

    def aside(self, function: Callable[..., R], *job: Any) -> Future[R] | None:
        """Begin *job* where the processes are at work; None where there are none."""
        return self._begin(function, job) if self._pool else None

    def warm(self, number: int, function: Callable[..., object], *job: Any) -> None:
        """Start the processes if *number* things are worth it; each does this *job* first, for the modules it loads."""
        if self.portions(number) > 1:
            for _ in range(self._number):
                self._begin(function, job)

    def portions(self, number: int) -> int:
        """Into how many jobs to cut *number* things: one where it is not worth the way, or there is nobody else."""
        enough = MANY if self._pool else MANY_TO_START
        return 1 if self._number < 2 or number < enough else PORTIONS * self._number

    def _begin(self, function: Callable[..., R], job: tuple[Any, ...]) -> Future[R] | None:
        try:
            return self._started().submit(function, *job) if self._number > 1 else None
        except BrokenProcessPool:
            self._number = 1
            return None

    def _started(self) -> ProcessPoolExecutor:
        with self._starting:
            if self._pool is None:
                context = multiprocessing.get_context("spawn")
                self._pool = ProcessPoolExecutor(self._number, mp_context=context, initializer=_watch_parent)
                # before the queues are closed (priority 10): workers of a program that forgets `close` would wait on
                end = self._pool.shutdown
                util.Finalize(self, end, kwargs={"cancel_futures": True}, exitpriority=100)
            return self._pool

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


def _watch_parent() -> None:
    """In a worker: end when the main process does, also when that was killed; Ctrl-C is for the main process."""
    collect_rarely()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _ended(function: Callable[..., R], job: tuple[Any, ...], begun: Future[R] | None) -> R:
    """The result of a job; made here when there is no other process, or it died."""
    try:
        return function(*job) if begun is None else begun.result()
    except BrokenProcessPool:
        return function(*job)


_rules: dict[Any, Rules] = {}


def rules_at(path: Path | None) -> Rules:
    """The match rules of the file (None: the shipped ones), read once a process while it stays as it is."""
    mark = (path, path and path.stat().st_mtime_ns)
    if mark not in _rules:
        _rules[mark] = match_rules.load(path)
    return _rules[mark]


def _prepare(work: Work, recipe: Recipe) -> Chunk:
    """In a worker: the chunk, by the rules read from the recipe's file, and the seconds that its stages took."""
    laps = Laps()
    made = prepare_batch(work, recipe._replace(rules=rules_at(recipe.rules_path)), laps)
    prepared = [one for one in made.values() if isinstance(one, Prepared)]
    profiles = msgspec.msgpack.encode([one.profiled for one in prepared])
    damages = [one for one in made.values() if isinstance(one, Damage)]
    rows = [_plain(one) for one in prepared]
    laps.lap("hand over")
    return Chunk(rows, profiles, damages, laps.seconds)


_PAYLOAD, _NORMALIZED, _PROFILED = map(Prepared._fields.index, ("payload", "normalized", "profiled"))
_profiles = msgspec.msgpack.Decoder(list[Profiled]).decode


def _plain(one: Prepared) -> list[Any]:
    """*one* as a plain list, without what is packed already, and its profile."""
    row: list[Any] = list(one)
    row[_PAYLOAD] = row[_NORMALIZED] = b""
    row[_PROFILED] = None
    return row


def _whole(row: list[Any], payload: bytes, profiled: Profiled) -> Prepared:
    row[_PAYLOAD], row[_PROFILED] = payload, profiled
    return Prepared._make(row)
