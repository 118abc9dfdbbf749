"""What is told about a sheet, in words that a school librarian understands, in Indonesian and English.

The code is the reason of a quarantine row or the start of a flag; the English sentence is the message id for gettext.
Placeholders: {place} is Sheet!cell, {value} what stood there.
"""

from __future__ import annotations

from typing import Literal

Language = Literal["id", "en"]

# code → (English, Indonesian)
MESSAGES: dict[str, tuple[str, str]] = {
    # the file or the sheet is refused
    "not-a-sheet": (
        "{place}: this is no Excel or CSV file. Save it as .xlsx or .csv and send it again.",
        "{place}: berkas ini bukan Excel atau CSV. Simpan sebagai .xlsx atau .csv lalu kirim lagi.",
    ),
    "old-excel": (
        "{place}: this is an old Excel file (.xls) or one with a password. Save it as .xlsx without a password.",
        "{place}: ini berkas Excel lama (.xls) atau berkata sandi. Simpan sebagai .xlsx tanpa kata sandi.",
    ),
    "open-document": (
        "{place}: this is an OpenDocument sheet. Save it as .xlsx or .csv and send it again.",
        "{place}: ini berkas OpenDocument. Simpan sebagai .xlsx atau .csv lalu kirim lagi.",
    ),
    "damaged-workbook": (
        "{place}: the Excel file is damaged or incomplete. Open it, save it again and send it again.",
        "{place}: berkas Excel rusak atau tidak lengkap. Buka, simpan ulang, lalu kirim lagi.",
    ),
    "dangerous-workbook": (
        "{place}: the file holds parts that no library sheet needs and that could do harm. It was not read.",
        "{place}: berkas ini berisi bagian yang tidak wajar dan berbahaya, jadi tidak dibaca.",
    ),
    "too-large": (
        "{place}: the sheet is too large to be read. Split it into several files.",
        "{place}: lembar ini terlalu besar. Bagi menjadi beberapa berkas.",
    ),
    "empty": ("{place}: there are no rows.", "{place}: tidak ada baris data."),
    "no-header": (
        "{place}: no row with column names was found. One row must name the columns, such as Judul and Pengarang.",
        "{place}: baris nama kolom tidak ditemukan. Harus ada baris berisi nama kolom, misalnya Judul dan Pengarang.",
    ),
    "no-title-column": (
        "{place}: there is no column Judul (title).",
        "{place}: kolom Judul tidak ada.",
    ),
    "members": (
        "{place}: the column {value} is about members or loans. The sheet was not read and nothing of it is kept; "
        "send book data only.",
        "{place}: kolom {value} berisi data anggota atau peminjaman. Lembar ini tidak dibaca dan tidak disimpan; "
        "kirim data buku saja.",
    ),
    # the row is refused
    "no-title": (
        "{place}: the title is missing; the row was set aside.",
        "{place}: judul kosong; baris ini disisihkan.",
    ),
    "ditto": (
        "{place}: {value} repeats the row above. Write the title again; the row was set aside.",
        "{place}: {value} mengulang baris di atasnya. Tulis lagi judulnya; baris ini disisihkan.",
    ),
    "too-many-cells": (
        "{place}: the row has more cells than the column names; perhaps a separator stands inside a value. "
        "The row was set aside.",
        "{place}: isi baris lebih banyak daripada nama kolom; mungkin ada tanda pemisah di dalam isi. "
        "Baris ini disisihkan.",
    ),
    "cell-too-long": (
        "{place}: the cell is too long; the row was set aside.",
        "{place}: isi sel terlalu panjang; baris ini disisihkan.",
    ),
    # the value was repaired
    "isbn-scientific": (
        "{place}: Excel wrote the ISBN as {value}; it was restored from the digits that are left.",
        "{place}: Excel mengubah ISBN menjadi {value}; ISBN dipulihkan dari angka yang tersisa.",
    ),
    "isbn-zero": (
        "{place}: the ISBN {value} had lost its first zero; it was put back.",
        "{place}: angka nol di depan ISBN {value} hilang; sudah dikembalikan.",
    ),
    "number-text": (
        "{place}: {value} was a number with decimals; it was read as a whole number.",
        "{place}: {value} tertulis sebagai bilangan desimal; dibaca sebagai bilangan bulat.",
    ),
    "zeros": (
        "{place}: {value} had lost zeros at its start; they were put back.",
        "{place}: angka nol di depan {value} hilang; sudah dikembalikan.",
    ),
    "decimal-comma": (
        "{place}: the comma in {value} was read as a decimal point.",
        "{place}: tanda koma pada {value} dibaca sebagai titik.",
    ),
    "year-date": (
        "{place}: {value} is a date; its year was taken.",
        "{place}: {value} adalah tanggal; hanya tahunnya yang diambil.",
    ),
    "merged": (
        "{place}: the cell is merged with others; its value counts for all of them.",
        "{place}: sel ini digabung dengan sel lain; isinya berlaku untuk semuanya.",
    ),
    "encoding": (
        "{place}: the file was not UTF-8; letters were read as Windows-1252.",
        "{place}: berkas bukan UTF-8; huruf dibaca sebagai Windows-1252.",
    ),
    "quotes": (
        "{place}: a quotation mark stood inside a value; the row was read all the same.",
        "{place}: ada tanda kutip di dalam isi; baris tetap dibaca.",
    ),
    "control-characters": (
        "{place}: invisible characters were taken out.",
        "{place}: karakter yang tidak terlihat dibuang.",
    ),
    "joined": (
        "{place}: rows of the same book were joined.",
        "{place}: baris-baris buku yang sama digabung.",
    ),
    "shared-number": (
        "{place}: the number {value} stands at different books; it was not used to tell them apart.",
        "{place}: nomor {value} dipakai untuk buku yang berbeda; nomor itu tidak dipakai sebagai pengenal.",
    ),
    # the value is doubtful
    "isbn-invalid": (
        "{place}: {value} is no ISBN: a digit is wrong or missing. Look at the book; it is kept but "
        "finds no other copy.",
        "{place}: {value} bukan ISBN: ada angka yang salah atau kurang. Periksa bukunya; disimpan, tetapi "
        "tidak dipakai untuk menemukan buku yang sama.",
    ),
    "issn-invalid": (
        "{place}: {value} is no ISSN: a digit is wrong or missing.",
        "{place}: {value} bukan ISSN: ada angka yang salah atau kurang.",
    ),
    "ismn-invalid": (
        "{place}: {value} is no ISMN: a digit is wrong or missing.",
        "{place}: {value} bukan ISMN: ada angka yang salah atau kurang.",
    ),
    "year-unreadable": (
        "{place}: there is no year in {value}. Write four digits.",
        "{place}: tidak ada tahun pada {value}. Tulis empat angka.",
    ),
    "no-count": (
        "{place}: {value} is no number of copies; it counts as unknown. Write digits.",
        "{place}: {value} bukan jumlah eksemplar; dianggap tidak diketahui. Tulis dengan angka.",
    ),
    # the value was lost
    "isbn-lost": (
        "{place}: Excel wrote the ISBN as {value}, its last digits are lost. Format the column as text, type it again.",
        "{place}: Excel mengubah ISBN menjadi {value}, angka akhirnya hilang. Format kolom sebagai Teks, ketik lagi.",
    ),
    "became-date": (
        "{place}: Excel turned the value into the date {value}. Format the column as text and type it again.",
        "{place}: Excel mengubah isi menjadi tanggal {value}. Format kolom sebagai Teks lalu ketik lagi.",
    ),
    "cell-error": (
        "{place}: the cell shows the error {value}; it counts as empty.",
        "{place}: sel ini menampilkan kesalahan {value}; dianggap kosong.",
    ),
    "formula": (
        "{place}: the cell is a formula without a saved result; it counts as empty. Paste it as a value.",
        "{place}: sel ini berisi rumus tanpa hasil tersimpan; dianggap kosong. Tempel sebagai nilai.",
    ),
    # about a sheet as a whole
    "header-guessed": (
        "{place}: the column name {value} was guessed.",
        "{place}: nama kolom {value} ditebak.",
    ),
    "column-unused": (
        "{place}: the column {value} is not used.",
        "{place}: kolom {value} tidak dipakai.",
    ),
    "sheet-ignored": (
        "{place}: the sheet holds no books and was passed over.",
        "{place}: lembar ini tidak berisi data buku dan dilewati.",
    ),
}


def say(code: str, language: str, *, place: str, value: str = "") -> str:
    """The sentence for *code*; long values are cut."""
    english, indonesian = MESSAGES[code]
    shown = value if len(value) <= 60 else value[:59] + "…"
    return (indonesian if language == "id" else english).format(place=place, value=f"“{shown}”")


def flag(code: str, place: str, value: str = "") -> str:
    """A flag that `sentence` can turn into words again: code:Sheet!cell=value."""
    return f"{code}:{place}={value[:60]}" if value else f"{code}:{place}"


def sentence(text: str, language: str) -> str:
    """The sentence for the flag *text*; a flag that is none of ours is given back."""
    code, _, rest = text.partition(":")
    if code not in MESSAGES:
        return text
    place, _, value = rest.partition("=")
    return say(code, language, place=place, value=value)
