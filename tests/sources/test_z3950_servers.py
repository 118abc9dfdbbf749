"""Z39.50 against the real Zebra, which cuts searches at a hundred terms, and against yaz-ztest."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from harvester.errors import ProtocolError, SourceUnavailable
from harvester.model import Source, Window
from harvester.sources import Limits
from harvester.sources.slicing import Slice
from harvester.sources.z3950 import pqf
from harvester.sources.z3950.client import Connection, Target
from tests.servers import catalogue, yaz
from tests.sources.killing import killed_harvest
from tests.sources.sliced_outcome import facts_of, harvest, opened

pytestmark = pytest.mark.servers

PAYLOADS = catalogue.records()
FILE = {f"(ID-JaPKB)bib{number:06d}": payload for number, payload in enumerate(PAYLOADS, 1)}
QUICK = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=3)


@pytest.fixture(scope="module")
def zebra() -> Iterator[yaz.Zebra]:
    with yaz.zebra(b"".join(PAYLOADS), truncmax=100) as made:
        yield made


@pytest.fixture(scope="module")
def ztest() -> Iterator[int]:
    with yaz.ztest() as port:
        yield port


def url(port: int, database: str = "Default") -> str:
    return f"z3950://127.0.0.1:{port}/{database}"


# ---- Zebra -------------------------------------------------------------------------------------------


def test_the_test_catalogue_has_more_than_a_thousand_records_of_one_second() -> None:
    assert sum(catalogue.BULK_LOAD.encode() in payload for payload in PAYLOADS) > 1_000


def test_zebra_really_cuts_searches_without_a_word(zebra: yaz.Zebra) -> None:
    connection = Connection(Target("127.0.0.1", zebra.port, ("127.0.0.1",)))
    assert connection.search(pqf.parse('@attr 1=_ALLRECORDS @attr 2=103 ""')) == 2_000
    assert connection.search(pqf.parse('@attr 1=1012 @attr 4=3 @attr 5=1 "2"')) < 1_100
    assert connection.search(pqf.parse('@attr 1=12 @attr 4=3 @attr 5=1 "bib"')) == 99
    connection.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"page_size": 500, "slice_size": 400},
        {"max_records": 200},
        {"slicing": ["identifier"]},
        {"syntax": "unimarc"},
        {"named_result_sets": False, "slice_size": 1_000},
    ],
    ids=str,
)
def test_a_catalogue_is_had_whole_and_equal_to_its_file(zebra: yaz.Zebra, options: dict[str, object]) -> None:
    outcome = harvest("z3950", url(zebra.port), limits=QUICK, options=options)
    received = {record.identifier: record.payload for page in outcome.pages for record in page.records}
    assert received == FILE
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert "proof:proven" in outcome.flags
    assert facts_of(outcome)["term-cap"] == "99"


def test_as_xml_it_is_the_same_catalogue(zebra: yaz.Zebra) -> None:
    outcome = harvest("z3950", url(zebra.port), limits=QUICK, options={"syntax": "xml", "slicing": ["identifier"]})
    assert set(outcome.identifiers) == set(FILE)
    assert {record.format for page in outcome.pages for record in page.records} == {"marcxml"}


def test_everything_in_one_search_is_believed_only_as_far_as_the_count(zebra: yaz.Zebra) -> None:
    outcome = harvest("z3950", url(zebra.port), limits=QUICK, options={"slicing": []})
    assert len(set(outcome.identifiers)) == 2_000
    assert "proof:claimed" in outcome.flags


def test_a_harvest_taken_up_after_any_page_brings_the_rest(zebra: yaz.Zebra) -> None:
    options = {"slice_size": 300, "page_size": 100}
    whole = harvest("z3950", url(zebra.port), limits=QUICK, options=options)
    for index in range(0, len(whole.pages) - 1, 37):
        before = {record.identifier for page in whole.pages[: index + 1] for record in page.records}
        token = whole.pages[index].token
        rest = harvest("z3950", url(zebra.port), Window(token=token), limits=QUICK, options=options)
        assert before | set(rest.identifiers) == set(FILE)
        assert len(rest.identifiers) == len(FILE) - len(before)


LANGUAGES = {"attributes": "@attr 1=54 @attr 4=3", "values": ["ind", "eng", "dut", "ara", "jav", "fre"]}


def test_each_slice_is_a_window_that_can_be_harvested_alone(zebra: yaz.Zebra) -> None:
    options = {"slicing": ["language"], "indexes": {"language": LANGUAGES}}
    harvester = opened("z3950", url(zebra.port), limits=QUICK, options=options)
    windows = harvester.windows()
    lists = [[one.identifier for page in harvester.pages(window) for one in page.records] for window in windows]
    assert [window.slice for window in windows][:2] == ["language:ara", "language:dut"]
    assert all(lists)
    assert sorted(name for found in lists for name in found) == sorted(FILE)


@pytest.mark.parametrize("protocol", ["z3950", "sru"])
def test_killed_at_random_and_run_again_it_is_the_same(zebra: yaz.Zebra, protocol: str, tmp_path: Path) -> None:
    """The process of the harvest is killed with -9, wherever it is, six times."""
    options = {"slicing": ["identifier"], "page_size": 10}
    scheme = "http" if protocol == "sru" else "z3950"
    address = f"{scheme}://127.0.0.1:{zebra.port}/Default"
    found, hit = killed_harvest(Source("p", protocol, address, internal=True, options=options), tmp_path, 6, 40)
    assert hit > 3
    assert set(found) == set(FILE)


def test_a_second_run_reads_only_what_changed() -> None:
    with yaz.zebra(b"".join(PAYLOADS), truncmax=100) as zebra:
        first = harvest("z3950", url(zebra.port), limits=QUICK)
        assert facts_of(first)["date-index"] == "works"
        changed = [catalogue.record(number, "20261121093000.0", 1, 2005, 2) for number in (7, 450, 2_001)]
        zebra.update(*changed)
        window = Window(since="2026-11-20T18:00:00Z")
        second = harvest("z3950", url(zebra.port), window, limits=QUICK, learned=facts_of(first))
        assert [record.payload for page in second.pages for record in page.records] == changed
        assert (second.verdict, second.proof) == ("complete", "claimed")
        third = harvest("z3950", url(zebra.port), limits=QUICK)
        assert len(set(third.identifiers)) == 2_001
        assert third.proof == "proven"


def test_changes_are_all_there_when_a_day_has_more_than_the_server_expands() -> None:
    """Two hundred seconds of one day: its prefix alone gives ninety-nine."""
    changed = [
        catalogue.record(number, f"2026112109{number // 60:02d}{number % 60:02d}.0", 1, 2005, 2)
        for number in range(1, 201)
    ]
    with yaz.zebra(b"".join([*PAYLOADS[:500], *changed]), truncmax=100) as zebra:
        window = Window(since="2026-11-21T00:00:00Z", until="2026-11-21T23:59:59Z")
        learned = {"date-index": "works"}
        outcome = harvest("z3950", url(zebra.port), window, limits=QUICK, learned=learned)
        assert len(set(outcome.identifiers)) == 200


def test_an_index_that_was_not_shown_to_work_leads_to_a_full_list(zebra: yaz.Zebra) -> None:
    options = {"indexes": {"date": "@attr 1=1011 @attr 4=3 @attr 5=1"}}
    window = Window(since="2026-11-20T18:00:00Z")
    outcome = harvest("z3950", url(zebra.port), window, limits=QUICK, options=options)
    assert set(outcome.identifiers) == set(FILE)


def test_any_index_with_a_list_of_values_can_be_sliced_by(zebra: yaz.Zebra) -> None:
    options = {"slicing": ["language"], "indexes": {"language": LANGUAGES}}
    harvester = opened("z3950", url(zebra.port), limits=QUICK, options=options)
    plan = harvester.plan()
    harvester.close()
    assert [str(one.slice) for one in plan.slices][:2] == ["language:ara", "language:dut"]
    assert (plan.proof, plan.sum) == ("proven", 2_000)


def test_a_language_forgotten_in_the_list_is_noticed(zebra: yaz.Zebra) -> None:
    languages = {"attributes": "@attr 1=54 @attr 4=3", "values": ["ind", "eng", "dut"]}
    options = {"slicing": ["language"], "indexes": {"language": languages}, "max_records": 1_900}
    outcome = harvest("z3950", url(zebra.port), limits=QUICK, options=options)
    assert outcome.verdict == "partial"
    assert outcome.code == "partial"


def test_scan_lists_an_index(zebra: yaz.Zebra) -> None:
    harvester = opened("z3950", url(zebra.port), limits=QUICK)
    terms = harvester.reader.scan("date", "2024011510", 2)
    harvester.close()
    assert terms[0] == ("20240115103000", 1_049)


def test_the_log_in_is_needed_and_works_in_both_forms(zebra: yaz.Zebra) -> None:
    whole = {"options": {"slicing": [], "page_size": 500}, "limits": QUICK}
    refused = harvest(
        "z3950", url(zebra.auth_port), credentials=(("username", "kadmin"), ("password", "wrong")), **whole
    )
    assert refused.code == "login"
    assert "wrong" not in str(refused.error)
    for credentials in (yaz.LOGIN, (("open", "kadmin/geheim"),)):
        outcome = harvest("z3950", url(zebra.auth_port), credentials=credentials, **whole)
        assert len(outcome.identifiers) == 2_000


def test_an_unknown_database_is_an_error(zebra: yaz.Zebra) -> None:
    outcome = harvest("z3950", url(zebra.port, "Nothing"), limits=QUICK)
    assert outcome.code == "bib-1/109" or isinstance(outcome.error, (ProtocolError, SourceUnavailable))
    assert not outcome.identifiers


# ---- yaz-ztest ---------------------------------------------------------------------------------------


def by_number(hits: int, **options: object) -> dict[str, object]:
    """The options of a source that has so many records on yaz-ztest."""
    return {"slicing": [], "query": f"@attr 1=4 {hits}", "element_set": "", **options}


def test_hits_by_number(ztest: int) -> None:
    outcome = harvest("z3950", url(ztest), limits=QUICK, identifier_rule="001", options=by_number(57, page_size=20))
    assert [len(page.records) for page in outcome.pages] == [20, 20, 17]
    assert outcome.identifiers[0] == "11224466"


@pytest.mark.parametrize(("syntax", "format"), [("usmarc", "iso2709"), ("xml", "marcxml"), ("unimarc", "iso2709")])
def test_the_format_is_that_of_the_record_whatever_was_asked(ztest: int, syntax: str, format: str) -> None:
    outcome = harvest("z3950", url(ztest), limits=QUICK, options=by_number(5, syntax=syntax))
    assert {record.format for page in outcome.pages for record in page.records} == {format}


def test_opac_records_bring_their_holdings_as_fields(ztest: int) -> None:
    plain = harvest("z3950", url(ztest), limits=QUICK, options=by_number(3))
    opac = harvest("z3950", url(ztest), limits=QUICK, options=by_number(3, syntax="opac"))
    assert opac.identifiers == plain.identifiers
    assert opac.record_flags[opac.identifiers[0]] == ("holdings-added:1",)
    holding = opac.payloads[0].split("\x1e")[-2]
    assert holding.startswith(
        "  \x1fas-FM/GC\x1fbMain or Science/Business Reading Rms - STORED OFFSITE\x1fhMLCM 89/00602 (N)"
    )
    assert "\x1fp1226176" in holding
    assert int(opac.payloads[0][:5]) == len(opac.payloads[0].encode())
    assert plain.payloads[0].split("\x1e")[1:-1] == opac.payloads[0].split("\x1e")[1:-2]


def test_plain_text_is_quarantined_as_what_it_is(ztest: int) -> None:
    outcome = harvest("z3950", url(ztest), limits=QUICK, options=by_number(2, syntax="sutrs"))
    assert [damage.reason for damage in outcome.damages] == ["unknown-format", "unknown-format"]
    assert b"dummy SUTRS record number 1" in outcome.damages[0].payload


def test_surrogate_diagnostics_cost_only_their_records(ztest: int) -> None:
    outcome = harvest("z3950", url(ztest), limits=QUICK, options=by_number(4, syntax="grs-1"))
    assert [damage.reason for damage in outcome.damages] == ["surrogate-diagnostic"] * 4
    assert "bib-1/14" in outcome.damages[0].message


def test_a_slow_target_is_waited_for_only_so_long(ztest: int) -> None:
    limits = Limits(connect_seconds=1, read_seconds=0.5, total_seconds=1, delay_seconds=0, attempts=1)
    slow = harvest("z3950", url(ztest, "Default%3Fsearch-delay=2"), limits=limits, options=by_number(5))
    assert isinstance(slow.error, SourceUnavailable)
    patient = harvest("z3950", url(ztest, "Default%3Ffetch-delay=0.1"), limits=QUICK, options=by_number(5))
    assert len(patient.identifiers) == 5


def test_a_target_that_drops_the_connection_is_unavailable(ztest: int) -> None:
    harvester = opened("z3950", url(ztest), limits=QUICK)
    with pytest.raises(SourceUnavailable):
        harvester.reader.scan("identifier", "a", 5)
    assert harvester.reader.count(Slice()) >= 0  # a new connection serves the next question
    harvester.close()


def test_pages_of_every_size_give_the_same(ztest: int) -> None:
    lists = [
        harvest("z3950", url(ztest), limits=QUICK, options=by_number(40, page_size=size)).identifiers
        for size in (1, 7, 40)
    ]
    assert all(one == two for one, two in pairwise(lists))


def test_a_source_needs_no_network_to_be_opened() -> None:
    harvester = opened("z3950", "z3950://127.0.0.1:1/Default")
    assert isinstance(harvester.reader.place, str)
