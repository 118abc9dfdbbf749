"""Trained zstd dictionaries: one in use for each kind of bytes, the older ones for what was packed with them.

They are made from a sample of what is stored, and hold only what much of it has: db.sampling, db.phrases. Those of the
ledger (records, normalized forms, profiles) are made anew when there are ten times as many records as at the last, or
four times as many and the newest pack clearly worse; those of the catalogue (lines of the merge log, union records,
evidence) when there are ten times as many lines.
"""

from __future__ import annotations

import multiprocessing
import pickle
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, func, insert, select

from db import sampling
from db.compress import LEVEL_WITH_DICTIONARY, Dictionary, DictionaryError, Shelf, packer, unpack
from db.engine import GLANCE, Database, within
from db.tables import cluster_event, payload, record, zstd_dictionary
from db.training import trained
from harvester.errors import Locked

LOCK = "dictionaries"
FIRST = 2_000  # records from which on dictionaries are made: a sample of enough, of several sources
FIRST_LINES = 600  # lines of the merge log
GROWTH = 10  # times as many as at the last training: a new one
LITTLE = 4  # times as many records: a new one if the newest take WORSE times as many bytes as was measured then
WORSE = 1.5
NEWEST = 300
LEAST = 1 << 10  # a smaller one is not worth its reading
CATALOGUE = ("event", "union", "evidence")
TRIES = 3  # trainings that were killed; after that it is left to the next process
_killed: WeakKeyDictionary[Engine, int] = WeakKeyDictionary()
_known: WeakKeyDictionary[Engine, dict[int, bytes]] = WeakKeyDictionary()


class Training(NamedTuple):
    """The state at the last training: how many records (or lines) there were, and bytes packed for each byte."""

    records: int = 0
    ratio: float = 0.0


def current(conn: Connection) -> Shelf:
    """The dictionaries of the ledger that are in use."""
    found = in_force(conn)
    return Shelf(**{kind: Dictionary(one, _body(conn, one)) for kind, one in found.items() if kind in Shelf._fields})


def in_force(conn: Connection) -> dict[str, int]:
    """Kind → the id of the dictionary in use; an empty one says that a training found nothing in common."""
    newest = select(zstd_dictionary.c.kind, func.max(zstd_dictionary.c.id)).group_by(zstd_dictionary.c.kind)
    return {row[0]: row[1] for row in conn.execute(newest.where(func.length(zstd_dictionary.c.body) > 0))}


def packing(
    conn: Connection, kind: str, level: int = LEVEL_WITH_DICTIONARY
) -> tuple[Callable[[bytes], bytes], int | None]:
    """What packs bytes of a kind with the dictionary in use, and the id to keep with them."""
    number = in_force(conn).get(kind)
    return (packer(), None) if number is None else (packer(Dictionary(number, _body(conn, number)), level), number)


def evidence(conn: Connection) -> Dictionary | None:
    """What evidence is packed with, by who compares."""
    number = in_force(conn).get("evidence")
    return None if number is None else Dictionary(number, _body(conn, number))


def opener(conn: Connection) -> Callable[[Any, int | None], bytes]:
    """What unpacks stored bytes, given the id of their dictionary (None: without)."""

    def opened(body: Any, number: int | None) -> bytes:
        if number is None:
            return unpack(bytes(body))
        try:
            return unpack(bytes(body), _body(conn, number))
        except DictionaryError:  # the database was put back from a backup, where this number is another one
            _known.pop(conn.engine, None)
            return unpack(bytes(body), _body(conn, number))

    return opened


def bodies(conn: Connection, packed: Iterable[tuple[bytes, int | None]]) -> dict[int, bytes]:
    """The dictionaries with which these were packed, by id, as they are stored now."""
    numbers = {number for _, number in packed if number is not None}
    query = select(zstd_dictionary.c.id, zstd_dictionary.c.body).where(within(conn, zstd_dictionary.c.id, numbers))
    return {row[0]: bytes(row[1]) for row in conn.execute(query)} if numbers else {}


def _body(conn: Connection, number: int) -> bytes:
    """The dictionary as it is used; each is read once."""
    held = _known.setdefault(conn.engine, {})
    if number not in held:
        query = select(zstd_dictionary.c.body).where(zstd_dictionary.c.id == number)
        held[number] = bytes(conn.execute(query).scalar_one())
    return held[number]


