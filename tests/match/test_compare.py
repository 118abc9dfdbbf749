"""Decisions: symmetric, equal in haste and at leisure, explained, and never better than the evidence."""

from __future__ import annotations

import pickle
import re
from collections.abc import Hashable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from harvester.match import compare
from harvester.match.compare import decide, explain, judge, of_itself, outcomes, self_merges
from harvester.match.profile import profile
from harvester.match.rules import Rules, load, parse
from harvester.model import Decision, NormalizedRecord, Profile
from tests.match.cases import cases, record
from tests.match.strategies import RECORDS

RULES = load()
NOVEL = {
    "title": "Laskar pelangi",
    "by": "Hirata, Andrea",
    "publisher": "Bentang",
    "year": 2005,
    "pages": 534,
    "isbn": "9789793062792",
}


def read(**changes: object) -> Profile:
    return profile(record({**NOVEL, **changes}), RULES)


def with_impression(policy: str) -> Rules:
    return parse(RULES.text.replace("impression: merge\n", f"impression: {policy}\n"))


@settings(max_examples=200, deadline=None)
@given(RECORDS, RECORDS)
def test_a_decision_does_not_depend_on_which_record_stands_left(
    left: NormalizedRecord, right: NormalizedRecord
) -> None:
    one, other = profile(left, RULES), profile(right, RULES)
    assert decide(one, other, RULES) == decide(other, one, RULES)
    there, back = explain(one, other, RULES), explain(other, one, RULES)
    assert (there.verdict, there.score, there.reason) == (back.verdict, back.score, back.reason)


@settings(max_examples=200, deadline=None)
@given(RECORDS, RECORDS)
def test_deciding_early_and_explaining_at_leisure_agree(left: NormalizedRecord, right: NormalizedRecord) -> None:
    one, other = profile(left, RULES), profile(right, RULES)
    quick, full = decide(one, other, RULES), explain(one, other, RULES)
    assert quick.verdict == full.verdict
    if full.score >= RULES.review_at:
        assert quick.score == full.score
        assert quick.reason == full.reason
    kept = judge(one, other, RULES)
    assert kept == (full if kept.evidence else quick)
    assert bool(kept.evidence) == (kept.verdict in ("merge", "review") or full.score >= RULES.review_at)


@settings(max_examples=200, deadline=None)
@given(RECORDS, RECORDS)
def test_the_points_of_the_evidence_add_up_to_the_score(left: NormalizedRecord, right: NormalizedRecord) -> None:
    full = explain(profile(left, RULES), profile(right, RULES), RULES)
    assert sum(one.points for one in full.evidence) == pytest.approx(full.score)


@pytest.mark.parametrize("name", ["negatives", "positives"])
def test_the_suites_are_decided_alike_early_and_at_leisure(name: str) -> None:
    for case in cases(name):
        one, other = profile(case.left, RULES), profile(case.right, RULES)
        assert decide(one, other, RULES).verdict == explain(one, other, RULES).verdict, case.label


@pytest.mark.parametrize("review", [-60, -45, -36, -27, -18, -9])
def test_what_a_veto_keeps_does_not_depend_on_where_one_stops_looking(review: int) -> None:
    """A pair that is vetoed at once is asked in an order of its own, and with the bonuses that it may still get."""
    rules = parse(re.sub(r"review: -?\d+", f"review: {review}", RULES.text, count=1))
    assert rules.review_at == review
    vetoed = 0
    for name in ("negatives", "positives"):
        for case in cases(name):
            one, other = profile(case.left, rules), profile(case.right, rules)
            kept, full = judge(one, other, rules), explain(one, other, rules)
            assert bool(kept.evidence) == (full.score >= review), case.label
            assert kept == full if kept.evidence else kept.verdict == full.verdict, case.label
            vetoed += kept.verdict == "veto"
    assert vetoed > 100


def test_what_a_profile_makes_of_its_equal_follows_from_little_of_it() -> None:
    """Whether equal records merge is remembered for all that are alike in `of_itself`."""
    told: dict[tuple[Hashable, ...], dict[str, str]] = {}
    for name in ("negatives", "positives"):
        for case in cases(name):
            for one in (profile(case.left, RULES), profile(case.right, RULES)):
                found = outcomes(one, one, RULES)
                assert told.setdefault(of_itself(one), found) == found, case.label
    assert len(told) > 100


def test_most_pairs_of_unlike_records_end_early() -> None:
    left = read()
    right = profile(record({"title": "Kimia dasar", "by": "Petrucci", "year": 1987, "pages": 900}), RULES)
    assert decide(left, right, RULES).score > explain(left, right, RULES).score


def test_z130_a_shared_isbn_alone_is_no_merge() -> None:
    other = profile(record({"title": "Edensor", "by": "Dee Lestari", "isbn": NOVEL["isbn"], "year": 1999}), RULES)
    assert decide(read(), other, RULES).verdict != "merge"


def test_a_title_alone_is_no_merge() -> None:
    assert decide(read(), profile(record({"title": "Laskar pelangi"}), RULES), RULES).verdict != "merge"


