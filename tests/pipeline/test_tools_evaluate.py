"""`induk match evaluate` and `train` on a small labelled set of our own, with no configuration and no database."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from harvester.match import rules
from tests.cli.test_commands import Call

BOOKS = [
    ("Laskar pelangi", "Hirata, Andrea", "2005", "Bentang", "529"),
    ("Bumi manusia", "Pramoedya Ananta Toer", "1980", "Hasta Mitra", "354"),
    ("Pengantar ilmu hukum tata negara", "Asshiddiqie, Jimly", "2009", "Rajawali Pers", "450"),
    ("Fisiologi tumbuhan", "Salisbury, Frank B.", "1995", "Penerbit ITB", "173"),
    ("Metode penelitian kualitatif", "Moleong, Lexy J.", "2007", "Remaja Rosdakarya", "410"),
    ("Sejarah Indonesia modern", "Ricklefs, M. C.", "1991", "Gadjah Mada University Press", "501"),
]


def line(name: str, book: tuple[str, ...], leader: str = "00000nam a2200000 a 4500") -> str:
    title, author, year, publisher, pages = book
    fields = [
        {"001": name},
        {"008": f"050101s{year}    io            000 0 ind d"},
        {"100": {"ind1": "1", "ind2": " ", "subfields": [{"a": author}]}},
        {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": title}]}},
        {"260": {"ind1": " ", "ind2": " ", "subfields": [{"b": publisher}, {"c": year}]}},
        {"300": {"ind1": " ", "ind2": " ", "subfields": [{"a": f"{pages} hlm."}]}},
    ]
    return json.dumps({"leader": leader, "fields": fields})


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """records (packed), pairs and clusters; the left one of the last book says in its leader that it was deleted."""
    folder = tmp_path_factory.mktemp("labelled")
    lines, pairs, clusters = [], ["left,right,duplicate"], ["record,cluster"]
    for number, book in enumerate(BOOKS):
        last = number == len(BOOKS) - 1
        lines.append(line(f"a{number}", book, "00000dam a2200000 a 4500" if last else "00000nam a2200000 a 4500"))
        lines.append(line(f"b{number}", (book[0].upper(), *book[1:])))
        pairs += [f"a{number},b{number},1", f"a{number},b{(number + 1) % len(BOOKS)},0"]
        clusters += [f"a{number},{number}", f"b{number},{number}"]
    # an authority record: it cannot be normalized as a book, and so merges with nothing
    lines.append(json.dumps({"leader": "00000nz  a2200000n  4500", "fields": [{"001": "authority"}]}))
    pairs.append("a0,authority,1")
    paths = {name: folder / f"{name}.csv" for name in ("pairs", "clusters")} | {"records": folder / "records.json.gz"}
    paths["records"].write_bytes(gzip.compress("\n".join(lines).encode()))
    paths["pairs"].write_text("\N{ZERO WIDTH NO-BREAK SPACE}" + "\n".join(pairs), encoding="utf-8")
    paths["clusters"].write_text("\n".join(clusters), encoding="utf-8")
    return {name: str(path) for name, path in paths.items()}


def test_an_evaluation_needs_three_files_and_nothing_else(tmp_path: Path, labelled: dict[str, str]) -> None:
    call = Call(tmp_path)
    found = call.json("match", "evaluate", *(word for name in labelled for word in (f"--{name}", labelled[name])))
    assert found["precision"] == 1.0
    assert found["recall"] == pytest.approx(6 / 7), "the record that cannot be read counts as missed"
    assert [one["record"] for one in found["unreadable"]] == ["authority"]
    low, high = found["intervals"]["recall"]
    assert low <= found["recall"] <= high
    assert set(found["recall_at_precision"]) == set(found["without_vetoes"]["recall_at_precision"]) == {"0.99", "0.995"}
    assert found["largest_cluster"] == 2
    assert found["b_cubed"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert found["whole_set"]["recall"] == 1.0
    assert found["candidates_per_record"] < 1
    assert [(one["left"], one["right"]) for one in found["disagreements"]] == [("a0", "authority")]


def with_rows(tmp_path: Path, labelled: dict[str, str], **rows: str) -> list[str]:
    """The words of the command over *labelled* with further rows; a heading alone takes the old rows away."""
    words = ["match", "evaluate", "--records", labelled["records"], "--samples", "5"]
    for name in ("pairs", "clusters"):
        old = Path(labelled[name]).read_text(encoding="utf-8-sig")
        more = rows.get(name, "")
        path = tmp_path / f"{name}.csv.gz"
        path.write_bytes(gzip.compress((more if more.startswith(("left", "record")) else f"{old}\n{more}").encode()))
        words += [f"--{name}", str(path)]
    return words


def test_rows_of_records_that_are_not_there_are_left_out_and_told(tmp_path: Path, labelled: dict[str, str]) -> None:
    words = with_rows(tmp_path, labelled, pairs="a0,z9,1\nz8,z9,0", clusters="z7,1")
    found = Call(tmp_path).json(*words)
    assert found["left_out"] == {
        "pairs": {"rows": 2, "records": ["z8", "z9"]},
        "clusters": {"rows": 1, "records": ["z7"]},
    }
    assert found["pairs"] == 13
    assert found["unclustered"] == 1, "the authority record"
    code, _, err = Call(tmp_path)(*words)
    assert code == 0
    assert "rows left out of --pairs: 2; the file of records has no z8, z9" in err
    assert "rows left out of --clusters: 1" in err


@pytest.mark.parametrize("rows", [{"pairs": "left,right,duplicate\nx1,x2,1"}, {"clusters": "record,cluster\nx1,1"}])
def test_rows_of_which_none_names_a_record_are_an_error(
    tmp_path: Path, labelled: dict[str, str], rows: dict[str, str]
) -> None:
    code, _, err = Call(tmp_path)(*with_rows(tmp_path, labelled, **rows))
    assert code != 0
    assert "x1" in err and "a0" in err


@pytest.mark.parametrize(("content", "why"), [(b"", "empty"), (b"01495cam a2200", "no MARC record")])
def test_a_file_without_a_record_says_why(tmp_path: Path, labelled: dict[str, str], content: bytes, why: str) -> None:
    path = tmp_path / "records.mrc"
    path.write_bytes(content)
    code, _, err = Call(tmp_path)("match", "evaluate", "--records", str(path), "--pairs", labelled["pairs"])
    assert code == 2
    assert "records.mrc: holds no record that can be read" in err and why in err


def test_without_clusters_the_pairs_alone_are_measured(tmp_path: Path, labelled: dict[str, str]) -> None:
    words = ("match", "evaluate", "--records", labelled["records"], "--pairs", labelled["pairs"], "--samples", "5")
    found = Call(tmp_path).json(*words)
    assert found["whole_set"] is None and found["b_cubed"] is None
    assert found["largest_cluster"] == 2
    code, out, _ = Call(tmp_path)(*words)
    assert code == 0
    assert "recall at precision 0.995" in out


def test_a_pair_of_a_record_that_is_not_there_is_a_mistake_of_the_caller(
    tmp_path: Path, labelled: dict[str, str]
) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("left,right,duplicate\na0,nobody,1\n", encoding="utf-8")
    for what in ("evaluate", "train"):
        more = ("--out", str(tmp_path / "out.yaml")) if what == "train" else ()
        code, _, err = Call(tmp_path)("match", what, "--records", labelled["records"], "--pairs", str(pairs), *more)
        assert code == 2
        assert "nobody" in err or "not enough" in err


def test_training_writes_a_file_that_loads_and_keeps_the_thresholds_of_few_labels(
    tmp_path: Path, labelled: dict[str, str]
) -> None:
    out, pairs = tmp_path / "fitted.yaml", tmp_path / "pairs.csv"
    held = gzip.decompress(raw) if (raw := Path(labelled["pairs"]).read_bytes())[:2] == b"\x1f\x8b" else raw
    pairs.write_bytes(held.rstrip() + b"\na0,nobody,1\n")  # left out and told, as by evaluate
    found = Call(tmp_path).json(
        "match", "train", "--records", labelled["records"], "--pairs", str(pairs), "--out", str(out)
    )
    shipped, fitted = rules.load(), rules.load(out)
    assert found["pairs"] == 13
    assert not found["fitted_thresholds"]
    assert (fitted.merge_at, fitted.review_at) == (shipped.merge_at, shipped.review_at)
    assert fitted.text.count("#") == shipped.text.count("#")


def test_rows_and_records_that_stand_twice_count_once_and_are_told(tmp_path: Path, labelled: dict[str, str]) -> None:
    call = Call(tmp_path)
    records = tmp_path / "records.json"
    held = gzip.decompress(Path(labelled["records"]).read_bytes()).decode().splitlines()
    records.write_text("\n".join([*held, held[0]]), encoding="utf-8")
    pairs = tmp_path / "pairs.csv"
    rows = ["left,right,duplicate", "a0,b0,1", "b0,a0,1", "a1,a1,1", "a1,b2,0", "a2,b2,1", "b2,a2,0"]
    pairs.write_text("\n".join(rows), encoding="utf-8")
    found = call.json("match", "evaluate", "--records", str(records), "--pairs", str(pairs), "--samples", "5")
    assert (found["pairs"], found["duplicates"], found["recall"]) == (2, 1, 1.0)
    assert found["odd_rows"] == {"itself": 1, "repeated": 1, "contradictory": 2}
    assert found["repeated"] == ["a0"]
    told = call("match", "evaluate", "--records", str(records), "--pairs", str(pairs), "--samples", "5")
    assert "labelled both ways" in "".join(map(str, told))
    pairs.write_text(rows[0], encoding="utf-8")
    code, *_rest = call("match", "evaluate", "--records", str(records), "--pairs", str(pairs))
    assert code == 2, "no label measures nothing"
