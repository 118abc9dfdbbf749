"""The review queue shows what waits and what is odd, forgets what was judged, and turns verdicts into labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db import links, suspects
from db.review import Waiting
from harvester import deciding, reviewing
from harvester.errors import UsageError
from tests.pipeline.shelf import Book, Union

PELANGI = Book("Laskar pelangi", isbn="9789793062792")
SECOND = Book("Pengantar ilmu hukum", author="Rahardjo, Satjipto", edition="Edisi 2", publisher="Alumni", year="1986")
THIRD = SECOND._replace(edition="Edisi 3")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    yield made
    assert made.consortium.faults() == []
    made.close()


def shown(union: Union, *kinds: str) -> list[reviewing.Item]:
    return reviewing.queue(union.pipeline, 20, kinds=kinds or reviewing.KINDS)


def test_a_nearly_certain_pair_that_a_veto_parts_waits_until_it_is_judged(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD})
    waits = shown(union, "veto", "review")
    assert [(one.left, one.right) for one in waits] == [("alun/1", "bukit/1")]
    assert waits[0].reasons[0]
    assert waits[0].titles == ("Pengantar ilmu hukum", "Pengantar ilmu hukum")
    reviewing.judge(union.pipeline, "alun/1", "bukit/1", "different", "ana", "edisi lain")
    assert shown(union, "veto", "review") == []
    held = union.consortium.ask(links.labels)
    assert [(row["left_source"], row["right_source"], row["duplicate"], row["author"]) for row in held] == [
        ("alun", "bukit", False, "ana")
    ]
    assert not union.together("alun/1", "bukit/1")


def test_what_people_judged_or_keep_apart_is_not_counted_among_what_waits(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD, "alun/2": PELANGI})
    assert reviewing.waiting(union.pipeline) == (1, 0)
    made = deciding.never(union.pipeline, "alun/1", "bukit/1", "ana", "edisi lain")
    assert reviewing.waiting(union.pipeline) == (0, 0)
    deciding.undo(union.pipeline, made.decision or 0, "ana", "belum tentu")
    assert reviewing.waiting(union.pipeline) == (1, 0)
    reviewing.judge(union.pipeline, "alun/1", "bukit/1", "different", "ana")
    assert reviewing.waiting(union.pipeline) == (0, 1)


def test_one_record_is_no_pair_to_judge(union: Union) -> None:
    union.night({"alun/1": SECOND})
    with pytest.raises(UsageError, match="one record, not two"):
        reviewing.judge(union.pipeline, "alun/1", "alun/1", "same", "ana")


def test_the_verdict_same_merges_and_leaves_the_queue(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD})
    result = reviewing.judge(union.pipeline, "alun/1", "bukit/1", "same", "ana", "salah ketik")
    assert union.together("alun/1", "bukit/1")
    assert result.decision is not None
    assert shown(union, "veto", "review") == []
    with pytest.raises(UsageError, match="no verdict"):
        reviewing.judge(union.pipeline, "alun/1", "bukit/1", "maybe", "ana")  # type: ignore[arg-type]


def test_the_pair_on_which_more_records_hang_comes_first(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD})
    other = Book("Sejarah Jawa", author="Poesponegoro, Marwati", edition="Edisi 1", publisher="Balai", year="1975")
    many = {f"alun/s{number}": other._replace(note=str(number)) for number in range(6)}
    union.night({**many, "bukit/s": other._replace(edition="Edisi 2")})
    waits = shown(union, "veto", "review")
    assert len(waits) == 2
    assert waits[0].records == 7
    assert waits[0].value > waits[1].value


def test_a_cluster_with_two_editions_that_a_person_joined_is_suspect_until_confirmed(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD})
    deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    waits = shown(union, "cluster")
    assert len(waits) == 1
    assert any("editions 2, 3" in one for one in waits[0].reasons)
    reviewing.judge(union.pipeline, waits[0].left, waits[0].right, "same", "budi")
    assert shown(union, "cluster") == []


def test_a_confirmed_cluster_leaves_the_worklist_until_it_gets_another_member(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD})
    deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    assert len(shown(union, "cluster")) == 1
    deciding.merge(union.pipeline, ["alun/1", "bukit/1"], "budi", "kedua cetakan dilihat")
    assert shown(union, "cluster") == []
    union.night({"alun/1": SECOND, "bukit/1": THIRD, "alun/2": SECOND._replace(note="2")})
    deciding.must(union.pipeline, "alun/1", "alun/2", "ana", "")
    assert len(shown(union, "cluster")) == 1


def doubts(union: Union) -> list[str]:
    return [
        one.code for item in shown(union, "cluster") for one in item.why if one.code in ("no_link", "weak", "bridge")
    ]


def test_a_join_that_a_person_made_is_no_weak_link_or_bridge(union: Union) -> None:
    two = {"alun/1": SECOND, "alun/2": SECOND._replace(pages="536")}
    union.night({**two, "bukit/1": THIRD, "bukit/2": THIRD._replace(pages="532")})
    assert not union.together("alun/1", "bukit/1")
    made = deciding.merge(union.pipeline, ["alun/1", "bukit/1"], "ana", "satu buku")
    waits = shown(union, "cluster")
    assert ["editions 2, 3" in " ".join(one.reasons) for one in waits] == [True]
    assert doubts(union) == []
    deciding.undo(union.pipeline, made.decision or 0, "ana", "")
    union.night({"alun/5": PELANGI, "bukit/5": Book("Kimia dasar", author="Syukri", year="1999", pages="200")})
    deciding.must(union.pipeline, "alun/5", "bukit/5", "ana", "")
    assert union.together("alun/5", "bukit/5")
    assert doubts(union) == []


def test_a_weak_link_that_people_then_confirm_is_told_no_more(union: Union, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harvester.reviewing_suspects.WEAK_POINTS", 1000.0)
    union.night({"alun/1": PELANGI, "bukit/1": PELANGI._replace(pages="520")})
    union.night({"alun/9": SECOND, "bukit/9": THIRD})
    with union.pipeline.database.read() as conn:
        assert suspects.held(conn)
    assert doubts(union) == ["weak"]
    deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    assert doubts(union) == []


def test_a_cluster_that_suddenly_grew_is_suspect(union: Union) -> None:
    union.night({"alun/1": PELANGI, "alun/2": PELANGI._replace(note="2")})
    assert shown(union, "cluster") == []
    union.night({f"bukit/{number}": PELANGI._replace(note=f"b{number}") for number in range(5)})
    assert any("came with the last match" in reason for one in shown(union, "cluster") for reason in one.reasons)


def test_an_isbn_on_unlike_titles_is_shown_on_both_clusters(union: Union) -> None:
    union.night(
        {
            "alun/1": PELANGI,
            "alun/2": PELANGI._replace(note="2"),
            "bukit/1": Book("Kimia dasar", author="Syukri", isbn=PELANGI.isbn, year="1999", pages="200"),
        }
    )
    reasons = [reason for one in shown(union, "cluster") for reason in one.reasons]
    assert any("stands also on cluster" in reason and "Kimia dasar" in reason for reason in reasons)


def test_an_isbn_elsewhere_is_asked_no_more_when_a_person_has_answered(union: Union) -> None:
    chemistry = Book("Kimia dasar", author="Syukri", isbn=PELANGI.isbn, year="1999", pages="200")
    union.night({"alun/1": PELANGI, "alun/2": PELANGI._replace(note="2"), "bukit/1": chemistry})
    asked = [one.clusters for one in shown(union, "cluster")]
    assert len(asked) == 1
    answers = [
        lambda: deciding.wrong_identifier(union.pipeline, "bukit/1", "isbn", PELANGI.isbn, "ana", ""),
        lambda: deciding.wrong_identifier(union.pipeline, "alun/2", "isbn", PELANGI.isbn, "ana", ""),
        lambda: deciding.never(union.pipeline, "alun/2", "bukit/1", "ana", ""),
    ]
    for answer in answers:
        decision = answer().decision or 0
        assert shown(union, "cluster") == []
        deciding.undo(union.pipeline, decision, "ana", "")
        assert [one.clusters for one in shown(union, "cluster")] == asked


def test_the_worklist_kept_over_nights_and_decisions_is_the_one_made_anew(union: Union) -> None:
    union.night({"alun/1": SECOND, "bukit/1": THIRD, "alun/2": PELANGI, "alun/3": PELANGI._replace(note="3")})
    deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    union.night({f"bukit/{number}": PELANGI._replace(note=f"b{number}") for number in range(5, 10)})
    union.night({"bukit/2": Book("Kimia dasar", author="Syukri", isbn=PELANGI.isbn, year="1999", pages="200")})
    union.night({"alun/1": SECOND._replace(edition="Edisi 3")})
    union.night({"bukit/11": Book("Fisika dasar", author="Giancoli", isbn="", year="2001", pages="300")})
    kept = shown(union, "cluster")
    with union.pipeline.database.read() as conn:
        mark = suspects.mark(conn)
        assert mark == (suspects.position(conn), union.pipeline.derivation_id)
        assert len(suspects.held(conn)) == len(kept) > 0
    with union.pipeline.database.write() as conn:
        suspects.forget(conn)
    assert shown(union, "cluster") == kept


def test_only_the_pairs_of_one_library_are_shown_when_it_is_named(union: Union) -> None:
    union.night({"alun/1": SECOND, "alun/2": THIRD})
    assert reviewing.queue(union.pipeline, partner="alun", kinds=("veto", "review"))
    assert not reviewing.queue(union.pipeline, partner="bukit", kinds=("veto", "review"))


SUBJECTS = "hukum ekonomi fisika biologi sosiologi arsitektur linguistik pertanian kedokteran musik filsafat geodesi"


def two_editions_of_each(subjects: str) -> dict[str, Book]:
    books = {
        one: SECOND._replace(title=f"{one} dasar", author=f"Guru {one}", year=str(1950 + 3 * number))
        for number, one in enumerate(subjects.split())
    }
    other = {f"bukit/{one}": book._replace(edition="Edisi 3") for one, book in books.items()}
    return {f"alun/{one}": book for one, book in books.items()} | other


def test_what_was_judged_hides_nothing_that_still_waits(union: Union) -> None:
    union.night(two_editions_of_each(SUBJECTS))
    waits = reviewing.queue(union.pipeline, 50, kinds=("review", "veto"))
    assert len(waits) == len(SUBJECTS.split())
    for one in waits[:-1]:
        reviewing.judge(union.pipeline, one.left, one.right, "different", "ana")
    assert [one.left for one in reviewing.queue(union.pipeline, 1, kinds=("review", "veto"))] == [waits[-1].left]


def test_pairs_of_equal_worth_come_in_the_order_of_their_addresses_whoever_came_first(
    union: Union, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harvester.reviewing.EXAMINED", 3)
    books = two_editions_of_each(SUBJECTS)
    for address in sorted(books, key=lambda one: one[::-1], reverse=True):  # as if each had come on a night of its own
        union.put(address, books[address])
        union.harvest()
    union.match()
    waits = reviewing.queue(union.pipeline, 50, kinds=("review", "veto"))
    assert len({one.value for one in waits}) == 1
    assert [one.left for one in waits] == sorted(one.left for one in waits)
    for number in range(1, 12):
        assert reviewing.queue(union.pipeline, number, kinds=("review", "veto")) == waits[:number]


def test_the_most_valuable_pair_comes_first_however_many_score_higher(union: Union) -> None:
    union.night(two_editions_of_each(SUBJECTS))
    # a lower score, since the pages differ a little, but ten records hang on it
    many = {f"alun/s{number}": SECOND._replace(title="Sejarah Jawa", note=str(number)) for number in range(9)}
    union.night({**many, "bukit/s": THIRD._replace(title="Sejarah Jawa", pages="536")})
    first = reviewing.queue(union.pipeline, 1, kinds=("review", "veto"))[0]
    everything = reviewing.queue(union.pipeline, 50, kinds=("review", "veto"))
    assert first.records == 10
    assert first == everything[0]
    assert first.score < everything[1].score


def test_of_many_pairs_that_are_worth_the_same_only_some_are_kept() -> None:
    found = [(1.0, Waiting(n, n + 1, "review", 30.0, n, n + 1, 2)) for n in range(1000, 0, -1)]
    better = (2.0, Waiting(2000, 2001, "review", 40.0, 2000, 2001, 2))
    kept = reviewing._not_worth_less([*found, better], 5)
    assert kept[0] == better
    assert [one.left_node for _, one in kept[1:]] == list(range(1, 51))
