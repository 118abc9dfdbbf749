"""100,000 records to files and as Solr documents: records a second, in memory that does not grow with them."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester import pipeline, publishing
from harvester.model import HarvestedRecord, Page, Window
from harvester.outputs.batch import institutions, partner_of
from harvester.outputs.solr_documents import Recipe, documents_of
from tests.pipeline.shelf import Book, Union

NUMBER = 100_000
PAGE = 2_000


class Library:
    """A source of so many books, made as they are asked for."""

    def __init__(self, numbers: range) -> None:
        self._numbers = numbers

    def pages(self, window: Window) -> Iterator[Page]:
        for start in range(0, len(self._numbers), PAGE):
            records = tuple(
                HarvestedRecord(str(number), "marcxml", _book(number).payload(str(number)))
                for number in self._numbers[start : start + PAGE]
            )
            last = start + PAGE >= len(self._numbers)
            token = "" if last else str(start + PAGE)
            yield Page(records, token=token, list_size=len(self._numbers), server_time="2026-03-02T18:00:00Z")


def _book(number: int) -> Book:
    title = f"Risalah {number} tentang {number * 7 % 1009}"
    return Book(title, author=f"Penulis {number % 5000}", isbn=f"9786{number:09d}", pages=str(90 + number % 700))


def _peak() -> int:
    """The most memory held so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.mark.prove
def test_a_hundred_thousand_records_are_published_in_constant_memory(tmp_path: Path, database_url: str) -> None:
    union = Union(tmp_path / "union", database_url)
    config = tmp_path / "union" / "induk.yaml"
    config.write_text(config.read_text(encoding="utf-8") + "outputs: {dump: {kind: jsonl, url: dump}}\n", "utf-8")
    union.restart()
    half = NUMBER // 2
    for code, numbers in (("alun", range(half)), ("bukit", range(half // 2, half // 2 + half))):
        pipeline.harvest_one(union.pipeline, code, open_harvester=lambda numbers=numbers: Library(numbers))
    union.match()
    before, started = _peak(), time.perf_counter()
    publishing.publish(union.pipeline, "dump", {})
    files, middle = NUMBER / (time.perf_counter() - started), time.perf_counter()
    with publishing.reading(union.pipeline) as catalogue:
        recipe = Recipe(partner_of(catalogue.partners()), institutions(catalogue.partners()), publishing.write_marc)
        made = sum(len(documents_of(one, recipe)) for page in catalogue.pages() for one in page)
    solr = NUMBER / (time.perf_counter() - middle)
    union.close()
    grown = _peak() - before
    print(f"\n{NUMBER} records: JSONL {files:.0f}/s, {made} Solr documents {solr:.0f} records/s, {grown} MiB more")
    assert grown < 150
