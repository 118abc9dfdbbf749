"""The same records in any order, page size, batch size and database give the same catalogue."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harvester import pipeline
from harvester.demo.sample import Sample
from harvester.model import HarvestedRecord, Page, Window
from tests.journey import Consortium, enrol_sample

SEED = 7
pytestmark = pytest.mark.slow


class Listed:
    """A source whose list is given: the order is the test's to choose."""

    def __init__(self, records: Sequence[HarvestedRecord], size: int) -> None:
        self._records = records
        self._size = size

    def pages(self, window: Window) -> Iterator[Page]:
        start = int(window.token or 0)
        while True:
            part = tuple(self._records[start : start + self._size])
            start += self._size
            token = str(start) if start < len(self._records) else ""
            yield Page(records=part, token=token, list_size=len(self._records), server_time="2026-03-02T18:00:00Z")
            if not token:
                return


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory):
    with Sample(tmp_path_factory.mktemp("partners")) as started:
        yield started


def records(sample: Sample) -> dict[str, list[HarvestedRecord]]:
    formats = {code: "marcxml" if "marc" in one.metadata_prefix else "oai_dc" for code, one in sample.served.items()}
    return {
        code: [HarvestedRecord(name, formats[code], payload) for name, payload in sorted(sample.oracle(code).items())]
        for code in sample.served
    }


def filled(folder: Path, url: str, sample: Sample, *, seed: int, size: int, batch: int) -> Consortium:
    """A consortium that got the sample's records shuffled, source by source, matched in between at random."""
    made = Consortium(folder, url, batch=batch)
    enrol_sample(made, [one for one in sample.partners() if one.code in sample.served])
    dice = random.Random(seed)
    opened = made.open()
    held = records(sample)
    for code in dice.sample(sorted(held), len(held)):
        shuffled = dice.sample(held[code], len(held[code]))
        pipeline.harvest_one(opened, code, open_harvester=lambda shuffled=shuffled: Listed(shuffled, size))
        if dice.random() < 0.5:
            pipeline.match(opened)
    pipeline.match(opened)
    opened.database.close()
    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, sample: Sample) -> str:
    folder = tmp_path_factory.mktemp("reference")
    made = filled(folder, f"sqlite:///{folder / 'induk.db'}", sample, seed=0, size=500, batch=5000)
    assert made.faults() == []
    return made.dump()


@pytest.mark.parametrize(
    ("order", "size", "batch"), [(1, 10, 7), (2, 500, 1000), (3, 37, 50), (4, 10, 500), (5, 500, 100)]
)
def test_a_shuffled_order_gives_the_same_dump(
    tmp_path: Path, database_url: str, sample: Sample, reference: str, order: int, size: int, batch: int
) -> None:
    made = filled(tmp_path / "union", database_url, sample, seed=SEED + order, size=size, batch=batch)
    assert made.faults() == []
    assert made.dump() == reference
