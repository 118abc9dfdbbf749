"""Dublin Core, MODS, MARC-in-JSON, line MARC, UNIMARC and rows."""

from __future__ import annotations

import json
import pickle

import pymarc
import pytest

from harvester.errors import RecordError
from harvester.formats import line_marc, marc_json, row, unimarc
from harvester.formats.dublin_core import parse as parse_dc
from harvester.formats.light import indicators, subfields
from harvester.formats.mods import ModsRecord
from harvester.formats.mods import parse as parse_mods
from harvester.formats.pymarc_bridge import from_pymarc
from harvester.formats.span import Span
from harvester.formats.xml_split import split_records
from harvester.model import Damage, MarcRecord, RowRecord, XmlElement, XmlRecord
from tests.formats.charsets import written
from tests.formats.records import WORKS, pymarc_record
from tests.formats.test_iso2709 import by_hand

# ---- Dublin Core ---------------------------------------------------------------------------------------------------

SLIMS = """
<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"
           xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:dcterms="http://purl.org/dc/terms/">
  <dc:title>Laskar pelangi</dc:title>
  <dc:creator>Andrea Hirata</dc:creator>
  <dc:identifier_isbn>979-3062-79-7</dc:identifier_isbn>
  <dc:date xsi:type="dcterms:W3CDTF">2005</dc:date>
  <dc:description xml:lang="id">Sebuah <i>novel</i></dc:description>
  <dc:subject/>
  <image>laskar.jpg</image>
</oai_dc:dc>"""


def test_dublin_core_keeps_every_element_in_order_with_its_attributes() -> None:
    found = parse_dc(SLIMS.encode())
    assert isinstance(found, XmlRecord)
    assert found.elements == (
        XmlElement("title", "Laskar pelangi", (), "dc"),
        XmlElement("creator", "Andrea Hirata", (), "dc"),
        XmlElement("identifier_isbn", "979-3062-79-7", (), "dc"),
        XmlElement("date", "2005", (("type", "dcterms:W3CDTF"),), "dc"),
        XmlElement("description", "Sebuah novel", (("lang", "id"),), "dc"),
        XmlElement("subject", "", (), "dc"),
        XmlElement("image", "laskar.jpg", (), ""),
    )
    assert found.flags == ()


@pytest.mark.parametrize(
    "payload",
    [
        "<record><header><identifier>1</identifier></header><metadata><dc><title>Satu</title></dc></metadata></record>",
        "<metadata><qualifieddc><title>Satu</title></qualifieddc></metadata>",
        "<dc><title>Satu</title></dc>",
        "<dc:dc><dc:title>Satu</dc:title></dc:dc>",
        "<wrapper><dc><group><title>Satu</title></group></dc></wrapper>",
    ],
)
def test_dublin_core_is_found_in_every_envelope(payload: str) -> None:
    found = parse_dc(payload.encode())
    assert [(element.name, element.text) for element in found.elements] == [("title", "Satu")]


def test_dublin_core_without_elements_is_refused() -> None:
    with pytest.raises(RecordError, match="empty"):
        parse_dc(b"<dc/>")


def test_dublin_core_in_decomposed_letters_is_stored_composed_and_flagged() -> None:
    found = parse_dc("<dc><title>Se\u0302rat</title></dc>".encode())
    assert (found.elements[0].text, found.flags) == ("Sêrat", ("encoding:nfc",))


# ---- MODS ----------------------------------------------------------------------------------------------------------

MODS = """
<mods xmlns="http://www.loc.gov/mods/v3">
  <titleInfo><nonSort>The</nonSort><title>Religion of Java</title></titleInfo>
  <titleInfo type="uniform"><title>Abangan, santri, priyayi</title></titleInfo>
  <name type="personal"><namePart>Geertz, Clifford</namePart><namePart type="date">1926-2006</namePart></name>
  <identifier type="isbn">9780226285108</identifier>
  <relatedItem type="host"><titleInfo><title>Modjokuto project</title></titleInfo></relatedItem>
</mods>"""


def test_mods_is_a_tree_that_restricted_paths_look_into() -> None:
    found = parse_mods(MODS.encode())
    assert isinstance(found, ModsRecord)
    assert found.values("titleInfo/title") == ["Religion of Java", "Abangan, santri, priyayi"]
    assert found.values("titleInfo[not(@type)]/title") == ["Religion of Java"]
    assert found.values("titleInfo[@type='uniform']/title") == ["Abangan, santri, priyayi"]
    assert found.values("name/namePart[@type]") == ["1926-2006"]
    assert found.values("*/title") == ["Religion of Java", "Abangan, santri, priyayi"]
    assert found.values("identifier/@type") == ["isbn"]
    assert found.values("relatedItem[@type='host']/titleInfo/title") == ["Modjokuto project"]
    assert pickle.loads(pickle.dumps(found)) == found


