"""Decisions leave as a file and come in again: into another catalogue, twice, before their records, or from a union."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from db import links
from db.links import Draft
from harvester import deciding, deciding_files, inspecting
from harvester.errors import ConfigError, UsageError
from harvester.model import Address
from tests.pipeline.shelf import Book, Union

PELANGI = Book("Laskar pelangi", isbn="9789793062792")
PEMIMPI = Book("Sang pemimpi", isbn="9789793062921", year="2006", pages="292")
BOOKS = {"alun/1": PELANGI, "alun/2": PELANGI, "bukit/1": PELANGI, "bukit/2": PEMIMPI}


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    yield made
    assert made.consortium.faults() == []
    made.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Union]:
    made = Union(tmp_path / "other", f"sqlite:///{tmp_path / 'other.db'}")
    yield made
    assert made.consortium.faults() == []
    made.close()


def decide(union: Union) -> None:
    deciding.split(union.pipeline, union.cluster_of("alun/1"), [["bukit/1"]], "ana", "=1+1 sampul")
    deciding.merge(union.pipeline, ["bukit/1", "bukit/2"], "budi", "satu jilid")
    deciding.pin(union.pipeline, union.cluster_of("alun/1"), "abstract", "ana", "ringkas", value="Belitong")
    deciding.wrong_identifier(union.pipeline, "bukit/2", "isbn", "9789793062921", "ana", "milik set")


@pytest.mark.parametrize("format", ["yaml", "csv"])
def test_another_catalogue_groups_the_same_after_an_import(union: Union, other: Union, format: str) -> None:
    union.night(BOOKS)
    decide(union)
    text = "".join(deciding_files.export(union.pipeline, format))
    other.night(BOOKS)
    seen = deciding_files.import_links(other.pipeline, text, "admin", preview=True)
    done = deciding_files.import_links(other.pipeline, text, "admin")
    assert seen == done
    assert (done.decisions, done.known) == (4, 0)
    other.match()
    assert other.groups() == union.groups()
    assert "".join(deciding_files.export(other.pipeline, "yaml")) == "".join(
        deciding_files.export(union.pipeline, "yaml")
    )
    key = other.cluster_of("alun/1")
    assert inspecting.cluster(other.pipeline, key)["union"]["record"]["abstract"] == "Belitong"
    assert {one["author"] for one in deciding.decisions(other.pipeline)} == {"ana", "budi"}


def test_importing_twice_changes_nothing(union: Union) -> None:
    union.night(BOOKS)
    decide(union)
    text = "".join(deciding_files.export(union.pipeline))
    again = deciding_files.import_links(union.pipeline, text, "admin")
    assert (again.decisions, again.known) == (0, 4)


def test_decisions_may_come_before_their_records(union: Union, other: Union) -> None:
    union.night(BOOKS)
    decide(union)
    done = deciding_files.import_links(other.pipeline, "".join(deciding_files.export(union.pipeline)), "admin")
    assert done.waiting == 0
    assert done.absent == 4
    other.night(BOOKS)
    assert other.groups() == union.groups()


def test_a_formula_in_a_reason_does_not_reach_a_spreadsheet(union: Union) -> None:
    union.night(BOOKS)
    decide(union)
    assert "'=1+1 sampul" in "".join(deciding_files.export(union.pipeline, "csv"))


WRONG = {
    "a mapping instead of a list": "action: must",
    "an unknown action": "- action: explode\n  records: [[a/1, a/2]]",
    "no records": "- action: must",
    "no address": "- action: must\n  records: [[a, b/1]]",
    "one record in two groups": "- action: split\n  records: [[a/1], [a/1]]",
    "a single record": "- action: merge\n  records: [[a/1]]",
    "an alias": "- &x [a/1]\n- *x",
    "a Python object": "- !!python/object/apply:os.system ['true']",
    "a pinned field that does not exist": "- action: pin\n  records: [[a/1]]\n  body: {field: titel, value: x}",
    "a pinned value of another shape": "- action: pin\n  records: [[a/1]]\n  body: {field: title, value: 7}",
    "a column missing": "decision,action\n1,must\n",
}


def test_a_wrong_file_is_refused_and_nothing_is_stored(other: Union) -> None:
    taken = []
    for what, text in WRONG.items():
        with suppress(ConfigError):
            deciding_files.import_links(other.pipeline, text, "admin")
            taken.append(what)
        assert deciding.decisions(other.pipeline) == [], what
    assert taken == []


def test_a_list_written_by_hand_without_times_says_a_thing_once(other: Union) -> None:
    text = "- action: never\n  records: [[alun/1], [bukit/2]]\n"
    assert deciding_files.import_links(other.pipeline, text, "admin").decisions == 1
    assert deciding_files.import_links(other.pipeline, text, "admin").decisions == 0
    deciding.undo(other.pipeline, deciding.decisions(other.pipeline)[0]["id"], "admin", "")
    assert deciding_files.import_links(other.pipeline, text, "admin").decisions == 1, "said anew after it was undone"


def test_an_older_union_gives_its_groups_and_its_ids(union: Union) -> None:
    union.night(BOOKS)
    text = "cluster,record\nUC-7,alun/1\nUC-7,bukit/2\nUC-8,bukit/1\nUC-9,alun/99\n"
    done = deciding_files.import_union(union.pipeline, text, "admin", "gabungan 2019")
    assert (done.decisions, done.absent) == (3, 1)
    union.match()
    assert union.together("alun/1", "bukit/2")
    assert deciding_files.find_old(union.pipeline, "UC-7") == [union.cluster_of("alun/1")]
    assert deciding_files.find_old(union.pipeline, "UC-8") == [union.cluster_of("bukit/1")]
    assert deciding_files.find_old(union.pipeline, "UC-1") == []
    assert deciding_files.import_union(union.pipeline, text, "admin", "").decisions == 0
    assert deciding_files.named_old(union.pipeline, "UC-9") == ["alun/99"]
    with pytest.raises(UsageError, match="column record"):
        deciding_files.import_union(union.pipeline, "cluster\nx\n", "admin", "")


@pytest.mark.parametrize("kind", ["yaml", "csv"])
def test_the_ids_of_an_older_union_come_before_its_records_and_through_a_file(
    union: Union, other: Union, kind: str
) -> None:
    text = "cluster,record\n=UC-7,alun/1\n=UC-7,bukit/2\nUC-8,bukit/1\n"
    assert deciding_files.import_union(union.pipeline, text, "admin", "gabungan 2019").absent == 3
    deciding_files.import_links(other.pipeline, "".join(deciding_files.export(union.pipeline, kind)), "admin")
    for one in (union, other):
        assert deciding_files.find_old(one.pipeline, "=UC-7") == []
        assert deciding_files.named_old(one.pipeline, "=UC-7") == ["alun/1", "bukit/2"]
        one.night(BOOKS)
        assert one.together("alun/1", "bukit/2")
        assert deciding_files.find_old(one.pipeline, "=UC-7") == [one.cluster_of("alun/1")]
        assert deciding_files.find_old(one.pipeline, "UC-8") == [one.cluster_of("bukit/1")]


def test_a_time_that_is_none_and_a_record_in_two_old_clusters_are_refused(union: Union) -> None:
    union.night(BOOKS)
    dated = "- action: must\n  author: ana\n  at: yesterday\n  records: [[alun/1, bukit/2]]\n"
    with pytest.raises(UsageError, match="'yesterday' is no time"):
        deciding_files.import_links(union.pipeline, dated, "admin")
    twice = "cluster,record\nU1,alun/1\nU2,bukit/2\nU2,alun/1\n"
    with pytest.raises(UsageError, match="alun/1 stands in two clusters") as caught:
        deciding_files.import_union(union.pipeline, twice, "admin", "")
    assert caught.value.place == "4"
    assert deciding.decisions(union.pipeline) == []


# ---- identifiers that were typed -----------------------------------------------------------------------

BARE = Book("Laskar pelangi", author="", isbn="9789793062792", year="", pages="", publisher="")
SPELLINGS = ("979-3062-79-7", "9793062797", "978-979-3062-79-2", "9789793062792")


def wrong(value: str) -> str:
    return f"- action: wrong\n  records: [[bukit/1]]\n  body: {{kind: isbn, value: '{value}'}}\n"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_imported_wrong_isbn_counts_and_is_shown_as_records_have_it(other: Union, spelling: str) -> None:
    other.night({"alun/1": BARE, "bukit/1": BARE})
    assert other.together("alun/1", "bukit/1")
    assert deciding_files.import_links(other.pipeline, wrong(spelling), "admin").decisions == 1
    other.match()
    assert not other.together("alun/1", "bukit/1")
    assert [one["body"]["value"] for one in deciding.decisions(other.pipeline)] == ["9789793062792"]


def test_a_wrong_isbn_is_one_decision_however_it_is_spelled(other: Union) -> None:
    other.night({"alun/1": BARE, "bukit/1": BARE})
    done = deciding_files.import_links(other.pipeline, "".join(map(wrong, SPELLINGS)), "admin")
    assert (done.decisions, done.known) == (1, 3)
    again = deciding_files.import_links(other.pipeline, wrong(SPELLINGS[2]), "admin")
    assert (again.decisions, again.known) == (0, 1)
    for spelling in SPELLINGS:
        with pytest.raises(UsageError, match="isbn 9789793062792 is left out of matching already"):
            deciding.wrong_identifier(other.pipeline, "bukit/1", "isbn", spelling, "ana", "")
    assert len(deciding.decisions(other.pipeline)) == 1


def test_two_spellings_in_an_older_database_count_as_the_identifier_that_they_mean(other: Union) -> None:
    other.night({"alun/1": BARE, "bukit/1": BARE})
    where = Address("bukit", "1")
    with other.pipeline.database.write() as conn:
        for value in SPELLINGS[:2]:
            draft = Draft("wrong", "", "ana", "set", ((where,),), {"kind": "isbn", "value": value})
            links.ignore(conn, links.add(conn, draft, other.pipeline.now(), run_id=None), where, "isbn", value)
    other.night({"bukit/1": BARE._replace(note="lagi")})
    assert not other.together("alun/1", "bukit/1")
    first, second = deciding.decisions(other.pipeline)
    assert first["body"]["value"] == second["body"]["value"] == "9789793062792"
    exported = "".join(deciding_files.export(other.pipeline))
    assert "979-3062-79-7" not in exported
    deciding.undo(other.pipeline, first["id"], "ana", "")
    assert not other.together("alun/1", "bukit/1")
    deciding.undo(other.pipeline, second["id"], "ana", "")
    assert other.together("alun/1", "bukit/1")


def test_a_record_may_have_had_two_older_ids(other: Union) -> None:
    rows = "".join(
        f"- action: old_id\n  records: [[bukit/1]]\n  body: {{import: union, id: {name}}}\n" for name in ("A17", "A18")
    )
    assert deciding_files.import_links(other.pipeline, rows, "admin").decisions == 2
    assert deciding_files.import_links(other.pipeline, rows, "admin").known == 2
