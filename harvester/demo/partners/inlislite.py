"""Dinas Perpustakaan Provinsi Bahari: INLISLite 3.2. MARCXML with '#' indicators, one leader, one record a copy."""

from __future__ import annotations

from harvester.demo import dc, marc, numbers, wording
from harvester.demo.dice import chance, pick
from harvester.demo.holdings import Copy
from harvester.demo.marc import Field, field
from harvester.demo.partners import Library
from harvester.demo.quirks import INLISLITE_32, variant
from harvester.demo.works import Manifestation

FORMS = (wording.heading, wording.heading, wording.titled, wording.direct)
LEADER = "00000nam a2200000 a 4500"  # the same on every record, whatever it is


def render(copy: Copy) -> dict[str, bytes]:
    """The record as INLISLite's fallback writes it; a broken one is not escaped, as stored MARC never is there."""
    controls = [
        ("001", f"INLIS{copy.key:015d}"),
        ("005", "20260303020000" if copy.edited else f"{copy.created:%Y%m%d%H%M%S}"),
        ("007", "ta"),
        ("008", f"{copy.created:%y%m%d}################|##########|#{copy.of.language:3}##"),
    ]
    payload = marc.write(LEADER, controls, _fields(copy), raw=copy.broken)
    # INLISLite writes these two constants into the Dublin Core of every record.
    constants = [("type", "Text"), ("format", "application/pdf")]
    return {"marcxml": payload, "oai_dc": dc.simple(copy, constants)}


def _fields(copy: Copy) -> list[Field]:
    this = copy.of
    call = f"{this.islam or this.ddc} {wording.author_mark(this)}"
    fields = [
        *_numbers(this),
        *field("035", "##", ("a", f"0010-{copy.created:%m%y}{copy.key:06d}")),
        *field("050", "##", ("a", call)),
        *field("082", "##", ("a", this.ddc)),
        *field("084", "##", ("a", call)),
        *(field("100", "0#", ("a", _name(this.author[0], this))) if this.author else []),
        *(field("110", "##", ("a", this.body)) if this.body else []),
        *_title(copy),
        *_edition(copy),
        *_publication(copy),
        *field("300", "##", *_extent(this)),
        *field("310", "##", ("a", this.frequency)),
        *field("502", "##", ("a", this.degree and f"{this.degree} -- {this.institution}, {this.year}")),
        *(field("520", "##", ("a", this.summary)) if this.summary else []),
        *(one for term in this.subjects for one in field("650", "#0", ("a", term.replace(" -- ", " - ")))),
        *(one for name in this.names[1:] for one in field("700", "0#", ("a", _name(name, this)))),
        *field("850", "##", ("a", "BAHARI")),
        *field("990", "##", ("a", f"{copy.key:05d}/DPB/{copy.created:%Y}")),
    ]
    if chance(6, "inlis-empty", this.label):
        fields.append(Field("500", "##", (("a", ""),)))
    return fields


def _numbers(this: Manifestation) -> list[Field]:
    if this.bogus:
        return field("020", "##", ("a", numbers.BOGUS))
    fields = field("022", "##", ("a", this.issn))
    if this.isbn:
        thirteen = numbers.thirteen(this.isbn)
        forms = (thirteen, thirteen, this.isbn, f"ISBN {this.isbn}", numbers.plain(this.isbn), None)
        number = pick(forms, "inlis-isbn", this.label)
        if number and this.part and chance(2, "inlis-jil", this.label):
            number = f"{number} (jil. {this.part})"
        if chance(16, "inlis-wrong", this.label):
            number = numbers.wrong(thirteen)
        fields += field("020", "##", ("a", number))
    return fields + field("020", "##", ("a", f"{this.set_isbn} (jil. lengkap)" if this.set_isbn else None))


def _name(name: str, this: Manifestation) -> str:
    return pick(FORMS, "inlis-names", this.label)(name)


def _title(copy: Copy) -> list[Field]:
    this = copy.of
    title = this.title
    if this.old and chance(3, "inlis-old", this.label):
        title = this.old
    if this.script and chance(4, "inlis-script", this.label):
        title = this.script
    if copy.edited or chance(7, "inlis-upper", this.label, copy.copy):
        title = title.upper()
    rest = wording.remainder(this)
    if this.part:
        title += f" {wording.part(this, roman=chance(2, 'inlis-roman', this.label), word=_part_word(this))}"
        title += f" : {this.part_name}" if this.part_name else ""
    said = wording.responsibility(this, with_titles=True)
    marks = " :" if rest else " /" if said else ""
    return field("245", "1#", ("a", title + marks), ("b", rest and f"{rest} /"), ("c", said))


def _part_word(this: Manifestation) -> str:
    return pick((this.part_word, "Jil.", "Jilid"), "inlis-part", this.label) if this.part_word == "Jilid" else "Jilid"


def _edition(copy: Copy) -> list[Field]:
    this = copy.of
    texts = [this.edition_text] if this.edition_text else []
    if copy.printing:
        number = copy.printing[0]
        texts.append(pick((f"Cet. {number}", f"Cet.ke-{number}", f"Cetakan {number}"), "inlis-cet", this.label))
    return field("250", "##", ("a", ", ".join(texts)))


def _publication(copy: Copy) -> list[Field]:
    this = copy.of
    place = this.place and f"{this.place} :"
    publisher = this.publisher and f"{this.publisher},"
    year = str(copy.year or "[t.th.]")
    return field("260", "##", ("a", place or "[t.t.] :"), ("b", publisher or "[t.p.],"), ("c", year))


def _extent(this: Manifestation) -> list[tuple[str, str | None]]:
    text = wording.collation(this, illustrated=pick(("ilus", "ill.", ""), "inlis-ill", this.label))
    pages, _, rest = text.partition(" : ")
    details, _, size = rest.partition(" ; ")
    return [("a", f"{pages} :" if rest else pages), ("b", details and f"{details} ;"), ("c", size)]


LIBRARY = Library(
    code="bahari",
    letter="I",
    name_id="Dinas Perpustakaan dan Kearsipan Provinsi Bahari",
    name_en="Bahari Provincial Library",
    type="public",
    preset="inlislite",
    format="marcxml",
    metadata_prefix="marcxml",
    quirks=variant(INLISLITE_32, page_size=50, identifier_prefix="oai:perpus.bahari.example.id:"),
    render=render,
)