def test_mods_is_flat_elements_too_with_paths_and_the_attributes_around_them() -> None:
    found = parse_mods(b"<modsCollection>" + MODS.encode() + b"</modsCollection>")
    assert XmlElement("titleInfo/title", "Abangan, santri, priyayi", (("type", "uniform"),)) in found.elements
    assert XmlElement("name/namePart", "1926-2006", (("type", "date"),)) in found.elements
    assert found.texts("relatedItem/titleInfo/title") == ["Modjokuto project"]
    assert found.texts("titleInfo/title") == ["Religion of Java", "Abangan, santri, priyayi"]


@pytest.mark.parametrize(
    "path", ["", "//title", "title[1]", "title[@type=uniform]", "../title", "title[contains(.,'a')]"]
)
def test_paths_that_are_more_than_a_look_up_are_refused(path: str) -> None:
    found = parse_mods(MODS.encode())
    assert isinstance(found, ModsRecord)
    with pytest.raises(ValueError, match="write"):
        found.values(path)


def test_records_within_an_extension_belong_to_the_record_around_them() -> None:
    inner = "<extension><mods><titleInfo><title>Inner</title></titleInfo></mods></extension>"
    outer = [f"<mods><titleInfo><title>{name}</title></titleInfo>{inner}</mods>" for name in ("One", "Two")]
    broken = "<mods><titleInfo><title>Cut</title></titleInfo>"
    found = list(split_records(f"<modsCollection>{outer[0]}{broken}{outer[1]}</modsCollection>".encode(), "mods"))
    assert [one.reason if isinstance(one, Damage) else "" for one in found] == ["", "truncated", ""]
    records = [parse_mods(one.payload) for one in found if not isinstance(one, Damage)]
    assert [one.values("titleInfo/title") for one in records] == [["One"], ["Two"]]


@pytest.mark.parametrize("payload", [b"<dc/>", b"<c><mods><a>1</a></mods><mods><a>2</a></mods></c>", b"<mods/>"])
def test_what_is_not_one_mods_record_is_refused(payload: bytes) -> None:
    with pytest.raises(RecordError):
        parse_mods(payload)


# ---- MARC-in-JSON --------------------------------------------------------------------------------------------------


def test_marc_in_json_equals_what_pymarc_writes_and_reads() -> None:
    for work in WORKS:
        theirs = pymarc_record(work)
        ours = marc_json.parse(theirs.as_json().encode())
        assert isinstance(ours, MarcRecord)
        assert ours.fields == from_pymarc(theirs).fields
        again = pymarc.parse_json_to_array(f"[{marc_json.write(ours).decode()}]")[0]
        assert from_pymarc(again).fields == ours.fields


def test_files_of_json_are_cut_into_their_objects() -> None:
    objects = [pymarc_record(work).as_json().encode() for work in WORKS]
    for source in (b"\n".join(objects), b"[" + b",\n".join(objects) + b"]", b"".join(objects)):
        assert [piece.payload for piece in marc_json.split(source) if isinstance(piece, Span)] == objects
    broken = objects[0] + b"\n" + objects[1][:-20] + b"\n" + objects[2]
    pieces = list(marc_json.split(broken))
    assert [piece.payload for piece in pieces if isinstance(piece, Span)] == [objects[0], objects[2]]
    assert [piece.reason for piece in pieces if isinstance(piece, Damage)] == ["truncated"]


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "json"),
        (b"[1]", "json"),
        (b"{", "json"),
        (b'{"leader": "", "fields": []}', "empty"),
        (b'{"fields": {"245": 1}}', "empty"),
        (b'{"fields": ["245"]}', "json"),
        (b'{"fields": [{"245": {"subfields": {"a": "x"}}}]}', "json"),
        (b'{"fields": [{"245": {"subfields": [{"a": ["x"]}]}}]}', "json"),
        (b'{"fields": ' + b"[" * 100_000, "bounds"),
    ],
)
def test_json_that_is_no_record_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        marc_json.parse(payload)
    assert caught.value.reason == reason


def test_json_with_half_a_surrogate_is_cleaned_and_flagged() -> None:
    payload = b'{"leader": "00000nam a2200000 a 4500", "fields": [{"500": {"subfields": [{"a": "a\\ud800b\\u0000"}]}}]}'
    found = marc_json.parse(payload)
    assert isinstance(found, MarcRecord)
    assert (found.fields, found.flags) == ((("500", "  \x1faab"),), (r"characters:control:500:a\ud800b\x00 → ab",))


# ---- line MARC -----------------------------------------------------------------------------------------------------

TITLE = ("245", "10\x1faBumi manusia :\x1fbsebuah novel")


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ("MarcEdit", "=LDR  00000nam a2200000 a 4500\n=001  0001\n=245  10$aBumi manusia :$bsebuah novel\n"),
        (
            "CRLF and BOM",
            "\ufeff=LDR  00000nam a2200000 a 4500\r\n=001  0001\r\n=245  10$aBumi manusia :$bsebuah novel\r\n",
        ),
        ("typed by hand", "LDR 00000nam a2200000 a 4500\n001 0001\n245 10 $aBumi manusia :$bsebuah novel"),
        ("yaz-marcdump", "00000nam a2200000 a 4500\n001 0001\n245 10 $a Bumi manusia : $b sebuah novel\n"),
        (
            "a long field over two lines",
            "=LDR  00000nam a2200000 a 4500\n=001  0001\n=245  10$aBumi\nmanusia :$bsebuah novel",
        ),
    ],
)
def test_line_marc_is_read_as_people_and_tools_write_it(label: str, text: str) -> None:
    found = line_marc.parse(text.encode())
    assert isinstance(found, MarcRecord)
    assert found == type(found)("00000nam a2200000 a 4500", (("001", "0001"), TITLE), ())


