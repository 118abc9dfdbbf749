"""Which records go to other processes, and that what comes back is what is made here."""

from __future__ import annotations

import os
import threading
import time

import pytest

from harvester.match.rules import load
from harvester.model import HarvestedRecord, Source
from harvester.preparing import Recipe, hashed, prepare_batch, to_prepare
from harvester.workers import FEW, MANY_TO_START, Workers
from tests.pipeline.test_same_dump import record

RECIPE = Recipe(Source(code="buku", protocol="files"), "buku", "", "", "2026-11-23", (), load())


def page(start: int, size: int) -> list[HarvestedRecord]:
    return [HarvestedRecord(f"R{number:06}", "iso2709", record(number)) for number in range(start, start + size)]


@pytest.mark.slow
def test_a_server_of_small_pages_keeps_the_processes_busy_too() -> None:
    workers, size = Workers(2), MANY_TO_START // 5
    try:
        begun = []
        for number in range(7):
            records = page(number * size, size)
            begun.append(workers.start(to_prepare(records, {}, hashed(records)), RECIPE))
        assert [one.elsewhere for one in begun] == [False] * 5 + [True] * 2
        again = page(6 * size, size)
        here = prepare_batch(to_prepare(again, {}, hashed(again)), RECIPE)
        assert {name: one._replace(normalized=b"") for name, one in here.items()} == begun[-1].result()
        few = page(0, FEW - 1)
        assert not workers.start(to_prepare(few, {}, hashed(few)), RECIPE).elsewhere
    finally:
        workers.close()


def who(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


@pytest.mark.slow
def test_sources_that_begin_together_start_the_processes_once() -> None:
    workers, found, begin, before = Workers(2), [], threading.Barrier(8), threading.active_count()

    def harvest() -> None:
        begin.wait()
        found.extend(workers.begin(who, [(0.01,)] * 6, lambda _: 0).results())

    threads = [threading.Thread(target=harvest) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    workers.close()
    assert len(set(found) - {0}) <= 2
    assert threading.active_count() == before
