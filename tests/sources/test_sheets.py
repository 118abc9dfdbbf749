"""Spreadsheets that schools send: what makes a record, what does not change it, and what a file of them proves."""

from __future__ import annotations

import io
import json
import random
import zipfile
from pathlib import Path
from typing import Any

from harvester.guards import DeletionLimits, rule_on_deletions
from harvester.model import Damage, HarvestedRecord
from harvester.sources.file_dry_run import dry_run
from tests.sources.file_fixtures import damages, drop, flags, harvest, read, records
from tests.sources.sheet_files import BOOKS, HEADER, cells, csv, found, one, with_borrowers, xlsx


def payloads(content: bytes) -> dict[str, bytes]:
    return {each.identifier: each.payload for each in found(content) if isinstance(each, HarvestedRecord)}


def test_the_same_books_in_any_order_sheet_and_kind_of_file_are_the_same_records() -> None:
    before = payloads(xlsx(HEADER, *BOOKS))
    assert set(before) == {"inv:1", "inv:2", "inv:3", "inv:4"}
    for seed in range(5):
        shuffled = random.Random(seed).sample(BOOKS, len(BOOKS))
        renumbered = [[number, *row[1:]] for number, row in enumerate(shuffled, 1)]
        assert payloads(xlsx(["Daftar buku"], HEADER, *renumbered, sheet="Lembar 2")) == before
    assert payloads(csv(HEADER, *BOOKS)) == before
    assert payloads(csv(HEADER, *BOOKS, separator=";", end="\n")) == before
    assert payloads(csv(HEADER, *BOOKS, separator="\t", encoding="utf-16", end="\r")) == before
    columns = [8, 3, 1, 2, 4, 5, 6, 7]
    moved = [[row[column] for column in columns] for row in [HEADER, *BOOKS]]
    assert payloads(xlsx(*moved)) == before


def test_an_edited_title_is_one_changed_record() -> None:
    before = payloads(xlsx(HEADER, *BOOKS))
    edited = [list(row) for row in BOOKS]
    edited[1][1] = "Laskar Pelangi: sebuah novel"
    after = payloads(xlsx(HEADER, *edited))
    assert set(before) == set(after)
    assert [name for name in before if before[name] != after[name]] == ["inv:2"]


def test_without_numbers_the_isbn_and_then_the_content_tell_books_apart() -> None:
    rows = [[*row[:7], None, row[8]] for row in BOOKS]
    before = payloads(xlsx(HEADER, *rows))
    assert sorted(name.partition(":")[0] for name in before) == ["isbn", "isbn", "key", "key"]
    rows[0][1] = "Bumi Manusia (edisi baru)"
    rows[2][3] = "Gramedia Pustaka Utama"
    after = payloads(xlsx(HEADER, *rows))
    assert set(before) == set(after)
    assert sum(1 for name in before if before[name] != after[name]) == 2


def test_the_parts_of_a_set_with_one_isbn_stay_apart() -> None:
    rows = [["Matematika jilid 1", "9789793062792"], ["Matematika jilid 2", "9789793062792"]]
    assert len(payloads(xlsx(["Judul", "ISBN"], *rows))) == 2


def test_copies_without_numbers_are_counted_and_numbers_are_collected() -> None:
    rows = [["Bumi manusia", "Toer"]] * 3
    (book,) = cells(xlsx(["Judul", "Pengarang"], *rows))
    assert book["copies"] == ["3"]
    same_id = [["17", "Bumi manusia", "B2"], ["17", "Bumi manusia", "B1"]]
    (book,) = cells(xlsx(["ID", "Judul", "No. Induk"], *same_id))
    assert book["inventory"] == ["B1", "B2"]
    assert book["copies"] == ["2"]


def test_captions_sums_and_repeated_names_are_no_books() -> None:
    content = xlsx(HEADER, ["Kelas VII"], *BOOKS[:2], HEADER, ["Kelas VIII"], *BOOKS[2:], [None, None, "Jumlah", 46])
    assert len(cells(content)) == 4
    assert not [each for each in found(content) if isinstance(each, Damage)]


def test_slims_exports_without_column_names_are_read_by_position() -> None:
    row = ["Bumi manusia", "Text", "", "9799731232", "Hasta Mitra", "1980", "354 hlm.", "", "899.221 PRA b",
           "Indonesia", "Jakarta", "899.221", "", "", "",
           "<Toer, Pramoedya Ananta>", "<Fiksi>", "<B1><B2>"]  # fmt: skip
    line = ",".join(f'"{value}"' for value in row) + ",\r"
    (book,) = cells(line.encode(), layout="slims-biblio-csv")
    assert book["author"] == ["Toer, Pramoedya Ananta"]
    assert book["inventory"] == ["B1", "B2"]


def test_the_inlislite_form_is_read_by_its_letters() -> None:
    header: list[Any] = [None] * 42
    row: list[Any] = [None] * 42
    for letter, value in ((2, "0001/2019"), (17, "Si anak badai"), (20, "Tere Liye"), (33, 899.221), (27, 2019)):
        row[letter] = value
    header[0], header[17] = "DATA KOLEKSI", "DATA BIBLIOGRAFIS"
    (book,) = cells(xlsx(header, ["No"], row), layout="inlislite-xlsx")
    assert book == {
        "title": ["Si anak badai"], "author": ["Tere Liye"], "classification": ["899.221"], "year": ["2019"],
        "inventory": ["0001/2019"],
    }  # fmt: skip


