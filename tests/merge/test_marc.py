"""The union record as MARC 21, read back by pymarc."""

from __future__ import annotations

import io

import pymarc

from harvester.merge.marc import Wording, holdings_of, to_marc
from harvester.merge.survivorship import load, merge
from harvester.model import (
    Address,
    Classification,
    Contributor,
    Dates,
    Edition,
    Extent,
    Holding,
    Identifier,
    Link,
    MarcRecord,
    Member,
    NormalizedRecord,
    Note,
    Publication,
    Relation,
    Series,
    Subject,
    Thesis,
    Title,
)
from harvester.outputs import dublin_core, solr_record

UGM = Member(
    Address("ugm", "B7731"),
    NormalizedRecord(
        identifiers=(Identifier("isbn", "9789793062792", "jil. 1"), Identifier("isbn", "9799790000", status="invalid")),
        title=Title("Laskar pelangi", "novel", ("1",), responsibility="Andrea Hirata", original="لاسكر"),
        contributors=(Contributor("Hirata, Andrea", role="author", main=True, dates="1967-", original="اندريا"),),
        publications=(Publication("Yogyakarta", "Bentang Pustaka"),),
        dates=Dates(2005, kind="single", text="2005"),
        edition=Edition("Edisi 2", 2),
        extent=Extent("529 hlm.", 529, height=20),
        languages=("ind",),
        series=(Series("Tetralogi", "1"),),
        subjects=(Subject("Novel Indonesia"), Subject("Belitung", "place", "lcsh"), Subject("anak", "keyword")),
        classifications=(Classification("ddc", "899.221", "HIR"), Classification("islam", "2X0")),
        notes=(Note("bibliography", "Bibliografi: hlm. 530"), Note("general", "Roman\x1f aneh\x1e")),
        links=(Link("https://example.org/1", "Teks"),),
        relations=(Relation("host", "Kumpulan", (Identifier("issn", "0126-1126"),), "hlm. 3", "B1"),),
        thesis=Thesis("Sarjana", "UGM", year=2005),
        holdings=(Holding("Pusat", call_number="899 HIR l", copies=3, items=("0001", "0002"), lending="lent"),),
        country="ID",
    ),
)
UI = Member(
    Address("ui", "10021"),
    NormalizedRecord(title=Title("Laskar pelangi"), holdings=(Holding(url="https://ui.example/1"),)),
)


def read_back(record: MarcRecord) -> pymarc.Record:
    made = pymarc.Record(leader=record.leader, force_utf8=True)
    for tag, body in record.fields:
        if tag < "010":
            made.add_field(pymarc.Field(tag, data=body))
            continue
        parts = [pymarc.Subfield(part[0], part[1:]) for part in body.split("\x1f")[1:]]
        made.add_field(pymarc.Field(tag, pymarc.Indicators(body[0], body[1]), parts))
    found = list(pymarc.MARCReader(io.BytesIO(made.as_marc()), to_unicode=True))
    assert len(found) == 1
    assert found[0] is not None
    return found[0]


def test_the_leader_says_that_marks_at_the_ends_of_subfields_are_left_out() -> None:
    """`i` would promise ` :` and ` /`; the mark of a parallel title stands at the beginning of its own subfield."""
    title = Title("Islam dan negara", "= Islam and the state", responsibility="Munawir Sjadzali")
    record = union_marc(Member(Address("ugm", "1"), NormalizedRecord(title=title, dates=Dates(1990, text="1990"))))
    texts = [part.value for one in record.fields if one.tag > "009" for part in one.subfields]
    assert not [text for text in texts if text.rstrip().endswith((" :", " /", " ;", " =", ","))]
    assert str(record.leader)[18] == "c"


def union_marc(*members: Member) -> pymarc.Record:
    wording = Wording({"ugm": "ID-YoUGM"}, "2026-11-22T01:02:03Z", "INDUK", {"ugm/B7731": {"B1": "42"}})
    return read_back(to_marc(merge(members, load()), "7", wording))


def test_the_cluster_id_is_001_and_every_member_is_a_035() -> None:
    marc = union_marc(UGM, UI)
    assert marc["001"].data == "7"
    assert marc["003"].data == "INDUK"
    assert marc["005"].data == "20261122010203.0"
    assert [one["a"] for one in marc.get_fields("035")] == ["(ugm)B7731", "(ui)10021"]
    assert len(marc["008"].data) == 40
    assert marc["008"].data[6:18] == "s2005    io "
    assert marc["008"].data[35:38] == "ind"


