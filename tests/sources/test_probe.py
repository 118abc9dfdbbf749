"""A probe finds out how a server behaves, whatever the server says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from harvester.demo.quirks import INLISLITE_32, INLISLITE_V33, KOHA, SLIMS_OAI, SLIMS_OAI2, Quirks, variant
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from harvester.errors import Blocked, SourceError
from harvester.model import HarvestedRecord, Source
from harvester.sources import Environment, Limits
from harvester.sources.probe import SourceProfile, probe
from harvester.sources.probe_advice import advise
from harvester.sources.probe_endpoint import candidates, siblings
from harvester.sources.probe_measure import Findings, constants
from tests.sources.oai_answers import dublin_core, error, in_pages, listing, serve
from tests.sources.scripted_server import Reply, Request, ScriptedServer, TestClock

TITLES = ("Laskar pelangi", "Bumi manusia", "Ronggeng Dukuh Paruk", "Saman", "Pulang")


def marc(number: int, changed: str = "") -> bytes:
    own = f'<controlfield tag="005">{changed}</controlfield>' if changed else ""
    return (
        '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
        f'<controlfield tag="001">{number}</controlfield>{own}</record>'
    ).encode()


def library(records: int = 30) -> Store:
    clock = SampleClock()
    store = Store(clock)
    for number in range(records):
        title = f"{TITLES[number % 5]} {number}"
        store.put(str(number), {"oai_dc": dublin_core(title), "marcxml": marc(number)})
        clock.sleep(86_400)
    return store


@contextmanager
def partner(quirks: Quirks, store: Store | None = None) -> Iterator[tuple[Simulator, str]]:
    with Simulator({"p": store or library()}, quirks={"p": variant(quirks, page_size=10)}) as partners:
        yield partners, partners.url("p")


def probed(url: str, store: Store | None = None, **source: object) -> SourceProfile:
    clock = store.clock if store else TestClock()
    environment = Environment(clock=clock, limits=Limits(delay_seconds=0, attempts=1, page_attempts=1))
    given = {"code": "p", "protocol": "oai-pmh", "internal": True, **source}
    return probe(Source(url=url, **given), environment)  # type: ignore[arg-type]


def profile_of(quirks: Quirks, store: Store | None = None) -> SourceProfile:
    store = store or library()
    with partner(quirks, store) as (partners, url):
        profile = probed(url, store)
        assert len(partners.requests) < 25, "polite"
        return profile


PARTNERS = [
    # label, quirks, preset, from works, edits, deletions, strategy, sweep days
    ("a server that keeps the protocol", Quirks(), "generic", "yes", "unknown", "told", "incremental", 28),
    ("Koha", KOHA, "koha", "yes", "yes", "told", "incremental", 0),
    ("SLiMS oai.php", SLIMS_OAI, "slims-oai", "with-until", "no", "none", "sweep+absence", 7),
    ("SLiMS oai2.php", SLIMS_OAI2, "slims-oai2", "yes", "no", "hidden", "sweep+absence", 7),
    ("INLISLite 3.2", INLISLITE_32, "inlislite", "yes", "no", "none", "sweep+absence", 7),
    ("INLISLite V33", INLISLITE_V33, "inlislite", "loses", "no", "none", "sweep+absence", 7),
]


COLUMNS = ("label", "quirks", "preset", "from_works", "edits", "deletions", "strategy", "days")


@pytest.mark.parametrize(COLUMNS, PARTNERS, ids=[case[0] for case in PARTNERS])
def test_a_partners_software_is_recognised_and_measured(
    label: str, quirks: Quirks, preset: str, from_works: str, edits: str, deletions: str, strategy: str, days: int
) -> None:
    profile = profile_of(quirks)
    found = (profile.preset, profile.from_works, profile.edits, profile.deletions, profile.strategy, profile.sweep_days)
    assert found == (preset, from_works, edits, deletions, strategy, days)
    assert (profile.page_size, profile.list_size) == (10, 30)
    assert profile.absence == (deletions != "told")
    topics = ("software", "size", "paging", "from", "edits", "deletions", "strategy")
    assert all(any(line.startswith(topic) for line in profile.evidence) for topic in topics)


def test_z014_a_filter_on_the_creation_date_leads_to_sweeps_that_promise_a_day() -> None:
    """Z014: SLiMS never lists an edit again; the promise says when it will be seen, and the strategy keeps it."""
    profile = profile_of(SLIMS_OAI)
    assert profile.strategy == "sweep+absence"
    assert profile.promise == "new records, edits and deletions seen within 7 days"


def test_a_server_that_ignores_from_wholly_is_found_out() -> None:
    def answer(request: Request) -> bytes:
        return in_pages(5, 5)[0]

    with ScriptedServer(serve([], ListRecords=answer, ListIdentifiers=headers(5))) as server:
        profile = probed(server.url)
    assert profile.from_works == "no"
    assert any("from the future" in line for line in profile.evidence)


def headers(total: int) -> bytes:
    parts = [
        f"<header><identifier>oai:x:{n}</identifier><datestamp>2026-01-0{n + 1}</datestamp></header>"
        for n in range(total)
    ]
    return listing(*(part.encode() for part in parts), verb="ListIdentifiers")


def test_a_server_that_mixes_old_records_into_dated_lists_is_found_out() -> None:
    def answer(request: Request) -> bytes:
        ahead = request.arguments.get("from", "") > "2026-03"
        return error("noRecordsMatch") if ahead else headers(5)

    with ScriptedServer(serve(in_pages(5, 5), ListIdentifiers=answer)) as server:
        profile = probed(server.url)
    assert profile.from_works == "no"


def test_own_change_dates_later_than_the_datestamps_show_that_edits_are_missed() -> None:
    store = library(10)
    later = store.clock.now() + timedelta(days=40)
    for number in range(5):
        store.put(f"e{number}", {"oai_dc": dublin_core("x"), "marcxml": marc(number, later.strftime("%Y%m%d000000.0"))})
    profile = profile_of(Quirks(), store)
    assert (profile.edits, profile.strategy) == ("no", "full+hash")
    assert any("5 of 5 records were changed after their datestamp" in line for line in profile.evidence)


# ---- endpoints -------------------------------------------------------------------------------------------------------


def two_endpoints(old: Quirks, new: Quirks) -> Simulator:
    """The simulator takes the partner from the first part of the path, so each endpoint is one."""
    store = library()
    return Simulator({"oai.php": store, "oai2.php": store}, quirks={"oai.php": old, "oai2.php": new})


@pytest.mark.parametrize("given", ["oai.php", "oai2.php"])
def test_of_the_two_endpoints_of_slims_oai2_is_preferred(given: str) -> None:
    with two_endpoints(SLIMS_OAI, SLIMS_OAI2) as partners:
        profile = probed(partners.url(given))
        assert profile.url == partners.url("oai2.php")
    assert profile.preset == "slims-oai2"
    assert any("oai2.php is preferred to oai.php" in line for line in profile.evidence)


def test_oai_php_is_used_when_oai2_is_switched_off_with_a_warning() -> None:
    with two_endpoints(SLIMS_OAI, variant(SLIMS_OAI2, disabled=True)) as partners:
        profile = probed(partners.url("oai2.php"))
        assert profile.url == partners.url("oai.php")
    assert profile.preset == "slims-oai"
    assert any("exposes records that are hidden" in line for line in profile.evidence)


def test_a_disabled_repository_is_the_partners_choice() -> None:
    off = {"disabled": True}
    with two_endpoints(variant(SLIMS_OAI, **off), variant(SLIMS_OAI2, **off)) as partners:
        profile = probed(partners.url("oai2.php"))
    assert (profile.disabled, profile.strategy) == (True, "none")
    assert any("switched off by the partner" in line for line in profile.evidence)


def test_the_endpoint_is_found_below_the_librarys_site() -> None:
    pages = serve(in_pages(5, 5), ListIdentifiers=headers(5))

    def site(request: Request) -> Reply:
        if request.target.startswith("/slims/oai2.php?"):
            return pages(request)
        return Reply(b"<html><title>Perpustakaan</title></html>", 200 if request.target.startswith("/slims?") else 404)

    with ScriptedServer(site) as server:
        profile = probed(f"http://127.0.0.1:{server.port}/slims")
        assert profile.url == f"http://127.0.0.1:{server.port}/slims/oai2.php"
    assert profile.software == "SLiMS"
    assert "does not answer as OAI-PMH" in profile.evidence[0]


def test_a_site_without_oai_pmh_says_what_answered() -> None:
    page = Reply(b"<html><title>Beranda</title></html>")
    with ScriptedServer(lambda request: page) as server, pytest.raises(Blocked, match="Beranda"):
        probed(f"http://127.0.0.1:{server.port}/")


@pytest.mark.parametrize("status,why", [(401, "log-in refused"), (404, "HTTP 404")])
def test_an_endpoint_that_does_not_answer_says_why(status: int, why: str) -> None:
    refused = Reply(b"", status)
    with ScriptedServer(lambda request: refused) as server, pytest.raises(SourceError) as found:
        probed(f"http://127.0.0.1:{server.port}/oai")
    assert why in str(found.value)


def test_a_dead_server_is_an_error_of_the_source() -> None:
    with pytest.raises(SourceError):
        probed("http://127.0.0.1:9/oai")


@pytest.mark.parametrize(
    ("url", "better"),
    [
        ("https://lib.example/oai.php", "https://lib.example/oai2.php"),
        ("https://lib.example/perpus/oai2.php?x=1", "https://lib.example/perpus/oai2.php?x=1"),
        ("https://lib.example/myoai.php", ""),
        ("https://lib.example/opac/oai", ""),
    ],
)
def test_the_sibling_of_a_slims_endpoint(url: str, better: str) -> None:
    assert siblings(url)[0] == better


def test_an_address_that_looks_like_an_endpoint_is_not_searched() -> None:
    assert candidates("https://x.example/cgi-bin/koha/oai.pl") == ("https://x.example/cgi-bin/koha/oai.pl",)
    assert "https://x.example/slims/oai2.php" in candidates("https://x.example/slims/")


SOFTWARES = [
    ("https://x.example/cgi-bin/koha/oai.pl", "", "koha"),
    ("https://x.example/server/oai/request", "", "dspace"),
    ("https://x.example/cgi/oai2", "", "eprints"),
    ("https://x.example/index.php/jurnal/oai", "", "ojs"),
    ("https://x.example/oai", "Open Journal Systems", "ojs"),
    ("https://x.example/oai-pmh-repository/request", "", "omeka"),
    ("https://x.example/oai", "DSpace at Universitas", "dspace"),
    ("https://x.example/oai", "Perpustakaan", "generic"),
]


@pytest.mark.parametrize(("url", "name", "preset"), SOFTWARES)
def test_software_is_guessed_from_addresses_and_words(url: str, name: str, preset: str) -> None:
    from harvester.sources.oai_identify import Identity
    from harvester.sources.probe_endpoint import guess_software

    assert guess_software(url, Identity(repository_name=name), ["oai_dc"])[1] == preset


# ---- values and strategies ----------------------------------------------------------------------------------------


def records(total: int, odd: int = 0) -> list[HarvestedRecord]:
    kinds = ["Text"] * (total - odd) + ["Peta"] * odd
    body = dublin_core("T%d").replace(b"</oai_dc:dc>", b"<dc:type>%s</dc:type></oai_dc:dc>")
    return [
        HarvestedRecord(f"oai:x:{number}", "oai_dc", body % (number, kind.encode()))
        for number, kind in enumerate(kinds)
    ]


@pytest.mark.parametrize(
    ("total", "odd", "found"), [(200, 0, True), (200, 1, True), (200, 2, False), (199, 0, False), (0, 0, False)]
)
def test_a_value_in_nearly_all_of_200_records_is_a_constant(total: int, odd: int, found: bool) -> None:
    assert (("type", "Text") in constants(records(total, odd))) == found


@pytest.mark.parametrize(
    ("facts", "strategy"),
    [
        ({"from_works": "yes", "deleted_seen": 1, "dated": 50}, "incremental"),
        ({"from_works": "no", "deleted_seen": 1, "dated": 50}, "full+hash"),
        ({"from_works": "no"}, "sweep+absence"),
        ({"from_works": "loses", "deleted_seen": 1}, "full+hash"),
        ({"from_works": "yes", "undated": True}, "sweep+absence"),
    ],
)
def test_the_strategy_follows_from_the_findings(facts: dict[str, object], strategy: str) -> None:
    advice = advise("generic", Findings(**facts))  # type: ignore[arg-type]
    assert advice.strategy == strategy
    assert "within" in advice.promise
    assert (advice.sweep_days > 0) or (strategy == "incremental")
