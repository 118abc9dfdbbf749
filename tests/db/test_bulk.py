"""Many rows at once fail as single statements do: a driver's error reaches nobody who waits for SQLAlchemy's."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from db import bulk, statistics
from db.engine import Database
from db.tables import node, payload, record, zstd_dictionary
from tests.pipeline.shelf import Book, Union

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
COLUMNS = ("id", "kind", "body", "made_at")
ROWS = [(number, "x", b"", "2026") for number in range(1, bulk.COPY_FROM + 1)]


def test_a_key_that_is_there_already_is_told_by_the_usual_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as conn:
        bulk.insert(conn, zstd_dictionary, COLUMNS, [*ROWS, ROWS[0]])


def test_every_kind_of_value_comes_back_as_it_was_given(database: Database) -> None:
    columns = ("id", "kind", "body", "made_at", "records", "ratio")
    given = [(2**62 + one, "Š\n😀\\N", bytes([one, 0, 255]), "", -one, one / 7) for one in range(bulk.COPY_FROM)]
    profiles = [(bytes([one]), one % 2 == 0, b"", None if one % 3 else 2**62) for one in range(bulk.COPY_FROM)]
    with database.write() as conn:
        bulk.insert(conn, zstd_dictionary, columns, given)
        bulk.insert_new(conn, node, ("profile_hash", "solid", "profile", "dictionary_id"), profiles)
        rows = conn.execute(select(*(zstd_dictionary.c[name] for name in columns)).order_by(zstd_dictionary.c.id))
        assert [tuple(row) for row in rows] == given
        nodes = select(node.c.profile_hash, node.c.solid, node.c.profile, node.c.dictionary_id)
        assert [tuple(row) for row in conn.execute(nodes.order_by(node.c.profile_hash))] == profiles


def test_the_rows_with_given_values_are_deleted_and_no_others(database: Database) -> None:
    with database.write() as conn:
        bulk.insert(conn, zstd_dictionary, COLUMNS, ROWS)
        gone = [(number, "x") for number, *_ in ROWS[5:]]
        bulk.delete(conn, zstd_dictionary, ("id", "kind"), [*gone, (1, "y")])
        left = conn.execute(select(zstd_dictionary.c.id).order_by(zstd_dictionary.c.id)).scalars().all()
    assert left == [number for number, *_ in ROWS[:5]]


def test_rows_that_were_likely_new_and_are_not_are_treated_like_any_others(database: Database) -> None:
    again = [(one[0], "y", b"", "2027") for one in ROWS]
    with database.write() as conn:
        bulk.insert_new(conn, zstd_dictionary, COLUMNS, ROWS[1:], likely=True)
        bulk.insert_new(conn, zstd_dictionary, COLUMNS, [ROWS[0], *again[1:]], likely=True)
        kinds = select(zstd_dictionary.c.kind)
        assert set(conn.execute(kinds).scalars()) == {"x"}
        bulk.upsert(conn, zstd_dictionary, COLUMNS, again, ["id"], likely=True)
        assert conn.execute(kinds).scalars().all() == ["y"] * len(ROWS)


class Copy(NamedTuple):
    """A record without a number of its own: another may be of the same bytes."""

    title: str

    def payload(self, identifier: str) -> bytes:
        return Book(self.title).payload("")


def test_bytes_that_come_twice_fail_no_statement(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    union = Union(tmp_path / "union", database_url)
    server = None if union.pipeline.database.sqlite else request.getfixturevalue("postgres_server")
    log = server.folder / "log" if server else tmp_path / "none"
    before = log.stat().st_size if server else 0
    some = {f"alun/{number}": Copy(f"Buku {number // 2}") for number in range(2 * bulk.COPY_FROM)}
    union.put("alun/x", Book("Satu saja"))
    for address, one in some.items():
        union.put(address, one)
    union.harvest()
    union.night({address.replace("alun", "bukit"): one for address, one in some.items()})
    with union.pipeline.database.read() as conn:
        assert conn.execute(select(func.count()).select_from(payload)).scalar_one() == bulk.COPY_FROM + 1
        assert conn.execute(select(func.count()).select_from(record)).scalar_one() == 4 * bulk.COPY_FROM + 1
    assert union.faults() == []
    union.close()
    assert not server or b"ERROR" not in log.read_bytes()[before:]


def test_postgresql_counts_a_table_that_has_grown_and_no_other(database: Database) -> None:
    rows = [(number.to_bytes(4, "big"), True, b"") for number in range(2000)]
    with database.write() as conn:
        bulk.insert(conn, node, ("profile_hash", "solid", "profile"), rows)
    if database.sqlite:
        assert statistics.refresh(database) == []
        return
    ends = time.monotonic() + 60  # the server hears of what a connection did up to a second later
    while (grown := statistics.refresh(database)) == [] and time.monotonic() < ends:
        time.sleep(0.05)
    assert grown == ["node"]
    with database.read() as conn:
        assert conn.execute(text("SELECT reltuples FROM pg_class WHERE relname = 'node'")).scalar_one() == 2000
    assert statistics.refresh(database) == []
