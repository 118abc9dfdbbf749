"""Section B of the zoo, SRU: what a record comes packed in, and what a broken one costs."""

from __future__ import annotations

from xml.sax.saxutils import escape

import pytest

from tests.sources import sru_answers as answers
from tests.sources.scripted_server import Request
from tests.sources.sru_answers import entry, marcxml, paged, response
from tests.sources.sru_case import BOMB, ENTRIES, IDENTIFIERS, TWICE, naive_loses, ours


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


def test_a_record_that_breaks_its_page_costs_only_itself() -> None:
    """A control character makes the whole page no XML; smaller pages find the one record."""
    entries = [*ENTRIES[:13], entry(marcxml(14, "Siti\x0bNurbaya")), *ENTRIES[14:]]
    outcome, _ = ours(paged(entries), limits=TWICE)
    assert outcome.identifiers == [*IDENTIFIERS[:13], *IDENTIFIERS[14:]]
    assert [(one.reason, one.place) for one in outcome.damages] == [("not-well-formed", "p all position 14")]
    assert b"Siti\x0bNurbaya" in outcome.damages[0].payload
    assert outcome.verdict == "complete"
    naive_loses(paged(entries), 24)


def test_a_record_with_a_document_type_is_quarantined() -> None:
    entries = [entry(escape(BOMB.decode()), packing="string"), *ENTRIES[1:]]
    outcome, _ = ours(paged(entries))
    assert [one.reason for one in outcome.damages] == ["doctype"]
    assert len(outcome.identifiers) == 24


def test_a_record_without_an_identifier_is_quarantined() -> None:
    nameless = marcxml(1).replace('<controlfield tag="001">b1</controlfield>', "")
    outcome, _ = ours(paged([entry(nameless), *ENTRIES[1:3]]))
    assert [one.reason for one in outcome.damages] == ["no-identifier"]
    assert outcome.identifiers == ["b2", "b3"]
    naive_loses(paged([entry(nameless), *ENTRIES[1:3]]), 2)
