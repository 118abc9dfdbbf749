"""What may not leave is nowhere: canaries in every output."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harvester.model import (
    Contributor,
    Holding,
    Identifier,
    Link,
    Member,
    NormalizedRecord,
    Note,
    Partner,
    Policy,
    Source,
    Subject,
    Thesis,
    Title,
)
from harvester.outputs import outputs, privacy
from harvester.outputs.batch import OutputState, partner_of
from harvester.outputs.deliver import deliver
from harvester.outputs.oai_provider import Repository, respond
from harvester.outputs.privacy import filtered_record, hide, release
from tests.outputs.solr_server import SolrServer
from tests.outputs.union import PARTNERS, START, Union, book, held_by, opening, write_marc

LATER = START.replace(year=2027)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Budi Santoso, NIM 21120111130045", "Budi Santoso, […]"),
        ("NIM: 12/345678/SA/00001", "[…]"),
        ("Pembimbing: Dr. Siti (NIDN. 0012345678)", "Pembimbing: Dr. Siti ([…])"),
        ("NIP. 19650101 199001 1 001", "[…]"),
        ("surel budi.s+x@students.example.ac.id ya", "surel […] ya"),
        ("budi [at] example.com", "[…]"),
        ("Hubungi 0812-3456-7890", "Hubungi […]"),
        ("+62 812 3456 7890", "[…]"),
        ("Telp. (0274) 512345", "[…]"),
        ("xxviii, 529 hlm. ; 20 cm", "xxviii, 529 hlm. ; 20 cm"),
        ("2005-2006", "2005-2006"),
        ("899.221 3 HIR l", "899.221 3 HIR l"),
        ("ISBN 979-3062-79-7; 9789793062792", "ISBN 979-3062-79-7; 9789793062792"),
        ("UU No. 43 Tahun 2007", "UU No. 43 Tahun 2007"),
        ("Animasi 3D", "Animasi 3D"),
        ("Minimal 10 halaman", "Minimal 10 halaman"),
    ],
)
def test_numbers_of_people_are_hidden_and_others_stay(text: str, shown: str) -> None:
    assert hide(text) == shown


LABELS = [
    "nim", "npm", "NRP", "nidn", "NIDK", "nip", "Nik", "nisn", "Nıp", "niſn", "no.induk", "nomor pokok mahasiswa",
    "student id", "Student Number", "tel", "telp", "Telepon", "tlp", "phone", "fax", "faks", "HP", "wa", "WhatsApp",
    "water", "(", "+", "é ", "x", "-", "",
]  # fmt: skip
MARKS = [" ", ": ", ". ", "", "\n", "mail@", "mail%40", "mail[AT]", "mail (at) ", "mail at) "]
NUMBERS = [
    "12/345678/SA/00001", "A1B2", "0012345678", "+62 812 3456 7890", "(+62) (0)812 3456", "00628123456", "08123456789",
    "812-3456-7890", "811 345 678", "(0274) 512345", "512345-7", "+1 (1) 22 33", "0031 20 1234567", "٠٨١٢٣٤٥٦٧٨٩",
    "529", "ugm.ac.id",
]  # fmt: skip


def test_what_is_let_through_at_first_sight_holds_nothing_for_the_patterns() -> None:
    hidden = 0
    for text in map("".join, itertools.product(LABELS, MARKS, NUMBERS)):
        told = text
        for pattern in (privacy._MAIL, privacy._NUMBERED, privacy._CALLED, privacy._PHONE):
            told = pattern.sub(privacy.HIDDEN, told)
        assert hide(text) == told, text
        hidden += told != text
    assert hidden > 1_000


def test_a_number_that_normalizing_found_is_hidden_wherever_else_it_stands() -> None:
    record = book(
        material="thesis",
        thesis=Thesis("Sarjana", "UGM", student_id="A1B2C34"),
        local=(("nidn", "0099887766"), ("kodeprodi", "61201")),
        notes=(Note("general", "oleh A1B2C34, dibimbing 0099887766"),),
        links=(Link("https://etd.example/A1B2C34.pdf"), Link("https://etd.example/handle/123456789/77")),
    )
    cleaned = filtered_record(record, ("0099887766", "A1B2C34"))
    assert b"A1B2C34" not in msgspec.json.encode(cleaned)
    assert b"0099887766" not in msgspec.json.encode(cleaned)
    assert [link.url for link in cleaned.links] == ["https://etd.example/handle/123456789/77"]
    assert cleaned.local == (("kodeprodi", "61201"),)


def test_an_isbn_that_looks_like_a_telephone_number_stays() -> None:
    record = book(identifiers=(Identifier("isbn", "0812345678"), Identifier("local", "0812-3456-7890")))
    assert [one.value for one in filtered_record(record).identifiers] == ["0812345678", "[…]"]


def test_a_partner_may_switch_its_filters_off() -> None:
    frank = Partner("ui", sources=(Source("ui", "oai-pmh"),), policy=Policy(value_filters=False))
    union = Union()
    record = book(notes=(Note("general", "redaksi@majalah.example.id"),))
    union.commit({"1": [held_by("ui/1", record)], "2": [held_by("ui/1", record), held_by("ugm/2", record)]})
    alone = release(union.clusters["1"], partner_of((frank,)))
    together = release(union.clusters["2"], partner_of((frank, *PARTNERS[:1])))
    assert alone is not None
    assert together is not None
    assert alone.union.record.notes[0].text == "redaksi@majalah.example.id"
    assert together.union.record.notes[0].text == "[…]"


def test_a_union_merged_before_a_policy_came_is_held_back_until_it_is_merged_again() -> None:
    union = Union()
    union.commit({"1": [held_by("ui/1", book(abstract="KENARI")), held_by("ugm/2")]})
    document = union.clusters["1"]
    for changed in ({"withheld": ("abstract",)}, {"visible": False}):
        members = tuple(
            msgspec.structs.replace(one, **changed) if one.address.source == "ui" else one for one in document.members
        )
        stale = msgspec.structs.replace(document, members=members)
        assert release(stale, partner_of(PARTNERS)) is None


# ---- canaries ----------------------------------------------------------------------------------------

PERSONAL = ("21120111130045", "kenari@mail.example.id", "0812-5555-1212", "0012345678", "KENARINIM9")
FIELDS = (
    "title",
    "contributors",
    "subjects",
    "notes",
    "abstract",
    "contents",
    "holdings",
    "links",
    "variant_titles",
    "uniform_title",
)


def secret(number: int) -> NormalizedRecord:
    """A record with one canary in each of ten fields, richer than any other so that it would win."""
    c = [f"KENARI{number}F{field}X" for field in range(10)]
    return book(
        title=c[0], contributors=(Contributor(c[1], role="author", main=True),), subjects=(Subject(c[2]),),
        notes=(Note("general", c[3]),), abstract=c[4] * 9, contents=c[5] * 9,
        holdings=(Holding(c[6], call_number=c[6], items=(c[6],)),), links=(Link(f"https://x.example/{c[7]}"),),
        variant_titles=(c[8],), uniform_title=c[9], series=(), updated="2030-01-01",
    )  # fmt: skip


def personal(**more: object) -> NormalizedRecord:
    mail, phone, nim, nidn, known = PERSONAL[1], PERSONAL[2], PERSONAL[0], PERSONAL[3], PERSONAL[4]
    return book(
        material="thesis",
        contributors=(
            Contributor(f"Budi, {nim}", role="author", main=True),
            Contributor(f"Siti NIDN {nidn}", role="advisor"),
        ),
        notes=(Note("general", f"{mail} atau {phone}"),),
        links=(Link(f"https://etd.example/{nim}.pdf"), Link("https://etd.example/1", f"mailto:{mail}")),
        thesis=Thesis("Sarjana", "UGM", student_id=known),
        local=(("nim", known),), abstract=f"Oleh {known}, HP {phone}.", **more,
    )  # fmt: skip


def catalogue() -> Union:
    union = Union()
    hidden = [held_by("ugm/oai:ugm:1", secret(1), priority=9), held_by("ui/1", book("Umum"))]
    union.commit({"1": hidden, "2": [held_by("ui/2", secret(2))], "3": [held_by("ui/3", personal())]})
    union.commit({"4": [held_by("ui/4", secret(3)), held_by("inlis/4", personal())]})
    return union


def tighten(union: Union) -> None:
    """The policy comes: fields withheld at ugm and ui, one record hidden; the clusters are merged and told again."""

    def tightened(member: Member) -> Member:
        canary = "KENARI" in member.record.title.proper
        return msgspec.structs.replace(member, withheld=FIELDS if canary else (), visible=str(member.address) != "ui/4")

    union.commit({key: [tightened(one) for one in document.members] for key, document in union.clusters.items()})


def everything(union: Union, folder: Path, solr: SolrServer) -> Iterator[tuple[str, bytes]]:
    """(where, bytes) of all that leaves."""
    for kind in ("jsonl", "marcxml", "iso2709", "solr"):
        url = solr.url if kind == "solr" else str(folder / kind)
        output = outputs.get(kind)(opening(url, union.clock))
        deliver(output, union, OutputState(), lambda state: None)
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes()
    solr.core.commit()
    yield "solr", msgspec.json.encode(solr.core.visible)
    repository = Repository("Induk", "http://x/oai", "induk", "a@b.id", b"s", write_marc)
    for prefix in ("oai_dc", "marc21"):
        request = [("verb", "ListRecords"), ("metadataPrefix", prefix)]
        yield prefix, respond(request, union, repository, LATER)


def test_canaries_of_withheld_fields_and_people_are_nowhere(tmp_path: Path) -> None:
    union = catalogue()
    with SolrServer() as solr:
        found = dict(everything(union, tmp_path / "before", solr))
        assert all(b"KENARI1F4X" in raw for where, raw in found.items() if where != "manifest.json")
        tighten(union)
        count = 0
        for where, raw in everything(union, tmp_path / "after", solr):
            count += 1
            assert b"KENARI" not in raw.replace(b"KENARINIM9", b"!"), where
            for canary in PERSONAL:
                assert canary.encode() not in raw, (where, canary)
            if where != "manifest.json":
                assert b"Umum" in raw, where  # the public value of another partner took the place
        assert count == 9


def test_withheld_titles_leave_an_empty_title_and_no_trace() -> None:
    union = Union()
    union.commit({"1": [held_by("ui/1", book("KENARI"), withheld=("title",))]})
    released = release(union.clusters["1"], partner_of(PARTNERS))
    assert released is not None
    assert released.union.record.title == released.members[0].record.title == Title()


def test_a_part_that_was_withheld_later_is_held_back_until_it_is_merged_again() -> None:
    union = Union()
    union.commit({"1": [held_by("ui/1", book(branch="Depok")), held_by("ugm/2")]})
    before = union.clusters["1"]
    policy = ("holdings.copies",)
    members = tuple(
        msgspec.structs.replace(one, withheld=policy if one.address.source == "ui" else ()) for one in before.members
    )
    assert release(msgspec.structs.replace(before, members=members), partner_of(PARTNERS)) is None
    union.commit({"1": list(members)})
    after = release(union.clusters["1"], partner_of(PARTNERS))
    assert after is not None
    assert {one.branch: one.copies for one in after.union.record.holdings} == {"Depok": None, "Pusat": 1}
