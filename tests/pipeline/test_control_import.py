"""Files that somebody hands over: what would happen, what does, and when a person is asked."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from db import ledger, work
from harvester import controlling, importing
from harvester.cli import induk
from harvester.errors import UsageError
from tests.journey import Consortium
from tests.sources.file_fixtures import marc, marc_file
from tests.sources.sheet_files import HEADER, xlsx

ROWS: list[list[Any]] = [
    [number, f"Sejarah desa {number}", f"Penulis {number}", "Balai Pustaka", 1990, "", "959.8", f"{number:04}", 1]
    for number in range(1, 101)
]


class School:
    """A school with a source of files, and files that are not in its folder."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.consortium = Consortium(folder / "induk", f"sqlite:///{folder}/induk.db")
        (folder / "kiriman").mkdir()
        self.consortium.add("sd-3", protocol="files", url=str(folder / "kiriman"), options=options)

    def file(self, name: str, body: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(body)
        return path

    def sheet(self, rows: list[list[Any]], name: str = "buku.xlsx") -> Path:
        return self.file(name, xlsx(HEADER, *rows))

    def take(self, *paths: Path, content: str = "") -> tuple[str, dict[str, int]]:
        """Import; the verdict, and the counters of the run that are not 0."""
        with self.consortium.opened() as opened:
            outcome = importing.import_files(opened, "sd-3", paths, content=content, language="id")
            with opened.database.read() as conn:
                row = work.get_run(conn, outcome.run_id)
        assert row is not None
        assert row["kind"] == "import"
        names = ("created", "updated", "unchanged", "deleted", "quarantined")
        return outcome.verdict, {name: row[name] for name in names if row[name]}

    def would(self, *paths: Path, content: str = "", language: str = "id") -> Any:
        with self.consortium.opened() as opened:
            return importing.import_dry(opened, "sd-3", paths, content=content, language=language)

    def active(self) -> int:
        counts = self.consortium.ask(ledger.source_counts)
        return int(counts.get("sd-3", {}).get("active", 0))


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


def edited() -> list[list[Any]]:
    rows = [list(row) for row in ROWS]
    rows[7][1] = "Sejarah desa delapan"
    return rows


def test_the_same_sheet_twice_changes_nothing_and_neither_does_another_order(school: School) -> None:
    assert school.take(school.sheet(ROWS)) == ("complete", {"created": 100})
    assert school.take(school.sheet(ROWS)) == ("complete", {"unchanged": 100})
    assert school.take(school.sheet(ROWS[::-1], "urut.xlsx")) == ("complete", {"unchanged": 100})
    assert school.consortium.faults() == []


def test_an_edited_title_is_one_changed_record(school: School) -> None:
    school.take(school.sheet(ROWS))
    assert school.take(school.sheet(edited())) == ("complete", {"updated": 1, "unchanged": 99})


def test_a_sheet_thirty_percent_shorter_halts_until_a_person_decides(school: School) -> None:
    school.take(school.sheet(ROWS))
    verdict, _ = school.take(school.sheet(ROWS[:70]))
    assert (verdict, school.active()) == ("halted", 100)
    with school.consortium.opened() as opened:
        number = school.consortium.ask(lambda conn: work.list_runs(conn, limit=1)[0]["id"])
        assert controlling.approve(opened, number, "sari").records == 30
    assert school.active() == 70


def test_a_dry_run_tells_row_by_row_and_stores_nothing(school: School) -> None:
    school.take(school.sheet(ROWS))
    rows = edited()[:99]
    rows.append([500, "Buku baru", "Penulis", "Balai Pustaka", 2001, "", "", "0500", 1])
    rows.append([501, "", "Tanpa judul", "Balai Pustaka", 2001, "", "", "0501", 1])
    before = school.consortium.dump()
    found = school.would(school.sheet(rows, "baru.xlsx"))
    assert found.counts == {"new": 1, "changed": 1, "unchanged": 98, "refused": 1, "gone": 1}
    refused = next(line for line in found.lines if line.kind == "refused")
    assert "!" in refused.place
    assert "judul" in " ".join(refused.remarks).lower()
    changed = next(line for line in found.lines if line.kind == "changed")
    assert "!" in changed.place
    assert school.consortium.dump() == before
    english = school.would(school.sheet(rows, "baru.xlsx"), language="en")
    assert "title" in " ".join(next(line for line in english.lines if line.kind == "refused").remarks).lower()


def test_a_dry_run_says_what_would_be_gone_and_the_import_does_just_that(school: School) -> None:
    school.take(school.sheet(ROWS))
    rows = [*edited()[:98], [500, "Buku baru", "Penulis", "Balai Pustaka", 2001, "", "", "0500", 1]]
    found = school.would(school.sheet(rows))
    assert found.counts == {"new": 1, "changed": 1, "unchanged": 97, "gone": 2}
    done = school.take(school.sheet(rows))
    assert done == ("complete", {"created": 1, "updated": 1, "unchanged": 97, "deleted": 2})
    assert school.active() == 99


def test_a_dry_run_says_which_digits_are_wrong_and_where_words_stand_for_numbers(school: School) -> None:
    row = [1, "Laskar pelangi", "Andrea Hirata", "Bentang", "dua ribu", "9789793062793", "813", "0001", "banyak"]
    fine = [2, "Sang pemimpi", "Andrea Hirata", "Bentang", 2006, "9789793062921", "813", "0002", "3 eks."]
    for language, words in (
        ("id", ("bukan ISBN", "tidak ada tahun", "bukan jumlah")),
        ("en", ("no ISBN", "no year", "no number")),
    ):
        found = school.would(school.sheet([row, fine]), language=language)
        told = {one.identifier: one.remarks for one in found.lines}
        assert found.counts == {"new": 2}
        assert told["inv:2"] == ()
        for said, value in zip(words, ("9789793062793", "dua ribu", "banyak"), strict=True):
            assert any(said in one and value in one and "!" in one for one in told["inv:1"]), (said, told)
    assert school.take(school.sheet([row, fine])) == ("complete", {"created": 2})


@pytest.mark.parametrize("kept", [98, 70, 1])
@pytest.mark.parametrize("content", ["full", "deletes"])
def test_a_dry_run_foretells_whether_the_deletions_halt(school: School, kept: int, content: str) -> None:
    school.take(school.sheet(ROWS))
    names = "".join(f"inv:{number}\n" for number in range(kept + 1, 101))
    sheet = school.sheet(ROWS[:kept]) if content == "full" else school.file("hapus.txt", names.encode())
    told = school.would(sheet, content=content)
    verdict, _ = school.take(sheet, content=content)
    assert bool(told.halts) == (verdict == "halted") == (kept != 98)
    assert (school.active() == 100) == bool(told.halts)
    if told.halts:
        assert str(100 - kept) in told.halts


def test_records_that_the_mapping_refuses_are_refused_in_the_dry_run_too(school: School) -> None:
    broken = marc("b9").replace(b"00000nam", b"00000nam") + b"12345xxx\x1d"
    found = school.would(school.file("set.mrc", marc_file() + broken))
    counts = Counter(line.kind for line in found.lines)
    verdict, done = school.take(school.file("set.mrc", marc_file() + broken))
    assert counts["new"] == done["created"]
    assert counts["refused"] == done["quarantined"]
    assert verdict in ("complete", "partial")


def test_a_delta_and_a_list_of_deletions_speak_only_of_what_they_name(school: School) -> None:
    school.take(school.sheet(ROWS))
    extra = [[900, "Tambahan", "Penulis", "Balai Pustaka", 2003, "", "", "0900", 1]]
    assert school.would(school.sheet(extra), content="delta").counts == {"new": 1}
    assert school.take(school.sheet(extra), content="delta") == ("complete", {"created": 1})
    assert school.active() == 101
    name = school.consortium.ask(_an_identifier)
    verdict, counts = school.take(school.file("hapus.txt", f"{name}\n".encode()), content="deletes")
    assert (verdict, counts, school.active()) == ("complete", {"deleted": 1}, 100)


def _an_identifier(conn: Any) -> str:
    from sqlalchemy import select

    from db.tables import record

    return str(conn.execute(select(record.c.identifier).order_by(record.c.identifier)).scalars().first())


def test_an_empty_file_deletes_nothing(school: School) -> None:
    school.take(school.sheet(ROWS))
    verdict, _ = school.take(school.sheet([]))
    assert verdict in ("failed", "partial", "halted")
    assert school.active() == 100


def test_what_cannot_be_imported_is_said_before_anything_happens(school: School, tmp_path: Path) -> None:
    with school.consortium.opened() as opened, pytest.raises(UsageError, match="no such file"):
        importing.import_files(opened, "sd-3", [tmp_path / "tidak-ada.xlsx"])
    school.consortium.add("kampus", protocol="oai-pmh", url="https://lib.example.ac.id/oai", preset="koha")
    with school.consortium.opened() as opened, pytest.raises(UsageError, match="no source of files"):
        importing.import_files(opened, "kampus", [school.sheet(ROWS)])


def test_the_command_shows_the_dry_run_in_the_language_that_was_asked_for(school: School) -> None:
    sheet = school.sheet([*ROWS, [501, "", "Tanpa judul", "Balai Pustaka", 2001, "", "", "0501", 1]])
    base = ["import", str(sheet), "--partner", "sd-3", "--config", str(school.folder / "induk" / "induk.yaml")]
    shown = CliRunner().invoke(induk, [*base, "--dry-run", "--lang", "id"])
    assert shown.exit_code == 0, shown.output
    assert "100 baru" in shown.output
    assert "ditolak" in shown.output
    data = json.loads(CliRunner().invoke(induk, [*base, "--dry-run", "--json"]).output)
    assert data["counts"] == {"new": 100, "refused": 1}
    assert school.active() == 0
    done = CliRunner().invoke(induk, [*base, "--json"], standalone_mode=False)
    assert json.loads(done.output)["created"] == 100
