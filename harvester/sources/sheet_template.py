"""The empty sheet that a school downloads, fills in and sends back: school-xlsx with instructions in Indonesian."""

from __future__ import annotations

from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

_ROWS = 2000  # rows whose cells are text from the start, so that Excel does not turn 005 into 5
_COLUMNS = (
    ("No", 5, "nomor urut, boleh kosong"),
    ("Judul", 45, "wajib diisi, satu judul satu baris"),
    ("Anak Judul", 25, "bila ada"),
    ("Pengarang", 30, "pisahkan dengan titik koma: Toer, Pramoedya Ananta; Hirata, Andrea"),
    ("Penerbit", 25, ""),
    ("Kota", 15, "kota terbit"),
    ("Tahun", 8, "empat angka: 2019"),
    ("ISBN", 20, "semua angkanya, dengan atau tanpa tanda hubung"),
    ("Klas", 12, "nomor klasifikasi, misalnya 005.133 atau 899.221"),
    ("No. Panggil", 16, "misalnya 899.221 TOE b"),
    ("Edisi", 12, "edisi atau cetakan"),
    ("Jilid", 8, ""),
    ("Halaman", 10, "misalnya 354 hlm"),
    ("Bahasa", 12, ""),
    ("Subjek", 25, "pisahkan dengan titik koma"),
    ("No. Induk", 16, "nomor induk buku; inilah pengenal baris, jangan diubah-ubah"),
    ("Eks.", 6, "jumlah eksemplar"),
    ("Rak", 10, "tempat buku berdiri"),
)
_GENERAL = (
    "Isi lembar Buku: satu judul atau satu eksemplar setiap baris, mulai baris kedua.",
    "Jangan mengubah nama kolom pada baris pertama. Urutan kolom dan urutan baris boleh berubah.",
    "Data anggota atau peminjaman (nama, alamat, tanggal pinjam) tidak boleh ada; lembar seperti itu ditolak.",
    "Kirim seluruh daftar setiap kali; buku yang tidak ada lagi di daftar dianggap sudah dikeluarkan.",
    "Kolom:",
)


def write() -> bytes:
    """The template as the bytes of an .xlsx file."""
    book = Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    sheet.title = "Buku"
    _fill(sheet)
    notes = book.create_sheet("Petunjuk")
    notes.column_dimensions["A"].width = 110
    for text in _GENERAL:
        notes.append([text])
    for name, _, text in _COLUMNS:
        if text:
            notes.append([f"    {name} : {text}"])
    for row in notes.iter_rows():
        row[0].alignment = Alignment(wrap_text=True)
    target = BytesIO()
    book.save(target)
    return target.getvalue()


def _fill(sheet: Worksheet) -> None:
    sheet.append([name for name, _, _ in _COLUMNS])
    sheet.freeze_panes = "A2"
    for number, (_, width, _) in enumerate(_COLUMNS, 1):
        head = sheet.cell(1, number)
        head.font = Font(bold=True)
        head.fill = PatternFill("solid", fgColor="DDE8F0")
        sheet.column_dimensions[get_column_letter(number)].width = width
        for row in range(2, _ROWS + 2):
            sheet.cell(row, number).number_format = "@"