def test_blank_indicators_and_dollar_signs_are_written_and_read() -> None:
    record = MarcRecord(
        "00000nam a2200000 a 4500", (("020", "  \x1fa9789794335772\x1fcUS${10}"), ("008", "240101s1980    io"))
    )
    text = line_marc.write(record)
    assert "=020  \\\\$a9789794335772$cUS{dollar}{lcub}10{rcub}" in text
    found = line_marc.parse(text.encode())
    assert isinstance(found, MarcRecord)
    assert found.fields == record.fields


def test_every_record_survives_line_marc() -> None:
    records = [from_pymarc(pymarc_record(work)) for work in WORKS]
    source = "".join(line_marc.write(record) for record in records).encode()
    spans = [piece for piece in line_marc.split(source) if isinstance(piece, Span)]
    assert [line_marc.parse(span.payload) for span in spans] == records
    assert all(source[span.offset :].startswith(span.payload) for span in spans)


def test_a_text_without_any_field_is_refused() -> None:
    with pytest.raises(RecordError, match="No line of it"):
        line_marc.parse(b"Daftar buku perpustakaan kami")


# ---- UNIMARC -------------------------------------------------------------------------------------------------------

GENERAL = "20240101d1862    u  y0frey{}    ba"


def unimarc_record(codes: str, charset: str) -> bytes:
    title = written("Les misérables", charset)
    general = f"  \x1fa20240101d1862    u  y0frey{codes}ba".encode()
    return by_hand([("001", b"1"), ("100", general), ("200", b"1 \x1fa" + title)], leader=b"nam0 22", tail=b"   450 ")


@pytest.mark.parametrize(
    ("codes", "charset", "flags"),
    [
        ("50      ", "utf8", ()),
        ("0103    ", "iso5426", ()),
        ("01      ", "iso5426", ()),
        ("0103    ", "utf8", (r"encoding:utf8-under-iso5426:200:mis\xc3\xa9rables → misérables",)),
        ("50      ", "latin1", (r"encoding:latin1-under-utf8:200:mis\xe9rables → misérables",)),
        ("        ", "utf8", ()),
    ],
)
def test_the_charset_of_unimarc_comes_from_100a(codes: str, charset: str, flags: tuple[str, ...]) -> None:
    found = unimarc.parse(unimarc_record(codes, charset))
    assert isinstance(found, MarcRecord)
    assert found.bodies("200") == ["1 \x1faLes misérables"]
    assert found.flags == flags


def test_embedded_fields_of_a_link_are_taken_apart() -> None:
    body = " 0\x1f1001FRBNF123\x1f12001 \x1faBumi manusia\x1fftoer\x1f1700 0\x1faToer"
    found = unimarc.embedded(body)
    assert [field.tag for field in found] == ["001", "200", "700"]
    assert found[0].body == "FRBNF123"
    assert (indicators(found[1].body), subfields(found[1].body)) == ("1 ", [("a", "Bumi manusia"), ("f", "toer")])
    assert subfields(found[2].body) == [("a", "Toer")]
    assert unimarc.embedded(" 0\x1ftBumi manusia\x1fx0126-1234") == []


def test_unimarc_in_xml_is_read_too() -> None:
    payload = b'<record><leader>00000nam0 2200000   450 </leader><datafield tag="200" ind1="1" ind2=" ">' \
              b'<subfield code="a">Bumi manusia</subfield></datafield></record>'  # fmt: skip
    found = unimarc.parse(payload)
    assert isinstance(found, MarcRecord)
    assert found.bodies("200") == ["1 \x1faBumi manusia"]


# ---- rows ----------------------------------------------------------------------------------------------------------


def test_a_row_is_written_and_read_again() -> None:
    record = RowRecord((("Judul", ("Bumi manusia",)), ("No. Induk", ("1", "2"))), "Buku!A2", ("sheet:scientific:ISBN",))
    assert row.parse(row.write(record)) == record


def test_numbers_in_a_row_stay_as_written_and_single_texts_need_no_list() -> None:
    found = row.parse(json.dumps({"cells": {"Tahun": 1980, "Klas": "005", "ISBN": None}, "place": "A2"}).encode())
    assert isinstance(found, RowRecord)
    assert found.cells == (("Tahun", ("1980",)), ("Klas", ("005",)), ("ISBN", ("",)))


@pytest.mark.parametrize("payload", [b"{}", b'{"cells": {}}', b'{"cells": [1]}', b'{"cells": {"a": [[1]]}}', b"1"])
def test_a_row_without_cells_is_refused(payload: bytes) -> None:
    with pytest.raises(RecordError):
        row.parse(payload)
