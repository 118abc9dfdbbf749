"""The reader without a parser finds what the parser finds, or leaves the document to it."""

from __future__ import annotations

import random

import pytest

from harvester.errors import RecordError
from harvester.formats.marcxml import light, parse, slow
from harvester.formats.marcxml_quick import MAX_HEAD, _shape, quick
from harvester.model import MarcRecord

USUAL = """<record xmlns="http://www.loc.gov/MARC21/slim" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" \
xsi:schemaLocation="http://www.loc.gov/MARC21/slim http://www.loc.gov/standards/marcxml/schema/MARC21slim.xsd">
  <leader>00000nam a2200000 a 4500</leader>
  <controlfield tag="001">INLIS000000000012</controlfield>
  <controlfield tag="008">060301s2005    io  a          000 1 ind  </controlfield>
  <datafield tag="100" ind1="0" ind2=" ">
    <subfield code="a">Andrea Hirata,</subfield>
    <subfield code="e"> </subfield>
  </datafield>
  <datafield tag="245" ind1="1" ind2="0"><subfield code="a">Laskar pelangi &amp; Sang pemimpi :</subfield>
    <subfield code="b">a "b" > c &lt;d&gt; /</subfield>
    <subfield code="c">Iḥyāʼ إحياء</subfield></datafield>
  <datafield ind1=" " ind2="4" tag="650"><subfield code="a">Fiksi Indonesia</subfield></datafield>
</record>
"""
PREFIXED = (
    '<?xml version="1.0" encoding="UTF-8"?><m:record xmlns:m="http://www.loc.gov/MARC21/slim" type="Bibliographic">'
    '<m:leader>00000nam</m:leader><m:datafield tag="020" ind1=" " ind2=" "><m:subfield code="a">9793062797'
    "</m:subfield></m:datafield></m:record>"
)


def swapped(old: str, new: str) -> bytes:
    assert old in USUAL
    return USUAL.replace(old, new).encode()


ODD = {
    "comment": swapped("Fiksi", "<!-- 1 -->Fiksi"),
    "cdata": swapped("Fiksi Indonesia", "<![CDATA[Fiksi]]>"),
    "end of cdata in a text": swapped("Fiksi", "]]>"),
    "character reference": swapped("Fiksi", "&#70;iksi"),
    "unknown entity": swapped("Fiksi", "&eacute;"),
    "bare ampersand": swapped("Fiksi", "a & b"),
    "single quotes": swapped('code="c"', "code='c'"),
    "line end of DOS": swapped("\n", "\r\n"),
    "control character": swapped("Fiksi", "F\x01"),
    "unit separator": swapped("Fiksi", "F\x1f"),
    "non-character": swapped("Fiksi", "F\uffff"),
    "element in a text": swapped("Fiksi", "<b>Fiksi</b>"),
    "other element": swapped("</record>", "<note/></record>"),
    "empty subfield element": swapped('<subfield code="c">Iḥyāʼ إحياء</subfield>', '<subfield code="c"/>'),
    "field without subfields": swapped('<subfield code="a">Fiksi Indonesia</subfield>', "Fiksi"),
    "code of two letters": swapped('code="c"', 'code="cc"'),
    "no code": swapped('code="c"', 'code=""'),
    "tag with a blank": swapped('tag="650"', 'tag="65 "'),
    "no second indicator": swapped(' ind2="4"', ""),
    "attribute twice": swapped(' ind2="4"', ' ind2="4" ind2="4"'),
    "unknown attribute": swapped(' ind2="4"', ' ind2="4" id="x"'),
    "prefix that nobody declares": swapped("<record", "<record x:y='1'"),
    "prefix of the schema instance not declared": swapped('xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ', ""),
    "unknown namespace": swapped('xmlns="http://www.loc.gov/MARC21/slim"', 'xmlns="http://a b"'),
    "envelope": f"<metadata>{USUAL}</metadata>".encode(),
    "two records": USUAL.encode() * 2,
    "subfield that does not end, end that nothing begins": swapped(
        "Fiksi Indonesia</subfield>",
        'Fiksi<subfield code="x">Indonesia</subfield></datafield><datafield tag="651" ind1=" " ind2=" "></subfield>',
    ),
    "subfield in a control field": swapped("INLIS0000", '</subfield><subfield code="a">INLIS0000'),
    "end before the beginning": swapped("Fiksi Indonesia</subfield>", "Fiksi").replace(
        b'tag="650">', b'tag="650"></subfield><subfield code="a">A'
    ),
    "cut": USUAL.encode()[:-20],
    "document type": b"<!DOCTYPE record>" + USUAL.encode(),
    "byte order mark": b"\xef\xbb\xbf" + USUAL.encode(),
    "Latin-1": b'<?xml version="1.0" encoding="iso-8859-1"?>' + USUAL.encode(),
    "no UTF-8": USUAL.encode("utf-8").replace("ā".encode(), b"\xe4"),
    "empty": b"",
}


@pytest.mark.parametrize("text", [USUAL, PREFIXED, USUAL.replace("\n", ""), USUAL.replace("    ", "\t")])
def test_a_usual_record_is_read_as_the_parser_reads_it(text: str) -> None:
    found = quick(text.encode())
    assert found is not None
    assert light(*found, {}) == slow(text.encode())


@pytest.mark.parametrize("name", ODD)
def test_what_is_not_usual_is_left_to_the_parser(name: str) -> None:
    assert quick(ODD[name]) is None
    assert outcome(parse, ODD[name]) == outcome(slow, ODD[name])


def test_no_change_of_some_bytes_makes_the_two_disagree() -> None:
    """A piece put in, or in place of others, at random: whatever is still read quickly, a parser reads alike."""
    chance = random.Random(20261122)
    pieces = [*'<>&"/ =', "\n", "]]>", "&amp;", "&#10;", "ind1", "xmlns:a", "subfield", "</record>", "\x85", "\u2028"]
    read = 0
    for number in range(4000):
        text = chance.choice((USUAL, PREFIXED))
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice(pieces) + text[at + chance.choice((0, 0, 1, 3)) :]
        found = quick(text.encode())
        if found is not None:
            read += 1
            assert light(*found, {}) == outcome(slow, text.encode()), (number, text)
    assert read > 400


def test_what_stands_before_a_field_is_remembered_only_where_it_is_short() -> None:
    for number in range(20):
        assert quick(swapped("  <datafield ind1", f"<!-- {number} {'x' * 9000} --><datafield ind1")) is None
        assert quick(swapped("  <datafield ind1", f"{' ' * (9000 + number)}<datafield ind1")) is not None
    assert max(map(len, _shape("").heads)) <= MAX_HEAD


def outcome(read: object, payload: bytes) -> MarcRecord | str:
    try:
        return read(payload)  # type: ignore[operator, no-any-return]
    except RecordError as error:
        return f"{error.reason}: {error}"
