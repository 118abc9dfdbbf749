"""The union as an OAI-PMH repository: by the letter of the protocol, and harvested by stock sickle."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pymarc
import pytest
from lxml import etree
from oaipmh.client import Client
from oaipmh.metadata import MetadataRegistry, oai_dc_reader
from sickle import Sickle
from sickle.oaiexceptions import NoRecordsMatch

from harvester.clock import SystemClock
from harvester.formats import marcxml
from harvester.model import Source, Window
from harvester.outputs.oai_provider import Repository, respond
from harvester.sources import sources
from harvester.sources.environment import Environment, Limits
from tests.canaries import SECRETS
from tests.outputs.oai_server import OaiServer
from tests.outputs.union import Union, book, held_by, write_marc

OAI = "{http://www.openarchives.org/OAI/2.0/}"
SIGNS = SECRETS["session"].encode()
REPOSITORY = Repository(
    "Katalog Induk",
    "http://127.0.0.1/oai",
    "induk.test",
    "admin@example.id",
    SECRETS["session"].encode(),
    write_marc,
    7,
)


def ask(union: Union, *parameters: tuple[str, str], repository: Repository = REPOSITORY) -> etree._Element:
    now = union.clock.now() + timedelta(seconds=60)
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return etree.fromstring(respond(parameters, union, repository, now), parser)


def errors(answer: etree._Element) -> set[str]:
    return {str(one.get("code")) for one in answer.iter(f"{OAI}error")}


def rows(answer: etree._Element) -> dict[str, str]:
    """Cluster → status of every header."""
    found = answer.iter(f"{OAI}header")
    return {str(one.findtext(f"{OAI}identifier")).rpartition(":")[2]: one.get("status", "") for one in found}


def harvest(union: Union, *parameters: tuple[str, str]) -> dict[str, str]:
    """Every header of a list, page after page."""
    verb = next(value for name, value in parameters if name == "verb")
    answer = ask(union, *parameters)
    found = rows(answer)
    while token := answer.findtext(f".//{OAI}resumptionToken"):
        answer = ask(union, ("verb", verb), ("resumptionToken", token))
        found |= rows(answer)
    return found


@pytest.fixture
def union() -> Union:
    made = Union()
    for n in range(1, 31):
        made.commit({str(n): [held_by(f"{'ui' if n % 2 else 'inlis'}/{n}", book(f"Judul {n} é قال"))]})
    made.commit({"31": [held_by("ugm/oai:ugm:1", book("Skripsi", material="thesis"))]}, {"3": "1", "4": ""})
    return made


LIST = (("verb", "ListRecords"), ("metadataPrefix", "oai_dc"))


@pytest.mark.parametrize(
    ("label", "parameters", "code"),
    [
        ("no verb", [], "badVerb"),
        ("unknown verb", [("verb", "Delete")], "badVerb"),
        ("verb twice", [("verb", "Identify"), ("verb", "Identify")], "badVerb"),
        ("unknown argument", [("verb", "Identify"), ("x", "1")], "badArgument"),
        ("argument twice", [*LIST, ("metadataPrefix", "oai_dc")], "badArgument"),
        ("required argument missing", [("verb", "ListRecords")], "badArgument"),
        ("identifier missing", [("verb", "GetRecord"), ("metadataPrefix", "oai_dc")], "badArgument"),
        ("from is no date", [*LIST, ("from", "kemarin")], "badArgument"),
        ("a date that is none", [*LIST, ("from", "2026-02-30")], "badArgument"),
        ("empty date", [*LIST, ("until", "")], "badArgument"),
        ("local time", [*LIST, ("from", "2026-11-22T01:00:00+07:00")], "badArgument"),
        ("two granularities", [*LIST, ("from", "2026-11-21"), ("until", "2026-11-22T00:00:00Z")], "badArgument"),
        ("from after until", [*LIST, ("from", "2026-11-22"), ("until", "2026-11-21")], "badArgument"),
        ("token and argument", [*LIST, ("resumptionToken", "x")], "badArgument"),
        ("overlong argument", [*LIST, ("set", "x" * 3000)], "badArgument"),
        ("foreign token", [("verb", "ListRecords"), ("resumptionToken", "AAAA")], "badResumptionToken"),
        ("token of letters", [("verb", "ListRecords"), ("resumptionToken", "é!")], "badResumptionToken"),
        ("token of sets", [("verb", "ListSets"), ("resumptionToken", "x")], "badResumptionToken"),
        ("unknown format", [("verb", "ListRecords"), ("metadataPrefix", "mods")], "cannotDisseminateFormat"),
        ("unknown set", [*LIST, ("set", "partner:x")], "noRecordsMatch"),
        ("future", [*LIST, ("from", "2030-01-01")], "noRecordsMatch"),
        ("past", [*LIST, ("until", "1999-01-01")], "noRecordsMatch"),
        ("empty set", [*LIST, ("set", "partner:ugm"), ("until", "2026-11-21T18:01:00Z")], "noRecordsMatch"),
        (
            "unknown record",
            [("verb", "GetRecord"), ("metadataPrefix", "oai_dc"), ("identifier", "oai:induk.test:999")],
            "idDoesNotExist",
        ),
        (
            "foreign identifier",
            [("verb", "GetRecord"), ("metadataPrefix", "oai_dc"), ("identifier", "oai:x:1")],
            "idDoesNotExist",
        ),
        ("formats of nothing", [("verb", "ListMetadataFormats"), ("identifier", "1")], "idDoesNotExist"),
        (
            "record in an unknown format",
            [("verb", "GetRecord"), ("metadataPrefix", "x"), ("identifier", "oai:induk.test:1")],
            "cannotDisseminateFormat",
        ),
    ],
)
def test_every_error_has_its_code(union: Union, label: str, parameters: list[tuple[str, str]], code: str) -> None:
    answer = ask(union, *parameters)
    assert errors(answer) == {code}
    request = answer.find(f"{OAI}request")
    assert request is not None
    assert bool(request.attrib) == (code not in ("badVerb", "badArgument"))


def test_hostile_parameters_come_back_as_text(union: Union) -> None:
    answer = ask(union, *LIST, ("set", '"><script>\x00'))
    assert errors(answer) == {"noRecordsMatch"}
    assert not list(answer.iter("script"))


def test_identify_sets_and_formats(union: Union) -> None:
    identify = ask(union, ("verb", "Identify"))
    values = {
        name: identify.findtext(f".//{OAI}{name}") for name in ("deletedRecord", "granularity", "earliestDatestamp")
    }
    assert values == {
        "deletedRecord": "persistent",
        "granularity": "YYYY-MM-DDThh:mm:ssZ",
        "earliestDatestamp": "2026-11-21T18:00:10Z",
    }
    specs = [one.text for one in ask(union, ("verb", "ListSets")).iter(f"{OAI}setSpec")]
    assert {"partner:ugm", "partner:ui", "group:Yogya", "material:thesis"} <= set(specs)
    prefixes = [one.text for one in ask(union, ("verb", "ListMetadataFormats")).iter(f"{OAI}metadataPrefix")]
    assert prefixes == ["oai_dc", "marc21"]


def test_lists_go_page_by_page_to_the_end_with_deletions(union: Union) -> None:
    found = harvest(union, *LIST)
    assert {cluster for cluster, status in found.items() if status == "deleted"} == {"3", "4"}
    assert {cluster for cluster, status in found.items() if not status} == set(union.clusters)
    assert harvest(union, ("verb", "ListIdentifiers"), ("metadataPrefix", "marc21")) == found


def test_sets_narrow_the_list_and_tell_what_left_them(union: Union) -> None:
    assert set(harvest(union, *LIST, ("set", "partner:ugm"))) == {"31"}
    assert set(harvest(union, *LIST, ("set", "group:Yogya"))) >= {"31", "2"}
    assert harvest(union, *LIST, ("set", "material:thesis")) == {"31": "", "3": "deleted", "4": "deleted"}
    union.commit({"31": [held_by("ui/99", book("Skripsi", material="thesis"))]})
    assert harvest(union, *LIST, ("set", "partner:ugm")) == {"31": "deleted"}
    assert harvest(union, *LIST, ("set", "partner:ui"))["31"] == ""


def test_what_changes_during_a_list_is_in_the_next_one(union: Union) -> None:
    answer = ask(union, *LIST)
    date = str(answer.findtext(f"{OAI}responseDate"))
    token = str(answer.findtext(f".//{OAI}resumptionToken"))
    union.clock.time += timedelta(seconds=120)
    union.commit({"1": [held_by("ui/1", book("Baru"))]})
    later = ask(union, ("verb", "ListRecords"), ("resumptionToken", token))
    assert later.findtext(f"{OAI}responseDate") == date
    assert set(harvest(union, *LIST, ("from", date))) == {"1"}


def test_a_change_dated_before_a_harvest_and_committed_after_it_is_not_missed(union: Union) -> None:
    """A harvester goes on from responseDate; a change gets its date some milliseconds before it is committed."""
    now = union.clock.now() + timedelta(seconds=100)
    first = etree.fromstring(respond(LIST, union, REPOSITORY, now))
    date = str(first.findtext(f"{OAI}responseDate"))
    union.clock.time = now - timedelta(seconds=11)  # commit adds ten: dated one second before that harvest
    union.commit({"77": [held_by("ui/77")]})
    assert "77" in harvest(union, *LIST, ("from", date))


def test_tokens_are_stateless_signed_and_bound_to_verb_epoch_and_secret(union: Union) -> None:
    token = str(ask(union, *LIST).findtext(f".//{OAI}resumptionToken"))
    again = [rows(ask(union, ("verb", "ListRecords"), ("resumptionToken", token))) for _ in range(2)]
    assert again[0] == again[1] != {}
    forged = token[:-1] + ("A" if token[-1] != "A" else "B")
    for verb, value, repository in (
        ("ListRecords", forged, REPOSITORY),
        ("ListIdentifiers", token, REPOSITORY),
        ("ListRecords", token, REPOSITORY._replace(secret=b"another")),
    ):
        answer = ask(union, ("verb", verb), ("resumptionToken", value), repository=repository)
        assert errors(answer) == {"badResumptionToken"}
    union.epoch = "restored"
    assert errors(ask(union, ("verb", "ListRecords"), ("resumptionToken", token))) == {"badResumptionToken"}


def test_marc_is_the_union_record_and_control_characters_do_not_break_the_answer(union: Union) -> None:
    union.commit({"50": [held_by("ui/50", book("a\x00\x0b<b>&\ufffe\x1d")), held_by("ugm/oai:ugm:50")]})
    get = (("verb", "GetRecord"), ("identifier", "oai:induk.test:50"))
    answer = ask(union, *get, ("metadataPrefix", "marc21"))
    record = answer.find(".//{http://www.loc.gov/MARC21/slim}record")
    assert record is not None
    marc = pymarc.parse_xml_to_array(io.BytesIO(etree.tostring(record)))[0]
    assert marc["001"].data == "50"
    assert [one["a"] for one in marc.get_fields("035")] == ["(ugm)oai:ugm:50", "(ui)50"]
    assert errors(ask(union, *get, ("metadataPrefix", "oai_dc"))) == set()


# ---- harvested over HTTP -----------------------------------------------------------------------------


class Harvester:
    """A consumer that keeps what stock sickle gives it."""

    def __init__(self, url: str) -> None:
        self.sickle = Sickle(url, max_retries=0, timeout=60)
        self.held: dict[str, str] = {}
        self.since = ""

    def run(self) -> None:
        """One incremental harvest, from the responseDate of the last one."""
        arguments = {"metadataPrefix": "oai_dc"} | ({"from": self.since} if self.since else {})
        try:
            records = self.sickle.ListRecords(**arguments)
            self.since = str(records.oai_response.xml.findtext(f"{OAI}responseDate"))
            for record in records:
                cluster = record.header.identifier.rpartition(":")[2]
                if record.deleted:
                    self.held.pop(cluster, None)
                else:
                    self.held[cluster] = record.metadata["title"][0]
        except NoRecordsMatch:
            return


@pytest.fixture
def served(union: Union) -> Iterator[OaiServer]:
    def answer(parameters: list[tuple[str, str]]) -> bytes:
        return respond(parameters, union, REPOSITORY, union.clock.now() + timedelta(seconds=6))

    with OaiServer(answer) as server:
        yield server


def test_stock_sickle_harvests_the_union_with_deletes_and_increments(union: Union, served: OaiServer) -> None:
    harvester = Harvester(served.url)
    harvester.run()
    assert harvester.held == titles(union)
    union.commit({"2": [held_by("inlis/2", book("Dua"))]}, {"5": "1"})
    union.commit({"40": [held_by("ui/40", book("Empat puluh"))]})
    union.commit({"6": [held_by("inlis/6", visible=False)]})
    before = len(harvester.held)
    harvester.run()
    assert harvester.held == titles(union)
    assert len(harvester.held) == before - 1
    harvester.run()
    assert harvester.held == titles(union)
    assert harvester.sickle.Identify().deletedRecord == "persistent"
    assert len(list(harvester.sickle.ListSets())) > 5
    assert harvester.sickle.GetRecord(identifier="oai:induk.test:5", metadataPrefix="oai_dc").deleted


def titles(union: Union) -> dict[str, str]:
    shown = {key: one for key, one in union.clusters.items() if any(member.visible for member in one.members)}
    return {key: one.union.record.title.proper for key, one in shown.items()}


def test_dublin_core_holds_the_union_record(union: Union, served: OaiServer) -> None:
    union.commit({"60": [held_by("ui/60", book(title="Laskar pelangi", country="io"))]})
    record = Sickle(served.url).GetRecord(identifier="oai:induk.test:60", metadataPrefix="oai_dc")
    assert record.metadata == {
        "title": ["Laskar pelangi"],
        "creator": ["Hirata, Andrea"],
        "subject": ["Novel Indonesia"],
        "publisher": ["Bentang"],
        "date": ["2005"],
        "type": ["book"],
        "identifier": ["ISBN:9789793062792", "https://example.org/teks"],
        "language": ["ind"],
    }


def test_the_client_of_the_oaipmh_package_sees_the_same_catalogue(union: Union, served: OaiServer) -> None:
    registry = MetadataRegistry()
    registry.registerReader("oai_dc", oai_dc_reader)
    client = Client(served.url, registry)
    assert client.identify().deletedRecord() == "persistent"
    found = {
        header.identifier().rpartition(":")[2]: metadata.getField("title")[0]
        for header, metadata, _ in client.listRecords(metadataPrefix="oai_dc")
        if not header.isDeleted()
    }
    assert found == titles(union)
    assert [header.identifier() for header in client.listIdentifiers(metadataPrefix="oai_dc", set="partner:ugm")] == [
        "oai:induk.test:31"
    ]


def test_our_own_harvester_takes_the_union_as_a_source(union: Union, served: OaiServer) -> None:
    source = Source("induk", "oai-pmh", url=served.url, metadata_prefix="marc21", internal=True)
    environment = Environment(clock=SystemClock(), limits=Limits(delay_seconds=0))
    pages = list(sources.get("oai-pmh")(source, environment).pages(Window()))
    records = {one.identifier.rpartition(":")[2]: one for page in pages for one in page.records}
    assert [one for page in pages for one in page.damages] == []
    assert {key for key, one in records.items() if one.deleted} == {"3", "4"}
    marc = {key: marcxml.parse(one.payload) for key, one in records.items() if not one.deleted}
    assert {key: one.bodies("245")[0].split("\x1fa")[1].split("\x1f")[0] for key, one in marc.items()} == titles(union)
