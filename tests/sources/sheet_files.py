"""Sheets made for tests, and what the reader finds in them."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from openpyxl import Workbook

from harvester.model import Damage, HarvestedRecord
from harvester.sources.sheet_messages import sentence
from harvester.sources.sheets import Sheets

HEADER = ["No", "Judul", "Pengarang", "Penerbit", "Tahun", "ISBN", "Klas", "No. Induk", "Eks."]
BOOKS: list[list[Any]] = [
    [1, "Bumi manusia", "Toer, Pramoedya Ananta", "Hasta Mitra", 1980, "979-97312-3-2", "899.221", "0001", 2],
    [2, "Laskar pelangi", "Hirata, Andrea", "Bentang", 2005, "979-3062-79-7", "899.221", "0002", 3],
    [3, "Ronggeng Dukuh Paruk", "Tohari, Ahmad", "Gramedia", 2003, "", "899.221", "0003", 1],
    [4, "Matematika SMP kelas VII", "", "Pusat Perbukuan", 2017, "", "510", "0004", 40],
]
Rows = Sequence[Sequence[Any]]


def xlsx(*rows: Sequence[Any], sheet: str = "Buku", more: Callable[[Workbook], None] = lambda book: None) -> bytes:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(list(row))
    more(book)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def csv(*rows: Sequence[Any], separator: str = ",", encoding: str = "utf-8", end: str = "\r\n") -> bytes:
    def cell(value: Any) -> str:
        text = str(value)
        return '"' + text.replace('"', '""') + '"' if re.search(f'[{separator}"\n]', text) else text

    return "".join(separator.join(cell(value) for value in row) + end for row in rows).encode(encoding)


def found(content: bytes, name: str = "buku.csv", language: str = "id", layout: str = "") -> list[Any]:
    return list(Sheets(name, language=language, layout=layout).found(io.BytesIO(content)))


def told(content: bytes, language: str = "id", layout: str = "") -> list[str]:
    """Every sentence about a file: refusals, flags of records, flags of sheets."""
    sentences = []
    for each in found(content, language=language, layout=layout):
        if isinstance(each, Damage):
            sentences.append(each.message)
        elif isinstance(each, HarvestedRecord):
            sentences += [sentence(text, language) for text in each.flags if not text.startswith("place:")]
        else:
            sentences.append(sentence(each, language))
    return sentences


def cells(content: bytes, layout: str = "") -> list[dict[str, list[str]]]:
    return [
        json.loads(each.payload)["cells"] for each in found(content, layout=layout) if isinstance(each, HarvestedRecord)
    ]


def one(title: Any = "Bumi manusia", **values: Any) -> bytes:
    """A workbook with one book, columns Judul and those of *values*."""
    return xlsx(["Judul", *(name.replace("_", " ") for name in values)], [title, *values.values()])


def with_borrowers() -> bytes:
    def add(book: Workbook) -> None:
        loans = book.create_sheet("Pinjam")
        loans.append(["Nama Siswa", "Judul", "Tgl Pinjam"])
        loans.append(["Budi Santoso", "Bumi manusia", "1-2-2024"])

    return xlsx(["Judul", "No. Induk"], ["Bumi manusia", "0001"], more=add)
