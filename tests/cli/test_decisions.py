"""Decisions from the command line: what is printed, what is stored, and the exit codes."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import msgspec
import pytest

from harvester.cli._speech import speak
from harvester.cli.record import inspecting_rows
from harvester.model import Contributor, Identifier, NormalizedRecord, Subject
from tests.cli.test_commands import Call
from tests.pipeline.shelf import Book, Union

BOOK = Book("Laskar pelangi", isbn="9789793062792")
OTHER = Book("Sang pemimpi", isbn="9789793062921", year="2006", pages="292")


@pytest.fixture
def union(tmp_path: Path) -> Union:
    made = Union(tmp_path, f"sqlite:///{tmp_path / 'induk.db'}")
    made.night({"alun/1": BOOK, "alun/2": BOOK, "bukit/1": OTHER})
    return made


@pytest.fixture
def call(tmp_path: Path, union: Union, monkeypatch: pytest.MonkeyPatch) -> Call:
    monkeypatch.setenv("INDUK_USER", "ana")
    return Call(tmp_path)


def test_a_run_that_is_not_there_is_told_before_anybody_is_asked(call: Call) -> None:
    code, _, err = call("cluster", "undo", "--run", "999")
    assert (code, "no run 999" in err) == (2, True)
    _, _, err = call("cluster", "undo", "--run", "1")
    assert "grouped nothing" in err


def test_in_indonesian_evidence_reviews_and_contradictions_are_said(call: Call, union: Union) -> None:
    more = BOOK._replace(title="Laskar pelangi anak Belitong")
    law = Book("Pengantar ilmu hukum", author="Soekanto, Soerjono", year="1990", pages="310", edition="Ed. 2")
    later = law._replace(year="1994", pages="312", edition="Ed. 3")
    near = BOOK._replace(isbn="", year="2008")
    union.night({"bukit/2": more, "alun/3": law, "bukit/3": later, "bukit/4": near})
    said = call("match", "explain", "alun/1", "bukit/2", "--lang", "id")[1]
    assert "yang satu punya kata tambahan" in said
    assert "kurikulum" not in said
    assert "Perbandingan berhenti di situ" in call("match", "explain", "alun/3", "bukit/3", "--lang", "id")[1]
    assert "tahun: hampir sama" in call("match", "review", "--lang", "id")[1]
    assert "year: near" in call("match", "review", "--lang", "en")[1]
    call("link", "add", "must", "alun/1", "bukit/1", "--why", "satu buku")
    said = call("link", "add", "never", "alun/1", "bukit/1", "--dry-run", "--lang", "id")[1]
    assert "never (yang ini) mengalahkan keputusan 1 (must oleh ana, " in said
    assert "antara lain alun/1 dan bukit/1" in said
    call("link", "add", "must", "alun/1", "bukit/4")
    assert "tahun dari 2005 sampai 2008" in call("match", "review", "--lang", "id")[1]


def test_a_merge_is_shown_first_then_made_listed_and_removed(call: Call, union: Union) -> None:
    seen = call.json("cluster", "merge", "alun/1", "bukit/1", "--dry-run")
    assert (seen["preview"], seen["decision"], seen["pending"]) == (True, None, False)
    assert not union.together("alun/1", "bukit/1")
    code, out, _ = call("cluster", "merge", "alun/1", "bukit/1", "--why", "satu buku")
    assert code == 0
    assert "decision 1" in out
    assert union.together("alun/1", "bukit/1")
    rows = call.json("link", "list")
    assert [(row["action"], row["author"], row["reason"]) for row in rows] == [("merge", "ana", "satu buku")]
    assert call("link", "remove", "1")[0] == 0
    assert not union.together("alun/1", "bukit/1")
    code, _, err = call("link", "remove", "1")
    assert code == 2
    assert "undone already" in err


def test_split_pin_wrong_judge_export_and_import_work_from_the_command_line(call: Call, union: Union) -> None:
    number = str(union.cluster_of("alun/1"))
    assert call("cluster", "split", number, "--group", "alun/2")[0] == 0
    assert not union.together("alun/1", "alun/2")
    assert call("cluster", "pin", number, "abstract", "--value", "Belitong")[0] == 0
    assert call("link", "wrong", "bukit/1", "isbn", "9789793062921")[0] == 0
    assert call("match", "judge", "alun/1", "bukit/1", "different")[0] == 0
    assert json.loads(call("match", "review", "--json")[1]) == []
    code, text, _ = call("link", "export")
    assert code == 0
    (union.consortium.folder / "decisions.yaml").write_text(text, encoding="utf-8")
    found = call.json("link", "import", str(union.consortium.folder / "decisions.yaml"))
    assert (found["decisions"], found["known"]) == (0, 4)
    listed, shown = call("link", "list")[1], call("link", "show", "2")[1]
    assert "pin abstract" in listed and "wrong isbn 9789793062921" in listed
    assert 'abstract = "Belitong"' in shown
    assert call("cluster", "unpin", number, "abstract")[0] == 0


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        ("cluster,record\nUC-7,alun/1\nUC-8,\n", ["--union"], "old.csv.gz:3: "),
        ("cluster,rec\nUC-7,alun/1\n", ["--union"], "old.csv.gz:1: column record is missing"),
        ("- action: nix\n", [], "old.csv.gz: decision 1: unknown action"),
    ],
)
def test_what_is_wrong_in_a_file_of_decisions_is_told_with_its_place(
    call: Call, union: Union, text: str, words: list[str], place: str
) -> None:
    path = union.consortium.folder / "old.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    code, _, err = call("link", "import", str(path), *words)
    assert code == 2
    assert place in err


def test_an_undo_that_names_nothing_or_two_things_is_a_usage_error(call: Call) -> None:
    assert call("cluster", "undo")[0] == 2
    assert call("cluster", "undo", "--decision", "1", "--run", "2")[0] == 2


def test_an_explanation_says_that_a_decision_waits_for_the_next_match(call: Call, union: Union) -> None:
    links = "- {action: must, reason: '', records: [[alun/1, bukit/1]]}\n"
    links += "- {action: must, reason: seri, records: [[alun/2, bukit/1]]}\n"
    (union.consortium.folder / "links.yaml").write_text(links, encoding="utf-8")
    said = call("link", "import", str(union.consortium.folder / "links.yaml"))[1]
    assert "decisions stored: 2, here already: 0" in said
    lines = call("match", "explain", "alun/1", "bukit/1")[1].splitlines()
    told = next(line for line in lines if line.startswith("Together, by decision 1 (ana, "))
    assert told.endswith("; the next match carries it out)")
    assert "; the next match carries it out): seri" in call("match", "explain", "alun/2", "bukit/1")[1]
    assert call("match")[0] == 0
    lines = call("match", "explain", "alun/1", "bukit/1", "--lang", "id")[1].splitlines()
    told = next(line for line in lines if line.startswith("Bersama, menurut keputusan 1 (ana, "))
    assert told.endswith("Z)")
    assert "members: 3" in call("cluster", "show", str(union.cluster_of("alun/1")))[1]


def test_in_indonesian_compared_codes_are_words(call: Call) -> None:
    said = call("match", "explain", "alun/1", "bukit/1", "--lang", "id")[1]
    assert [word for word in ("monografi", "tercetak", "buku") if word in said] == ["monografi", "tercetak", "buku"]
    assert "monograph" in call("match", "explain", "alun/1", "bukit/1", "--lang", "en")[1]


@pytest.mark.slow
def test_a_decision_that_has_to_wait_says_so_with_the_exit_code_of_a_lock(call: Call, union: Union) -> None:
    opened = union.consortium.open()
    with opened.database.lock("match"):
        code, out, _ = call("link", "add", "must", "alun/1", "bukit/1")
    opened.database.close()
    assert code == 75
    assert "waits" in out


# ---- search --------------------------------------------------------------------------------------------


def test_search_finds_what_the_pages_find_by_words_and_printed_numbers(call: Call, union: Union) -> None:
    code, out, _ = call("search", "pelangi", "hirata")
    assert code == 0
    assert out.splitlines()[0].split("\t")[:5] == ["cluster", "title", "author", "year", "material"]
    assert out.splitlines()[1].split("\t")[1:] == ["Laskar pelangi", "Hirata, Andrea", "2005", "book", "1", "2"]
    for words in ("979-3062-79-7", "978-979-3062-79-2", "9789793062792", "PELANGI", "pelang*"):
        found = call.json("search", words)
        assert [hit["title"] for hit in found["hits"]] == ["Laskar pelangi"], words
    assert [one["title"] for one in call.json("search", "hirata", "--partner", "bukit")["hits"]] == ["Sang pemimpi"]


def test_search_pages_through_what_it_finds(call: Call) -> None:
    first, second = (call.json("search", "hirata", "--limit", "1", "--offset", str(start)) for start in (0, 1))
    assert first["total"] == second["total"] == 2
    assert {one["title"] for page in (first, second) for one in page["hits"]} == {"Laskar pelangi", "Sang pemimpi"}
    out = call("search", "hirata", "--limit", "1")[1]
    assert "1 to 1 of 2" in out
    assert "--offset 1" in out
    assert "no more" in call("search", "hirata", "--offset", "2")[1]


def test_search_says_when_nothing_is_found_or_asked(call: Call) -> None:
    code, out, _ = call("search", "bumi", "manusia")
    assert (code, out.strip()) == (0, "no merged record has all of: bumi manusia")
    assert call.json("search", "bumi")["hits"] == []
    assert call("search", "...")[0] == 2
    code, _, err = call("search", "hirata", "--partner", "bukti")
    assert (code, "bukit" in err) == (2, True)
    assert call("search", "hirata", "--limit", "1001")[0] == 2


def test_a_cluster_is_shown_as_a_reader_would_read_it(call: Call, union: Union) -> None:
    said = call("cluster", "show", str(union.cluster_of("alun/1")))[1]
    lines = [line.split("\t") for line in said.splitlines()]
    for field, value in [
        ("material", "book"),
        ("level", "monograph"),
        ("identifiers", "ISBN 9789793062792"),
        ("title", "Laskar pelangi"),
        ("contributors", "Hirata, Andrea"),
        ("dates", "2005"),
        ("extent", "534 hlm."),
    ]:
        assert [field, value] in lines  # the merged record
        assert any(line[:2] == [field, value] and len(line) == 4 for line in lines)  # who gave it
    for raw in ("kind: isbn", "year_from", "proper:", "2005 · ", " · 534"):
        assert raw not in said
    told = call("record", "show", "alun/1", "--lang", "id")[1]
    assert "jenis bahan\tbuku" in told
    assert "534 hlm." in told


def test_a_reader_is_told_who_a_person_is_whose_heading_it_is_and_which_number_is_wrong() -> None:
    record = NormalizedRecord(
        contributors=(Contributor("Xueyan", role="translator", original="雪雁"), Contributor("Dewdney, Anna")),
        subjects=(Subject("Llamas", scheme="fast"), Subject("Llama")),
        identifiers=(Identifier("isbn", "9789793062793", status="invalid"),),
        languages=("chi",),
    )
    speak("en")
    rows = inspecting_rows(msgspec.to_builtins(record))
    assert [value for _, value in rows] == [
        "book", "ISBN 9789793062793 (invalid)", "Xueyan (translator, 雪雁)", "Dewdney, Anna", "Chinese",
        "Llamas (fast)", "Llama",
    ]  # fmt: skip
