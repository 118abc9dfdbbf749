"""Trained zstd dictionaries: one in use for each kind of bytes, the older ones for what was packed with them.

They are made from a sample of the stored records, and hold only what many records have: db.phrases. A new one is made
when there are ten times as many records as at the last, or four times as many and the newest pack clearly worse.
"""

from __future__ import annotations

import multiprocessing
import pickle
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine, delete, exists, func, insert, select

from db import bulk
from db.compress import Dictionary, DictionaryError, Shelf, packer, unpack
from db.engine import Database, within
from db.tables import node, normalized, payload, record, renormalized, zstd_dictionary
from db.training import trained
from harvester.errors import Locked

LOCK = "dictionaries"
FIRST = 2_000  # records from which on dictionaries are made
SAMPLE = 1_500
GROWTH = 10  # times as many records as at the last training: a new one
LITTLE = 4  # times as many: a new one if the newest take WORSE times as many bytes as was measured then
WORSE = 1.2
NEWEST = 300
LEAST = 1 << 10  # a smaller one is not worth its reading
LONGEST = 16 << 10  # bytes of one sample
BUDGET = 8 << 20  # bytes of all samples together
PORTION = 1_000  # rows packed again in one transaction
_USERS = (payload, normalized, node, renormalized)
_known: WeakKeyDictionary[Engine, dict[int, bytes]] = WeakKeyDictionary()


class Training(NamedTuple):
    """The state at the last training: how many records there were, and bytes packed for each byte as received."""

    records: int = 0
    ratio: float = 0.0


def current(conn: Connection) -> Shelf:
    """The dictionaries in use."""
    newest = select(zstd_dictionary.c.kind, func.max(zstd_dictionary.c.id)).group_by(zstd_dictionary.c.kind)
    found = {row[0]: row[1] for row in conn.execute(newest)}
    return Shelf(**{kind: Dictionary(one, _body(conn, one)) for kind, one in found.items() if kind in Shelf._fields})


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
    """The dictionaries in use; made, or made anew, where that is due and nobody else is at it."""
    with database.read() as conn:
        if not due(conn):
            return current(conn)
    try:
        with database.lock(LOCK):
            train(database, now())
    except (Locked, BrokenProcessPool):  # somebody is at it, or it was killed: the next page tries again
        pass
    with database.read() as conn:
        return current(conn)


def due(conn: Connection) -> bool:
    """Whether it is time to train."""
    last, records = _last(conn), _records(conn)
    if records < max(FIRST, last.records * LITTLE):
        return False
    return records >= last.records * GROWTH or _ratio(conn, records - NEWEST) > last.ratio * WORSE


def _last(conn: Connection) -> Training:
    query = select(zstd_dictionary.c.records, zstd_dictionary.c.ratio).where(zstd_dictionary.c.kind == "raw")
    found = conn.execute(query.order_by(zstd_dictionary.c.id.desc()).limit(1)).first()
    return Training(*found) if found else Training()


def _records(conn: Connection) -> int:
    return int(conn.execute(select(func.max(record.c.id))).scalar_one() or 0)


def _ratio(conn: Connection, after: int) -> float:
    """Bytes stored for each byte as received, of the records above *after*."""
    sizes = select(func.sum(func.length(payload.c.body)), func.sum(payload.c.size))
    stored, received = conn.execute(
        sizes.join(record, record.c.stored_hash == payload.c.hash).where(record.c.id > after)
    ).one()
    return float(stored) / float(received) if received else 0.0


def train(database: Database, now: str) -> Shelf:
    """Make a new dictionary of each kind from the records as they are; what is stored stays as it is packed.

    In a process of its own, which takes its memory (some 100 MiB) with it when it ends. Through a file: a harvest of
    long records would hold megabytes of samples.
    """
    with NamedTemporaryFile() as file:
        with database.read() as conn:
            for sample in _samples(conn):
                pickle.dump(sample, file)
            records = _records(conn)
        file.flush()
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            made, ratio = pool.submit(trained, file.name, LEAST).result()
    told = {"made_at": now, "records": records, "ratio": ratio}
    rows = [{"kind": kind, "body": body, **told} for kind, body in made.items() if body]
    with database.write() as conn:
        if rows:
            conn.execute(insert(zstd_dictionary), rows)
        return current(conn)


