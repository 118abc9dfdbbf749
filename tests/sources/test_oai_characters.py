"""Answers that are no sound XML, or not quite OAI-PMH (zoo Z035 to Z038)."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.model import Window
from harvester.sources import oai_page
from tests.sources.oai_answers import (
    dublin_core,
    error,
    in_pages,
    listing,
    record,
    serve,
    token,
)
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Script, ScriptedServer
from tests.sources.zoo import Zoo, first, identifiers

ZOO = Zoo()

NIGHT = Window(since="2026-03-01T17:45:00Z")


GOOD = in_pages(3, 3)[0]

for label, answer in (
    ("PHP notices before the XML", b"<br />\n<b>Notice</b>: Undefined index: set in oai.php<br />\n" + GOOD),
    ("PHP notices after the XML", GOOD + b"\n<br />\n<b>Warning</b>: mysql_close() expects & more"),
    ("a blank line before the XML declaration", b"\r\n" + GOOD),
    ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD),
    ("an SQL text before the XML", b"Cannot find records: SELECT * FROM catalogs WHERE a < 3\n" + GOOD),
):

    @ZOO.fault("Z035", label, lambda answer=answer: serve([answer]))
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", first(3))
        assert "repaired" in outcome.flags


QUIET = b"Cannot find records: SELECT * FROM catalogs WHERE CreateDate >= '2026-03-01'\n" + error("noRecordsMatch")


@ZOO.fault("Z035", "a quiet night of INLISLite: SQL text, then noRecordsMatch", lambda: serve([QUIET]), window=NIGHT)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.error) == ("complete", None)


@ZOO.fault("Z035", "a page cut off, without token", lambda: serve([GOOD[: GOOD.index(b"oai:x:2")]]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert outcome.identifiers == first(2), "what is whole is kept"
    assert "salvaged" in outcome.flags


@ZOO.fault(
    "Z035",
    "a page broken between its records, token readable",
    lambda: serve([listing(record(0), b"<recrd", record(1), token("t1")), listing(record(2))]),
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert outcome.identifiers == first(3), "the list goes on"


BAD = b"<record><header><identifier>oai:x:1</identifier></header><metadata>%s</metadata></record>"

for label, content, text, flag in (
    (
        "a control character",
        dublin_core("Bumi\x0bmanusia"),
        "Bumimanusia",
        r"characters:control::Bumi\x0bmanusia → Bumimanusia",
    ),
    (
        "a control character as reference",
        dublin_core("Bumi&#11; manusia"),
        "Bumi manusia",
        "characters:control::Bumi&#11; → Bumi",
    ),
    ("a bare ampersand", dublin_core("Tom & Jerry"), "Tom &amp; Jerry", "xml:ampersand::& → &amp;"),
    ("an HTML entity", dublin_core("Caf&eacute;"), "Café", "xml:entity::Caf&eacute; → Café"),
    (
        "Latin-1 bytes",
        dublin_core("CafX").replace(b"X", b"\xe9"),
        "Café",
        r"encoding:latin1-under-utf8::Caf\xe9 → Café",
    ),
    (
        "an undeclared prefix",
        b"<dc:title>Saman</dc:title>",
        "Saman",
        'xml:prefix::<OAI-PMH → <OAI-PMH xmlns:dc="urn:undeclared:dc"',
    ),
):

    @ZOO.fault(
        "Z036", f"{label} in one record", lambda content=content: serve([listing(record(0), BAD % content, record(2))])
    )
    def _(outcome: Outcome, server: ScriptedServer, text: str = text, flag: str = flag) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", first(3))
        assert text in outcome.payloads[1]
        assert outcome.record_flags.get("oai:x:1") == (flag,), "flagged"
        assert outcome.record_flags.get("oai:x:0") == (), "its neighbours are not"
        assert outcome.pages[0].records[1].received, "the bytes as they came are kept"


@ZOO.fault(
    "Z036", "a record that cannot be mended", lambda: serve([listing(record(0), BAD % b"<a><b></a>", record(2))])
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "complete"
    assert [each.identifier for page in outcome.pages for each in page.records] == identifiers(0, 2)
    assert [(each.reason, each.identifier) for each in outcome.damages] == [("not-well-formed", "oai:x:1")]
    assert b"oai:x:1" in outcome.damages[0].payload


OAI = b"http://www.openarchives.org/OAI/2.0/"
MARC = (
    b'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
    b'<controlfield tag="001">1</controlfield></record>'
)

for label, answer in (
    ("a wrong namespace", GOOD.replace(OAI, b"http://www.openarchives.org/OAI/2.0", 1)),
    ("no namespace", GOOD.replace(b' xmlns="' + OAI + b'"', b"", 1)),
    ("OAI-PMH 1.1", GOOD.replace(OAI, b"http://www.openarchives.org/OAI/1.1/OAI_ListRecords", 1)),
):

    @ZOO.fault("Z037", label, lambda answer=answer: serve([answer]))
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", first(3))
        assert "namespace" in outcome.flags


def prefixed() -> Script:
    plain = listing(BAD % MARC)
    for name in (b"OAI-PMH", b"ListRecords", b"header", b"identifier", b"metadata", b"responseDate", b"request"):
        plain = plain.replace(b"<" + name, b"<o:" + name).replace(b"</" + name, b"</o:" + name)
    plain = plain.replace(b'xmlns="http://www.openarchives', b'xmlns:o="http://www.openarchives')
    plain = plain.replace(b"<record><o:header", b"<o:record><o:header").replace(
        b"</o:metadata></record>", b"</o:metadata></o:record>"
    )
    return serve([plain])


def by_prefix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page, "children", lambda element, name: element.findall(name))


@ZOO.fault("Z037", "a prefix on every element of OAI-PMH", prefixed, mutant=by_prefix)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", identifiers(1))
    assert outcome.pages[0].records[0].format == "marcxml"


ILLEGAL = dublin_core("Saman").replace(
    b"</oai_dc:dc>", b"<dc:identifier_isbn>9789799023175</dc:identifier_isbn><image>a.jpg</image></oai_dc:dc>"
)


def drops_unknown(patch: pytest.MonkeyPatch) -> None:
    def bare(metadata: Any) -> Any:
        for child in list(metadata):
            if "title" not in child.tag:
                metadata.remove(child)
        return metadata

    patch.setattr(oai_page, "_unwrapped", bare)


@ZOO.fault(
    "Z038", "Dublin Core with elements that do not exist", lambda: serve([listing(BAD % ILLEGAL)]), mutant=drops_unknown
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert "9789799023175" in outcome.text and "a.jpg" in outcome.text


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
