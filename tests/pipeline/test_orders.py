"""The same records in any order, page size, batch size and database give the same catalogue."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from db import catalogue, control, ledger, work
from harvester import pipeline
from harvester.demo.sample import Sample
from harvester.match.rules import SHIPPED
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


def filled(
    folder: Path,
    url: str,
    sample: Sample,
    *,
    seed: int,
    size: int,
    batch: int,
    limit: int | None = None,
    workers: int | None = None,
) -> Consortium:
    """A consortium that got the sample's records shuffled, source by source, matched in between at random.

    With *workers* processes, given as a number, everything is closed and opened again between any two acts. *limit*
    suspends keys already at so many unlike carriers, so that many cross it both ways on the way.
    """
    made = Consortium(folder, url, batch=batch)
    if workers is not None:
        with (folder / "induk.yaml").open("a", encoding="utf-8") as config:
            config.write(f"harvest: {{workers: {workers}}}\n")
    if limit is not None:
        rules = folder / "mappings" / "rules"
        rules.mkdir(parents=True)
        head, _, rest = SHIPPED.read_text(encoding="utf-8").partition("suspend_at:\n")
        limits, gap, tail = rest.partition("\n\n")
        tight = re.sub(r": \d+", f": {limit}", limits)
        (rules / "match.yaml").write_text(f"{head}suspend_at:\n{tight}{gap}{tail}", encoding="utf-8")
    enrol_sample(made, [one for one in sample.partners() if one.code in sample.served])
    dice = random.Random(seed)
    opened = made.open()
    held = records(sample)
    for code in dice.sample(sorted(held), len(held)):
        shuffled = dice.sample(held[code], len(held[code]))
        pipeline.harvest_one(opened, code, open_harvester=lambda shuffled=shuffled: Listed(shuffled, size))
        if workers is not None:
            opened.database.close()
            opened = made.open()
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


@pytest.mark.prove
@pytest.mark.parametrize("order", range(20))
def test_twenty_shuffles_with_restarts_give_the_same_dump(
    tmp_path: Path, database_url: str, sample: Sample, reference: str, order: int
) -> None:
    """Batches of 1 to 5,000 records, 1 and 4 processes, matched bit by bit; the reference was matched at once."""
    dice = random.Random(order)
    size, batch = dice.choice([10, 37, 500]), (1, 2, 7, 50, 300, 5000)[order % 6]
    made = filled(
        tmp_path / "union",
        database_url,
        sample,
        seed=100 + order,
        size=size,
        batch=batch,
        workers=(1, 4)[order % 2],
    )
    assert made.faults() == []
    assert made.dump() == reference


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory, sample: Sample) -> str:
    folder = tmp_path_factory.mktemp("tight")
    made = filled(folder, f"sqlite:///{folder / 'induk.db'}", sample, seed=0, size=500, batch=5000, limit=1)
    assert made.ask(catalogue.funnel)["suspended_keys"] > 50
    return made.dump()


@pytest.mark.parametrize(("order", "batch"), [(11, 1), (12, 13), (13, 90)])
def test_keys_that_cross_their_limit_leave_the_same_dump(
    tmp_path: Path, database_url: str, sample: Sample, tight: str, reference: str, order: int, batch: int
) -> None:
    made = filled(tmp_path / "union", database_url, sample, seed=order, size=37, batch=batch, limit=1)
    assert made.faults() == []
    assert made.dump() == tight != reference


def test_a_key_that_comes_to_life_again_brings_its_pairs_back(
    tmp_path: Path, database_url: str, sample: Sample
) -> None:
    """Records that made a key too common go: what remains is as if they had never been there."""
    held = records(sample)
    few, many = held["cendekia"], held["bahari"]

    def consortium(folder: Path, url: str) -> Consortium:
        return filled(folder, url, sample, seed=1, size=500, batch=50, limit=1)

    made = consortium(tmp_path / "union", database_url)
    opened = made.open()
    with opened.database.write() as conn:
        ids = control.record_ids(conn, opened.source_ids["bahari"], [one.identifier for one in many])
        run_id = work.open_run(conn, "edit", None, opened.now())
        rows = [{"record_id": one, "datestamp": ""} for one in ids.values()]
        ledger.apply_deletions(conn, rows, run_id, opened.now())
        work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=opened.now(), body={})
    pipeline.match(opened)
    opened.database.close()
    other = Consortium(tmp_path / "other", f"sqlite:///{tmp_path / 'other.db'}", batch=5000)
    rules = tmp_path / "other" / "mappings" / "rules"
    rules.mkdir(parents=True)
    (rules / "match.yaml").write_text((made.folder / "mappings" / "rules" / "match.yaml").read_text(), "utf-8")
    enrol_sample(other, [one for one in sample.partners() if one.code in sample.served])
    fresh = other.open()
    for code in ("cendekia", "melati"):
        pipeline.harvest_one(fresh, code, open_harvester=lambda code=code: Listed(held[code], 500))
    pipeline.match(fresh)
    fresh.database.close()
    assert few

    def clusters(one: Consortium) -> list[str]:
        return [line for line in one.dump().splitlines() if '"kind":"cluster"' in line]

    assert clusters(made) == clusters(other)
