"""Many processes at one feed: partners that edit, matchers that merge, split and fail, consumers that are restarted."""

from __future__ import annotations

import multiprocessing
import random
import time
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from db import catalogue, changes, ledger, work
from db.engine import Database
from harvester import pipeline, publishing, settings
from harvester.clock import SystemClock
from harvester.errors import Locked
from harvester.matching import Desk, match_batch
from harvester.model import Catalogue, NormalizedRecord
from harvester.outputs.batch import Batch, Drift, OutputState, Rejection
from harvester.outputs.deliver import deliver
from tests.pipeline.shelf import Book, Shelf

_decode = msgspec.json.Decoder(NormalizedRecord).decode
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["harvester.pipeline", "harvester.publishing"])

TITLES = ("Laskar pelangi", "Bumi manusia", "Ronggeng Dukuh Paruk", "Sitti Nurbaya", "Salah asuhan", "Belenggu")


class Rollback(Exception):
    """A transaction that its own process gives up, after it was numbered."""


def opened(folder: str) -> pipeline.Pipeline:
    return pipeline.open_pipeline(settings.load(Path(folder) / "induk.yaml", environ={}), {}, SystemClock())


def partner(folder: str, code: str, seed: int, stop: Any) -> None:
    """Edit and delete books again and again: a book takes on another's title and ISBN, so clusters merge and split."""
    dice, made = random.Random(seed), opened(folder)
    while not stop.is_set():
        listed = []
        for number in dice.sample(range(200), 50):
            which = dice.randrange(150)
            title = f"{TITLES[which % len(TITLES)]} {'abcdefghijklmnopqrstuvwxyz'[which // len(TITLES)] * 3}"
            book = Book(title, isbn=f"97897930{which:05d}", pages=str(100 + which), note=str(dice.random()))
            gone = dice.random() < 0.1
            listed.append(_record(str(number), None if gone else book))
        pipeline.harvest_one(made, code, open_harvester=lambda listed=listed: Shelf(listed))
    made.database.close()


def _record(name: str, book: Book | None) -> Any:
    from harvester.model import HarvestedRecord

    if book is None:
        return HarvestedRecord(name, "marcxml", deleted=True)
    return HarvestedRecord(name, "marcxml", book.payload(name))


def matcher(folder: str, seed: int, stop: Any, failing: float) -> None:
    """Match small batches under the match lock; one in ten transactions is rolled back after it was numbered."""
    dice, made = random.Random(seed), opened(folder)
    now = made.now
    while not stop.is_set():
        try:
            with made.database.lock(pipeline.MATCH_LOCK):
                desk = Desk(_Failing(made.database, dice, failing), made.match, made.merge, made.partners, 1, 1, now)
                for _ in range(dice.randint(1, 4)):
                    match_batch(desk, 40)
        except (Locked, Rollback):
            time.sleep(dice.random() * 0.01)
    made.database.close()


class _Failing:
    """The database, with writing transactions that now and then fail as their last act."""

    def __init__(self, inner: Database, dice: random.Random, share: float) -> None:
        self._inner, self._dice, self._share = inner, dice, share

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, **how: bool) -> Any:
        from contextlib import contextmanager

        @contextmanager
        def failing() -> Any:
            with self._inner.write(**how) as conn:
                yield conn
                if self._dice.random() < self._share:
                    raise Rollback

        return failing()


# ---- consumers -------------------------------------------------------------------------------------------


