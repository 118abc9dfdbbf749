"""Bad sheets: each is repaired or refused with sheet!cell and an Indonesian sentence."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import pytest
from openpyxl import Workbook

from harvester.model import Damage, HarvestedRecord
from harvester.sources.sheet_messages import MESSAGES, say
from tests.sources.sheet_files import BOOKS, HEADER, cells, csv, found, one, told, with_borrowers, xlsx


class Case(NamedTuple):
    """A bad file, the sentence that must be told (with its place), the cells of the first book that remains."""

    make: Callable[[], bytes]
    sentence: str
    cells: dict[str, list[str]] | None = None
    layout: str = ""


def merged_titles() -> bytes:
    def merge(book: Workbook) -> None:
        book.worksheets[0].merge_cells("A2:A3")

    return xlsx(["Judul", "No. Induk"], ["Bumi manusia", "A1"], [None, "A2"], more=merge)


def merged_header() -> bytes:
    def merge(book: Workbook) -> None:
        page = book.worksheets[0]
        page.merge_cells("A1:A2")
        page.merge_cells("B1:C1")

    return xlsx(
        ["Judul", "Penerbitan", None], [None, "Penerbit", "Tahun"], ["Bumi manusia", "Hasta Mitra", 1980], more=merge
    )


def numbered_format() -> bytes:
    def zeros(book: Workbook) -> None:
        book.worksheets[0]["B2"].number_format = "00000"

    return xlsx(["Judul", "No. Induk"], ["Bumi manusia", 17], more=zeros)


def error_value() -> bytes:
    def error(book: Workbook) -> None:
        book.worksheets[0]["B2"] = "#REF!"
        book.worksheets[0]["B2"].data_type = "e"

    return xlsx(["Judul", "Penerbit"], ["Bumi manusia", ""], more=error)


def several_sheets() -> bytes:
    def add(book: Workbook) -> None:
        book.create_sheet("Petunjuk").append(["Isi lembar Buku dengan data buku."])
        second = book.create_sheet("Kelas VIII")
        second.append(["Judul", "No. Induk"])
        second.append(["Laskar pelangi", "0002"])
        book.create_sheet("Kosong")

    return xlsx(["Judul", "No. Induk"], ["Bumi manusia", "0001"], more=add)


def repacked(content: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """*content* with the part *name* of the workbook changed."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, change(old.read(part)) if part == name else old.read(part))
    return target.getvalue()


def open_document() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", b"application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", b"<office:document-content/>")
    return target.getvalue()


def with_entities() -> bytes:
    doctype = b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    return repacked(one(), "xl/workbook.xml", lambda part: doctype + part)


def bomb() -> bytes:
    return repacked(one(), "xl/styles.xml", lambda part: part + b" " * (60 << 20))


def far_cell() -> bytes:
    return repacked(one(), "xl/worksheets/sheet1.xml", lambda part: part.replace(b'r="A2"', b'r="A99999999"'))


