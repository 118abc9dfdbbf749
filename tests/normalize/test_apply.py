"""Applying a mapping: holdings, warnings, hashes, traces, and records that want to do harm."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import RecordError
from harvester.model import MarcRecord, NormalizedRecord, RowRecord, XmlElement, XmlRecord
from harvester.normalize.apply import Context, content_hash, normalize, normalize_batch
from harvester.normalize.coverage import unread
from harvester.normalize.identity import record_identifier
from harvester.normalize.mapping import for_source, load

CONTEXT = Context("ugm", "17", opac_url="https://opac.example.ac.id/d/{id}", lending="lent", as_of="2026-11-22")
LEADER = "00000nam a2200000 a 4500"


MARC = [for_source(preset, "marcxml") for preset in ("generic", "koha", "inlislite")]
PRESETS = ("generic", "slims-oai2", "slims-oai", "ojs", "eprints", "dspace")
DUBLIN_CORE = [for_source(preset, "oai_dc") for preset in PRESETS]


def marc(*lines, leader=LEADER, flags=()):
    """A MARC record of lines `245 10 $aTitle`; `001 123` for control fields."""
    fields = []
    for line in lines:
        tag, rest = line[:3], line[4:]
        fields.append((tag, rest if tag < "010" else rest[:2] + rest[3:].replace("$", "\x1f")))
    return MarcRecord(leader, tuple(fields), flags)


def dc(**elements):
    """A Dublin Core record of names and texts."""
    pairs = [
        (name, text) for name, texts in elements.items() for text in (texts if isinstance(texts, list) else [texts])
    ]
    return XmlRecord(tuple(XmlElement(name, text) for name, text in pairs))


def test_every_active_record_has_a_holding_with_link_lending_and_date():
    made = normalize(marc("001 B 7/1", "245 00 $aHukum adat"), load("marc21"), CONTEXT).record
    (holding,) = made.holdings
    assert (holding.url, holding.lending, holding.as_of) == (
        "https://opac.example.ac.id/d/B%207%2F1",
        "lent",
        "2026-11-22",
    )


def test_a_deleted_record_has_no_holding():
    deleted = msgspec.structs.replace(CONTEXT, deleted=True)
    assert normalize(marc("245 00 $aHukum adat"), load("marc21"), deleted).record.holdings == ()


def test_copies_of_koha_are_counted_by_branch_and_call_number():
    record = marc(
        "245 00 $aHukum adat",
        "952    $aPST$bPST$o340.57$pB1",
        "952    $aPST$bPST$o340.57$pB2",
        "952    $aFH$bFH$o340.57$pB3$72",
    )
    first, second = normalize(record, for_source("koha", "marcxml"), CONTEXT).record.holdings
    assert (first.branch, first.copies, first.items) == ("PST", 2, ("B1", "B2"))
    assert (second.branch, second.copies, second.lending) == ("FH", 1, "on site")


def test_barcodes_of_one_852_are_its_copies_unless_they_are_volumes_of_a_serial():
    books = marc("245 00 $aHukum adat", "852    $aUNMUL$h340.57$pB1$pB2$pB3", "852    $aUNMUL$bFH$h340.57")
    assert [one.copies for one in normalize(books, load("marc21"), CONTEXT).record.holdings] == [3, None]
    serial = marc("245 00 $aPrisma", "852    $aUNMUL$pB1$pB2", "866    $a1971-1998")
    assert [one.copies for one in normalize(serial, load("marc21"), CONTEXT).record.holdings] == [None]


def test_loans_and_005_are_no_new_version_in_koha():
    mapping = for_source("koha", "marcxml")
    before = marc("001 1", "005 20260101000000.0", "245 00 $aX", "952    $pB1$q2026-12-01$r2026-11-01")
    lent = marc("001 1", "005 20260102000000.0", "245 00 $aX", "952    $pB1$q2026-12-24$r2026-11-22")
    edited = marc("001 1", "005 20260102000000.0", "245 00 $aY", "952    $pB1$q2026-12-24$r2026-11-22")
    assert content_hash(before, mapping) == content_hash(lent, mapping) != content_hash(edited, mapping)
    assert len(content_hash(before, mapping)) == 16


def test_flags_and_offsets_in_the_leader_are_no_content():
    mapping = load("marc21")
    plain = marc("245 00 $aX")
    flagged = marc("245 00 $aX", leader="01234nam a2200099 a 4500", flags=("encoding:utf8:245",))
    serial = marc("245 00 $aX", leader="00000nas a2200000 a 4500")
    assert content_hash(plain, mapping) == content_hash(flagged, mapping) != content_hash(serial, mapping)


def test_the_order_of_different_tags_is_no_content_but_the_order_of_equal_ones_is():
    mapping = load("marc21")
    one, other = marc("245 00 $aX", "650  4 $aA", "650  4 $aB"), marc("650  4 $aA", "650  4 $aB", "245 00 $aX")
    turned = marc("245 00 $aX", "650  4 $aB", "650  4 $aA")
    assert content_hash(one, mapping) == content_hash(other, mapping) != content_hash(turned, mapping)


def test_flags_of_the_reader_become_warnings_with_their_field():
    record = marc("245 00 $aX", "020    $a9789793062793", flags=("encoding:cp1252:245",))
    codes = [(one.code, one.field, one.value) for one in normalize(record, load("marc21"), CONTEXT).warnings]
    assert codes == [("encoding-cp1252", "245", ""), ("isbn-invalid", "identifiers", "9789793062793")]


def test_a_trace_replays_to_the_same_record_and_names_file_and_line():
    record = marc("245 10 $aLaskar pelangi /$cAndrea Hirata", "250    $aCet. 2", "020    $a979-3062-79-7")
    traced = normalize(record, load("marc21"), CONTEXT, trace=True)
    assert traced.record == normalize(record, load("marc21"), CONTEXT).record
    (step,) = [step for step in traced.trace if step.function == "isbn"]
    assert step.rule.startswith("marc21.yaml:") and step.input == "979-3062-79-7" and "9789793062792" in step.output


def test_a_mapping_of_another_family_is_refused_as_a_record_error():
    with pytest.raises(RecordError, match="reads marc, not xml") as caught:
        normalize(dc(title="X"), load("marc21"), CONTEXT)
    assert (caught.value.stage, caught.value.place) == ("map", "ugm/17")


def test_a_catastrophic_pattern_stops_one_record_only(tmp_path):
    rule = "{from: dc:description, do: [{keep: '^(a|a)*(a|a)*(a|a)*$'}]}"
    text = f"mapping: x\nextends: oai_dc\nfields:\n  abstract: {rule}\n"
    (tmp_path / "x.yaml").write_text(text, "utf-8")
    mapping = load("x", [tmp_path])
    bad, good = dc(title="X", description="a" * 4000 + "!"), dc(title="Y", description="aaa")
    failed, fine = normalize_batch([(bad, CONTEXT), (good, CONTEXT)], mapping)
    assert isinstance(failed, RecordError) and failed.reason == "pattern-timeout" and "x.yaml:4" in str(failed)
    assert fine.record.abstract == "aaa"


def test_the_constants_of_inlislite_are_no_evidence():
    made = normalize(
        dc(title="Hukum adat", type="Text", format="application/pdf"), for_source("inlislite", "oai_dc"), CONTEXT
    )
    assert (made.record.material, made.record.carrier_form, made.record.extent.text) == ("book", "", "")


def test_local_terms_and_call_numbers_of_inlislite_stay_local():
    record = marc("050    $a297.5 SHI t", "245 00 $aTafsir", "650 #0 $aTafsir Al-Quran")
    made = normalize(record, for_source("inlislite", "marcxml"), CONTEXT).record
    assert [one.scheme for one in made.classifications] == ["local"]
    assert [one.scheme for one in made.subjects] == ["local"]


def test_a_row_of_a_sheet_is_read_whatever_the_case_of_its_columns():
    row = RowRecord((("JUDUL ", ("Bumi manusia",)), ("pengarang", ("Pramoedya Ananta Toer",))), "Buku!A2")
    made = normalize(row, load("row"), CONTEXT).record
    assert (made.title.proper, made.contributors[0].name) == ("Bumi manusia", "Pramoedya Ananta Toer")


@pytest.mark.parametrize(
    ("rule", "sent", "expected"),
    [
        ("header", "oai:x:17", "oai:x:17"),
        ("header-tail", "oai:localhost:123456789/77", "123456789/77"),
        ("header-number", "oai:192.168.0.1:8080:4711", "4711"),
        ("header-tail", "", "INLIS 12"),  # a file has no header
        ("001", "oai:x:17", "INLIS 12"),
        ("035$a", "", "(X)9"),
    ],
)
def test_the_identifier_rule_reads_header_or_record(rule, sent, expected):
    record = marc("001  INLIS\t12 ", "035    $a(X)9", "245 00 $aX")
    assert record_identifier(record, "marc", rule, sent) == expected


def test_a_record_without_any_identifier_gives_an_empty_one():
    assert record_identifier(marc("245 00 $aX"), "marc", "001", "") == ""


def test_z075_a_host_embedded_in_unimarc_is_not_flattened():
    record = marc(
        "200 1  $aPuasa", "463  1 $1001098$12001 $aKompas$v12$1011  $a0215-207X", leader="00000naa  2200000   450 "
    )
    (host,) = normalize(record, for_source("generic", "unimarc"), CONTEXT).record.relations
    assert (host.title, host.part, host.control_number, host.identifiers[0].value) == (
        "Kompas",
        "12",
        "098",
        "0215-207X",
    )


def test_z079_a_leader_that_says_deleted_suppresses_the_record():
    assert normalize(marc("245 00 $aX", leader="00000dam a2200000 a 4500"), load("marc21"), CONTEXT).record.suppressed


@pytest.mark.parametrize("date", ["c1999-[20--?]", "[199-?]", "sekitar 1950", "1420 H", "t.th.", "????", "19999999"])
def test_z080_an_unclear_date_keeps_its_text_and_never_breaks(date):
    assert normalize(dc(title="X", date=date), load("oai_dc"), CONTEXT).record.dates.text == date


def test_z080_identifiers_of_dublin_core_are_told_by_their_shape():
    texts = ["ISBN: 979-3062-79-7", "http://x.id/1", "899.221 HIR l", "doi:10.22146/jp.1", "0125-9008", "abc"]
    made = normalize(dc(title="X", identifier=texts), load("oai_dc"), CONTEXT).record
    assert [one.kind for one in made.identifiers] == ["isbn", "doi", "issn"]
    assert [one.url for one in made.links] == ["http://x.id/1"]


def test_only_http_addresses_become_links():
    wicked = [
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://x",
        "http://user:pass@x.id/",
        "https://",
        "http://x.id/<b>",
    ]
    record = marc("245 00 $aX", *(f"856 40 $u{text}" for text in wicked))
    assert [one.url for one in normalize(record, load("marc21"), CONTEXT).record.links] == ["http://x.id/"]


bodies = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "001",
                "005",
                "008",
                "020",
                "024",
                "041",
                "100",
                "245",
                "250",
                "260",
                "300",
                "490",
                "502",
                "650",
                "700",
                "773",
                "852",
                "856",
                "880",
                "952",
            ]
        ),
        st.text(max_size=30),
        st.lists(st.tuples(st.sampled_from("abcdehnptuvxyz0246"), st.text(max_size=40)), max_size=4),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(bodies)
def test_no_marc_record_breaks_a_mapping(fields):
    made = [
        (tag, text if tag < "010" else text[:2].ljust(2) + "".join(f"\x1f{c}{t}" for c, t in subs))
        for tag, text, subs in fields
    ]
    for mapping in MARC:
        normal = normalize(MarcRecord(LEADER, tuple(made)), mapping, CONTEXT)
        assert msgspec.json.decode(msgspec.json.encode(normal.record), type=NormalizedRecord) == normal.record


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                ["title", "creator", "date", "identifier", "format", "source", "subject", "type", "publisher"]
            ),
            st.text(max_size=80),
        ),
        max_size=8,
    )
)
def test_no_dublin_core_record_breaks_a_mapping(elements):
    record = XmlRecord(tuple(XmlElement(name, text) for name, text in elements))
    for mapping in DUBLIN_CORE:
        normalize(record, mapping, CONTEXT)


def test_an_authority_record_is_no_bibliographic_record():
    with pytest.raises(RecordError, match="authority or holdings") as caught:
        normalize(marc("100 1  $aHamka", leader="00000nz  a2200000n  4500"), load("marc21"), CONTEXT)
    assert caught.value.reason == "not-bibliographic"


def test_coverage_names_what_no_rule_reads():
    record = marc("245 00 $aX", "942    $cBK", "952    $pB1")
    assert unread(record, load("marc21")) == [("942", "  $cBK")]
    assert unread(dc(title="X", bogus="y"), load("oai_dc")) == [("bogus", "y")]


def test_a_record_that_koha_hides_is_suppressed_and_withdrawn_copies_are_none():
    record = marc("245 00 $aX", "942    $n1", "952    $bPST$pB1$01", "952    $bPST$pB2$00")
    made = normalize(record, for_source("koha", "marcxml"), CONTEXT).record
    assert made.suppressed and [one.items for one in made.holdings] == [("B2",)]


def test_a_format_that_a_server_writes_into_every_record_is_no_evidence_for_the_carrier():
    plain = for_source("generic", "oai_dc")
    told = plain.distrusting([("format", "application/pdf"), ("language", "id"), ("type", "Text")])
    pdf = dc(title="Bumi manusia", format="application/pdf", language="id")
    print_ = dc(title="Bumi manusia", format="xiv, 529 hlm.")
    forms = {
        name: [normalize(record, one, Context()).record.carrier_form for record in (pdf, print_)]
        for name, one in (("plain", plain), ("told", told))
    }
    assert forms == {"plain": ["online", "print"], "told": ["", "print"]}
    assert normalize(pdf, told, Context()).record.languages == ("ind",), (
        "a language that is always the same may be true"
    )
    assert told.hash != plain.hash and plain.distrusting([("type", "Text")]) is plain
