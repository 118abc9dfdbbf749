"""Survivorship: what survives, who gave it, and that nothing disappears without a word."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ConfigError
from harvester.merge.offers import show
from harvester.merge.quality import share
from harvester.merge.survivorship import fingerprint, load, merge, parse
from harvester.model import (
    Address,
    Contributor,
    Dates,
    Edition,
    Extent,
    Holding,
    Identifier,
    Impression,
    Link,
    Member,
    NormalizedRecord,
    Note,
    Pin,
    Publication,
    Subject,
    Title,
    UnionRecord,
)

RULES = load()


def member(
    address: str, priority: int = 0, withheld: tuple[str, ...] = (), visible: bool = True, **fields: Any
) -> Member:
    record = NormalizedRecord(**({"title": Title("Laskar pelangi")} | fields))
    return Member(Address.parse(address), record, priority=priority, withheld=withheld, visible=visible)


def by(*names: str) -> tuple[Contributor, ...]:
    return tuple(Contributor(name, role="author", main=index == 0) for index, name in enumerate(names))


def donors(union: UnionRecord, field: str) -> list[tuple[str, str]]:
    return [
        (line.donor, line.value)
        for line in union.survivors
        if line.field == field and not line.rule.startswith(("dropped:", "variant:"))
    ]


def rules_of(union: UnionRecord, field: str) -> dict[str, str]:
    return {line.value: line.rule for line in union.survivors if line.field == field}


def test_a_cluster_of_one_is_its_record_and_its_own_donor() -> None:
    only = member("ugm/1", contributors=by("Hirata, Andrea", "HIRATA, ANDREA"), abstract="Sepuluh anak Belitung.")
    union = merge([only], RULES)
    assert union.record == only.record
    assert union.members == ("ugm/1",)
    assert {line.donor for line in union.survivors} == {"ugm/1"}


def test_eight_spellings_of_one_author_show_one_with_the_others_as_variants() -> None:
    spellings = [
        "Hirata, Andrea", "Andrea Hirata", "HIRATA, ANDREA", "hirata, andrea", "Hirata Andrea", "Hirata, A.",
        "A. Hirata", "Andréa Hirata",
    ]  # fmt: skip
    union = merge([member(f"lib{n}/1", contributors=by(name)) for n, name in enumerate(spellings)], RULES)
    assert [person.name for person in union.record.contributors] == ["Hirata, Andrea"]
    rules = rules_of(union, "contributors")
    assert rules.pop("Hirata, Andrea") == "union"
    assert set(rules) == set(spellings[1:])
    assert set(rules.values()) == {"variant:Hirata, Andrea"}


def test_old_and_new_spelling_of_a_name_are_one_and_two_brothers_are_two() -> None:
    union = merge([member("a/1", contributors=by("Soekarno")), member("b/1", contributors=by("Sukarno"))], RULES)
    assert len(union.record.contributors) == 1
    grimm = [
        member("a/1", contributors=by("Grimm, Jacob", "Grimm, Wilhelm")),
        member("b/1", contributors=by("Grimm, J.", "Grimm, W.")),
    ]
    assert [person.name for person in merge(grimm, RULES).record.contributors] == ["Grimm, Jacob", "Grimm, Wilhelm"]


def test_initials_that_fit_two_people_stay_by_themselves() -> None:
    both = [
        member("a/1", contributors=by("Grimm, Jacob", "Grimm, Johann")),
        member("b/1", contributors=by("Grimm, J.")),
    ]
    assert len(merge(both, RULES).record.contributors) == 3


def test_a_person_is_listed_once_a_role_and_creator_joins_author() -> None:
    union = merge(
        [
            member("a/1", contributors=(Contributor("Toer, Pramoedya Ananta", role="creator", main=True),)),
            member("b/1", contributors=(Contributor("Toer, Pramoedya Ananta", role="author", dates="1925-2006"),)),
            member("c/1", contributors=(Contributor("Toer, Pramudya Ananta", role="translator"),)),
        ],
        RULES,
    )
    assert [(person.name, person.role, person.dates) for person in union.record.contributors] == [
        ("Toer, Pramoedya Ananta", "author", "1925-2006"),
        ("Toer, Pramudya Ananta", "translator", ""),
    ]
    assert sum(person.main for person in union.record.contributors) == 1


def test_publishers_and_subjects_fold_their_variants() -> None:
    union = merge(
        [
            member("a/1", publications=(Publication("Yogyakarta", "Bentang Pustaka"),), subjects=(Subject("Novel"),)),
            member("b/1", publications=(Publication("", "PT. BENTANG PUSTAKA"),), subjects=(Subject("NOVEL"),)),
            member("c/1", publications=(Publication("Yogyakarta", "Penerbit Bentang Pustaka,"),)),
        ],
        RULES,
    )
    assert len(union.record.publications) == 1
    assert union.record.publications[0].place == "Yogyakarta"
    assert [subject.term for subject in union.record.subjects] == ["Novel"]


@pytest.mark.parametrize(
    ("label", "worse"),
    [
        ("capitals", {"title": Title("LASKAR PELANGI", "SEBUAH NOVEL", responsibility="ANDREA HIRATA")}),
        ("a stub", {"title": Title("Laskar pelangi", "novel", responsibility="x")}),
        ("made by a machine", {"title": Title("scan_0012.pdf", "Laskar pelangi", responsibility="admin")}),
        ("broken characters", {"title": Title("Laskar pelang\ufffd", "novel", responsibility="x")}),
    ],
)
def test_a_trapped_record_does_not_give_the_title(label: str, worse: dict[str, Any]) -> None:
    rich = {
        "contributors": by("Hirata, Andrea"), "dates": Dates(2005), "publications": (Publication("Yogya", "Bentang"),),
        "extent": Extent("529 hlm.", 529), "languages": ("ind",), "subjects": (Subject("Novel"),), "cataloguing": "rda",
        "identifiers": (Identifier("isbn", "9789793062792"),),
    }  # fmt: skip
    bad = worse if label == "a stub" else rich | worse
    union = merge([member("a/bad", **bad), member("z/good", **rich)], RULES)
    assert union.record.title.proper == "Laskar pelangi"
    assert donors(union, "title")[0][0] == "z/good"


def test_majority_gives_a_source_one_voice_however_many_copies_it_sent() -> None:
    five = [member(f"inlis/{n}", dates=Dates(2015, text="2015")) for n in range(5)]
    two = [member("ugm/1", dates=Dates(2005, text="2005")), member("ui/1", dates=Dates(2005, text="c2005"))]
    assert merge([*five, *two], RULES).record.dates.year_from == 2005


def test_a_printing_stands_beside_the_date_of_its_own_record_or_is_told_as_dropped() -> None:
    """The 20th printing is of 2008: beside 2005 it would describe a book that nobody has."""
    first = member("a/1", dates=Dates(2005), abstract="Sepuluh anak")
    later = member("b/1", dates=Dates(2008), impression=Impression("Cet. 20", 20))
    union = merge([first, later], RULES)
    assert (union.record.dates.year_from, union.record.impression) == (2005, Impression())
    assert rules_of(union, "impression") == {"Cet. 20 · 20": "dropped:beside"}
    said = member("a/1", dates=Dates(2005), abstract="Sepuluh anak", impression=Impression("Cet. 2", 2))
    many = [said, later, member("c/1", dates=Dates(2005)), member("d/1", impression=Impression("Cet. 20", 20))]
    union = merge(many, RULES)
    assert (union.record.dates.year_from, union.record.impression.number) == (2005, 2)
    assert rules_of(union, "impression") == {"Cet. 2 · 2": "majority", "Cet. 20 · 20": "dropped:beside"}
    undated = [member("a/1"), member("d/1", impression=Impression("Cet. 20", 20))]
    assert merge(undated, RULES).record.impression.number == 20


def test_another_record_of_the_same_year_gives_the_printing() -> None:
    """The record that gave the date says none; another of its year does, and the majority counts among those of it."""
    dated = member("a/1", dates=Dates(2008, text="2008"), abstract="Sepuluh anak")
    same = member("b/1", dates=Dates(2008), impression=Impression("Cet. 20", 20))
    others = [
        member(f"{code}/1", dates=Dates(2005 + n), impression=Impression("Cet. 2")) for n, code in enumerate("cd")
    ]
    union = merge([dated, same, *others], RULES)
    assert (union.record.dates.year_from, union.record.impression) == (2008, Impression("Cet. 20", 20))
    assert rules_of(union, "impression") == {"Cet. 20 · 20": "majority", "Cet. 2": "dropped:beside"}


def test_what_a_field_stands_beside_may_be_missing_in_every_record() -> None:
    shipped = (Path(__file__).parents[2] / "mappings/rules/survivorship.yaml").read_text("utf-8")
    text = shipped.replace("edition: {rule: most_complete", "edition: {beside: thesis.degree, rule: most_complete")
    assert text != shipped
    books = [member("a/1", edition=Edition("Ed. 2")), member("b/1", edition=Edition("Edisi kedua"))]
    assert merge(books, parse(text)).record.edition.text in ("Ed. 2", "Edisi kedua")


def test_a_pinned_date_takes_its_own_printing_along_and_a_pinned_printing_stays() -> None:
    first = member("a/1", dates=Dates(2005), impression=Impression("Cet. 2", 2), abstract="Sepuluh anak")
    later = member("b/1", dates=Dates(2008), impression=Impression("Cet. 20", 20))
    union = merge([first, later], RULES, [Pin("dates", "b/1")])
    assert (union.record.dates.year_from, union.record.impression.number) == (2008, 20)
    union = merge([first, later], RULES, [Pin("impression", "b/1")])
    assert (union.record.dates.year_from, union.record.impression.number) == (2005, 20)
    typed = Pin("dates", value={"year_from": 2006})
    assert merge([first, later], RULES, [typed]).record.impression.number == 2  # nobody says 2006: as the rule has it


def test_a_withheld_printing_stays_told_where_others_are_of_another_date() -> None:
    secret = member(
        "a/1", dates=Dates(2005), abstract="Sepuluh", impression=Impression("Cet. 2"), withheld=("impression",)
    )
    union = merge([secret, member("b/1", dates=Dates(2008), impression=Impression("Cet. 20", 20))], RULES)
    assert rules_of(union, "impression") == {"": "dropped:withheld", "Cet. 20 · 20": "dropped:beside"}


@pytest.mark.parametrize("place", ["notes", "impression", "dates.yaer_from", "nothing"])
def test_beside_names_another_single_field(tmp_path: Path, place: str) -> None:
    path = tmp_path / "survivorship.yaml"
    path.write_text(RULES.text.replace("beside: dates.year_from", f"beside: {place}"), "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert len(caught.value.problems) == 1


def test_newest_reads_the_records_own_date() -> None:
    old, new = (
        member("a/1", frequency="bulanan", updated="2001-01-01"),
        member("b/1", frequency="mingguan", updated="2020"),
    )
    assert merge([new, old], RULES).record.frequency == "mingguan"
    assert merge([old, new], RULES).record.updated == "2020"


def test_best_source_is_the_partner_with_priority() -> None:
    union = merge([member("a/1", control_number="A"), member("z/1", priority=5, control_number="Z")], RULES)
    assert union.record.control_number == "Z"
    assert rules_of(union, "control_number") == {"Z": "best_source", "A": "dropped:best_source"}


def test_holdings_are_all_kept_in_the_order_of_their_donors() -> None:
    copies = [member(f"inlis/{n}", holdings=(Holding(branch="Pusat", copies=1),)) for n in range(5)]
    union = merge([*copies, member("ugm/1", holdings=(Holding(branch="Pusat", copies=1),))], RULES)
    assert len(union.record.holdings) == 6
    assert sorted(donor for donor, _ in donors(union, "holdings")) == sorted(
        [f"inlis/{n}" for n in range(5)] + ["ugm/1"]
    )


def test_a_licensed_address_stays_with_its_own_partner() -> None:
    union = merge(
        [
            member("a/1", links=(Link("https://a.example/x", access="licensed"),)),
            member("b/1", links=(Link("http://b.example"),)),
        ],
        RULES,
    )
    assert [link.url for link in union.record.links] == ["http://b.example"]
    assert rules_of(union, "links")["https://a.example/x"] == "dropped:access licensed"


def test_a_withheld_field_is_not_eligible_and_another_partner_takes_its_place() -> None:
    secret = member("a/1", priority=9, withheld=("abstract", "holdings.call_number"), abstract="KENARI-1 " * 30,
                    holdings=(Holding(branch="Pusat", call_number="KENARI-2"),))  # fmt: skip
    public = member("b/1", abstract="Umum.")
    for members in ([secret, public], [secret]):
        union = merge(members, RULES)
        assert b"KENARI" not in msgspec.json.encode(union)
        assert ("a/1", "dropped:withheld") in [(line.donor, line.rule) for line in union.survivors]
    assert merge([secret, public], RULES).record.abstract == "Umum."


def test_a_mistyped_withheld_field_is_an_error_and_no_leak() -> None:
    with pytest.raises(AttributeError):
        merge([member("a/1", withheld=("abstrak",), abstract="KENARI")], RULES)


def test_invisible_members_contribute_nothing() -> None:
    union = merge([member("a/1", visible=False, abstract="KENARI", priority=9), member("b/1")], RULES)
    assert union.members == ("b/1",)
    assert b"KENARI" not in msgspec.json.encode(union)
    assert merge([member("a/1", visible=False)], RULES).members == ()


def test_a_copy_adds_its_holdings_and_nothing_else() -> None:
    said: dict[str, Any] = {
        "contributors": by("Hirata, Andrea", "HIRATA, ANDREA", "Toer, P."),
        "identifiers": (Identifier("isbn", "9789793062792"), Identifier("isbn", "9789793062792", "jil. 1")),
        "subjects": (Subject("Novel", "keyword"), Subject("NOVEL", "genre")), "dates": Dates(2005, text="2005"),
        "notes": (Note("general", "Terjemahan."), Note("general", "terjemahan")), "holdings": (Holding("Pusat"),),
    }  # fmt: skip
    once = merge([member("a/1", **said), member("z/1")], RULES)
    twice = merge([member("a/1", **said), member("b/1", **said)], RULES)
    assert twice.record == msgspec.structs.replace(once.record, holdings=said["holdings"] * 2)
    added = [line.field for line in twice.survivors if line.donor == "b/1"]
    assert added == ["holdings"]
    assert [line for line in twice.survivors if line.donor == "a/1"] == list(once.survivors)


def test_the_json_of_a_valid_identifier_leaves_its_status_out_whoever_gave_it() -> None:
    """Else a cluster would be told to consumers again, only because it was merged again."""
    sent = b'{"identifiers":[{"kind":"isbn","value":"9789793062792","status":"valid"}]}'
    read = [msgspec.json.decode(sent, type=NormalizedRecord) for _ in range(2)]
    union = merge([Member(Address(code, "1"), one) for code, one in zip("ab", read, strict=True)], RULES)
    assert b'"status"' not in msgspec.json.encode(union.record)


def test_suppressed_needs_every_member() -> None:
    assert not merge([member("a/1", suppressed=True), member("b/1")], RULES).record.suppressed
    assert merge([member("a/1", suppressed=True), member("b/1", suppressed=True)], RULES).record.suppressed


def test_a_pin_beats_the_rules_and_warns_when_its_source_changed() -> None:
    members = [member("a/1", abstract="Pendek."), member("b/1", abstract="Jauh lebih panjang.")]
    pin = Pin("abstract", donor="a/1", seen=fingerprint("Pendek."))
    union = merge(members, RULES, [pin])
    assert union.record.abstract == "Pendek."
    assert rules_of(union, "abstract") == {"Pendek.": "pin", "Jauh lebih panjang.": "dropped:pin"}
    edited = [member("a/1", abstract="Lain."), members[1]]
    assert rules_of(merge(edited, RULES, [pin]), "abstract")["Lain."] == "pin, changed since"


def test_a_typed_pin_names_its_author_and_a_pin_without_donor_sleeps() -> None:
    members = [member("a/1"), member("b/1")]
    typed = Pin("title", value={"proper": "Laskar Pelangi"}, author="rini")
    union = merge(members, RULES, [typed])
    assert union.record.title == Title("Laskar Pelangi")
    assert donors(union, "title") == [("rini", "Laskar Pelangi")]
    asleep = merge(members, RULES, [Pin("title", donor="gone/1")])
    assert asleep.record.title.proper == "Laskar pelangi"
    assert ("gone/1", "dropped:pin dormant") in [(line.donor, line.rule) for line in asleep.survivors]


def test_every_mistake_of_a_rules_file_is_told_with_its_line(tmp_path: Path) -> None:
    text = RULES.text.replace("rule: newest}", "rule: newst}", 1).replace("fold: subject", "fold: subjct")
    text = text.replace("  notes: {rule: union, fold: note}\n", "").replace("[pages, volumes, height]", "[pags]")
    text = text.replace("  audience: {rule: majority}", "  audiens: {rule: majority}")
    path = tmp_path / "survivorship.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(path)
    told = "\n".join(caught.value.problems)
    for message in (
        "'newst' (did you mean newest?)",
        "'subjct'",
        "no rule for: notes, audience",
        "no part 'pags'",
        "'audiens'",
    ):
        assert message in told
    lines = text.splitlines()
    for problem in caught.value.problems:
        place, line = problem.split(": ", 1)[0].split(":")
        assert place == "survivorship.yaml"
        assert 1 <= int(line) <= len(lines)
    newst = next(problem for problem in caught.value.problems if "newst" in problem)
    assert "newst" in lines[int(newst.split(":")[1]) - 1]


def test_the_hash_names_the_text(tmp_path: Path) -> None:
    path = tmp_path / "survivorship.yaml"
    path.write_text(RULES.text + "\n# changed\n", "utf-8")
    assert load(path).hash != RULES.hash


def test_quality_lies_between_nothing_and_one() -> None:
    stub, shouting = NormalizedRecord(title=Title("Laporan")), NormalizedRecord(title=Title("LAPORAN TAHUNAN"))
    full = member("a/1", contributors=by("Hirata, Andrea"), dates=Dates(2005), identifiers=(Identifier("isbn", "1"),),
                  publications=(Publication("Yogya"),), languages=("ind",)).record  # fmt: skip
    assert 0.0 == share(shouting, RULES.quality) <= share(stub, RULES.quality) < share(full, RULES.quality) < 1.0


# ---- properties --------------------------------------------------------------------------------------

NAMES = [
    "Hirata, Andrea",
    "Andrea Hirata",
    "HIRATA, ANDREA",
    "Hirata, A.",
    "Hirata, Anton",
    "Soekarno",
    "Sukarno",
    "A.",
]
TEXTS = st.sampled_from(
    ["Laskar pelangi", "LASKAR PELANGI", "Laskar Pelangi!", "Bumi manusia", "scan.pdf", "قال", "???"]
)
PEOPLE = st.builds(
    Contributor,
    name=st.sampled_from(NAMES),
    role=st.sampled_from(["creator", "author", "editor"]),
    dates=st.sampled_from(["", "1967-"]),
    main=st.booleans(),
)
RECORDS = st.builds(
    NormalizedRecord,
    material=st.sampled_from(["book", "thesis"]),
    title=st.builds(
        Title, proper=TEXTS, remainder=st.sampled_from(["", "novel"]), original=st.sampled_from(["", "قال"])
    ),
    contributors=st.lists(PEOPLE, max_size=3).map(tuple),
    identifiers=st.lists(
        st.builds(
            Identifier,
            kind=st.just("isbn"),
            value=st.sampled_from(["9789793062792", "9786028811743"]),
            qualifier=st.sampled_from(["", "jil. 1"]),
            status=st.sampled_from(["valid", "cancelled"]),
        ),
        max_size=2,
    ).map(tuple),
    publications=st.lists(
        st.builds(
            Publication, place=st.sampled_from(["", "Yogya"]), publisher=st.sampled_from(["", "PT Bentang", "Bentang"])
        ),
        max_size=2,
    ).map(tuple),
    dates=st.builds(Dates, year_from=st.sampled_from([None, 2005, 2006]), text=st.sampled_from(["", "2005", "c2005"])),
    impression=st.builds(Impression, text=st.sampled_from(["", "Cet. 2", "CET. 2"]), number=st.sampled_from([None, 2])),
    extent=st.builds(Extent, text=st.sampled_from(["", "529 hlm."]), pages=st.sampled_from([None, 529])),
    subjects=st.lists(st.builds(Subject, term=TEXTS, kind=st.sampled_from(["topic", "keyword"])), max_size=2).map(
        tuple
    ),
    notes=st.lists(st.builds(Note, kind=st.just("general"), text=TEXTS), max_size=2).map(tuple),
    links=st.lists(
        st.builds(
            Link,
            url=st.sampled_from(["http://x.id/1", "https://www.x.id/1/"]),
            access=st.sampled_from(["unknown", "licensed"]),
        ),
        max_size=2,
    ).map(tuple),
    abstract=st.sampled_from(["", "Pendek.", "Panjang sekali."]),
    holdings=st.lists(st.builds(Holding, branch=st.sampled_from(["A", "B"])), max_size=2).map(tuple),
    updated=st.sampled_from(["", "2001", "2020-01-01"]),
    suppressed=st.booleans(),
)
MEMBERS = st.lists(
    st.builds(
        Member,
        address=st.builds(Address, st.sampled_from(["a", "b", "c"]), st.sampled_from(["1", "2", "3", "ä/4"])),
        record=RECORDS,
        priority=st.integers(0, 2),
        visible=st.sampled_from([True, True, True, False]),
        withheld=st.sampled_from([(), (), ("notes",), ("contributors", "abstract")]),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda member: member.address,
)


@given(MEMBERS, st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_the_members_plays_no_part(members: list[Member], chance: random.Random) -> None:
    expected = merge(members, RULES)
    shuffled = members[:]
    chance.shuffle(shuffled)
    assert msgspec.json.encode(merge(shuffled, RULES)) == msgspec.json.encode(expected)


@given(MEMBERS)
@settings(max_examples=150, deadline=None)
def test_z139_every_offered_value_is_explained_and_every_value_names_a_donor_that_has_it(members: list[Member]) -> None:
    union = merge(members, RULES)
    visible = {str(member.address): member.shown() for member in members if member.visible}
    for giver in {donor for donor, _ in donors(union, "impression")}:
        assert visible[giver].dates.year_from == union.record.dates.year_from
    told = {(line.field, line.value) for line in union.survivors}
    for record in visible.values():
        for field in record.__struct_fields__:
            value = getattr(record, field)
            for single in value if isinstance(value, tuple) else (value,):
                if value != getattr(NormalizedRecord(), field):
                    assert (field, show(single)) in told, (field, single)
    for line in union.survivors:
        if line.rule == "dropped:withheld":
            assert line.value == ""
            continue
        value: Any = visible[line.donor]
        for part in line.field.split("."):
            value = getattr(value, part)
        assert line.value in {show(single) for single in (value if isinstance(value, tuple) else (value,))}
    for field in union.record.__struct_fields__ if union.members else ():
        value = getattr(union.record, field)
        if isinstance(value, tuple):
            assert len(donors(union, field)) == len(value)
        elif value != getattr(NormalizedRecord(), field):
            assert donors(union, field)