DATE = datetime(2005, 9, 1)
CASES: dict[str, Case] = {
    "the ISBN as a power of ten, digits lost": Case(
        lambda: one(ISBN="9.78979E+12"),
        "Buku!B2: Excel mengubah ISBN menjadi “9.78979E+12”, angka akhirnya hilang. "
        "Format kolom sebagai Teks, ketik lagi.",
        {"title": ["Bumi manusia"]},
    ),
    "the ISBN as a power of ten, all digits there": Case(
        lambda: csv(["Judul", "ISBN"], ["Laskar pelangi", "9.789793062792E+12"]),
        "buku.csv!B2: Excel mengubah ISBN menjadi “9.789793062792E+12”; ISBN dipulihkan dari angka yang tersisa.",
        {"title": ["Laskar pelangi"], "isbn": ["9789793062792"]},
    ),
    "an ISBN-10 that lost its zero": Case(
        lambda: one(ISBN=306406152),
        "Buku!B2: angka nol di depan ISBN “306406152” hilang; sudah dikembalikan.",
        {"title": ["Bumi manusia"], "isbn": ["0306406152"]},
    ),
    "DDC 005 that became 5": Case(
        lambda: one(Klas=5),
        "Buku!B2: angka nol di depan “5” hilang; sudah dikembalikan.",
        {"title": ["Bumi manusia"], "classification": ["005"]},
    ),
    "DDC 005.133 that became 5,133": Case(
        lambda: one(Klas="5,133"),
        "Buku!B2: tanda koma pada “5,133” dibaca sebagai titik.",
        {"title": ["Bumi manusia"], "classification": ["005.133"]},
    ),
    "an inventory number shown with zeros that are not there": Case(
        numbered_format,
        "Buku!B2: angka nol di depan “17” hilang; sudah dikembalikan.",
        {"title": ["Bumi manusia"], "inventory": ["00017"]},
    ),
    "the year as a date": Case(
        lambda: one(Tahun=DATE),
        "Buku!B2: “2005-09-01” adalah tanggal; hanya tahunnya yang diambil.",
        {"title": ["Bumi manusia"], "year": ["2005"]},
    ),
    "the year as the number of a day": Case(
        lambda: one(Tahun=38596),
        "Buku!B2: “38596” adalah tanggal; hanya tahunnya yang diambil.",
        {"title": ["Bumi manusia"], "year": ["2005"]},
    ),
    "the year with a thousands point": Case(
        lambda: csv(["Judul", "Tahun"], ["Bumi manusia", "1.980"]),
        "buku.csv!B2: “1.980” tertulis sebagai bilangan desimal; dibaca sebagai bilangan bulat.",
        {"title": ["Bumi manusia"], "year": ["1980"]},
    ),
    "a call number that became a date": Case(
        lambda: one(No_Panggil=DATE),
        "Buku!B2: Excel mengubah isi menjadi tanggal “2005-09-01”. Format kolom sebagai Teks lalu ketik lagi.",
        {"title": ["Bumi manusia"], "call_number": ["2005-09-01"]},
    ),
    "a file in Windows-1252": Case(
        lambda: csv(["Judul", "Penulis"], ["Le Petit Prince – édition", "Saint-Exupéry"], encoding="cp1252"),
        "buku.csv!A2: berkas bukan UTF-8; huruf dibaca sebagai Windows-1252.",
        {"title": ["Le Petit Prince – édition"], "author": ["Saint-Exupéry"]},
    ),
    "quotation marks inside a value": Case(
        lambda: b'"Judul","Pengarang"\r\n"Si "Doel" anak Betawi","Aman Dt. Madjoindo"\r\n',
        "buku.csv!A2: ada tanda kutip di dalam isi; baris tetap dibaca.",
        {"title": ['Si "Doel" anak Betawi'], "author": ["Aman Dt. Madjoindo"]},
    ),
    "a separator inside a value": Case(
        lambda: b"Judul,Pengarang\nBumi manusia,Toer\nBumi, bulan, bintang,Rendra\n",
        "buku.csv!A3: isi baris lebih banyak daripada nama kolom; mungkin ada tanda pemisah di dalam isi. "
        "Baris ini disisihkan.",
        {"title": ["Bumi manusia"], "author": ["Toer"]},
    ),
    "no title": Case(
        lambda: xlsx(HEADER, BOOKS[0], [2, None, "Hirata, Andrea", "Bentang", 2005, "", "", "0002", 1]),
        "Buku!B3: judul kosong; baris ini disisihkan.",
        {"title": ["Bumi manusia"]},
    ),
    "ditto marks": Case(
        lambda: xlsx(["Judul", "No. Induk"], ["Bumi manusia", "A1"], ["sda", "A2"]),
        "Buku!A3: “sda” mengulang baris di atasnya. Tulis lagi judulnya; baris ini disisihkan.",
        {"title": ["Bumi manusia"]},
    ),
    "titles merged over the rows of their copies": Case(
        merged_titles,
        "Buku!A3: sel ini digabung dengan sel lain; isinya berlaku untuk semuanya.",
        {"title": ["Bumi manusia"], "inventory": ["A1"]},
    ),
    "column names merged and in two rows": Case(
        merged_header, "", {"title": ["Bumi manusia"], "publisher": ["Hasta Mitra"], "year": ["1980"]}
    ),
    "a title above the column names": Case(
        lambda: xlsx(["DAFTAR BUKU PERPUSTAKAAN SD NEGERI 3"], [], ["Tahun Pelajaran 2025/2026"], HEADER, *BOOKS),
        "",
        {"title": ["Bumi manusia"], "copies": ["2"]},
    ),
    "a misspelt column name": Case(
        lambda: xlsx(["Judul", "Pengarnag"], ["Bumi manusia", "Toer"]),
        "Buku!B1: nama kolom “Pengarnag” ditebak.",
        {"title": ["Bumi manusia"], "author": ["Toer"]},
    ),
    "an unknown column": Case(
        lambda: one(Warna_Sampul="merah"),
        "Buku!B1: kolom “Warna Sampul” tidak dipakai.",
        {"title": ["Bumi manusia"]},
    ),
    "an error instead of a value": Case(
        error_value,
        "Buku!B2: sel ini menampilkan kesalahan “#REF!”; dianggap kosong.",
        {"title": ["Bumi manusia"]},
    ),
    "a formula without a saved result": Case(
        lambda: one(Penerbit='=HYPERLINK("http://evil.example","x")'),
        "Buku!B2: sel ini berisi rumus tanpa hasil tersimpan; dianggap kosong. Tempel sebagai nilai.",
        {"title": ["Bumi manusia"]},
    ),
    "one inventory number for two books": Case(
        lambda: xlsx(["Judul", "No. Induk"], ["Bumi manusia", "7"], ["Laskar pelangi", "007"]),
        "Buku!A2: nomor “7” dipakai untuk buku yang berbeda; nomor itu tidak dipakai sebagai pengenal.",
        {"title": ["Bumi manusia"], "inventory": ["7"]},
    ),
    "several sheets, one of them a manual": Case(
        several_sheets, "Petunjuk: lembar ini tidak berisi data buku dan dilewati.", {"title": ["Bumi manusia"]}
    ),
    "no column names": Case(
        lambda: xlsx(["Bumi manusia", "Toer", 1980], ["Laskar pelangi", "Hirata", 2005]),
        "Buku: baris nama kolom tidak ditemukan. Harus ada baris berisi nama kolom, misalnya Judul dan Pengarang.",
    ),
    "columns about books, but no title": Case(
        lambda: xlsx(["Pengarang", "Penerbit", "Tahun"], ["Toer", "Hasta Mitra", 1980]),
        "Buku: kolom Judul tidak ada.",
    ),
    "borrowers in another sheet": Case(
        with_borrowers,
        "Pinjam: kolom “Nama Siswa” berisi data anggota atau peminjaman. Lembar ini tidak dibaca dan tidak disimpan; "
        "kirim data buku saja.",
        {"title": ["Bumi manusia"]},
    ),
    "the members of SLiMS": Case(
        lambda: csv(["member_id", "member_name", "gender", "member_email"], ["M1", "Budi Santoso", "1", "b@x.id"]),
        "buku.csv: kolom “member_id” berisi data anggota atau peminjaman. Lembar ini tidak dibaca dan tidak disimpan; "
        "kirim data buku saja.",
    ),
    "names and addresses below the books": Case(
        lambda: xlsx(
            ["Judul", "Pengarang"], ["Bumi manusia", "Toer"], ["Nama", "Alamat"], ["Budi Santoso", "Jl. Melati"]
        ),
        "Buku: kolom “Nama” berisi data anggota atau peminjaman. Lembar ini tidak dibaca dan tidak disimpan; "
        "kirim data buku saja.",
    ),
    "an old Excel file": Case(
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 2000,
        "buku.csv: ini berkas Excel lama (.xls) atau berkata sandi. Simpan sebagai .xlsx tanpa kata sandi.",
    ),
    "an OpenDocument sheet": Case(
        open_document,
        "buku.csv: ini berkas OpenDocument. Simpan sebagai .xlsx atau .csv lalu kirim lagi.",
    ),
    "half a workbook": Case(
        lambda: xlsx(HEADER, *BOOKS)[:3000],
        "buku.csv: berkas Excel rusak atau tidak lengkap. Buka, simpan ulang, lalu kirim lagi.",
    ),
    "a workbook with a damaged part": Case(
        lambda: repacked(one(), "xl/worksheets/sheet1.xml", lambda part: part[:-40]),
        "Buku: berkas Excel rusak atau tidak lengkap. Buka, simpan ulang, lalu kirim lagi.",
    ),
    "a workbook with entities": Case(
        with_entities, "buku.csv: berkas ini berisi bagian yang tidak wajar dan berbahaya, jadi tidak dibaca."
    ),
    "a workbook that is a bomb": Case(bomb, "buku.csv: lembar ini terlalu besar. Bagi menjadi beberapa berkas."),
    "a cell far outside of the sheet": Case(
        far_cell, "buku.csv: berkas ini berisi bagian yang tidak wajar dan berbahaya, jadi tidak dibaca."
    ),
    "an empty sheet": Case(lambda: xlsx(HEADER), "Buku: tidak ada baris data."),
}


