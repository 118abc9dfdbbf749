"""MARCXML: any namespace, tolerant of what partners leave out, cut into records without a parser."""

from __future__ import annotations

import re
from io import BytesIO
from xml.sax.saxutils import escape

import pymarc
import pytest

from harvester.errors import RecordError
from harvester.formats.marcxml import parse, parse_page, split
from harvester.formats.marcxml_write import collection, write
from harvester.formats.pymarc_bridge import from_pymarc
from harvester.formats.span import Span
from harvester.model import Damage, MarcRecord
from tests.formats.records import WORKS, pymarc_record

SLIM = "http://www.loc.gov/MARC21/slim"
LEADER = "00000nam a2200000 a 4500"


def record(*fields: str, prefix: str = "", attributes: str = f' xmlns="{SLIM}"') -> bytes:
    body = "".join(fields)
    return f"<{prefix}record{attributes}><{prefix}leader>{LEADER}</{prefix}leader>{body}</{prefix}record>".encode()


TITLE = '<datafield tag="245" ind1="1" ind2="0"><subfield code="a">Bumi manusia</subfield></datafield>'
NUMBER = '<controlfield tag="001">0001</controlfield>'
MX_NUMBER, MX_TITLE = (re.sub(" (tag|code|ind1|ind2)=", r" mx:\1=", field) for field in (NUMBER, TITLE))
FIELDS = (("001", "0001"), ("245", "10\x1faBumi manusia"))


def test_every_field_and_subfield_equals_what_pymarc_reads() -> None:
    for work in WORKS:
        theirs = pymarc_record(work)
        payload = pymarc.record_to_xml(theirs, namespace=True)
        read = pymarc.parse_xml_to_array(BytesIO(payload))[0]
        ours = parse(payload)
        assert isinstance(ours, MarcRecord)
        assert ours.fields == from_pymarc(read).fields
        assert ours.flags == ()


