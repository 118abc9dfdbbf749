"""Memory follows neither the number of records nor how alike they are; a whole real catalogue arrives."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cut import cut
from bench.generations import generations
from bench.run import once, take
from db import verify
from db.engine import Database
from harvester import pipeline
from harvester.matching import MOST_PAIRS, Batch
from tests.pipeline.shelf import Book, Union

HUGE, GENERATIONS = 1_000_000, 10
SMALL, LARGE, MAY_GROW = 50_000, 105_855, 1.2  # caches and the densest batches are not full before the first


@pytest.mark.prove
def test_a_hundred_thousand_records_take_the_memory_of_fifty_thousand(tmp_path: Path, corpus: Path) -> None:
    said = {}
    for number in (SMALL, LARGE):
        home = tmp_path / str(number)
        home.mkdir()
        assert take(corpus, home / "records.mrc", number) == number
        said[number] = once("pipeline", str(home / "records.mrc"), str(home), "")
        print(f"\n{number} records: {said[number]}")
    assert faults(home / "induk.db", LARGE) == []
    assert said[LARGE]["peak"] <= MAY_GROW * said[SMALL]["peak"]


@pytest.mark.prove
def test_a_million_whole_records_arrive(tmp_path: Path, corpus: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    take(corpus, base / "all.mrc", HUGE // GENERATIONS)
    for path in cut(base / "all.mrc"):
        records = path.read_bytes().split(b"\x1d")[:-1]
        with (tmp_path / path.name).open("wb") as out:
            out.writelines(one + b"\x1d" for one in generations(records, GENERATIONS))
    received = sum(path.stat().st_size for path in tmp_path.glob("partner*.mrc"))
    said = once("pipeline", str(tmp_path / "partner0.mrc"), str(tmp_path), "")
    print(f"\n{HUGE} records: {said}, {(tmp_path / 'induk.db').stat().st_size / received:.2f} of what came")
    assert faults(tmp_path / "induk.db", HUGE) == []


def faults(path: Path, records: int) -> list[str]:
    """What is wrong in a catalogue that should hold so many active records."""
    database = Database(f"sqlite:///{path}")
    with database.read() as conn:
        found = [one.name for one in verify.verify(conn) if one.bad]
        count = conn.exec_driver_sql("SELECT count(*) FROM record WHERE state = 'active'").scalar_one()
    database.close()
    return found + ([] if count == records else [f"{count} records"])


@pytest.mark.slow
def test_a_batch_of_records_that_are_all_alike_is_cut(tmp_path: Path) -> None:
    union = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    series = Book("Ilmu pengetahuan alam", author="Tim Penyusun", year="1994", pages="100")
    for number in range(210):
        union.put(f"alun/{number}", series._replace(edition=f"Edisi {number + 1}"))
    union.harvest()
    batches: list[Batch] = []
    pipeline.match(union.pipeline, batches.append)
    assert sum(one.pairs for one in batches) == 210 * 209 // 2 > MOST_PAIRS
    assert max(one.pairs for one in batches) <= MOST_PAIRS
    assert sum(one.records for one in batches) == 210
    assert union.faults() == []
    union.close()
