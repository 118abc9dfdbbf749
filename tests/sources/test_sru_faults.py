"""Section B of the zoo, SRU: what servers do wrong, each case lost by the loop that follows nextRecordPosition."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from harvester.errors import Blocked, ConfigError, ProtocolError, SourceUnavailable
from harvester.model import Window
from harvester.sources import Limits, cql
from tests.sources import naive_sru
from tests.sources import sru_answers as answers
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Reply, Request, Script, ScriptedServer
from tests.sources.sliced_outcome import facts_of, harvest, opened
from tests.sources.sru_answers import diagnostic, entry, marcxml, paged, response

ENTRIES = [entry(marcxml(number)) for number in range(1, 26)]
IDENTIFIERS = [f"b{number}" for number in range(1, 26)]
WHOLE = {"options": {"slicing": []}}
TWICE = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=2, page_attempts=2)


def ours(script: Script, **given: object) -> tuple[Outcome, ScriptedServer]:
    with ScriptedServer(script) as server:
        return harvest("sru", server.url, **{**WHOLE, **given}), server  # type: ignore[arg-type]


def naive_loses(script: Script, wanted: int = 25) -> None:
    """The naive loop does not bring all of them and say so rightly."""
    with ScriptedServer(script) as server:
        outcome = naive_sru.harvest(server.url)
    assert outcome.error is not None or len(set(outcome.identifiers)) != wanted


def starts(server: ScriptedServer) -> list[str]:
    return [one.arguments["startRecord"] for one in server.requests if "startRecord" in one.arguments]


def test_a_server_that_names_no_next_position_is_had_whole() -> None:
    outcome, server = ours(paged(ENTRIES))
    assert outcome.identifiers == IDENTIFIERS
    assert starts(server) == ["1", "11", "21"]
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    naive_loses(paged(ENTRIES))


def test_the_best_schema_that_explain_offers_is_asked_for() -> None:
    _, server = ours(paged(ENTRIES))
    assert {one.arguments.get("recordSchema") for one in server.requests if "startRecord" in one.arguments} == {
        "marcxml"
    }
    _, named = ours(paged(ENTRIES), metadata_prefix="mods")
    assert named.requests[-1].arguments["recordSchema"] == "mods"


def test_a_server_without_explain_is_harvested_all_the_same() -> None:
    outcome, server = ours(paged(ENTRIES, explain=response((), None, diagnostic(4, "explain"))))
    assert outcome.identifiers == IDENTIFIERS
    assert "recordSchema" not in server.requests[-1].arguments


def test_z039_fewer_records_than_asked_advance_by_what_came() -> None:
    def seven(request: Request) -> bytes:
        start, _ = answers.position(request)
        return response(ENTRIES[start - 1 : start + 6], 25)

    outcome, server = ours(paged(ENTRIES, page=seven))
    assert outcome.identifiers == IDENTIFIERS
    assert starts(server) == ["1", "8", "15", "22"]
    assert facts_of(outcome)["page-size"] == "7"
    naive_loses(paged(ENTRIES, page=seven))


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (3, ProtocolError, "login"),
        (10, ProtocolError, "1/10"),
        (16, ProtocolError, "1/16"),
        (66, ProtocolError, "1/66"),
        (2, SourceUnavailable, ""),
    ],
)
def test_z040_a_diagnostic_with_http_200_is_an_error_and_not_an_empty_list(
    number: int, kind: type[Exception], code: str
) -> None:
    def refusing(request: Request) -> bytes:
        return response((), None, diagnostic(number, "marcxml", "no"))

    script = paged(ENTRIES, page=refusing, count=refusing)
    outcome, _ = ours(script, limits=TWICE)
    assert isinstance(outcome.error, kind)
    assert outcome.code == code
    assert outcome.verdict == "partial"
    naive_loses(script)


def test_z040_a_refused_schema_is_an_error_though_the_count_worked() -> None:
    def refusing(request: Request) -> bytes:
        return response((), 25, diagnostic(66, "marcxml"))

    outcome, _ = ours(paged(ENTRIES, page=refusing))
    assert outcome.code == "1/66"
    naive_loses(paged(ENTRIES, page=refusing))


def test_z040_nothing_found_with_a_diagnostic_about_the_position_is_an_empty_list() -> None:
    def empty(request: Request) -> bytes:
        return response((), 0, diagnostic(61))

    outcome, _ = ours(paged([], page=empty, count=empty))
    assert outcome.error is None
    assert [(page.records, page.token) for page in outcome.pages] == [((), "")]


def capped(request: Request) -> bytes:
    start, most = answers.position(request)
    if start > 20:
        return response((), 25, diagnostic(61))
    return response(ENTRIES[start - 1 : min(start - 1 + most, 20)], 25)


def test_z041_a_server_that_goes_no_further_leaves_the_list_partial_with_the_count() -> None:
    outcome, _ = ours(paged(ENTRIES, page=capped))
    assert len(outcome.identifiers) == 20
    assert (outcome.verdict, outcome.code) == ("partial", "partial")
    assert "5 of 25" in str(outcome.error)
    naive_loses(paged(ENTRIES, page=capped))


def test_z041_a_server_that_goes_no_further_is_cut_into_slices() -> None:
    """The limit is found on the way: the query is split by date, and everything comes."""

    def dated(request: Request) -> bytes:
        start, most = answers.position(request)
        clause = request.arguments["query"]
        months = [f"20240{number % 3 + 1}05120000" for number in range(1, 26)]
        wanted = clause.split('"')[1].rstrip("*") if "lastModification" in clause else ""
        found = [one for one, month in zip(ENTRIES, months, strict=True) if month.startswith(wanted)]
        if start > 9:
            return response((), len(found), diagnostic(61))
        return response(found[start - 1 : min(start - 1 + most, 9)], len(found))

    script = paged(ENTRIES, page=dated, count=dated)
    outcome, _ = ours(script, options={"slicing": ["date"]})
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert facts_of(outcome)["most"] == "9"
    naive_loses(script)


def test_z041_an_empty_page_in_mid_list_is_a_limit_and_not_the_end() -> None:
    def silent(request: Request) -> bytes:
        start, most = answers.position(request)
        return response(ENTRIES[start - 1 : start - 1 + most] if start <= 20 else (), 25)

    outcome, _ = ours(paged(ENTRIES, page=silent))
    assert outcome.verdict == "partial"
    assert len(outcome.identifiers) == 20
    naive_loses(paged(ENTRIES, page=silent))


def test_z042_a_list_that_shifts_under_way_is_read_again() -> None:
    pages: list[int] = []

    def shifting(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        order = ENTRIES[5:] + ENTRIES[:5] if len(pages) == 2 else ENTRIES
        return response(order[start - 1 : start - 1 + most], 25)

    outcome, _ = ours(paged(ENTRIES, page=shifting))
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert outcome.verdict == "complete"
    pages.clear()
    naive_loses(paged(ENTRIES, page=shifting))


def test_z042_a_number_of_records_that_changes_begins_the_slice_again() -> None:
    pages: list[int] = []

    def growing(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        shown = ENTRIES[1:] if len(pages) == 1 else ENTRIES
        return response(shown[start - 1 : start - 1 + most], len(shown))

    outcome, _ = ours(paged(ENTRIES, page=growing))
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    pages.clear()
    naive_loses(paged(ENTRIES, page=growing))


def test_z042_the_same_page_for_ever_is_not_a_list() -> None:
    def same(request: Request) -> bytes:
        return response(ENTRIES[:10], 25, also="<zs:nextRecordPosition>11</zs:nextRecordPosition>")

    outcome, _ = ours(paged(ENTRIES, page=same))
    assert outcome.verdict == "partial"
    assert outcome.code == "repeatedPage"
    naive_loses(paged(ENTRIES, page=same))


def test_z044_a_surrogate_diagnostic_costs_only_its_own_record() -> None:
    failed = f'<diagnostic xmlns="{answers.NAMESPACES["1.1"][1]}"><uri>info:srw/diagnostic/1/64</uri></diagnostic>'
    entries = [*ENTRIES[:3], entry(failed, schema="info:srw/schema/1/diagnostics-v1.1"), *ENTRIES[4:]]
    outcome, _ = ours(paged(entries))
    assert outcome.identifiers == [*IDENTIFIERS[:3], *IDENTIFIERS[4:]]
    assert [(one.reason, one.place) for one in outcome.damages] == [("surrogate-diagnostic", "p all position 4")]
    assert outcome.verdict == "complete"
    naive_loses(paged(entries), 24)


PACKED = {
    "elements": entry(marcxml(1)),
    "elements though it says string": entry(marcxml(1), packing="string"),
    "escaped": entry(escape(marcxml(1)), packing="string"),
    "escaped though it says xml": entry(escape(marcxml(1)), packing="xml"),
    "escaped with a declaration": entry(
        escape('<?xml version="1.0" encoding="ISO-8859-1"?>\n' + marcxml(1)), packing="string"
    ),
    "escaped twice": entry(escape(escape(marcxml(1))), packing="string"),
    "in CDATA": entry(f"<![CDATA[{marcxml(1)}]]>", packing="string"),
    "with a comment before it": entry("<!-- ok -->\n  " + marcxml(1)),
    "in a collection": entry(f'<collection xmlns="{answers.MARC}">{marcxml(1)}</collection>'),
}


@pytest.mark.parametrize("label", PACKED)
def test_z045_a_record_is_unpacked_from_whatever_it_is_packed_in(label: str) -> None:
    outcome, _ = ours(paged([PACKED[label]]))
    assert outcome.identifiers == ["b1"]
    assert outcome.payloads[0].startswith("<record ")
    assert "Bumi manusia" in outcome.payloads[0]
    assert [record.format for page in outcome.pages for record in page.records] == ["marcxml"]
    if "escaped" in label or "CDATA" in label:
        naive_loses(paged([PACKED[label]]), 1)


@pytest.mark.parametrize("version", ["1.1", "1.2", "2.0"])
def test_z045_the_payload_does_not_depend_on_the_version_of_the_envelope(version: str) -> None:
    def page(request: Request) -> bytes:
        return response(ENTRIES[:1], 1, version=version)

    outcome, server = ours(paged(ENTRIES[:1], page=page), options={"slicing": [], "version": version})
    assert outcome.payloads == [marcxml(1)]
    assert server.requests[-1].arguments["version"] == version
    assert ("operation" in server.requests[-1].arguments) == (version != "2.0")


def test_the_version_that_a_server_names_is_used() -> None:
    def only_new(request: Request) -> bytes:
        if request.arguments.get("version") != "2.0":
            return response((), None, diagnostic(5, "2.0", "Unsupported version"))
        start, most = answers.position(request)
        return response(ENTRIES[start - 1 : start - 1 + most] if most else (), 25, version="2.0")

    outcome, _ = ours(paged(ENTRIES, page=only_new, count=only_new))
    assert outcome.identifiers == IDENTIFIERS
    assert facts_of(outcome)["version"] == "2.0"
    naive_loses(paged(ENTRIES, page=only_new, count=only_new))


def test_z046_no_term_can_leave_its_place_in_the_query() -> None:
    options = {
        "slicing": ["branch"],
        "indexes": {"branch": {"index": "rec.branch", "values": ['a" or cql.allRecords="1']}},
    }
    _, server = ours(paged(ENTRIES[:1]), options=options)
    queries = {one.arguments.get("query", "") for one in server.requests}
    assert 'rec.branch = "a\\" or cql.allRecords=\\"1"' in queries
    joined = f'rec.branch = "{options["indexes"]["branch"]["values"][0]}"'
    assert isinstance(cql.parse(joined).tree, cql.Boolean), "joined as strings the term becomes a query of its own"


@pytest.mark.parametrize("index", ['rec.id = "x" or rec.id', "and", 'a"b'])
def test_z046_an_index_that_is_no_name_is_refused(index: str) -> None:
    with ScriptedServer(paged(ENTRIES)) as server:
        outcome = harvest("sru", server.url, options={"indexes": {"date": index}})
    assert isinstance(outcome.error, ConfigError)


DC = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
    "<dc:identifier>dc1</dc:identifier><dc:title>Salah asuhan</dc:title></oai_dc:dc>"
)
SRW_DC = (
    '<srw_dc:dc xmlns:srw_dc="info:srw/schema/1/dc-schema" xmlns="http://purl.org/dc/elements/1.1/">'
    "<identifier>dc2</identifier></srw_dc:dc>"
)
MODS = (
    '<mods xmlns="http://www.loc.gov/mods/v3"><titleInfo><title>Layar</title></titleInfo>'
    "<recordInfo><recordIdentifier>m1</recordIdentifier></recordInfo></mods>"
)
MARCXCHANGE = (
    '<mxc:record xmlns:mxc="info:lc/xmlns/marcxchange-v2" format="Unimarc"><mxc:leader/>'
    '<mxc:controlfield tag="001">u1</mxc:controlfield><mxc:datafield tag="200" ind1="1" ind2=" ">'
    '<mxc:subfield code="a">Titre</mxc:subfield></mxc:datafield></mxc:record>'
)
UNKNOWN = '<pica xmlns="info:srw/schema/5/picaXML-v1.0"><datafield tag="003@"/></pica>'


def test_z049_the_format_is_read_from_the_root_element_whatever_schema_is_named() -> None:
    given = "<zs:recordIdentifier>p7</zs:recordIdentifier>"
    entries = [entry(DC), entry(SRW_DC), entry(MODS), entry(MARCXCHANGE), entry(UNKNOWN, also=given), entry(marcxml(1))]
    outcome, _ = ours(paged(entries))
    found = [(record.identifier, record.format) for page in outcome.pages for record in page.records]
    assert found == [
        ("dc1", "oai_dc"),
        ("dc2", "oai_dc"),
        ("m1", "mods"),
        ("u1", "unimarc"),
        ("b1", "marcxml"),
    ]
    assert [(one.reason, one.identifier) for one in outcome.damages] == [("unknown-format", "p7")]
    naive_loses(paged(entries), 6)


def container(*records: str) -> str:
    return f'<collection xmlns="{answers.MARC}">{"".join(records)}</collection>'


HOLDING = (
    '<record type="Holdings"><leader>00000nx  a2200000n  4500</leader><controlfield tag="001">h{0}</controlfield>'
    '<datafield tag="852" ind1=" " ind2=" "><subfield code="a">DE-{0}</subfield></datafield></record>'
)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_holdings_records_beside_a_record_become_its_fields(order: tuple[int, ...]) -> None:
    """DNB and ZDB send a bibliographic record and its holdings records in one recordData, in any order."""
    parts = [marcxml(1), HOLDING.format(11), HOLDING.format(12)]
    outcome, _ = ours(paged([entry(container(*(parts[number] for number in order)))]))
    assert outcome.identifiers == ["b1"]
    assert outcome.payloads[0].index("DE-11") < outcome.payloads[0].index("DE-12")
    assert outcome.payloads[0].count('tag="001"') == 1
    assert outcome.record_flags["b1"] == ("holdings-added:2",)
    naive_loses(paged([entry(container(HOLDING.format(11), marcxml(1)))]), 2)


def test_two_bibliographic_records_in_one_are_quarantined() -> None:
    outcome, _ = ours(paged([entry(container(marcxml(1), marcxml(2))), ENTRIES[2]]))
    assert [one.reason for one in outcome.damages] == ["several"]
    assert outcome.identifiers == ["b3"]


def test_a_record_in_metadata_in_a_collection_is_found() -> None:
    """Bibsys: recordData/metadata/collection/record."""
    outcome, _ = ours(paged([entry(f"<metadata>{container(marcxml(1))}</metadata>")]))
    assert outcome.identifiers == ["b1"]


def test_a_record_that_says_it_is_deleted_is_deleted() -> None:
    """Leader position 5 is d: told by the partner, not guessed from absence."""
    outcome, _ = ours(paged([ENTRIES[0], entry(marcxml(2).replace("00000nam", "00000dam"))]))
    assert outcome.deleted == ["b2"]


def test_no_token_comes_twice_though_a_slice_is_read_again() -> None:
    pages: list[int] = []

    def shifting(request: Request) -> bytes:
        pages.append(1)
        start, most = answers.position(request)
        order = ENTRIES[5:] + ENTRIES[:5] if len(pages) == 2 else ENTRIES
        return response(order[start - 1 : start - 1 + most], 25)

    outcome, _ = ours(paged(ENTRIES, page=shifting))
    tokens = [page.token for page in outcome.pages]
    assert len(tokens) == len(set(tokens)) > 4


def test_z050_a_record_that_came_empty_is_asked_for_alone_and_in_another_schema() -> None:
    def blank(request: Request) -> bytes:
        start, most = answers.position(request)
        page = ENTRIES[start - 1 : start - 1 + most]
        if request.arguments.get("recordSchema"):
            page = [entry("") if one is ENTRIES[6] else one for one in page]
        return response(page, 25)

    outcome, _ = ours(paged(ENTRIES, page=blank))
    assert outcome.identifiers == IDENTIFIERS
    naive_loses(paged(ENTRIES, page=blank))


def test_z050_a_record_that_stays_empty_is_quarantined() -> None:
    entries = [*ENTRIES[:4], entry("  "), *ENTRIES[5:]]
    outcome, _ = ours(paged(entries))
    assert [(one.reason, one.place) for one in outcome.damages] == [("empty", "p all position 5")]
    assert len(outcome.identifiers) == 24
    naive_loses(paged(entries), 24)


def test_z051_a_page_that_breaks_off_is_fetched_again() -> None:
    cut: list[int] = []

    def cutting(request: Request) -> bytes:
        start, most = answers.position(request)
        whole = response(ENTRIES[start - 1 : start - 1 + most], 25)
        cut.append(start)
        return whole[: len(whole) // 2] if cut.count(11) == 1 and start == 11 else whole

    outcome, _ = ours(paged(ENTRIES, page=cutting))
    assert outcome.identifiers == IDENTIFIERS
    cut.clear()
    naive_loses(paged(ENTRIES, page=cutting))


def test_a_record_that_breaks_its_page_costs_only_itself() -> None:
    """A control character makes the whole page no XML; smaller pages find the one record."""
    entries = [*ENTRIES[:13], entry(marcxml(14, "Siti\x0bNurbaya")), *ENTRIES[14:]]
    outcome, _ = ours(paged(entries), limits=TWICE)
    assert outcome.identifiers == [*IDENTIFIERS[:13], *IDENTIFIERS[14:]]
    assert [(one.reason, one.place) for one in outcome.damages] == [("not-well-formed", "p all position 14")]
    assert b"Siti\x0bNurbaya" in outcome.damages[0].payload
    assert outcome.verdict == "complete"
    naive_loses(paged(entries), 24)


BOMB = b'<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>'


def test_an_answer_with_a_document_type_is_refused() -> None:
    outcome, _ = ours(lambda request: Reply(BOMB))
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.code == "doctype"


def test_a_record_with_a_document_type_is_quarantined() -> None:
    entries = [entry(escape(BOMB.decode()), packing="string"), *ENTRIES[1:]]
    outcome, _ = ours(paged(entries))
    assert [one.reason for one in outcome.damages] == ["doctype"]
    assert len(outcome.identifiers) == 24


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html><body>Log in</body></html>", b"<html>Maintenance</html>"])
def test_a_page_for_people_is_blocked_and_not_an_empty_list(page: bytes) -> None:
    outcome, _ = ours(lambda request: Reply(page), limits=TWICE)
    assert isinstance(outcome.error, Blocked)
    naive_loses(lambda request: Reply(page))


def test_another_xml_document_is_no_answer() -> None:
    outcome, _ = ours(lambda request: Reply(b"<rss><channel/></rss>"))
    assert isinstance(outcome.error, ProtocolError)
    assert "rss" in str(outcome.error)


def test_a_record_without_an_identifier_is_quarantined() -> None:
    nameless = marcxml(1).replace('<controlfield tag="001">b1</controlfield>', "")
    outcome, _ = ours(paged([entry(nameless), *ENTRIES[1:3]]))
    assert [one.reason for one in outcome.damages] == ["no-identifier"]
    assert outcome.identifiers == ["b2", "b3"]
    naive_loses(paged([entry(nameless), *ENTRIES[1:3]]), 2)


def test_results_that_are_too_many_to_count_are_cut_until_they_can_be() -> None:
    """Diagnostic 60 is no reason to give up an index: smaller prefixes are counted."""

    def picky(request: Request) -> bytes:
        start, most = answers.position(request)
        wanted = request.arguments["query"].split('"')[1].rstrip("*")
        found = [one for number, one in enumerate(ENTRIES) if str(2001 + number % 3).startswith(wanted)]
        if "allRecords" in request.arguments["query"] or len(found) > 10:
            return response((), None, diagnostic(60))
        return response(found[start - 1 : start - 1 + most] if most else (), len(found))

    outcome, _ = ours(paged(ENTRIES, page=picky, count=picky), options={"slicing": ["date"]})
    assert set(outcome.identifiers) == set(IDENTIFIERS)
    assert (outcome.verdict, outcome.proof) == ("complete", "claimed")


def test_a_harvest_goes_on_behind_the_last_page_that_was_kept() -> None:
    with ScriptedServer(paged(ENTRIES)) as server:
        whole = harvest("sru", server.url, **WHOLE)
        rest = harvest("sru", server.url, Window(token=whole.pages[0].token), **WHOLE)
    assert rest.identifiers == IDENTIFIERS[10:]


def test_a_token_that_is_none_of_ours_is_refused() -> None:
    outcome, _ = ours(paged(ENTRIES), window=Window(token="oai_dc/100"))
    assert outcome.code == "token"


def test_explain_and_scan_can_be_asked() -> None:
    terms = b'<s:scanResponse xmlns:s="http://www.loc.gov/zing/srw/"><s:terms><s:term><s:value>b1</s:value><s:numberOfRecords>1</s:numberOfRecords></s:term></s:terms></s:scanResponse>'

    def script(request: Request) -> Reply:
        return Reply(terms) if request.arguments.get("operation") == "scan" else paged(ENTRIES)(request)

    with ScriptedServer(script) as server:
        harvester = opened("sru", server.url)
        explained = harvester.reader.explain()
        assert harvester.reader.scan("identifier", "b", 5) == (("b1", 1),)
        harvester.close()
    assert (explained.title, explained.indexes, explained.most_records) == ("Katalog", ("rec.id",), 10)
    assert [name for name, _ in explained.schemas] == ["dc", "marcxml"]


@pytest.mark.parametrize(
    "options",
    [
        {"version": "3.0"},
        {"query_language": "sql"},
        {"page_size": 0},
        {"slicing": "date"},
        {"slicing": ["nothing"]},
        {"query": "a and"},
    ],
    ids=str,
)
def test_an_option_that_cannot_be_read_is_the_operators(options: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        opened("sru", "http://127.0.0.1:1/", options=options)