@pytest.mark.parametrize(
    ("label", "payload"),
    [
        ("default namespace", record(NUMBER, TITLE)),
        ("no namespace (RecordManager, old exports)", record(NUMBER, TITLE, attributes="")),
        ("a namespace of one's own", record(NUMBER, TITLE, attributes=' xmlns="urn:perpus"')),
        (
            "prefix",
            record(NUMBER, TITLE)
            .replace(b"<", b"<marc:")
            .replace(b"<marc:/", b"</marc:")
            .replace(b"xmlns", b"xmlns:marc"),
        ),
        ("prefixed attributes (MarcXchange)", record(MX_NUMBER, MX_TITLE, attributes=f' xmlns:mx="{SLIM}"')),
        ("collection of one", b"<collection>" + record(NUMBER, TITLE) + b"</collection>"),
        ("OAI-PMH envelope", b"<record><header/><metadata>" + record(NUMBER, TITLE) + b"</metadata></record>"),
        ("XML declaration and BOM", b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>' + record(NUMBER, TITLE)),
        ("UTF-16", record(NUMBER, TITLE).decode().encode("utf-16")),
        ("comment between fields", record(NUMBER, "<!-- 245 -->", TITLE)),
    ],
)
def test_the_same_record_is_read_in_every_wrapping(label: str, payload: bytes) -> None:
    assert parse(payload).fields == FIELDS
    assert parse(payload).flags == ()


def note(inner: str, marks: str = ' ind1=" " ind2=" "', tag: str = ' tag="500"') -> str:
    return f"<datafield{tag}{marks}>{inner}</datafield>"


def text(of: str) -> str:
    return f'<subfield code="a">{of}</subfield>'


@pytest.mark.parametrize(
    ("label", "field", "body", "flag"),
    [
        ("datafield without a tag", note(text("x"), tag=""), None, "structure:no-tag"),
        ("tag of four characters", note(text("x"), tag=' tag="5000"'), None, "structure:tag:5000"),
        ("INLISLite's # for blank", note(text("x"), ' ind1="#" ind2="#"'), "##\x1fax", ""),
        ("no indicators", note(text("x"), ""), "  \x1fax", ""),
        ("subfield without a code", note("<subfield>x</subfield>"), "  \x1f x", "structure:code:500"),
        ("text without a subfield", note("x"), "  x", "structure:no-subfield:500"),
        ("no subfield at all", note(""), "  ", ""),
        ("mark-up in a subfield", note(text("a <i>b</i> c")), "  \x1faa b c", ""),
        ("decomposed letters", note(text("Se\u0302rat")), "  \x1faSêrat", "encoding:nfc"),
        (
            "C1 control for an apostrophe",
            note(text("Qur\x92an")),
            "  \x1faQur’an",
            r"encoding:cp1252-controls:500:Qur\x92an → Qur’an",
        ),
        ("whitespace in a control field", '<controlfield tag="500">  x </controlfield>', "  x ", ""),
    ],
)
def test_odd_fields_are_kept_and_flagged(label: str, field: str, body: str | None, flag: str) -> None:
    found = parse(record(NUMBER, field, TITLE))
    assert found.flags == ((flag,) if flag else ())
    assert found.bodies("500") == ([] if body is None else [body])
    assert found.bodies("245") == ["10\x1faBumi manusia"]


def test_a_leader_of_another_length_is_flagged_and_kept() -> None:
    found = parse(record(NUMBER, TITLE).replace(LEADER.encode(), b"nam"))
    assert (found.leader, found.flags) == ("nam", ("structure:leader",))


@pytest.mark.parametrize(
    ("label", "before", "after", "text", "flag"),
    [
        ("control character", b"Bumi", b"Bu\x0bmi", "Bumi manusia", r"characters:control::Bu\x0bmi → Bumi"),
        (
            "reference to a control character",
            b"Bumi",
            b"Bu&#11;mi",
            "Bumi manusia",
            "characters:control::Bu&#11;mi → Bumi",
        ),
        ("bare ampersand", b"Bumi", b"Bumi & langit,", "Bumi & langit, manusia", "xml:ampersand::& → &amp;"),
        ("HTML entity", b"Bumi", b"S&ecirc;rat", "Sêrat manusia", "xml:entity::S&ecirc;rat → Sêrat"),
        (
            "Latin-1 bytes under UTF-8",
            b"Bumi",
            b"S\xeaat",
            "Sêat manusia",
            "encoding:latin1-under-utf8::S\\xeaat → Sêat",
        ),
    ],
)
def test_broken_characters_are_mended_with_a_flag(
    label: str, before: bytes, after: bytes, text: str, flag: str
) -> None:
    found = parse(record(NUMBER, TITLE).replace(before, after))
    assert found.bodies("245") == [f"10\x1fa{text}"]
    assert found.flags == (flag,)


def test_an_undeclared_prefix_is_declared_with_a_flag() -> None:
    payload = record(NUMBER, TITLE, attributes="").replace(b"<", b"<marc:").replace(b"<marc:/", b"</marc:")
    assert parse(payload).fields == FIELDS
    assert parse(payload).flags == ('xml:prefix::<marc:record → <marc:record xmlns:marc="urn:undeclared:marc"',)


@pytest.mark.parametrize(
    ("label", "payload", "reason", "stage"),
    [
        ("nothing", b" \n", "empty", "decode"),
        ("an HTML page", b"<html><body><p>Login</body></html>", "xml", "decode"),
        ("a record without its end", record(NUMBER, TITLE)[:-9], "xml", "decode"),
        ("another vocabulary", b"<dc><title>Bumi manusia</title></dc>", "no-record", "parse"),
        ("two records", b"<collection>" + record(TITLE) * 2 + b"</collection>", "several", "parse"),
        ("only a leader", record(), "empty", "parse"),
    ],
)
def test_what_is_no_record_is_refused_with_a_sentence(label: str, payload: bytes, reason: str, stage: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse(payload)
    assert (caught.value.reason, caught.value.stage) == (reason, stage)


def test_a_page_gives_its_records_in_order_and_a_damage_for_an_empty_one() -> None:
    page = b"<collection>" + record(NUMBER, TITLE) + record() + record(TITLE) + b"</collection>"
    first, second, third = parse_page(page)
    assert isinstance(first, MarcRecord)
    assert isinstance(second, Damage)
    assert isinstance(third, MarcRecord)
    assert (first.fields, second.reason, third.fields) == (FIELDS, "empty", FIELDS[1:])


def test_what_we_write_we_and_pymarc_read_again() -> None:
    for work in WORKS:
        ours = from_pymarc(pymarc_record(work))
        document = "".join(collection([ours, ours]))
        assert [each.fields for each in parse_page(document.encode()) if isinstance(each, MarcRecord)] == [
            ours.fields
        ] * 2
        assert from_pymarc(pymarc.parse_xml_to_array(BytesIO(document.encode()))[0]).fields == ours.fields
    assert escape("<&>") in write(MarcRecord("", (("500", "  \x1fa<&>"),)))


# ---- splitting a file ----------------------------------------------------------------------------------------------

HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<marc:collection xmlns:marc="{SLIM}">\n'.encode()
ONE = b'<marc:record><marc:leader>%s</marc:leader><marc:controlfield tag="001">%04d</marc:controlfield></marc:record>\n'
MANY = [ONE % (LEADER.encode(), number) for number in range(50)]
FILE = HEAD + b"".join(MANY) + b"</marc:collection>"


def numbers(source: bytes) -> list[str]:
    return [parse(piece.payload).bodies("001")[0] for piece in split(source) if isinstance(piece, Span)]


def reasons(source: bytes) -> list[str]:
    return [piece.reason for piece in split(source) if isinstance(piece, Damage)]


def test_each_record_of_a_file_is_a_document_of_its_own() -> None:
    pieces = list(split(FILE))
    assert numbers(FILE) == [f"{number:04}" for number in range(50)]
    assert reasons(FILE) == []
    for piece, source in zip(pieces, MANY, strict=True):
        assert isinstance(piece, Span)
        assert FILE[piece.offset : piece.offset + len(source.strip())] == source.strip()
        assert parse(piece.payload).flags == ()


class Drip(BytesIO):
    def read(self, size: int | None = -1) -> bytes:
        return super().read(13)


def test_the_size_of_the_pieces_read_does_not_matter() -> None:
    source = FILE.replace(b"0007", b"0007<!-- </marc:record> -->").replace(b"0009", b"<![CDATA[<marc:record>9]]>")
    assert list(split(Drip(source))) == list(split(source))
    assert len(numbers(source)) == 50


def test_a_file_cut_at_any_byte_gives_its_complete_records() -> None:
    source = HEAD + b"".join(MANY[:2]) + b"</marc:collection>"
    ends = [len(HEAD) + len(b"".join(MANY[:count])) - 1 for count in (1, 2)]
    for cut in range(len(source)):
        assert len(numbers(source[:cut])) == sum(end <= cut for end in ends)


def test_a_record_without_its_end_costs_only_itself() -> None:
    source = FILE.replace(MANY[10], MANY[10].replace(b"</marc:record>", b""))
    assert numbers(source) == [f"{number:04}" for number in range(50) if number != 10]
    assert reasons(source) == ["truncated"]


def test_a_broken_record_costs_only_itself() -> None:
    source = FILE.replace(b"0010", b"<b>0010")
    read = []
    for piece in split(source):
        assert isinstance(piece, Span)
        try:
            read.append(parse(piece.payload).bodies("001")[0])
        except RecordError as error:
            read.append(error.reason)
    assert read == ["xml" if number == 10 else f"{number:04}" for number in range(50)]


def test_records_inside_oai_envelopes_are_found() -> None:
    page = b"<OAI-PMH><ListRecords>"
    page += b"".join(b"<record><header/><metadata>%s</metadata></record>" % record(NUMBER, TITLE) for _ in range(3))
    assert numbers(page + b"</ListRecords></OAI-PMH>") == ["0001"] * 3


@pytest.mark.parametrize("encoding", ["utf-16", "iso-8859-1", "windows-1252"])
def test_files_in_other_encodings_are_split(encoding: str) -> None:
    text = FILE.decode().replace("UTF-8", encoding).replace(">0003<", ">Sêrat<")
    assert numbers(text.encode(encoding))[3] == "Sêrat"


def test_a_file_with_a_document_type_is_refused_and_one_without_records_is_damage() -> None:
    assert reasons(b"<!DOCTYPE collection [<!ENTITY a 'b'>]>" + FILE) == ["doctype"]
    assert reasons(b"<html><body>Error</body></html>") == ["garbage"]
