"""A person who decides while a night is worked goes first, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from db.engine import Database
from harvester import pipeline
from harvester.matching import Batch
from tests.pipeline.shelf import Book, Union

DEADLINE = 120.0


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def test_a_program_stands_aside_until_the_last_person_is_done(database: Database) -> None:
    assert not database.give_way()
    with ThreadPoolExecutor(1) as program:
        with database.ahead(), database.ahead():
            with database.ahead():
                waiting = program.submit(database.give_way, DEADLINE)
            time.sleep(0.2)
            assert not waiting.done()
        assert waiting.result(DEADLINE)
    assert not database.give_way()


def test_a_program_stands_aside_no_longer_than_it_has_patience(database: Database) -> None:
    with database.ahead():
        assert database.give_way(0.1)


@pytest.mark.slow
def test_no_batch_is_begun_while_a_person_writes(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database.give_way, "__defaults__", (DEADLINE,))  # no longer patience is what is asked here
    union = Union(tmp_path / "union", database_url)
    for number in range(12):
        union.put(f"alun/{number}", Book(f"Buku {number}", isbn="", author=f"Penulis {number}"))
    union.harvest()
    settings = union.pipeline.settings
    one_by_one = settings.model_copy(update={"match": settings.match.model_copy(update={"batch": 1})})
    done: list[Batch] = []
    begun, may_go_on = threading.Event(), threading.Event()

    def progress(batch: Batch) -> None:
        done.append(batch)
        begun.set()
        may_go_on.wait(DEADLINE)

    with ThreadPoolExecutor(1) as program:
        night = program.submit(pipeline.match, replace(union.pipeline, settings=one_by_one), progress)
        assert begun.wait(DEADLINE)
        with union.pipeline.database.ahead():
            may_go_on.set()
            time.sleep(0.5)
            meanwhile = len(done) - 1
        assert night.result(DEADLINE)["records"] == 12
    union.close()
    assert meanwhile == 0
