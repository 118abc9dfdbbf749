"""SMP Negeri 1 Melati: a spreadsheet with Indonesian headers, sent by mail; many cells are empty."""

from __future__ import annotations

import csv
import io

from harvester.demo import numbers, wording
from harvester.demo.dice import chance, pick, roll
from harvester.demo.holdings import Copy
from harvester.demo.partners import Library
from harvester.demo.works import Manifestation

FORMS = (wording.direct, wording.direct, wording.titled, wording.heading)
COLUMNS = ("No. Induk", "Judul", "Pengarang", "Penerbit", "Tempat", "Tahun", "ISBN", "Klas", "Eks.")


def render(copy: Copy) -> dict[str, bytes]:
    """The row as one line of CSV."""
    return {"row": line(cells(copy)).encode()}


def cells(copy: Copy) -> tuple[str, ...]:
    """The row's cells, in the order of COLUMNS."""
    this = copy.of
    return (
        number(copy),
        _title(copy),
        _author(this),
        this.publisher or "",
        this.place if this.place and chance(2, "sheet-place", this.label) else "",
        str(copy.year) if copy.year and not chance(9, "sheet-year", this.label) else "",
        _isbn(this),
        "" if chance(6, "sheet-class", this.label) else this.islam or this.ddc,
        str(1 + roll(5, "sheet-copies", this.label) + (2 if copy.edited else 0)),
    )


def number(copy: Copy) -> str:
    """The accession number, the row's identifier."""
    return f"B-{copy.key:04d}"


def line(values: tuple[str, ...]) -> str:
    """One CSV line with its line end."""
    text = io.StringIO()
    csv.writer(text).writerow(values)
    return text.getvalue()


def _title(copy: Copy) -> str:
    this = copy.of
    if this.grade:
        audience = f" ({this.audience})" if this.audience else ""
        return f"{this.title} {wording.school_words(this, short=True)}{audience}"
    title = this.title
    if this.part:
        title += pick((f" {this.part}", f" jilid {this.part}", f" Jil. {this.part}"), "sheet-part", this.label)
    if this.sub and chance(3, "sheet-sub", this.label):
        title += f": {this.sub}"
    if chance(5, "sheet-upper", this.label):
        return title.upper()
    return wording.capitals(title)


def _author(this: Manifestation) -> str:
    if not this.author:
        return this.body or ("-" if chance(2, "sheet-dash", this.label) else "")
    form = pick(FORMS, "sheet-author", this.label)
    lead = form(this.author[0])
    return f"{lead}, dkk." if len(this.author) > 1 else lead


def _isbn(this: Manifestation) -> str:
    if this.bogus:
        return numbers.BOGUS
    if not this.isbn or chance(2, "sheet-isbn", this.label):
        return ""
    thirteen = numbers.plain(numbers.thirteen(this.isbn))
    # A spreadsheet that took the number for a quantity has lost its last digits.
    lost = f"{int(thirteen):.5E}"
    return pick((thirteen, thirteen, thirteen, this.isbn, f"ISBN {this.isbn}", lost), "sheet-form", this.label)


LIBRARY = Library(
    code="smpn1",
    letter="C",
    name_id="Perpustakaan SMP Negeri 1 Melati",
    name_en="Melati State Junior High School 1 Library",
    type="school",
    preset="school-xlsx",
    format="row",
    render=render,
)