READER = {"title": "Reden und Aufsätze aus dem Kriege", "by": "Helfferich, Karl", "publisher": "Stilke", "year": 1917}


def test_one_title_copied_alike_by_two_who_code_its_language_otherwise_is_one_book() -> None:
    german, english = ({**READER, "pages": 344, "language": code} for code in ("ger", "eng"))
    assert compared(german, english).verdict == "merge"
    # where anything else differs, the code is all there is to go by
    assert compared(german, {**english, "pages": 356}).verdict != "merge"
    assert compared({**german, "title": "Max"}, {**english, "title": "Max"}).verdict != "merge"
    assert compared({**german, "material": "score"}, {**english, "material": "score"}).verdict == "veto"


@pytest.mark.parametrize(
    ("left", "right", "outcome"),
    [
        ("United States. Army. Ordnance Department", "United States. Army. Ordnance Dept.", "body"),
        ("Bausch & Lomb Optical Company", "Bausch & Lomb Optical Co.", "body"),
        ("Barnhart Brothers and Spindler", "Barnhart Bros. and Spindler", "body"),
        ("United States. Department of Defense", "United States. Dept. of Development", "different"),
        ("Dinas Kesehatan Kabupaten Bantul", "Dinas Kesehatan Kabupaten Sleman", "different"),
    ],
)
def test_bodies_are_compared_through_their_contractions(left: str, right: str, outcome: str) -> None:
    found = compare.outcomes(profile(record({"body": left}), RULES), profile(record({"body": right}), RULES), RULES)
    assert found["author"] == outcome


def test_a_misspelled_name_in_a_title_is_a_typing_error_though_the_author_bears_it() -> None:
    left = {"title": "Memoirs of William Wordsworth, poet-laureate", "by": "Wordsworth, Christopher"}
    right = {"title": "Memoirs of William Wordworth", "by": "Wordsworth, Christopher"}
    found = compare.outcomes(profile(record(left), RULES), profile(record(right), RULES), RULES)
    assert found["words"] == "typo"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Musik : Weihnachts Oratorium Weihnachtsoratoriumtext", "Musik : Weihnachtsoratorium Text"),
        ("Handbuch : sunflower seed", "Handbuch : sun flower sunflowerseed"),
    ],
)
def test_compounds_are_taken_apart_alike_from_either_side(left: str, right: str) -> None:
    one, other = (profile(record({"title": title}), RULES) for title in (left, right))
    there, back = (compare.outcomes(*pair, RULES)["words"] for pair in ((one, other), (other, one)))
    assert there == back


def compared(left: dict[str, Any], right: dict[str, Any]) -> Decision:
    return decide(profile(record(left), RULES), profile(record(right), RULES), RULES)


def test_a_near_certain_veto_keeps_its_score_for_the_review_list() -> None:
    decision = decide(read(form="print"), read(form="online"), RULES)
    assert decision.verdict == "veto"
    assert decision.score >= RULES.review_at
    assert "print" in decision.reason


def test_different_oclc_numbers_do_not_forbid_a_merge() -> None:
    assert decide(read(oclc="111"), read(oclc="222"), RULES).verdict == "merge"


@pytest.mark.parametrize(("policy", "verdict"), [("merge", "merge"), ("review", "review"), ("distinct", "veto")])
def test_another_printing_is_what_the_policy_says(policy: str, verdict: str) -> None:
    rules = with_impression(policy)
    decision = decide(read(year=2005), read(year=2008, printing="Cet. 20"), rules)
    assert decision.verdict == verdict
    assert explain(read(year=2005), read(year=2008, printing="Cet. 20"), rules).verdict == verdict


def test_equal_records_merge_by_themselves_unless_they_say_too_little() -> None:
    assert self_merges(read(), RULES)
    assert not self_merges(profile(record({"title": "Laskar pelangi"}), RULES), RULES)
    assert not self_merges(profile(record({"title": "Matematika", "year": 2007}), RULES), RULES)


def test_equal_theses_merge_only_with_author_and_institution() -> None:
    thesis = {"title": "Sistem informasi berbasis web", "material": "thesis", "year": 2015, "pages": 80}
    assert not self_merges(profile(record({**thesis, "by": "Andi Wijaya"}), RULES), RULES)
    assert not self_merges(profile(record({**thesis, "institution": "UGM"}), RULES), RULES)
    assert self_merges(profile(record({**thesis, "by": "Andi Wijaya", "institution": "UGM"}), RULES), RULES)


def test_records_that_matching_cannot_tell_apart_have_equal_bytes() -> None:
    shouted = record({**NOVEL, "title": "LASKAR PELANGI", "publisher": "PT Bentang"})
    assert msgspec.msgpack.encode(profile(shouted, RULES)) == msgspec.msgpack.encode(read())


def test_a_profile_survives_storage() -> None:
    kept = msgspec.msgpack.encode(read())
    assert msgspec.msgpack.decode(kept, type=Profile) == read()


def test_rules_travel_to_worker_processes() -> None:
    there = pickle.loads(pickle.dumps(RULES))
    assert decide(read(), read(year=2006), there) == decide(read(), read(year=2006), RULES)