class Index:
    """The far side: cluster → its members; written to by a consumer that may die between any two steps."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, ...]] = {}

    def apply(self, batch: Batch) -> list[Rejection]:
        for cluster in batch.gone:
            self.held.pop(cluster, None)
        for cluster, document in batch.documents.items():
            self.held[cluster] = tuple(_line(one.address, one.record) for one in document.members)
        return []

    def snapshot(self, catalogue: Catalogue) -> list[Rejection]:
        self.held = {
            one.cluster: tuple(_line(member.address, member.record) for member in one.members)
            for page in catalogue.pages()
            for one in page
        }
        return []

    def lost(self, state: OutputState) -> str:
        return ""

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        return Drift()


def _line(address: object, record: NormalizedRecord) -> str:
    """A member in short: which record it is, and which edit of it."""
    return f"{address} {record.notes}"


def record_of(line: str) -> str:
    """Which record such a line is of."""
    return line.partition(" ")[0]


class Killed(Exception):
    """The consumer is stopped here."""


def consume(made: pipeline.Pipeline, index: Index, state: OutputState, dice: random.Random) -> tuple[OutputState, bool]:
    """One life of a consumer: it delivers, and perhaps dies after a step, before or after its position is saved."""
    saved = [state]

    def save(one: OutputState) -> None:
        if dice.random() < 0.3:
            raise Killed  # delivered, and the position not saved
        saved[0] = one
        if dice.random() < 0.3:
            raise Killed

    with publishing.reading(made) as read:
        try:
            deliver(index, read, state, save, limit=20)
        except Killed:
            return saved[0], True
    return saved[0], False


class Reader:
    """A consumer that asks for `seq > last` and notes what it is told: a gap or a step back is an error at once."""

    def __init__(self) -> None:
        self.last = 0
        self.faults: list[str] = []

    def poll(self, database: Database) -> None:
        with database.read() as conn:
            rows = changes.since(conn, self.last, 50)
        numbers = [row["seq"] for row in rows]
        if numbers != list(range(self.last + 1, self.last + 1 + len(numbers))):
            self.faults.append(f"after {self.last} came {numbers[:5]}")
        if rows and rows[-1]["seq"] != rows[-1]["batch"]:
            self.faults.append(f"the page after {self.last} ends inside a batch")
        self.last = numbers[-1] if numbers else self.last


def run(folder: Path, codes: tuple[str, ...], matchers: int, goal: tuple[int, float], seed: int) -> dict[str, Any]:
    """Let everything loose up to *goal* (changes, seconds); what the three consumers met.

    The seconds end it only when a tenth of the changes and a restart have come, without which it would mean nothing.
    """
    stop = context.Event()
    made = opened(str(folder))
    workers = [context.Process(target=partner, args=(str(folder), one, seed + n, stop)) for n, one in enumerate(codes)]
    workers += [context.Process(target=matcher, args=(str(folder), seed - n, stop, 0.1)) for n in range(matchers)]
    for one in workers:
        one.start()
    dice = random.Random(seed)
    consumers = [(Index(), OutputState()) for _ in range(3)]
    readers = [Reader(), Reader(), Reader()]
    restarts = 0
    until = 0.0  # counted from the first change on: processes take their time to start
    while any(one.is_alive() for one in workers):
        for number, (index, state) in enumerate(consumers):
            state, killed = consume(made, index, state, dice)
            restarts += killed
            consumers[number] = (index, state)
            readers[number].poll(made.database)
        until = until or (time.monotonic() + goal[1] if readers[0].last else 0.0)
        enough = readers[0].last >= goal[0] / 10 and restarts > 0
        if enough and (readers[0].last >= goal[0] or time.monotonic() > until):
            stop.set()
    for one in workers:
        one.join()
        assert one.exitcode == 0, one.exitcode
    pipeline.match(made)
    for number, (index, state) in enumerate(consumers):
        while state.position < _released(made.database):
            state, _ = consume(made, index, state, dice)
        consumers[number] = (index, state)
        while readers[number].last < _released(made.database):
            readers[number].poll(made.database)
    with made.database.read() as conn:
        assert work.queued(conn) == 0
        held = catalogue.members(conn, catalogue.active_ids(conn, 0, 1_000_000))
        wanted = [one.record_id for members in held.values() for one in members]
        bodies = ledger.normalized_bodies(conn, wanted)
        found = {
            "restarts": restarts,
            "changes": _released(made.database),
            "gaps": changes.gaps(conn),
            "faults": [fault for one in readers for fault in one.faults],
            "catalogue": {
                str(key): tuple(_line(one.address, _decode(bodies[one.record_id])) for one in members)
                for key, members in held.items()
            },
            "indexes": [index.held for index, _ in consumers],
        }
    made.database.close()
    return found


def _released(database: Database) -> int:
    with database.read() as conn:
        return int(changes.feed_state(conn)["released"])


# ---- the way that loses ----------------------------------------------------------------------------------


def naive_run(url: str, pairs: int) -> tuple[int, int]:
    """(rows written, rows that a consumer with `seq > last` was told): numbered by a sequence, as most outboxes are.

    Of two writers the one that began first commits last, and the consumer asks after each.
    """
    database = Database(url)
    with database.write() as conn:
        conn.execute(text("CREATE TABLE naive (seq bigserial PRIMARY KEY, writer int)"))
    insert = text("INSERT INTO naive (writer) SELECT :writer FROM generate_series(1, 3)")
    last = told = 0

    def poll() -> None:
        nonlocal last, told
        with database.read() as conn:
            rows = conn.execute(text("SELECT seq FROM naive WHERE seq > :last ORDER BY seq"), {"last": last}).all()
        told += len(rows)
        last = rows[-1][0] if rows else last

    for _ in range(pairs):
        with database.write() as first:
            first.execute(insert, {"writer": 1})
            with database.write() as second:
                second.execute(insert, {"writer": 2})
            poll()
        poll()
    with database.read() as conn:
        written = int(conn.execute(text("SELECT count(*) FROM naive")).scalar_one())
    database.close()
    return written, told