def test_a_layout_of_the_partners_own_is_read(tmp_path: Path) -> None:
    layout = tmp_path / "desa.yaml"
    layout.write_text(
        "layout: desa\ncolumns:\n  title: {names: [nama kitab]}\n  author: {names: [muallif], type: list}\n"
    )
    content = csv(["Nama kitab", "Muallif"], ["Safinatun najah", "Salim bin Sumair"])
    assert cells(content, layout=str(layout)) == [{"title": ["Safinatun najah"], "author": ["Salim bin Sumair"]}]


def test_the_place_of_a_row_is_told_but_is_no_part_of_the_record() -> None:
    (book,) = [each for each in found(one()) if isinstance(each, HarvestedRecord)]
    assert "place:Buku!A2" in book.flags
    assert b"Buku" not in book.payload
    assert json.loads(book.payload) == {"cells": {"title": ["Bumi manusia"]}}


# ---- as a source ---------------------------------------------------------------------------------------


def hashes(pages: list[Any]) -> dict[str, bytes]:
    return {record.identifier: record.payload for record in records(pages)}


def test_a_dropped_sheet_is_a_full_set(tmp_path: Path) -> None:
    drop(tmp_path, "buku.xlsx", xlsx(HEADER, *BOOKS))
    pages = harvest(tmp_path)
    assert pages[-1].list_size == 4
    assert {record.format for record in records(pages)} == {"row"}


def test_a_zipped_sheet_is_read(tmp_path: Path) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("kiriman/buku.xlsx", xlsx(HEADER, *BOOKS))
        archive.writestr("kiriman/lagi.csv", csv(HEADER, [5, "Harimau! Harimau!", "Lubis", "", "", "", "", "0005", 1]))
    assert len(records(read(target.getvalue(), tmp_path, "kiriman.zip"))) == 5


def test_a_refused_sheet_makes_the_list_incomplete(tmp_path: Path) -> None:
    pages = read(with_borrowers(), tmp_path, "buku.xlsx")
    assert len(records(pages)) == 1
    assert "salvaged" in flags(pages)
    assert pages[-1].list_size is None
    assert [damage.reason for damage in damages(pages)] == ["members"]


def test_a_row_set_aside_without_a_number_proves_nothing_absent(tmp_path: Path) -> None:
    numbered = read(xlsx(HEADER, *BOOKS, [5, None, "Hirata", "Bentang", 2005, "", "", "0005", 1]), tmp_path, "a.xlsx")
    assert numbered[-1].list_size == 5
    nameless = read(xlsx(HEADER, *BOOKS, [5, None, "Hirata", "Bentang", 2005, "", "", "", 1]), tmp_path, "a.xlsx")
    assert nameless[-1].list_size is None
    assert "salvaged" not in flags(nameless)


def test_a_dry_run_shows_what_would_happen_row_by_row(tmp_path: Path) -> None:
    known = hashes(read(xlsx(HEADER, *BOOKS), tmp_path, "a.xlsx"))
    rows = [list(row) for row in BOOKS]
    rows[0][1] = "Bumi Manusia: roman"
    rows[3] = [4, "IPA SMP kelas VII", "", "Pusat Perbukuan", 2017, "", 5, "0009", 40]
    pages = read(xlsx(HEADER, *rows, [5, None, "Hirata", "Bentang", 2005, "", "", "0002", 1]), tmp_path, "a.xlsx")
    result = dry_run(pages, known, lambda record: record.payload)
    assert [(line.kind, line.identifier, line.place) for line in result.lines] == [
        ("changed", "inv:1", "Buku!A2"),
        ("unchanged", "inv:2", "Buku!A3"),
        ("unchanged", "inv:3", "Buku!A4"),
        ("new", "inv:9", "Buku!A5"),
        ("refused", "inv:2", "Buku!B6"),
        ("gone", "inv:4", ""),
    ]
    assert result.counts == {"changed": 1, "unchanged": 2, "new": 1, "refused": 1, "gone": 1}
    assert result.lines[3].remarks == ("Buku!G5: angka nol di depan “5” hilang; sudah dikembalikan.",)
    assert result.lines[4].remarks == ("Buku!B6: judul kosong; baris ini disisihkan.",)


def test_a_dry_run_of_a_delta_or_a_damaged_file_calls_nothing_gone(tmp_path: Path) -> None:
    known = hashes(read(xlsx(HEADER, *BOOKS), tmp_path, "a.xlsx"))
    for pages in (
        read(xlsx(HEADER, *BOOKS[:2]), tmp_path, "a.xlsx", content="delta"),
        read(with_borrowers(), tmp_path, "a.xlsx"),
    ):
        result = dry_run(pages, known, lambda record: record.payload)
        assert not result.proven
        assert "gone" not in result.counts


def test_a_sheet_30_percent_shorter_is_for_a_person_to_decide(tmp_path: Path) -> None:
    rows = [[number, f"Judul {number}", "", "", 2000, "", "", f"{number:04}", 1] for number in range(1, 201)]
    known = hashes(read(xlsx(HEADER, *rows), tmp_path, "a.xlsx"))
    pages = read(xlsx(HEADER, *rows[:140]), tmp_path, "a.xlsx")
    gone = dry_run(pages, known, lambda record: record.payload).counts["gone"]
    assert gone == 60
    assert not rule_on_deletions(gone, len(known), 0, DeletionLimits()).allowed
    again = dry_run(read(xlsx(HEADER, *rows), tmp_path, "a.xlsx"), known, lambda record: record.payload)
    assert again.counts == {"unchanged": 200}
