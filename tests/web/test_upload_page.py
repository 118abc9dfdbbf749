"""The upload's preview says what is doubtful in a row, and what would wait for somebody's approval."""

from __future__ import annotations

from html import unescape

import pytest

from tests.web.desk import Desk

HEAD = "No. Inventaris;Judul;Pengarang;Penerbit;Tahun;ISBN;Jumlah\n"
SHEET = HEAD + "P-0001;Laskar pelangi;Andrea Hirata;Bentang;dua ribu;9789793062793;banyak\n"
TOLD = {
    "id": ("bukan ISBN", "tidak ada tahun", "bukan jumlah eksemplar", "tanpa persetujuan paling banyak"),
    "en": ("is no ISBN", "there is no year", "is no number of copies", "go without approval"),
}


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("content", ["full", "delta"])
def test_the_preview_tells_doubtful_values_and_deletions_that_wait(desk: Desk, language: str, content: str) -> None:
    session = desk.session("dewi", language)
    answer = session.send_form("/partners/smpn1/upload", files={"file": ("buku.csv", SHEET.encode())}, content=content)
    assert answer.status_code == 200
    *doubts, halt = TOLD[language]
    page = unescape(answer.text)
    assert [one for one in doubts if one not in page] == []
    assert (halt in page) == (content == "full")
    assert page.count('role="alert"') == (content == "full")
