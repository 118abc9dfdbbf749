"""The bench deals a corpus to four partners, and compares what it measured with what was kept."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import figures
from bench.cut import PARTNERS, built, cut, fields
from harvester.formats.iso2709 import parse


def payload(number: int) -> bytes:
    title = f"10\x1faRambu jalan {number} /\x1fcDinas Perhubungan.\x1e".encode()
    found = [(b"001", b"n%d\x1e" % number), (b"245", title), (b"300", b"  \x1fa%d hlm.\x1e" % (90 + number))]
    return built(b"00000nam a2200000 a 4500", found)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "records.mrc"
    path.write_bytes(b"".join(payload(number) + b"\x1d" for number in range(100)))
    return path


def test_four_partners_hold_what_the_corpus_holds_a_fifth_of_it_twice(corpus: Path) -> None:
    homes: dict[bytes, set[int]] = {}
    for number, path in enumerate(cut(corpus)):
        for one in path.read_bytes().split(b"\x1d")[:-1]:
            title = dict(fields(one))[b"245"].replace(b"\x1f", b" ").split()[3]
            homes.setdefault(title, set()).add(number)
            assert len(parse(one + b"\x1d").bodies("245")) == 1, "offsets and lengths are right"
    assert len(homes) == 80
    assert sorted(len(one) for one in homes.values()) == [1] * 60 + [2] * 20
    assert set().union(*homes.values()) == set(range(PARTNERS))
    assert corpus.read_bytes().count(b"\x1d") == 100


def test_the_cut_is_the_same_each_time(corpus: Path) -> None:
    before = corpus.read_bytes()
    cut(corpus)
    first = corpus.read_bytes()
    corpus.write_bytes(before)
    cut(corpus)
    assert corpus.read_bytes() == first != before


ROUND = {
    "pymarc": {"wall": 2.0, "cpu": 2.0, "peak": 30.0},
    "ledger": {"wall": 4.0, "cpu": 9.0, "cpu_wall": 8.0, "again": 0.5, "peak": 150.0, "size": 1.5},
}


def measured(database: str = "SQLite", slower: float = 1.0) -> list[figures.Row]:
    ours = {**ROUND["ledger"], "wall": 4.0 * slower}
    return figures.compared([{**ROUND, "ledger": ours}], 1000, database)


def test_a_loss_is_told_and_what_was_not_measured_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FIGURES", tmp_path / "figures.json")
    kept = figures.merged(figures.held(), {"figures": measured(), "note": "first", "completeness": 0.99})
    kept = figures.merged(kept, {"figures": measured("PostgreSQL"), "note": "second", "completeness": 0.99})
    kept = figures.merged(kept, {"figures": [], "note": "", "growth": [{"profiles": 10}], "completeness": 0.99})
    assert [row["database"] for row in kept["figures"]] == ["SQLite"] * 2 + ["PostgreSQL"] * 2
    assert kept["note"] == "second"
    assert kept["growth"] == [{"profiles": 10}]
    figures.FIGURES.write_text(json.dumps(kept), encoding="utf-8")
    assert figures.lost(measured(), 0.99) == []
    assert figures.lost(measured(slower=1.1), 0.99) == []
    assert len(figures.lost(measured(slower=1.3), 0.99)) == 1
    assert figures.lost(measured(), 0.98) == ["blocking finds 0.98 of the labelled duplicates, was 0.99"]


def test_the_picture_has_a_bar_for_each_figure() -> None:
    drawn = ElementTree.fromstring(figures.picture(measured()))
    bars = [one for one in drawn if one.tag.endswith("rect") and one.get("height") == "18"]
    assert len(bars) == 2
    assert {one.get("fill") for one in bars} == {"#1b7f5c", "#b5651d"}
