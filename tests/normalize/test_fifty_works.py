"""Fifty works as eight systems send them, through the whole pipeline: equal in what all can carry, one cluster each."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import msgspec
import pytest

from db import catalogue, ledger
from harvester.model import NormalizedRecord
from tests.journey import Consortium
from tests.normalize.fifty_systems import Work, files, works

pytestmark = pytest.mark.slow
WORKS = works()
# What a system cannot carry, or not as a field of its own.
CANNOT = {
    "slims-oai2": {"edition", "impression"},
    "inlislite": {"edition", "impression", "pages", "ddc", "call_number"},
    "row": set[str](),
}


@pytest.fixture(scope="module")
def union(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    folder = tmp_path_factory.mktemp("fifty")
    made = Consortium(folder / "union", f"sqlite:///{folder / 'fifty.db'}")
    for code, preset, options, content in files():
        (folder / code).write_bytes(content)
        source = {"protocol": "files", "url": str(folder / code), "preset": preset}
        made.add(code, **source, options={"stable_seconds": 0, **options})
    assert {code: one.verdict for code, one in made.night().items()} == {code: "complete" for code, *_ in files()}
    return made


def expected(work: Work) -> dict[str, Any]:
    return {
        "title": work.title,
        "subtitle": work.subtitle,
        "part": work.part,
        "author": sorted(re.findall(r"\w+", work.author)),
        "publisher": work.publisher,
        "place": work.place,
        "year": int(work.year),
        "isbn": [isbn13(work.isbn)] if work.isbn else [],
        "edition": int(work.edition) if work.edition else None,
        "impression": int(work.impression) if work.impression != "1" else None,
        "pages": int(re.findall("[0-9]+", work.pages)[-1]),
        "language": [work.language],
        "ddc": [work.ddc],
        "call_number": f"{work.ddc} {work.mark}",
        "material": "book",
    }


def isbn13(isbn: str) -> str:
    first = "978" + isbn.replace("-", "")[:9]
    return first + str(-sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(first)) % 10)


def seen(record: NormalizedRecord) -> dict[str, Any]:
    publication = record.publications[0]
    creators = [one for one in record.contributors if one.role in ("creator", "author")]
    assert [one.main for one in creators] == [True]
    return {
        "title": record.title.proper,
        "subtitle": record.title.remainder,
        "part": " ".join(record.title.part_numbers).lower(),
        # The words of name and title of honour: systems invert names, and Raden Ajeng is either.
        "author": sorted(word for one in creators for word in re.findall(r"\w+", f"{one.name} {one.titles}")),
        "publisher": publication.publisher,
        "place": publication.place,
        "year": record.dates.year_from,
        "isbn": [one.value for one in record.identifiers if one.kind == "isbn" and one.status == "valid"],
        "edition": record.edition.number,
        "impression": record.impression.number,
        "pages": record.extent.pages,
        "language": list(record.languages),
        "ddc": [one.value for one in record.classifications if one.scheme == "ddc"],
        "call_number": record.holdings[0].call_number,
        "material": "book" if record.material == "schoolbook" else record.material,
    }


def states(union: Consortium) -> dict[str, list[catalogue.RecordState]]:
    """System → its records, in the order of the file."""
    held = union.ask(lambda conn: [row["id"] for row in ledger.all_active(conn, 0, 1000)])
    found: dict[str, list[catalogue.RecordState]] = defaultdict(list)
    for one in union.ask(lambda conn: catalogue.states_of_records(conn, held)):
        found[one.source].append(one)
    return {
        code: sorted(rows, key=lambda one: int(re.findall("[0-9]+", one.identifier)[-1]))
        for code, rows in found.items()
    }


@pytest.mark.parametrize("system", [code for code, *_ in files()])
def test_fifty_works_come_out_equal(union: Consortium, system: str) -> None:
    rows = states(union)[system]
    bodies = union.ask(lambda conn: ledger.normalized_bodies(conn, [one.record_id for one in rows]))
    got = [seen(msgspec.json.decode(bodies[one.record_id], type=NormalizedRecord)) for one in rows]
    assert len(got) == len(WORKS) == 50
    wrong = [
        (work.title, name, value, found[name])
        for work, found in zip(WORKS, got, strict=True)
        for name, value in expected(work).items()
        if name not in CANNOT.get(system, ()) and found[name] != value
    ]
    assert not wrong, "\n".join(map(repr, wrong))


def test_each_work_is_one_cluster(union: Consortium) -> None:
    clusters: dict[int, set[int]] = defaultdict(set)
    for rows in states(union).values():
        for number, one in enumerate(rows):
            clusters[number].add(one.cluster_id)
    assert {WORKS[number].title: len(found) for number, found in clusters.items() if len(found) > 1} == {}
    assert len(set.union(*clusters.values())) == 50
