"""What a person decides holds: after re-harvests, edits, deletions, other rules; and can be taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db import changes
from harvester import deciding
from harvester.errors import UsageError
from tests.pipeline.shelf import Book, Union

PELANGI = Book("Laskar pelangi", isbn="9789793062792")
PEMIMPI = Book("Sang pemimpi", isbn="9789793062921", year="2006", pages="292")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    yield made
    assert made.consortium.faults() == []
    made.close()


def many(number: int, book: Book = PELANGI) -> dict[str, Book]:
    """*number* records of one book at two libraries, each with a note of its own."""
    return {f"{'alun' if key % 2 else 'bukit'}/{key:03}": book._replace(note=f"Eks. {key}") for key in range(number)}


# ---- merge and split -----------------------------------------------------------------------------------


def test_a_merge_by_hand_holds_through_edits_and_is_undone_with_the_current_versions(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI, "bukit/1": PEMIMPI})
    before = union.groups()
    assert before == {frozenset({"alun/1", "alun/2"}), frozenset({"bukit/1"})}
    result = deciding.merge(union.pipeline, ["alun/1", union.cluster_of("bukit/1")], "ana", "satu buku")
    assert union.groups() == {frozenset({"alun/1", "alun/2", "bukit/1"})}
    assert [row.kind for row in result.feed] == ["redirect", "upsert"]
    assert result.decision is not None
    union.night({"bukit/1": PEMIMPI._replace(title="Sang pemimpi: novel"), "alun/2": PELANGI._replace(pages="529")})
    assert union.groups() == {frozenset({"alun/1", "alun/2", "bukit/1"})}
    undone = deciding.undo(union.pipeline, result.decision, "budi", "dua buku")
    assert union.groups() == before
    assert undone.changed
    union.night({"bukit/1": PEMIMPI})
    assert union.groups() == before


def test_z135_a_split_of_forty_holds_when_all_are_edited_and_a_forty_first_arrives(union: Union) -> None:
    union.night(many(40))
    assert {len(one) for one in union.groups()} == {40}
    every = sorted(many(40))
    left, right = set(every[:25]), set(every[25:])
    result = deciding.split(union.pipeline, union.cluster_of("alun/001"), [sorted(right)], "ana", "dua terbitan")
    assert union.groups() == {frozenset(left), frozenset(right)}
    assert sorted(len(one.members) for one in result.after) == [15, 25]
    edited = {name: PELANGI._replace(pages=str(520 + number % 5), note="baru") for number, name in enumerate(every)}
    union.night({**edited, "alun/newcomer": PELANGI})
    for group in union.groups():
        assert not (group & left and group & right)
    assert {frozenset(group - {"alun/newcomer"}) for group in union.groups()} - {frozenset()} == {
        frozenset(left),
        frozenset(right),
    }
    assert result.decision is not None
    deciding.undo(union.pipeline, result.decision, "ana", "keliru")
    assert union.groups() == {frozenset([*every, "alun/newcomer"])}


def test_z134_a_record_that_flips_between_two_books_every_night_takes_no_id_with_it(union: Union) -> None:
    other = Book("Sang pemimpi", isbn="9789793062921", year="2006", pages="292")
    union.night({**many(3), "alun/a": other, "bukit/b": other._replace(note="b")})
    first, second = union.cluster_of("alun/001"), union.cluster_of("alun/a")
    for night in range(6):
        flips_to = (PELANGI, other)[night % 2]
        union.night({"bukit/flip": flips_to})
        assert union.cluster_of("bukit/flip") == (first, second)[night % 2]
        assert (union.cluster_of("alun/001"), union.cluster_of("alun/a")) == (first, second)
    assert len(union.clusters()) == 2


def test_a_decision_is_one_row_for_each_record_not_for_each_pair(union: Union) -> None:
    from sqlalchemy import func, select

    from db.tables import decision_member

    union.night(many(40))
    deciding.split(union.pipeline, union.cluster_of("alun/001"), [sorted(many(40))[:15]], "ana", "")
    rows = union.consortium.ask(lambda conn: conn.execute(select(func.count()).select_from(decision_member)).scalar())
    assert rows == 40


def test_an_edit_that_makes_a_parted_record_equal_to_the_other_side_does_not_bring_it_back(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI, "bukit/1": PELANGI})
    deciding.split(union.pipeline, union.cluster_of("alun/1"), [["bukit/1"]], "ana", "sampul lain")
    union.night({"bukit/1": PELANGI._replace(note="x"), "bukit/2": PELANGI})
    assert not union.together("alun/1", "bukit/1")
    assert union.together("alun/1", "alun/2")


def test_a_merge_against_a_veto_is_made_and_named(union: Union) -> None:
    second = PELANGI._replace(edition="Edisi 2", isbn="")
    third = PELANGI._replace(edition="Edisi 3", isbn="")
    union.night({"alun/1": second, "bukit/1": third})
    assert not union.together("alun/1", "bukit/1")
    result = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "salah ketik")
    assert union.together("alun/1", "bukit/1")
    assert any("against a veto" in one for one in result.contradictions)


# ---- decisions against each other ----------------------------------------------------------------------


def test_the_newest_decision_about_two_records_counts_and_names_the_one_it_overrules(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI})
    deciding.never(union.pipeline, "alun/1", "bukit/1", "ana", "lain judul")
    later = deciding.must(union.pipeline, "alun/1", "bukit/1", "budi", "satu jilid")
    assert union.together("alun/1", "bukit/1")
    assert any("overrules" in one and "ana" in one for one in later.contradictions)
    assert deciding.contradictions(union.pipeline)
    assert later.decision is not None
    deciding.undo(union.pipeline, later.decision, "budi", "")
    assert not union.together("alun/1", "bukit/1")
    assert deciding.contradictions(union.pipeline) == []


def test_only_what_a_decision_itself_contradicts_is_told_with_it(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI, "bukit/2": Book("Edensor", year="2007", pages="288")})
    deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    deciding.never(union.pipeline, "alun/1", "bukit/1", "budi", "")
    pinned = deciding.pin(union.pipeline, union.cluster_of("alun/1"), "abstract", "ana", "", value="Belitong")
    assert pinned.contradictions == ()
    other = deciding.must(union.pipeline, "alun/1", "bukit/2", "ana", "", preview=True)
    assert not [one for one in other.contradictions if "overrules" in one]
    assert len(deciding.contradictions(union.pipeline)) == 1


def test_a_merge_of_what_stands_together_says_that_it_confirms(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI})
    result = deciding.merge(union.pipeline, ["alun/1", "alun/2"], "ana", "")
    assert "confirmation" in result.notes[0]


def test_what_follows_from_two_decisions_against_a_third_is_reported_and_kept_apart(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PEMIMPI, "bukit/1": Book("Edensor", year="2007", pages="288")})
    deciding.never(union.pipeline, "alun/1", "bukit/1", "ana", "")
    deciding.must(union.pipeline, "alun/1", "alun/2", "ana", "")
    result = deciding.must(union.pipeline, "alun/2", "bukit/1", "budi", "")
    assert not union.together("alun/1", "bukit/1")
    assert any("must stay apart" in one for one in result.contradictions)


def test_a_decision_about_a_deleted_record_sleeps_and_counts_when_it_returns(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PELANGI, "bukit/2": PELANGI})
    deciding.split(union.pipeline, union.cluster_of("alun/1"), [["bukit/1"]], "ana", "")
    union.delete("bukit/1")
    union.night()
    assert union.groups() == {frozenset({"alun/1", "bukit/2"})}
    union.night({"bukit/1": PELANGI})
    assert not union.together("alun/1", "bukit/1")


# ---- undoing -------------------------------------------------------------------------------------------


def test_one_member_is_taken_out_and_stays_out(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI, "bukit/1": PELANGI})
    deciding.undo_member(union.pipeline, union.cluster_of("alun/1"), "bukit/1", "ana", "lain")
    expected = {frozenset({"alun/1", "alun/2"}), frozenset({"bukit/1"})}
    assert union.groups() == expected
    union.night({name: PELANGI._replace(note="lagi") for name in ("alun/1", "alun/2", "bukit/1")})
    assert union.groups() == expected


def test_a_selection_of_the_merge_log_is_undone(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI})
    union.night({"bukit/1": PELANGI})
    lines = [one for one in union.events(union.cluster_of("alun/1")) if one["body"].get("record") == "bukit/1"]
    result = deciding.undo_events(union.pipeline, [one["id"] for one in lines], "ana", "salah")
    assert union.groups() == {frozenset({"alun/1", "alun/2"}), frozenset({"bukit/1"})}
    assert result.decision is not None
    deciding.undo(union.pipeline, result.decision, "ana", "betul juga")
    assert union.together("alun/1", "alun/2", "bukit/1")


def test_a_whole_run_is_undone_and_gives_the_grouping_before_it(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI, "alun/3": PEMIMPI})
    before = union.groups()
    for key in (1, 2):
        union.put(f"bukit/{key}", PELANGI if key == 1 else PEMIMPI)
    union.harvest()
    run = union.match()["run"]
    assert len(union.groups()) == 2
    deciding.undo_run(union.pipeline, run, "ana", "aturan keliru")
    assert union.groups() == before | {frozenset({"bukit/1"}), frozenset({"bukit/2"})}


def test_what_cannot_be_undone_says_exactly_why(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI})
    made = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "x").decision
    assert made is not None
    deciding.undo(union.pipeline, made, "budi", "y")
    with pytest.raises(UsageError, match=r"undone already by decision 2 \(undo by budi"):
        deciding.undo(union.pipeline, made, "ana", "z")
    with pytest.raises(UsageError, match="no decision 99"):
        deciding.undo(union.pipeline, 99, "ana", "z")
    with pytest.raises(UsageError, match="a harvest"):
        deciding.undo_run(union.pipeline, 1, "ana", "z")


def test_an_undo_is_undone(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI})
    made = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "").decision
    undo = deciding.undo(union.pipeline, made or 0, "ana", "").decision
    assert not union.together("alun/1", "bukit/1")
    deciding.undo(union.pipeline, undo or 0, "ana", "")
    assert union.together("alun/1", "bukit/1")


# ---- versions, previews, locks, history ----------------------------------------------------------------


def test_a_preview_says_what_then_happens_and_stores_nothing(union: Union) -> None:
    union.night({**many(6), "bukit/x": PEMIMPI})
    dump, seq = union.consortium.dump(), union.consortium.ask(changes.feed_state)["seq"]
    key = union.cluster_of("bukit/000")
    calls = [
        lambda preview: deciding.merge(union.pipeline, [key, "bukit/x"], "ana", "", preview=preview),
        lambda preview: deciding.split(
            union.pipeline, union.cluster_of("bukit/000"), [["bukit/000", "alun/001"]], "ana", "", preview=preview
        ),
        lambda preview: deciding.undo(union.pipeline, 1, "ana", "", preview=preview),
    ]
    for call in calls:
        seen = call(True)
        if call is calls[0]:
            assert union.consortium.dump() == dump
            assert union.consortium.ask(changes.feed_state)["seq"] == seq
        done = call(False)
        assert {one.members for one in seen.before} == {one.members for one in done.before}
        assert {one.members for one in seen.after} == {one.members for one in done.after}
        assert [row.kind for row in seen.feed] == [row.kind for row in done.feed]
        assert seen.preview
        assert seen.decision is None


def test_a_cluster_that_changed_meanwhile_is_refused_and_nothing_is_stored(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI})
    key = union.cluster_of("alun/1")
    with union.pipeline.database.read() as conn:
        from db import catalogue

        version = catalogue.clusters(conn, [key])[key]["version"]
    union.night({"bukit/1": PELANGI})
    with pytest.raises(deciding.StaleCluster, match="has changed since you looked"):
        deciding.split(union.pipeline, key, [["alun/2"]], "ana", "", expected_version={key: version})
    assert deciding.decisions(union.pipeline) == []


@pytest.mark.slow
def test_while_another_process_matches_a_decision_waits_and_its_match_carries_it_out(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI})
    opened = union.consortium.open()
    with opened.database.lock("match"):
        result = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    opened.database.close()
    assert result.pending
    assert not union.together("alun/1", "bukit/1")
    union.match()
    assert union.together("alun/1", "bukit/1")
    moved = [one for one in union.events(union.cluster_of("alun/1")) if one["kind"] == "merged"]
    assert [one["actor"] for one in moved] == ["ana"]
    assert {one["state"] for one in deciding.decisions(union.pipeline)} == {"active"}


def test_the_history_names_the_person_the_reason_and_the_decision(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PEMIMPI})
    made = deciding.merge(union.pipeline, ["alun/1", "bukit/1"], "ana", "satu buku").decision
    lines = union.events(union.cluster_of("alun/1"))
    assert ("linked", "ana") in {(one["kind"], one["actor"]) for one in lines}
    merged = next(one for one in lines if one["kind"] == "merged")
    assert (merged["actor"], merged["body"]["decision"], merged["body"]["why"]) == ("ana", made, "satu buku")
    assert merged["body"]["evidence"]


# ---- pins and wrong identifiers ------------------------------------------------------------------------


def test_a_pinned_value_is_shown_and_a_change_of_its_source_is_told_once(union: Union) -> None:
    from harvester import inspecting

    union.night({"alun/1": PELANGI, "bukit/1": PELANGI._replace(title="Laskar Pelangi (novel)")})
    key = union.cluster_of("alun/1")

    def shown() -> str:
        return str(inspecting.cluster(union.pipeline, key)["union"]["record"]["title"]["proper"])

    natural = shown()
    donor = next(one for one in ("alun/1", "bukit/1") if union.books[one].title != natural)
    result = deciding.pin(union.pipeline, key, "title", "ana", "begitu di sampul", donor=donor)
    assert shown() == union.books[donor].title
    assert [row.kind for row in result.feed] == ["upsert"]
    union.night({donor: union.books[donor]._replace(title="Laskar pelangi baru")})
    union.night({donor: union.books[donor]._replace(note="hanya catatan")})
    warned = [one for one in union.events(key) if one["kind"] == "pin_changed"]
    assert len(warned) == 1
    assert warned[0]["body"]["record"] == donor
    rules = [one["rule"] for one in inspecting.cluster(union.pipeline, key)["union"]["survivors"]]
    assert "pin, changed since" in rules
    deciding.unpin(union.pipeline, key, "title", "ana", "cukup")
    rules = [one["rule"] for one in inspecting.cluster(union.pipeline, key)["union"]["survivors"]]
    assert not any("pin" in rule for rule in rules)


def test_a_typed_value_is_pinned_on_a_single_record_too(union: Union) -> None:
    from harvester import inspecting

    union.night({"alun/1": PELANGI})
    key = union.cluster_of("alun/1")
    with pytest.raises(UsageError, match="no value for title"):
        deciding.pin(union.pipeline, key, "title", "ana", "", value=7)
    with pytest.raises(UsageError, match="no field 'titel'"):
        deciding.pin(union.pipeline, key, "titel", "ana", "", value="x")
    deciding.pin(union.pipeline, key, "abstract", "ana", "", value="Sepuluh anak Belitong.")
    assert inspecting.cluster(union.pipeline, key)["union"]["record"]["abstract"] == "Sepuluh anak Belitong."
    union.night({"alun/1": PELANGI._replace(note="x")})
    assert inspecting.cluster(union.pipeline, key)["union"]["record"]["abstract"] == "Sepuluh anak Belitong."
    deciding.undo(union.pipeline, 1, "ana", "")
    assert "abstract" not in inspecting.cluster(union.pipeline, key)["union"]["record"]


def test_a_wrong_isbn_is_ignored_by_matching_now_and_after_every_harvest(union: Union) -> None:
    bare = Book("Laskar pelangi", author="", isbn="9789793062792", year="", pages="", publisher="")
    union.night({"alun/1": bare, "bukit/1": bare})
    assert union.together("alun/1", "bukit/1")
    seen = deciding.wrong_identifier(union.pipeline, "bukit/1", "isbn", "979-3062-79-7", "ana", "set", preview=True)
    result = deciding.wrong_identifier(union.pipeline, "bukit/1", "isbn", "979-3062-79-7", "ana", "set")
    assert not union.together("alun/1", "bukit/1")
    assert {one.members for one in seen.after} == {one.members for one in result.after}
    union.night({"bukit/1": bare._replace(note="lagi")})
    assert not union.together("alun/1", "bukit/1")
    deciding.undo(union.pipeline, result.decision or 0, "ana", "")
    assert union.together("alun/1", "bukit/1")


@pytest.mark.parametrize(("field", "value"), [("title", {"propr": "x"}), ("extent", {"txt": "x"})])
def test_a_typed_value_with_a_name_that_the_field_has_not_is_refused(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=r"holds no (propr|txt)") as caught:
        deciding.typed(field, value)
    assert "proper" in caught.value.hint or "pages" in caught.value.hint


def test_one_word_is_a_list_of_one_where_a_field_is_a_list_of_words() -> None:
    assert list(deciding.typed("languages", "jav")) == ["jav"]
    assert deciding.typed("title", {"proper": "Edensor"})["proper"] == "Edensor"
