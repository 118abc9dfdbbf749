"""What a process keeps in memory from batch to batch, and from thread to thread."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import pytest

from harvester import pipeline
from harvester.matching import Batch
from harvester.model import HarvestedRecord
from harvester.sources.files import _Census
from tests.pipeline.shelf import Book, Union

THREADS = """
import ctypes, sys, threading
from harvester.garbage import share_heap

libc = ctypes.CDLL(None)
libc.fopen.restype = ctypes.c_void_p
if sys.argv[1] == "shared":
    share_heap()
there, all_here = [], threading.Barrier(4)

def hold():
    there.append(bytearray(100_000))
    all_here.wait()

threads = [threading.Thread(target=hold) for _ in range(4)]
for one in threads:
    one.start()
for one in threads:
    one.join()
told = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, told)
libc.fclose(told)
"""


@pytest.mark.slow
def test_a_match_keeps_no_queries_of_batches_before(tmp_path: Path) -> None:
    union = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    union.consortium.configure("match: {batch: 5}")
    union.pipeline = union.consortium.open()
    for number in range(20):
        union.put(f"alun/{number}", Book(f"Laskar pelangi {number // 2}"))
    union.harvest()
    left: list[int] = []

    def count(_batch: Batch) -> None:
        left.append(gc.collect())

    gc.collect()
    pipeline.match(union.pipeline, count)
    assert len(left) == 4
    assert max(left[1:]) < 100  # a batch makes two thousand
    union.close()


def test_threads_share_one_heap(tmp_path: Path) -> None:
    def heaps(how: str) -> int:
        told = tmp_path / how
        subprocess.run([sys.executable, "-c", THREADS, how, str(told)], check=True)
        return told.read_text().count("<heap nr=")

    assert heaps("shared") == 1 < heaps("apart")


def test_a_list_of_many_identifiers_is_counted_in_little_memory() -> None:
    census = _Census("full")
    assert census.empty
    for number in [*range(10_000), *range(3_000)]:
        census.count(HarvestedRecord(f"oai:{number}", "iso2709"))
    assert census.size == 10_000
    assert not census.empty
