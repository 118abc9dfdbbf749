"""The feed by its rules, one by one: numbers, batches, times, what is kept, who must begin again, what is held."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from db import changes
from db.engine import Database
from tests.outputs.union import Clock
from tests.pipeline.shelf import Book, Union

LASKAR = Book("Laskar pelangi", isbn="9789793062792")
BUMI = Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354")
SALAH = Book("Salah asuhan", author="Moeis, Abdoel", isbn="9789794072264", year="1928", pages="273")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url, clock=Clock())
    yield made
    made.close()


def announce(database: Database, *kinds: tuple[str, int, int | None], now: str = "2026-01-01T00:00:00Z") -> None:
    with database.write() as conn:
        changes.announce(conn, kinds, 1, now)


def rows(database: Database, seq: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    with database.read() as conn:
        return changes.since(conn, seq, limit)


def test_z124_a_merge_is_one_batch_that_redirects_first_and_then_tells_what_is(union: Union) -> None:
    union.night({"alun/1": LASKAR, "alun/2": BUMI})
    union.night({"alun/2": LASKAR})
    told = rows(union.pipeline.database, 2)
    assert [(row["kind"], row["target_id"] is not None) for row in told] == [("redirect", True), ("upsert", False)]
    assert len({row["batch"] for row in told}) == 1


def test_a_page_never_ends_inside_a_batch(database: Database) -> None:
    announce(database, ("upsert", 1, None), ("upsert", 2, None), ("upsert", 3, None))
    announce(database, ("delete", 1, None))
    assert [row["seq"] for row in rows(database, 0, 1)] == [1, 2, 3]
    assert [row["seq"] for row in rows(database, 1, 1)] == [2, 3]


def test_z127_a_transaction_that_is_rolled_back_leaves_no_hole(database: Database) -> None:
    announce(database, ("upsert", 1, None))
    with pytest.raises(ZeroDivisionError), database.write() as conn:
        changes.announce(conn, [("upsert", 2, None)], 1, "2026-01-01T00:00:00Z")
        raise ZeroDivisionError
    announce(database, ("upsert", 3, None))
    assert [(row["seq"], row["cluster_id"]) for row in rows(database)] == [(1, 1), (2, 3)]
    with database.read() as conn:
        assert changes.gaps(conn) == 0


def test_a_clock_that_is_set_back_does_not_date_a_change_before_the_last_one(database: Database) -> None:
    for now in ("2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z", "2026-01-01T11:00:00Z"):
        announce(database, ("upsert", 1, None), now=now)
    assert [row["at"][11:13] for row in rows(database)] == ["10", "10", "11"]


def test_a_change_that_leaves_the_document_equal_is_not_told(union: Union) -> None:
    union.night({"alun/1": LASKAR})
    union.put("alun/1", LASKAR)
    union.pipeline.clock.time += timedelta(days=3)  # type: ignore[attr-defined]
    union.night()
    assert len(rows(union.pipeline.database)) == 1


# ---- what is kept --------------------------------------------------------------------------------------


def test_z122_compacting_drops_what_was_superseded_and_keeps_tombstones_for_ever(database: Database) -> None:
    announce(database, ("upsert", 1, None), ("upsert", 2, None), now="2025-01-01T00:00:00Z")
    announce(database, ("delete", 1, None), now="2025-01-02T00:00:00Z")
    announce(database, ("upsert", 2, None), now="2026-01-01T00:00:00Z")
    with database.write() as conn:
        assert changes.compact(conn, "2025-06-01T00:00:00Z") == 2
        assert changes.compact(conn, "2025-06-01T00:00:00Z") == 0
        assert changes.gaps(conn) == 0
    assert [(row["seq"], row["kind"]) for row in rows(database)] == [(3, "delete"), (4, "upsert")]


@pytest.mark.parametrize(
    ("epoch", "seq", "again"),
    [
        ("", 0, False),
        ("", 3, False),
        ("same", 4, False),
        ("", 2, True),  # older than the feed's start
        ("other", 4, True),
        ("same", 5, True),  # never announced: another database
    ],
)
def test_a_consumer_that_is_too_old_or_of_another_epoch_begins_again(
    database: Database, epoch: str, seq: int, again: bool
) -> None:
    for number in range(3):
        announce(database, ("upsert", number, None), now="2025-01-01T00:00:00Z")
    announce(database, ("upsert", 0, None))
    with database.write() as conn:
        changes.compact(conn, "2025-06-01T00:00:00Z")
        known = changes.feed_state(conn)["epoch"] if epoch == "same" else epoch
        must = changes.resync(conn, known, seq)
    assert (must is not None) == again
    assert must is None or must.reason


def test_a_restored_database_gets_an_epoch_of_its_own(database: Database) -> None:
    with database.write() as conn:
        before = changes.feed_state(conn)["epoch"]
        assert changes.start_anew(conn) != before
        assert changes.resync(conn, before, 0) is not None


# ---- what is held --------------------------------------------------------------------------------------


def test_held_changes_are_numbered_and_not_seen(database: Database) -> None:
    announce(database, ("upsert", 1, None))
    with database.write() as conn:
        changes.hold(conn, "too many")
    announce(database, ("upsert", 2, None), ("delete", 3, None))
    assert [row["seq"] for row in rows(database)] == [1]
    with database.write() as conn:
        assert changes.held(conn) == {"reason": "too many", "released": 1, "seq": 3, "upserts": 1, "ended": 1}
        changes.release(conn, "2026-02-01T00:00:00Z")
    assert [row["seq"] for row in rows(database)] == [1, 2, 3]
    announce(database, ("upsert", 4, None))
    assert [row["seq"] for row in rows(database)] == [1, 2, 3, 4]


def test_a_consumer_that_is_behind_stops_before_what_hangs_together_with_held_changes(database: Database) -> None:
    announce(database, ("upsert", 1, None))
    announce(database, ("upsert", 2, None), ("upsert", 3, None))  # by 3 with the next, by that with what is held
    announce(database, ("upsert", 3, None), ("upsert", 4, None))
    announce(database, ("upsert", 5, None))
    with database.write() as conn:
        changes.hold(conn, "a person looks")
    announce(database, ("upsert", 4, None))
    assert [row["seq"] for row in rows(database)] == [1]
    assert [row["seq"] for row in rows(database, 5)] == [6]
    with database.write() as conn:
        changes.release(conn, "2026-02-01T00:00:00Z")
    assert [row["seq"] for row in rows(database)] == [1, 2, 3, 4, 5, 6, 7]
