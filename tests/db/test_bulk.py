"""Many rows at once fail as single statements do: a driver's error reaches nobody who waits for SQLAlchemy's."""

from __future__ import annotations

import pytest
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