@pytest.mark.parametrize("label", CASES)
def test_a_bad_sheet_is_repaired_or_refused_in_words_of_the_librarian(label: str) -> None:
    case = CASES[label]
    content = case.make()
    sentences = told(content, layout=case.layout)
    assert case.sentence in sentences if case.sentence else sentences == []
    books = cells(content, layout=case.layout)
    if case.cells is None:
        assert books == []
    else:
        assert {name: books[0].get(name) for name in case.cells} == case.cells


def test_there_are_more_than_25_bad_sheets() -> None:
    assert len(CASES) > 25


def test_every_message_is_there_in_both_languages_and_names_its_place() -> None:
    for code, (english, indonesian) in MESSAGES.items():
        assert english != indonesian
        for language in ("en", "id"):
            assert say(code, language, place="Buku!E5", value="x").startswith("Buku!E5: ")
        assert ("{value}" in english) == ("{value}" in indonesian)


def test_messages_come_in_english_where_asked() -> None:
    assert told(one(Klas=5), "en") == ["Buku!B2: “5” had lost zeros at its start; they were put back."]


def test_nothing_of_a_sheet_with_members_is_kept() -> None:
    case = CASES["borrowers in another sheet"]
    everything = repr(found(case.make()))
    assert "Budi" not in everything
    assert "1-2-2024" not in everything
    below = repr(found(CASES["names and addresses below the books"].make()))
    assert "Budi" not in below