def _samples(conn: Connection) -> Iterator[tuple[int, list[bytes]]]:
    """(source id, bytes of each kind) of a random sample of the active records."""
    low, high = conn.execute(select(func.min(record.c.id), func.max(record.c.id))).one()
    if low is None:
        return
    dice = random.Random(high)  # noqa: S311 - a sample, not a secret
    ids = dice.sample(range(low, high + 1), min(2 * SAMPLE, high + 1 - low))
    active = select(record.c.id).where(within(conn, record.c.id, ids), record.c.state == "active")
    alive = {row[0] for row in conn.execute(active)}
    ids = [one for one in ids if one in alive][:SAMPLE]
    query = (
        select(
            record.c.source_id,
            payload.c.body,
            payload.c.dictionary_id,
            normalized.c.body,
            normalized.c.dictionary_id,
            node.c.profile,
            node.c.dictionary_id,
        )
        .join(payload, payload.c.hash == record.c.stored_hash)
        .join(normalized, normalized.c.record_id == record.c.id)
        .join(node, node.c.id == record.c.node_id)
        .where(within(conn, record.c.id, ids))
    )
    opened = opener(conn)
    left = BUDGET
    for source_id, *packed in conn.execute(query):
        bodies = [opened(body, number)[:LONGEST] for body, number in zip(packed[::2], packed[1::2], strict=True)]
        left -= sum(map(len, bodies))
        if left < 0:
            break
        yield source_id, bodies


# ---- packing again -----------------------------------------------------------------------------------


def repack(database: Database, progress: Callable[[str, int], None] = lambda kind, rows: None) -> dict[str, int]:
    """Pack everything with the dictionaries in use and drop those that nothing names any more; returns the rows.

    In short transactions: killed anywhere and run again, it goes on.
    """
    counts = {}
    for kind, table, key, column in _places():
        counts[kind], last = 0, None
        while done := _repack_portion(database, kind, (table, key, column), last):
            counts[kind] += len(done)
            last = done[-1]
            progress(kind, counts[kind])
    with database.write() as conn:
        kept = [one.id for one in current(conn) if one]
        used = [exists().where(table.c.dictionary_id == zstd_dictionary.c.id) for table in _USERS]
        idle = delete(zstd_dictionary).where(~within(conn, zstd_dictionary.c.id, kept), *(~one for one in used))
        counts["dropped"] = conn.execute(idle).rowcount
    return counts


def _places() -> list[tuple[str, Any, Any, Any]]:
    return [
        ("raw", payload, payload.c.hash, payload.c.body),
        ("normalized", normalized, normalized.c.record_id, normalized.c.body),
        ("profile", node, node.c.id, node.c.profile),
    ]


def _repack_portion(database: Database, kind: str, place: tuple[Any, Any, Any], last: Any) -> list[Any]:
    """Pack a portion of what stands behind the key *last*; returns its keys."""
    table, key, column = place
    with database.write() as conn:
        wanted = getattr(current(conn), kind)
        if wanted is None:
            return []
        query = select(key, column, table.c.dictionary_id).order_by(key).limit(PORTION)
        others = table.c.dictionary_id.is_(None) | (table.c.dictionary_id != wanted.id)
        rows = conn.execute(query.where(others) if last is None else query.where(others, key > last)).all()
        packed, opened = packer(wanted), opener(conn)
        made = [(name, packed(opened(body, number)), wanted.id) for name, body, number in rows]
        bulk.update(conn, table, (key.name, column.name, "dictionary_id"), made, key.name)
        return [row[0] for row in rows]