def test_holdings_stand_per_partner_in_852_and_856() -> None:
    marc = union_marc(UGM, UI)
    by_partner = {one["a"]: one for one in marc.get_fields("852")}
    assert set(by_partner) == {"ID-YoUGM", "ui"}
    assert by_partner["ID-YoUGM"]["h"] == "899 HIR l"
    assert by_partner["ID-YoUGM"].get_subfields("p") == ["0001", "0002"]
    assert [one["5"] for one in marc.get_fields("856") if "5" in one] == ["ui"]
    assert [str(donor) for donor, _ in holdings_of(merge([UI, UGM], load()))] == ["ugm/B7731", "ui/10021"]


def test_the_host_of_a_part_is_named_by_its_union_id() -> None:
    assert union_marc(UGM, UI)["773"].get_subfields("w") == ["(INDUK)42", "(ugm)B1"]
    lost = read_back(to_marc(merge([UGM], load()), "7"))
    assert lost["773"].get_subfields("w") == ["(ugm)B1"]


def test_the_description_reads_as_it_was() -> None:
    marc = union_marc(UGM)
    assert marc["245"].value() == "880-01 Laskar pelangi 1 novel Andrea Hirata"
    assert marc["100"]["a"] == "Hirata, Andrea"
    assert [one["a"] for one in marc.get_fields("880")] == ["لاسكر", "اندريا"]
    assert marc["020"]["q"] == "jil. 1"
    assert marc.get_fields("020")[1]["z"] == "9799790000"
    assert (marc["082"]["a"], marc["082"]["b"], marc["084"]["2"]) == ("899.221", "HIR", "islam")
    assert marc["264"]["b"] == "Bentang Pustaka"
    assert marc["250"]["a"] == "Edisi 2"
    assert marc["651"].indicator2 == "0"
    assert marc["653"]["a"] == "anak"
    assert marc["504"]["a"] == "Bibliografi: hlm. 530"
    assert marc["502"]["c"] == "UGM"
    assert [one.tag for one in marc.fields] == sorted(one.tag for one in marc.fields)


def test_a_delimiter_inside_a_value_makes_no_field_of_its_own() -> None:
    assert union_marc(UGM)["500"]["a"] == "Roman aneh"


def test_an_empty_record_is_a_record_all_the_same() -> None:
    marc = read_back(to_marc(merge([Member(Address("a", "1"), NormalizedRecord())], load()), "1"))
    assert marc["001"].data == "1"
    assert marc["008"].data[6] == "n"


def test_a_parallel_title_stands_behind_its_mark_whatever_is_written() -> None:
    for remainder, whole in (
        ("= Islam and the state", "Islam dan negara = Islam and the state"),
        ("esai", "Islam dan negara : esai"),
    ):
        record = NormalizedRecord(title=Title("Islam dan negara", remainder))
        assert union_marc(Member(Address("a", "1"), record))["245"]["b"] == remainder
        assert dict(reversed(list(dublin_core.elements_of(record))))["title"] == whole
        assert solr_record.bibliographic(record)["title"] == whole


def test_codes_are_those_of_marc_and_stand_in_b() -> None:
    def read(country: str) -> pymarc.Record:
        record = NormalizedRecord(country=country, content_types=("txt",))
        return read_back(to_marc(merge([Member(Address("a", "1"), record)], load()), "1"))

    places = [read(country)["008"].data[15:18] for country in ("ID", "US", "GB", "SG", "XQ")]
    assert places == ["io ", "xxu", "xxk", "si ", "|||"]  # whole countries, none of their states, never a code of ISO
    assert read("ID")["336"].subfields_as_dict() == {"b": ["txt"], "2": ["rdacontent"]}


def test_parts_of_the_title_proper_stand_before_its_remainder_and_one_copy_is_one() -> None:
    title = Title("Sejarah nasional Indonesia", "zaman kuno", ("Jilid II",), ("Kerajaan",), "Poesponegoro")
    record = NormalizedRecord(title=title, holdings=(Holding(call_number="959.8", copies=1),))
    marc = union_marc(Member(Address("a", "1"), record))
    assert "".join(one.code for one in marc["245"].subfields) == "anpbc"
    assert marc["852"].get_subfields("z")[0] == "1 copy"
