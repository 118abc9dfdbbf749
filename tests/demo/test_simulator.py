"""The simulator keeps OAI-PMH where no quirk says otherwise, and breaks it exactly as its flags and scripts say."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from lxml import etree
from sickle import Sickle
from sickle.oaiexceptions import BadArgument, BadResumptionToken, BadVerb, IdDoesNotExist, NoRecordsMatch

from harvester.demo.quirks import PRESETS, SLIMS_OAI, Quirks, variant
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from harvester.errors import ConfigError

DAY = 86_400
NS = {"o": "http://www.openarchives.org/OAI/2.0/"}


def dc(title: str) -> bytes:
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></oai_dc:dc>'
    ).encode()


def marc(title: str) -> bytes:
    return (
        '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
        f'<datafield tag="245" ind1="0" ind2="0"><subfield code="a">{title}</subfield></datafield></record>'
    ).encode()


def filled(count: int = 25) -> Store:
    """*count* records, one a day."""
    store = Store(SampleClock(datetime(2026, 1, 1, 12, tzinfo=UTC)))
    for number in range(1, count + 1):
        payloads = {"oai_dc": dc(f"Buku {number}"), "marcxml": marc(f"Buku {number}")}
        store.put(str(number), payloads, sets=("buku:fiksi" if number % 2 else "buku:ilmu",))
        store.clock.sleep(DAY)
    return store


def serving(store: Store, quirks: Quirks | None = None, script: str = "", **more: object) -> Simulator:
    return Simulator(
        {"p": store},
        {"p": variant(quirks or Quirks(), page_size=10)},
        {"p": script},
        **more,  # type: ignore[arg-type]
    )


def listed(url: str, verb: str = "ListRecords", **arguments: str) -> list[tuple[str, str, bool]]:
    """(identifier, datestamp, deleted) of a whole list, taken by stock sickle."""
    arguments.setdefault("metadataPrefix", "oai_dc")
    found = getattr(Sickle(url), verb)(**arguments)
    headers = [one if verb == "ListIdentifiers" else one.header for one in found]
    return [(header.identifier, header.datestamp, header.deleted) for header in headers]


def shape(element: etree._Element) -> list[tuple[str, str]]:
    return [(str(one.tag), one.text or "") for one in element.iter()]


def keys(rows: list[tuple[str, str, bool]]) -> list[str]:
    return [identifier.rpartition(":")[2].rpartition("/")[2] for identifier, _, _ in rows]


@pytest.fixture
def store() -> Iterator[Store]:
    yield filled()


# ---- a server that keeps the protocol ----------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["oai_dc", "marcxml"])
def test_stock_sickle_gets_exactly_what_the_store_holds(store: Store, prefix: str) -> None:
    with serving(store) as simulator:
        records = list(Sickle(simulator.url("p")).ListRecords(metadataPrefix=prefix))
        oracle = simulator.oracle("p", prefix)
    assert len(records) == len(oracle) == 25
    assert {record.header.identifier: shape(record.xml.find("o:metadata", NS)[0]) for record in records} == {
        identifier: shape(etree.fromstring(payload)) for identifier, payload in oracle.items()
    }


def test_every_verb_answers(store: Store) -> None:
    with serving(store) as simulator:
        client = Sickle(simulator.url("p"))
        identify = client.Identify()
        assert (identify.earliestDatestamp, identify.deletedRecord) == ("2026-01-01T12:00:00Z", "persistent")
        assert [one.metadataPrefix for one in client.ListMetadataFormats()] == ["oai_dc", "marcxml"]
        assert [one.setSpec for one in client.ListSets()] == ["buku:fiksi", "buku:ilmu"]
        identifier = f"oai:127.0.0.1:{simulator.port}:7"
        assert client.GetRecord(identifier=identifier, metadataPrefix="oai_dc").metadata["title"] == ["Buku 7"]
        with pytest.raises(IdDoesNotExist):
            client.GetRecord(identifier="oai:x:9", metadataPrefix="oai_dc")


def test_dates_and_sets_select(store: Store) -> None:
    with serving(store) as simulator:
        url = simulator.url("p")
        assert keys(listed(url, **{"from": "2026-01-24"})) == ["24", "25"]
        assert keys(listed(url, until="2026-01-02")) == ["1", "2"]
        assert keys(listed(url, **{"from": "2026-01-02T12:00:00Z", "until": "2026-01-03T11:59:59Z"})) == ["2"]
        assert len(listed(url, set="buku")) == 25
        assert len(listed(url, "ListIdentifiers", set="buku:fiksi")) == 13
        with pytest.raises(NoRecordsMatch):
            listed(url, **{"from": "2027-01-01"})
        for wrong in ({"from": "kemarin"}, {"from": "2026-01-02", "until": "2026-01-01"}):
            with pytest.raises(BadArgument):
                listed(url, **wrong)
        with pytest.raises(BadArgument):
            Sickle(url).ListRecords(resumptionToken="x", set="buku")
        with pytest.raises(BadResumptionToken):
            Sickle(url).ListRecords(resumptionToken="not ours")
        assert "badVerb" in requests.get(url, {"verb": "Nyanyi"}, timeout=60).text


def test_deletions_are_told_and_come_back(store: Store) -> None:
    store.delete("3")
    with serving(store) as simulator:
        rows = listed(simulator.url("p"))
        assert [row for row in rows if row[2]] == [(f"oai:127.0.0.1:{simulator.port}:3", "2026-01-26T12:00:00Z", True)]
        store.put("3", {"oai_dc": dc("Kembali")})
        assert len(simulator.oracle("p")) == 25
        assert not any(row[2] for row in listed(simulator.url("p")))


def test_keyset_paging_loses_nothing_while_the_store_changes(store: Store) -> None:
    def meanwhile(_partner: str, _request: object, page: int) -> None:
        if page == 2:
            store.clock.sleep(60)
            store.delete("2")
            store.edit("15", {"oai_dc": dc("Baru")})

    with serving(store, before_answer=meanwhile) as simulator:
        rows = listed(simulator.url("p"))
    assert set(keys(rows)) == {str(number) for number in range(1, 26)}
    assert ("2", True) in {(key, row[2]) for key, row in zip(keys(rows), rows, strict=True)}


def test_post_and_list_size_and_log(store: Store) -> None:
    with serving(store) as simulator:
        arguments = {"verb": "ListRecords", "metadataPrefix": "oai_dc"}
        answer = requests.post(simulator.url("p"), arguments, headers={"User-Agent": "induk"}, timeout=60)
        assert 'completeListSize="25" cursor="0"' in answer.text
        logged = simulator.requests[-1]
        assert (logged.method, logged.page, logged.status, logged.user_agent) == ("POST", 1, 200, "induk")


# ---- quirks -------------------------------------------------------------------------------------------


def test_slims_oai_skips_live_records_when_two_are_deleted_in_mid_harvest(store: Store) -> None:
    def meanwhile(_partner: str, _request: object, page: int) -> None:
        if page == 2:
            store.delete("25")
            store.delete("24")

    with serving(store, SLIMS_OAI, before_answer=meanwhile) as simulator:
        rows = listed(simulator.url("p"), "ListIdentifiers")
        missed = set(simulator.oracle("p")) - {row[0] for row in rows}
    assert missed == {"oai:slims/15", "oai:slims/14"}


def test_slims_oai_ignores_from_without_until_and_forgets_dates_on_page_two(store: Store) -> None:
    with serving(store, SLIMS_OAI) as simulator:
        url = simulator.url("p")
        assert len(listed(url, "ListIdentifiers", **{"from": "2026-01-24"})) == 25
        window = {"from": "2026-01-02", "until": "2026-01-15"}
        assert len(listed(url, "ListIdentifiers", **window)) == 10 + 15  # page 2 and 3 are of the whole catalogue


def test_slims_oai_never_tells_edits_or_deletions_and_exposes_hidden_records(store: Store) -> None:
    store.edit("1", {"oai_dc": dc("Baru")})
    store.delete("2")
    store.hide("3")
    with serving(store, SLIMS_OAI) as simulator:
        rows = listed(simulator.url("p"), "ListIdentifiers")
        page = requests.get(simulator.url("p"), {"verb": "ListRecords", "metadataPrefix": "oai_dc"}, timeout=60).text
        name = requests.get(simulator.url("p"), {"verb": "Identify"}, timeout=60).text
        nothing = requests.get(
            simulator.url("p"),
            {"verb": "ListRecords", "metadataPrefix": "oai_dc", "from": "2030-01-01", "until": "2030-01-02"},
            timeout=60,
        ).text
    assert "3" in keys(rows) and "2" not in keys(rows) and not any(row[2] for row in rows)
    assert ("oai:slims/1", "2026-01-01 19:00:00", False) in rows
    assert "<datestamp>" not in page and '<resumptionToken completeListSize="24" cursor="0">oai_dc/10<' in page
    assert name.count("<repositoryName>") == 2 and "<earliestDatestamp></earliestDatestamp>" in name
    assert "<ListRecords>" in nothing and "noRecordsMatch" not in nothing


def test_slims_oai2_tells_hidden_records_as_deleted_and_drops_deleted_ones(store: Store) -> None:
    store.edit("1", {"oai_dc": dc("Baru")})
    store.delete("2")
    store.hide("3")
    with serving(store, PRESETS["slims-oai2"]) as simulator:
        rows = listed(simulator.url("p"))
        assert [row[0] for row in rows if row[2]] == ["oai:slims/3"]
        assert "oai:slims/2" not in [row[0] for row in rows]
        with pytest.raises(NoRecordsMatch):  # the edit of record 1 is in no dated list
            listed(simulator.url("p"), **{"from": "2026-01-26"})


def test_inlislite_v33_wants_the_prefix_with_the_token(store: Store) -> None:
    with serving(store, PRESETS["inlislite-v33"]) as simulator:
        url = simulator.url("p")
        with pytest.raises(BadArgument):
            listed(url)
        first = Sickle(url).ListRecords(metadataPrefix="oai_dc").resumption_token.token
        again = {"verb": "ListRecords", "resumptionToken": first, "metadataPrefix": "oai_dc"}
        assert requests.get(url, again, timeout=60).text.count("<record>") == 10


def test_inlislite_v33_dates_know_only_edited_rows_and_edits_shift_pages(store: Store) -> None:
    store.edit("5", {"oai_dc": dc("Baru")})
    with serving(store, PRESETS["inlislite-v33"]) as simulator:
        url = simulator.url("p")
        assert listed(url, **{"from": "2020-01-01"}) == [
            (f"oai:127.0.0.1:{simulator.port}:5", "2026-01-26T12:00:00Z", False)
        ]
        assert Sickle(url).Identify().earliestDatestamp == "2020-01-01T00:00:00Z"
        arguments = {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"}
        first = requests.get(url, arguments, timeout=60).text
        store.edit("1", {"oai_dc": dc("Baru")})
        again = requests.get(url, arguments, timeout=60).text
    assert ":1</identifier>" not in first and ":1</identifier>" in again


def test_inlislite_32_writes_sql_before_the_xml_on_a_quiet_night(store: Store) -> None:
    with serving(store, PRESETS["inlislite-3.2"]) as simulator:
        quiet = {"verb": "ListRecords", "metadataPrefix": "marcxml", "from": "2030-01-01"}
        body = requests.get(simulator.url("p"), quiet, timeout=60).content
    assert body.startswith(b"Cannot find records: SELECT")
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(body)


def test_identifiers_of_inlislite_follow_the_host_name(store: Store) -> None:
    with serving(store, PRESETS["inlislite-v33"]) as simulator:
        names = [simulator.oracle("p", host=host) for host in ("127.0.0.1", "localhost")]
        body = requests.get(
            simulator.url("p", host="localhost"), {"verb": "ListIdentifiers", "metadataPrefix": "oai_dc"}, timeout=60
        ).text
    assert not set(names[0]) & set(names[1])
    assert f"oai:localhost:{simulator.port}:25" in body


def test_a_lagging_server_shows_a_change_late_under_its_old_datestamp(store: Store) -> None:
    with serving(store, Quirks(lag=600)) as simulator:
        store.edit("4", {"oai_dc": dc("Baru")})
        store.put("26", {"oai_dc": dc("Buku 26")})
        window = {"from": "2026-01-26"}
        with pytest.raises(NoRecordsMatch):
            listed(simulator.url("p"), **window)
        store.clock.sleep(600)
        assert [row[1] for row in listed(simulator.url("p"), **window)] == ["2026-01-26T12:00:00Z"] * 2


def test_a_backdating_server_hides_an_edit_from_a_narrow_window(store: Store) -> None:
    with serving(store, Quirks(backdate=3600)) as simulator:
        store.edit("4", {"oai_dc": dc("Baru")})
        assert keys(listed(simulator.url("p"), **{"from": "2026-01-26T11:00:00Z"})) == ["4"]
        with pytest.raises(NoRecordsMatch):
            listed(simulator.url("p"), **{"from": "2026-01-26T11:30:00Z"})


def test_other_flags_do_what_they_say(store: Store) -> None:
    with serving(store, Quirks(granularity="day", list_size=False)) as simulator:
        url = simulator.url("p")
        assert listed(url)[0][1] == "2026-01-01"
        assert Sickle(url).ListRecords(metadataPrefix="oai_dc").resumption_token.complete_list_size is None
        with pytest.raises(BadArgument):
            listed(url, **{"from": "2026-01-01T00:00:00Z"})
        simulator.set_quirks("p", Quirks(disabled=True))
        with pytest.raises(BadVerb, match="OAI Repository disabled"):
            listed(url)
        simulator.set_quirks("p", Quirks(page_size=10, resumption_seconds=60, list_size_error=-2))
        first = Sickle(url).ListRecords(metadataPrefix="oai_dc").resumption_token
        assert first.complete_list_size == "23"
        store.clock.sleep(61)
        with pytest.raises(BadResumptionToken):
            Sickle(url).ListRecords(resumptionToken=first.token)


# ---- faults -------------------------------------------------------------------------------------------


def page_two(simulator: Simulator) -> requests.Response:
    url = simulator.url("p")
    token = Sickle(url).ListRecords(metadataPrefix="oai_dc").resumption_token.token
    return requests.get(url, {"verb": "ListRecords", "resumptionToken": token}, timeout=60)


def test_a_truncated_page_makes_stock_sickle_end_early_without_an_error(store: Store) -> None:
    with serving(store, script="page=2:truncate@0.5") as simulator:
        got = len(listed(simulator.url("p")))
        assert 10 < got < 25
        assert len(listed(simulator.url("p"))) == 25, "a clause strikes once unless it says otherwise"
        assert [logged.fault for logged in simulator.requests if logged.fault] == ["truncate"]


@pytest.mark.parametrize(
    ("script", "sign"),
    [
        ("page=2:html", b"Sedang dalam pemeliharaan"),
        ("page=2:ampersand", b"<dc:title> & CoBuku"),
        ("page=2:bad-utf8", b"caf\xe9"),
        ("page=2:control", b"\x0b"),
        ("page=2:notice", b"<b>Notice</b>"),
        ("page=2:trailing", b"<b>Warning</b>"),
        ("page=2:expired", b'<error code="badResumptionToken">'),
        ("page=2:no-records", b'<error code="noRecordsMatch">'),
        ("page=2:doctype", b"<!DOCTYPE OAI-PMH"),
        ("page=2:odd-error", b'<error code="serverIsTired">'),
        ("page=2:no-header", b"<record><metadata>"),
        ("page=2:no-metadata", b"</header></record>"),
        ("page=2:twice", b"Lagi: Buku 11<"),
        ("page=2:zipped-silently", b"\x1f\x8b"),
    ],
)
def test_a_broken_page_carries_its_fault_and_is_whole_again_when_asked_twice(
    store: Store, script: str, sign: bytes
) -> None:
    with serving(store, script=script) as simulator:
        assert sign in page_two(simulator).content
        whole = page_two(simulator).content
    assert sign not in whole and whole.count(b"<record>") == 10


def test_tokens_can_vanish_repeat_or_stand_on_an_empty_page(store: Store) -> None:
    with serving(store, script="page=2:no-token, page=2:repeat-token, page=2:empty, page=2:no-namespace") as simulator:
        vanished = page_two(simulator)
        assert b"resumptionToken " not in vanished.content and vanished.content.count(b"<record>") == 10
        repeated = page_two(simulator)
        asked = simulator.requests[-1].arguments["resumptionToken"]
        assert f">{asked}</resumptionToken>" in repeated.text
        empty = page_two(simulator)
        assert b"<record>" not in empty.content and b"</resumptionToken>" in empty.content
        assert not page_two(simulator).content.count(b'xmlns="http://www.openarchives.org/OAI/2.0/"')


def test_status_codes_connections_and_delays(store: Store) -> None:
    script = "page=2:503;retry-after=1*2, page=2:429, page=2:drop@0, page=2:drop@0.5, page=2:delay@0.2"
    with serving(store, script=script) as simulator:
        answers = [page_two(simulator) for _ in range(3)]
        told = [(one.status_code, one.headers.get("Retry-After")) for one in answers]
        assert told == [(503, "1"), (503, "1"), (429, None)]
        for _ in range(2):
            with pytest.raises(requests.exceptions.RequestException):
                page_two(simulator)
        assert page_two(simulator).elapsed.total_seconds() >= 0.2


def test_bodies_can_be_zipped_spoiled_dripped_or_elsewhere(store: Store) -> None:
    script = "page=2:zipped, page=2:zipped-badly, page=2:drip@20000, page=2:redirect-away, page=2:503;retry-after=date"
    with serving(store, script=script) as simulator:
        assert page_two(simulator).text.count("<record>") == 10
        assert "</OAI-PMH>" not in page_two(simulator).text, "requests takes half a gzip stream without a word"
        started = time.monotonic()
        assert page_two(simulator).text.count("<record>") == 10
        assert time.monotonic() - started > 0.1
        with pytest.raises(requests.exceptions.RequestException):
            page_two(simulator)
        assert page_two(simulator).headers["Retry-After"].endswith("GMT")


def test_a_bomb_is_small_on_the_wire(store: Store) -> None:
    with serving(store, script="verb=Identify:bomb") as simulator, requests.Session() as session:
        answer = session.get(simulator.url("p"), params={"verb": "Identify"}, stream=True, timeout=60)
        wire = len(answer.raw.read(decode_content=False))
    assert wire < 100_000


def test_tokens_come_back_exactly_or_are_refused(store: Store) -> None:
    with serving(store, Quirks(resumption_prefix=" a&b+c%25=\u00e9/" + "x" * 3000)) as simulator:
        assert len(listed(simulator.url("p"))) == 25
        token = Sickle(simulator.url("p")).ListRecords(metadataPrefix="oai_dc").resumption_token.token
        with pytest.raises(BadResumptionToken):
            Sickle(simulator.url("p")).ListRecords(resumptionToken=token.strip())


def test_offset_paging_doubles_a_record_when_one_is_inserted_in_front(store: Store) -> None:
    def meanwhile(_partner: str, _request: object, page: int) -> None:
        if page == 2:
            store.put("99", {"oai_dc": dc("Baru")})

    with serving(store, SLIMS_OAI, before_answer=meanwhile) as simulator:
        got = keys(listed(simulator.url("p"), "ListIdentifiers"))
    assert got.count("16") == 2 and "99" not in got


def test_a_forgotten_deletion_and_a_renamed_record_leave_no_trace(store: Store) -> None:
    store.delete("2")
    store.forget("2")
    store.rename("3", "koha-3")
    with serving(store) as simulator:
        assert {"2", "3"} & set(keys(listed(simulator.url("p")))) == set()
        assert "koha-3" in keys(listed(simulator.url("p")))


@pytest.mark.parametrize("script", ["page=2", "page=x:html", "page=2:sulap", "page=2:999"])
def test_a_script_that_is_not_understood_is_refused_with_the_known_faults(script: str) -> None:
    with pytest.raises(ConfigError, match="truncate"):
        serving(filled(1), script=script)
