"""SRU 1.1, 1.2 and 2.0 against the real Zebra, which cuts searches at a hundred terms."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lxml import etree

from harvester.model import Window
from harvester.sources import Limits
from harvester.sources.slicing import Slice
from tests.servers import catalogue, yaz
from tests.sources import naive_sru
from tests.sources.sliced_outcome import facts_of, harvest, opened

pytestmark = pytest.mark.servers

PAYLOADS = catalogue.records()
QUICK = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=3)
PQF = {"query_language": "pqf"}
DATED = {"indexes": {"date": {"index": "rec.lastModificationDate", "any": 'rec.dated = "1"'}}}


def fields_of_marc(payload: bytes) -> list[tuple[str, str]]:
    """(tag, body) of every field, the leader's status first."""
    base = int(payload[12:17])
    found = [("000", payload[5:9].decode())]
    for at in range(24, base - 1, 12):
        start, size = base + int(payload[at + 7 : at + 12]), int(payload[at + 3 : at + 7])
        found.append((payload[at : at + 3].decode(), payload[start : start + size - 1].decode()))
    return found


def fields_of_xml(payload: str) -> list[tuple[str, str]]:
    """The same of MARCXML."""
    found = []
    for field in etree.fromstring(payload.encode()):
        if field.get("tag") is None:
            found.append(("000", field.text[5:9]))
        elif field.get("ind1") is None:
            found.append((field.get("tag"), field.text))
        else:
            parts = "".join(f"\x1f{part.get('code')}{part.text or ''}" for part in field)
            found.append((field.get("tag"), field.get("ind1") + field.get("ind2") + parts))
    return found


FILE = {f"(ID-JaPKB)bib{number:06d}": fields_of_marc(payload) for number, payload in enumerate(PAYLOADS, 1)}


@pytest.fixture(scope="module")
def zebra() -> Iterator[yaz.Zebra]:
    with yaz.zebra(b"".join(PAYLOADS), truncmax=100) as made:
        yield made


def url(port: int) -> str:
    return f"http://127.0.0.1:{port}/Default"


@pytest.mark.parametrize(
    "options",
    [
        {"version": "1.1", **DATED},
        {"version": "1.2", **DATED, "slice_size": 300},
        {"version": "2.0", **DATED},
        {"version": "1.1", **PQF, "max_records": 250},
        {"version": "2.0", **PQF},
        {"record_packing": "string", **PQF},
        {"slicing": ["identifier"], "page_size": 150},
        {},
    ],
    ids=str,
)
def test_a_catalogue_is_had_whole_and_equal_to_its_file(zebra: yaz.Zebra, options: dict[str, object]) -> None:
    outcome = harvest("sru", url(zebra.port), limits=QUICK, options=options)
    received = {
        record.identifier: fields_of_xml(record.payload.decode()) for page in outcome.pages for record in page.records
    }
    assert received == FILE
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert "proof:proven" in outcome.flags


def test_the_loop_that_follows_the_next_position_gets_one_page(zebra: yaz.Zebra) -> None:
    assert len(set(naive_sru.harvest(url(zebra.port)).identifiers)) == naive_sru.PAGE


def test_three_versions_send_the_same_bytes(zebra: yaz.Zebra) -> None:
    lists = []
    for version in ("1.1", "1.2", "2.0"):
        options = {"version": version, "slicing": [], "page_size": 500}
        lists.append(harvest("sru", url(zebra.port), limits=QUICK, options=options).payloads)
    assert lists[0] == lists[1] == lists[2]
    assert len(lists[0]) == 2_000


def test_a_harvest_taken_up_after_any_page_brings_the_rest(zebra: yaz.Zebra) -> None:
    options = {**PQF, "slice_size": 300}
    whole = harvest("sru", url(zebra.port), limits=QUICK, options=options)
    for index in range(0, len(whole.pages) - 1, 40):
        before = {record.identifier for page in whole.pages[: index + 1] for record in page.records}
        rest = harvest("sru", url(zebra.port), Window(token=whole.pages[index].token), limits=QUICK, options=options)
        assert before | set(rest.identifiers) == set(FILE)


def test_a_second_run_reads_only_what_changed() -> None:
    with yaz.zebra(b"".join(PAYLOADS[:400]), truncmax=100) as zebra:
        first = harvest("sru", url(zebra.port), limits=QUICK, options=PQF)
        assert facts_of(first)["date-index"] == "works"
        zebra.update(*(catalogue.record(number, "20261121093000.0", 1, 2005, 2) for number in (7, 250)))
        window = Window(since="2026-11-20T18:00:00Z")
        second = harvest("sru", url(zebra.port), window, limits=QUICK, options=PQF, learned=facts_of(first))
        assert sorted(second.identifiers) == ["(ID-JaPKB)bib000007", "(ID-JaPKB)bib000250"]
        assert (second.verdict, second.proof) == ("complete", "claimed")


def test_the_log_in_is_needed_and_works(zebra: yaz.Zebra) -> None:
    options = {"slicing": [], "page_size": 500}
    refused = harvest("sru", url(zebra.auth_port), limits=QUICK, options=options)
    assert refused.code == "login"
    outcome = harvest("sru", url(zebra.auth_port), limits=QUICK, options=options, credentials=yaz.LOGIN)
    assert len(outcome.identifiers) == 2_000


def test_a_schema_that_is_not_there_is_an_error_or_marcxml_but_never_nothing(zebra: yaz.Zebra) -> None:
    outcome = harvest("sru", url(zebra.port), limits=QUICK, options={"slicing": []}, metadata_prefix="nosuch")
    assert outcome.verdict == "partial" or len(outcome.identifiers) == 2_000


def test_explain_and_scan(zebra: yaz.Zebra) -> None:
    harvester = opened("sru", url(zebra.port), limits=QUICK)
    assert "rec.id" in harvester.reader.explain().indexes
    assert harvester.reader.page_size == 200
    assert harvester.reader.scan("date", "2024011510", 1) == (("20240115103000", 1_049),)
    harvester.close()


HARD = ['a"b', "back\\slash", "@and", "x{y}", "two words", "a=b", "100%", "a&b", "q+r", "n\\n", "ڠباهاسا", "a*b?c^"]


@pytest.fixture(scope="module")
def hard() -> Iterator[yaz.Zebra]:
    records = [catalogue.iso2709([("001", name), ("245", "00\x1faJudul")]) for name in HARD]
    with yaz.zebra(b"".join(records)) as made:
        yield made


@pytest.mark.parametrize("language", ["cql", "pqf"])
@pytest.mark.parametrize("name", HARD)
def test_z046_the_server_searches_for_a_term_as_it_was_meant(hard: yaz.Zebra, name: str, language: str) -> None:
    """Every character that means something in CQL, PQF or an address is only itself in a term."""
    exact = "@attr 1=12 @attr 4=3" if language == "pqf" else "rec.id"
    key = "attributes" if language == "pqf" else "index"
    values = {"number": {key: exact, "values": HARD}}
    options = {"query_language": language, "indexes": values, "slicing": ["number"]}
    harvester = opened("sru", url(hard.port), limits=QUICK, options=options)
    assert harvester.reader.count(Slice((("number", name),))) == 1
    harvester.close()
