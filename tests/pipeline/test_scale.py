"""A whole catalogue of real records: everything arrives, and memory does not follow the number."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.run import once, take
from db import verify
from db.engine import Database

SMALL, LARGE, MAY_GROW = 20_000, 105_855, 1.2


@pytest.mark.prove
def test_a_hundred_thousand_records_take_the_memory_of_twenty_thousand(tmp_path: Path, corpus: Path) -> None:
    said = {}
    for number in (SMALL, LARGE):
        home = tmp_path / str(number)
        home.mkdir()
        assert take(corpus, home / "records.mrc", number) == number
        said[number] = once("pipeline", str(home / "records.mrc"), str(home), "")
        print(f"\n{number} records: {said[number]}")
    database = Database(f"sqlite:///{home / 'induk.db'}")
    with database.read() as conn:
        checks = verify.verify(conn)
        count = conn.exec_driver_sql("SELECT count(*) FROM record WHERE state = 'active'").scalar_one()
    database.close()
    assert count == LARGE
    assert [one.name for one in checks if one.bad] == []
    assert said[LARGE]["peak"] <= MAY_GROW * said[SMALL]["peak"]
