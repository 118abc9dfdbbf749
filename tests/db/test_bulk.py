"""Many rows at once fail as single statements do: a driver's error reaches nobody who waits for SQLAlchemy's."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from db import bulk
from db.engine import Database
from db.tables import zstd_dictionary

pytestmark = [pytest.mark.slow, pytest.mark.postgres]
COLUMNS = ("id", "kind", "body", "made_at")
ROWS = [(number, "x", b"", "2026") for number in range(1, bulk.COPY_FROM + 1)]


def test_a_key_that_is_there_already_is_told_by_the_usual_error(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as conn:
        bulk.insert(conn, zstd_dictionary, COLUMNS, [*ROWS, ROWS[0]])


def test_the_rows_with_given_values_are_deleted_and_no_others(database: Database) -> None:
    with database.write() as conn:
        bulk.insert(conn, zstd_dictionary, COLUMNS, ROWS)
        gone = [(number, "x") for number, *_ in ROWS[5:]]
        bulk.delete(conn, zstd_dictionary, ("id", "kind"), [*gone, (1, "y")])
        left = conn.execute(select(zstd_dictionary.c.id).order_by(zstd_dictionary.c.id)).scalars().all()
    assert left == [number for number, *_ in ROWS[:5]]
