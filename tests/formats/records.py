"""Records of real works, built with pymarc so that our reader meets bytes which it did not write."""

from __future__ import annotations

from pymarc import Field, Indicators, Record, Subfield

WORKS = [
    ("0001", "Toer, Pramoedya Ananta,", "Bumi manusia :", "sebuah novel /", "Jakarta :", "Hasta Mitra,", "1980", "ind"),
    ("0002", "Hirata, Andrea,", "Laskar pelangi /", "", "Yogyakarta :", "Bentang,", "2005", "ind"),
    ("0003", "Rusli, Marah,", "Sitti Nurbaya :", "kasih tak sampai /", "Jakarta :", "Balai Pustaka,", "1922", "ind"),
    ("0004", "Tohari, Ahmad,", "Ronggeng Dukuh Paruk /", "", "Jakarta :", "Gramedia,", "1982", "ind"),
    ("0005", "Multatuli,", "Max Havelaar, of De koffij-veilingen /", "", "Amsterdam :", "De Ruyter,", "1860", "dut"),
    ("0006", "Nguyễn, Du,", "Truyện Kiều /", "", "Hà Nội :", "Văn học,", "1979", "vie"),
    ("0007", "Ghazālī,", "Iḥyāʼ ʻulūm al-dīn /", "", "Bayrūt :", "Dār al-Maʻrifah,", "1982", "ara"),
    ("0008", "García Márquez, G.,", "Cien años de soledad /", "", "Buenos Aires :", "EDASA,", "1967", "spa"),
    ("0009", "Yasadipura II,", "Sêrat Wicara Keras /", "ꦱꦼꦫꦠ꧀", "Surakarta :", "Budi Utama,", "1926", "jav"),
    ("0010", "Koentjaraningrat,", "Pengantar ilmu antropologi /", "", "Jakarta :", "Aksara Baru,", "1979", "ind"),
    ("0011", "Shihab, M.,", "Tafsir al-Mishbah :", "kesan al-Qur’an /", "Jakarta :", "Lentera,", "2000", "ind"),
    ("0012", "Hamka,", "Tenggelamnya kapal Van der Wijck /", "", "Medan :", "Centrale Courant,", "1938", "ind"),
]  # fmt: skip


def pymarc_record(work: tuple[str, ...]) -> Record:
    """One work as a pymarc Record in UTF-8."""
    number, author, title, remainder, place, publisher, year, language = work
    record = Record(force_utf8=True)
    record.add_field(Field(tag="001", data=number))
    record.add_field(Field(tag="005", data="20240101120000.0"))
    record.add_field(Field(tag="008", data=f"240101s{year}    io a          000 1 {language} d"))
    record.add_field(_field("020", "  ", a="9789794335772", q="pbk."))
    record.add_field(_field("100", "1 ", a=author, e="penulis."))
    record.add_field(_field("245", "10", a=title, b=remainder, c=f"{author} editor."))
    record.add_field(_field("264", " 1", a=place, b=publisher, c=f"{year}."))
    record.add_field(_field("650", " 4", a="Kesusastraan Indonesia"))
    record.add_field(_field("650", " 4", a="Fiksi", x="Sejarah dan kritik"))
    record.add_field(_field("852", "  ", a="Perpustakaan Umum", h="899.221 3", i="TOE b"))
    return record


def _field(tag: str, marks: str, **parts: str) -> Field:
    subfields = [Subfield(code=code, value=text) for code, text in parts.items() if text]
    return Field(tag=tag, indicators=Indicators(marks[0], marks[1]), subfields=subfields)


RECORDS: list[bytes] = [pymarc_record(work).as_marc() for work in WORKS]