# ---- making them -------------------------------------------------------------------------------------


def in_use(database: Database, now: Callable[[], str]) -> Shelf:
    """The dictionaries of the ledger in use; made, or made anew, where that is due and nobody else is at it.

    The first ones are waited for: without them everything takes half as much again.
    """
    while True:
        with database.read() as conn:
            held = current(conn)
            if not due(conn):
                return held
        if _train_alone(database, now, ledger=True) or held.raw:
            with database.read() as conn:
                return current(conn)
        time.sleep(GLANCE)


def ready(database: Database, now: Callable[[], str]) -> None:
    """Make the dictionaries of the catalogue, or make them anew, where that is due and nobody else is at it."""
    with database.read() as conn:
        wanted = _due_of_catalogue(conn)
    if wanted:
        _train_alone(database, now, ledger=False)


def _due_of_catalogue(conn: Connection) -> bool:
    return _lines(conn) >= max(FIRST_LINES, _last(conn, "event").records * GROWTH)


def _train_alone(database: Database, now: Callable[[], str], *, ledger: bool) -> bool:
    """Train if it is still due; False where somebody else is at it.

    What was killed is tried again with the next page, TRIES in all.
    """
    if _killed.get(database.engine, 0) >= TRIES:
        return True
    try:
        with database.lock(LOCK):
            with database.read() as conn:
                wanted = due(conn) if ledger else _due_of_catalogue(conn)
            if wanted:
                train(database, now(), ledger=ledger)
    except Locked:
        return False
    except BrokenProcessPool:
        _killed[database.engine] = _killed.get(database.engine, 0) + 1
    return True


def due(conn: Connection) -> bool:
    """Whether it is time to train those of the ledger."""
    last, records = _last(conn, "raw"), _records(conn)
    if records < max(FIRST, last.records * LITTLE):
        return False
    return records >= last.records * GROWTH or _ratio(conn, records) > last.ratio * WORSE


def _last(conn: Connection, kind: str) -> Training:
    query = select(zstd_dictionary.c.records, zstd_dictionary.c.ratio).where(zstd_dictionary.c.kind == kind)
    found = conn.execute(query.order_by(zstd_dictionary.c.id.desc()).limit(1)).first()
    return Training(*found) if found else Training()


def _records(conn: Connection) -> int:
    return int(conn.execute(select(func.max(record.c.id))).scalar_one() or 0)


def _lines(conn: Connection) -> int:
    return int(conn.execute(select(func.max(cluster_event.c.id))).scalar_one() or 0)


def _ratio(conn: Connection, records: int) -> float:
    """Bytes stored for each byte as received, of the newest records that are packed with what is in use; 0: too few.

    Others were packed before it was made, and stored later.
    """
    query = select(func.length(payload.c.body), payload.c.size).join(record, record.c.stored_hash == payload.c.hash)
    lately = query.where(record.c.id > records - 4 * NEWEST, payload.c.dictionary_id == in_force(conn).get("raw"))
    sizes = conn.execute(lately.order_by(record.c.id.desc()).limit(NEWEST)).all()
    return sum(row[0] for row in sizes) / sum(row[1] for row in sizes) if len(sizes) == NEWEST else 0.0


def train(database: Database, now: str, *, ledger: bool) -> None:
    """Make a new dictionary of each kind, of the ledger or of the catalogue; what is stored stays as it is packed.

    In a process of its own, which takes its memory (some 100 MiB) with it when it ends. Through a file: a harvest of
    long records would hold megabytes of samples.
    """
    with NamedTemporaryFile() as file:
        with database.read() as conn:
            for sample in (sampling.of_ledger if ledger else sampling.of_catalogue)(conn, opener(conn)):
                pickle.dump(sample, file)
            records = _records(conn) if ledger else _lines(conn)
        file.flush()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            made = pool.submit(trained, file.name, LEAST).result()
    told = {"made_at": now, "records": records}
    kinds = Shelf._fields if ledger else CATALOGUE
    rows = [
        {"kind": kind, **told, **dict(zip(("body", "ratio"), made.get(kind, (b"", 0.0)), strict=True))}
        for kind in kinds
    ]
    with database.write() as conn:
        conn.execute(insert(zstd_dictionary), rows)