@pytest.mark.parametrize(
    "header",
    [
        ["Judul", "Peminjam"],
        ["Judul", "Tgl Pinjam", "Tgl Kembali"],
        ["No", "Nama", "Alamat"],
        ["NIS", "Nama", "Kelas"],
        ["Nama Anggota", "No HP"],
        ["member_id", "item_code", "loan_date", "due_date"],
        ["MemberNo", "Fullname", "Email", "NIK"],
    ],
)
def test_sheets_about_people_are_refused(header: list[str]) -> None:
    (refusal,) = [each for each in found(xlsx(header, ["x"] * len(header))) if isinstance(each, Damage)]
    assert refusal.reason == "members"
    assert refusal.payload == b""


@pytest.mark.parametrize(
    "header",
    [
        ["Judul", "Pengarang", "Kelas"],
        ["Judul", "Jumlah", "Dipinjam"],
        ["Judul", "Nama Pengarang", "Nama Penerbit"],
        ["Judul Buku", "No. Induk Buku", "Buku Siswa/Guru"],
    ],
)
def test_sheets_about_books_are_not_taken_for_sheets_about_people(header: list[str]) -> None:
    assert cells(xlsx(header, [f"isi {number}" for number in range(len(header))]))


EXCEL_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    '<Override PartName="/xl/sharedStrings.xml" '
    'ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Target="xl/workbook.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"/></Relationships>',
    "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="Buku" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Target="worksheets/sheet1.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"/>'
    '<Relationship Id="rId2" Target="sharedStrings.xml" '
    'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/sharedStrings"/></Relationships>',
    "xl/sharedStrings.xml": '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    "<si><t>Judul</t></si><si><t>ISBN</t></si><si><t>Eks.</t></si>"
    '<si><r><t xml:space="preserve">Laskar </t></r><r><rPr><i/></rPr><t>pelangi</t></r></si></sst>',
    "xl/worksheets/sheet1.xml": '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    '<dimension ref="A1"/><sheetData>'
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="s"><v>2</v></c></row>'
    '<row r="3"><c r="A3" t="s"><v>3</v></c><c r="B3"><v>9789793062792</v></c><c r="C3"><f>1+2</f><v>3</v></c></row>'
    "</sheetData></worksheet>",
}


def excel(**changed: str) -> bytes:
    """A workbook as Excel itself writes it: shared strings, rich text, saved results of formulas, a wrong dimension."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**EXCEL_PARTS, **changed}.items():
            archive.writestr(name, content)
    return target.getvalue()


def test_a_workbook_of_excel_itself_is_read() -> None:
    assert cells(excel()) == [{"title": ["Laskar pelangi"], "isbn": ["9789793062792"], "copies": ["3"]}]
    (book,) = [each for each in found(excel()) if isinstance(each, HarvestedRecord)]
    assert book.flags == ("place:Buku!A3",)


def test_a_formula_is_never_evaluated() -> None:
    sheet = EXCEL_PARTS["xl/worksheets/sheet1.xml"].replace("<f>1+2</f><v>3</v>", "<f>1+2</f><v>7</v>")
    assert cells(excel(**{"xl/worksheets/sheet1.xml": sheet}))[0]["copies"] == ["7"]


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_a_workbook_cut_in_any_part_is_refused(part: str) -> None:
    for cut in range(0, len(EXCEL_PARTS[part]) - 1, 7):
        (refusal,) = found(excel(**{part: EXCEL_PARTS[part][:cut]}))
        assert isinstance(refusal, Damage)
        assert refusal.reason in ("damaged-workbook", "no-header", "empty")
