"""Each work of fifty_works.txt as eight systems write it: their punctuation, their elements, their gaps.

SLiMS and INLISLite are written as their source code does (mappings/presets say which fields are missing or wrong).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

from pymarc import Field, Indicators, Record, Subfield
from pymarc.marcxml import record_to_xml

SLIMS_CODES = {"ind": "id", "eng": "en", "dut": "nl", "fre": "fr", "jav": "jv", "ara": "ar"}
SLIMS_LANGUAGES = {
    "ind": "Indonesia",
    "eng": "English",
    "dut": "Belanda",
    "fre": "Prancis",
    "jav": "Jawa",
    "ara": "Arabic",
}


class Work(NamedTuple):
    """A line of the file."""

    title: str
    subtitle: str
    part: str
    author: str
    place: str
    publisher: str
    year: str
    isbn: str
    edition: str
    impression: str
    pages: str
    ddc: str
    language: str

    @property
    def mark(self) -> str:
        """The author mark of the call number, as all eight libraries make it."""
        return f"{self.author[:3].upper()} {self.title[:1].lower()}"

    def statement(self, edition: str, impression: str) -> str:
        """`Edisi 2, cet. 13` in the words of one system; a first printing is not told."""
        told = [edition.format(self.edition)] if self.edition else []
        return ", ".join([*told, impression.format(self.impression)] if self.impression != "1" else told)


def works() -> list[Work]:
    text = Path(__file__).with_name("fifty_works.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return [Work(**row) for row in csv.DictReader(lines, delimiter="|")]


def direct(name: str) -> str:
    """The name as it stands on a title page."""
    return " ".join(reversed(name.split(", ")))


# ---- MARC ------------------------------------------------------------------------------------------------


def field(tag: str, marks: str, **parts: str | None) -> list[Field]:
    subfields = [Subfield(code=code.strip("_"), value=text) for code, text in parts.items() if text]
    return [Field(tag=tag, indicators=Indicators(*marks), subfields=subfields)] if subfields else []


def marc(leader: str, controls: Iterable[tuple[str, str]], fields: Iterable[Field]) -> Record:
    record = Record(force_utf8=True, leader=leader)
    for tag, text in controls:
        record.add_field(Field(tag=tag, data=text))
    for one in fields:
        record.add_field(one)
    return record


def first_mark(work: Work) -> str:
    return "1" if "," in work.author else "0"


def marc21(number: int, work: Work) -> Record:
    """INDOMARC as the older union catalogues have it: 260, `Cet. 2` in 250, a hyphenated ISBN-10."""
    colon = " :" if work.subtitle else ""
    return marc(
        "00000nam a2200000 a 4500",
        [("001", str(number)), ("008", f"100301s{work.year}    io a          000 0 {work.language}  ")],
        [
            *field("020", "  ", a=work.isbn and f"{work.isbn} (pbk.)"),
            *field("082", "0 ", a=work.ddc),
            *field("100", first_mark(work) + " ", a=work.author, e="pengarang"),
            *field(
                "245",
                "10",
                a=f"{work.title}{'.' if work.part else colon}",
                n=work.part and work.part.capitalize() + colon,
                b=work.subtitle,
            ),
            *field("250", "  ", a=work.statement("Ed. {}", "cet. {}").capitalize()),
            *field("260", "  ", a=f"{work.place} :", b=f"{work.publisher},", c=f"{work.year}."),
            *field("300", "  ", a=f"{work.pages} hlm. :", b="ilus. ;", c="21 cm"),
            *field("852", "  ", h=work.ddc, i=work.mark),
        ],
    )


def koha(number: int, work: Work) -> Record:
    """Koha with RDA punctuation, items in 952 with last night's loans, its own 942 and 999."""
    title_end = " :" if work.subtitle else " /"
    title = f"{work.title}{'.' if work.part else title_end}"
    responsibility = f"{direct(work.author)}."
    return marc(
        "00000nam a2200000 i 4500",
        [
            ("001", str(number)),
            ("005", "20260301020000.0"),
            ("008", f"200301s{work.year}    io a     |||| 000 0 {work.language} d"),
        ],
        [
            *field("020", "  ", a=work.isbn.replace("-", ""), q=work.isbn and "(pbk.)"),
            *field("040", "  ", a="PST", b="ind", e="rda"),
            *field("082", "04", a=work.ddc, _2="23"),
            *field("100", first_mark(work) + " ", a=f"{work.author},", e="penulis."),
            *field(
                "245",
                "10",
                a=title,
                n=work.part and work.part.capitalize() + title_end,
                b=work.subtitle and f"{work.subtitle} /",
                c=responsibility,
            ),
            *field("250", "  ", a=_end(work.statement("Edisi {}", "cetakan ke-{}").capitalize())),
            *field("264", " 1", a=f"{work.place} :", b=f"{work.publisher},", c=f"{work.year}."),
            *field("300", "  ", a=f"{work.pages} halaman ;", c="21 cm"),
            *field("336", "  ", a="text", b="txt", _2="rdacontent"),
            *field("942", "  ", _2="ddc", c="BK"),
            *field("952", "  ", _0="0", _7="0", a="PST", b="PST", o=f"{work.ddc} {work.mark}", p=f"PST{number:05d}"),
            *field("999", "  ", c=str(number), d=str(number)),
        ],
    )


def unimarc(number: int, work: Work) -> Record:
    surname, _, forename = work.author.partition(", ")
    return marc(
        "00000nam  2200000   450 ",
        [("001", f"u{number}")],
        [
            *field("010", "  ", a=work.isbn),
            *field("100", "  ", a=f"20100301d{work.year}    m  y0frey50      ba"),
            *field("101", "0 ", a=work.language),
            *field("200", "1 ", a=work.title, h=work.part, e=work.subtitle, f=direct(work.author)),
            *field("205", "  ", a=work.statement("{}e éd.", "Cet. {}")),
            *field("210", "  ", a=work.place, c=work.publisher, d=work.year),
            *field("215", "  ", a=f"{work.pages} p.", d="21 cm"),
            *field("676", "  ", a=work.ddc),
            *field("700", f" {first_mark(work)}", a=surname, b=forename, _4="070"),
            *field("995", "  ", b="PST", k=f"{work.ddc} {work.mark}", f=f"U{number}"),
        ],
    )


def _end(text: str) -> str:
    return f"{text}." if text else ""


# ---- XML -------------------------------------------------------------------------------------------------


def slims_title(work: Work) -> str:
    """SLiMS has one field for the whole title."""
    whole = f"{work.title} {work.part}" if work.part else work.title
    return f"{whole} : {work.subtitle}" if work.subtitle else whole


def elements(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<{name}>{escape(text)}</{name}>" for name, text in pairs if text)


def dublin_core(pairs: Iterable[tuple[str, str]]) -> str:
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        f'xmlns:dc="http://purl.org/dc/elements/1.1/">{elements(pairs)}</oai_dc:dc>'
    )


def slims_oai2(number: int, work: Work) -> str:
    return dublin_core(
        [
            ("dc:title", slims_title(work)),
            ("dc:creator", work.author),
            ("dc:publisher", work.publisher),
            ("dc:date", work.year),
            ("dc:language", SLIMS_LANGUAGES[work.language]),
            ("dc:type", "Text"),
            ("dc:identifier", f"http://slims.example.ac.id/index.php?p=show_detail&id={number}"),
            ("dc:identifier_isbn", work.isbn),
            ("dc:identifier", f"{work.ddc} {work.mark}"),
            ("dc:coverage", work.place),
            ("dc:format", f"{work.pages} hlm.: ilus.; 21 cm"),
            ("dc:subject", work.ddc),
        ]
    )


def slims_oai(number: int, work: Work) -> str:
    """The older endpoint: its title goes through utf8_encode although it is UTF-8."""
    return dublin_core(
        [
            ("dc:title", slims_title(work).encode().decode("latin-1")),
            ("dc:creator", work.author),
            ("dc:publisher", work.publisher),
            ("dc:date", work.year),
            ("dc:language", SLIMS_LANGUAGES[work.language]),
            ("dc:type", "Text"),
            ("dc:hasVersion", work.statement("Ed. {}", "Cet. {}")),
            ("dc:extent", f"{work.pages} hlm.: ilus.; 21 cm"),
            ("dc:coverage", work.place),
            ("dc:identifier", f"http://slims.example.ac.id/index.php?p=show_detail&id={number}"),
            ("dc:identifier", work.isbn),
            ("dc:identifier", f"{work.ddc} {work.mark}"),
            ("dc:hasPart", f"S{number:05d}"),
        ]
    )


def inlislite(number: int, work: Work) -> str:
    """Title with responsibility, publisher with place and year, and two constants."""
    title = f"{work.title}. {work.part.capitalize()}" if work.part else work.title
    title += f" : {work.subtitle}" if work.subtitle else ""
    return dublin_core(
        [
            ("dc:title", f"{title} / {direct(work.author)}"),
            ("dc:creator", work.author),
            ("dc:publisher", f"{work.place} : {work.publisher}, {work.year}"),
            ("dc:date", work.year),
            ("dc:language", work.language),
            ("dc:type", "Text"),
            ("dc:format", "application/pdf"),
            ("dc:identifier", work.isbn and f"ISBN {work.isbn}"),
        ]
    )


def mods(number: int, work: Work) -> str:
    """MODS of SLiMS (inXML=true): one type of resource and one genre on every record."""
    title = f"{work.title} {work.part}" if work.part else work.title
    return (
        f'<mods xmlns="http://www.loc.gov/mods/v3" version="3.3" ID="{number}">'
        f"<titleInfo>{elements([('title', title), ('subTitle', work.subtitle)])}</titleInfo>"
        f'<name type="personal" authority="">{elements([("namePart", work.author)])}'
        '<role><roleTerm type="text">Primary Author</roleTerm></role></name>'
        '<typeOfResource manuscript="no" collection="yes">mixed material</typeOfResource>'
        '<genre authority="marcgt">bibliography</genre>'
        f'<originInfo><place><placeTerm type="text">{escape(work.place)}</placeTerm></place>'
        f"{elements([('publisher', work.publisher), ('dateIssued', work.year), ('issuance', 'monographic')])}"
        f"{elements([('edition', work.statement('Ed. {}', 'Cet. {}'))])}</originInfo>"
        f'<language><languageTerm type="code">{SLIMS_CODES[work.language]}</languageTerm>'
        f'<languageTerm type="text">{SLIMS_LANGUAGES[work.language]}</languageTerm></language>'
        f'<physicalDescription><form authority="gmd">Text</form><extent>{work.pages} hlm.: ilus.; 21 cm</extent>'
        f"</physicalDescription><classification>{work.ddc}</classification>"
        f'<identifier type="isbn">{work.isbn}</identifier>'
        f"<location><physicalLocation>Perpustakaan</physicalLocation>"
        f"<shelfLocator>{escape(f'{work.ddc} {work.mark}')}</shelfLocator></location>"
        f"<recordInfo><recordIdentifier>{number}</recordIdentifier></recordInfo></mods>"
    )


# ---- files -----------------------------------------------------------------------------------------------


def page(records: Iterable[str], prefix: str) -> bytes:
    """The records as a saved ListRecords answer."""
    told = "".join(
        f"<record><header><identifier>{prefix}{number}</identifier><datestamp>2026-03-01T00:00:00Z</datestamp></header>"
        f"<metadata>{record}</metadata></record>"
        for number, record in enumerate(records, 1)
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OAI-PMH xmlns="http://www.openarchives.org/OAI/2.0/">'
        "<responseDate>2026-03-01T00:00:00Z</responseDate>"
        '<request verb="ListRecords" metadataPrefix="oai_dc">http://example.ac.id/oai</request>'
        f"<ListRecords>{told}</ListRecords></OAI-PMH>"
    ).encode()


def sheet(all_works: Iterable[Work]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    names = "ID;Judul;Jilid;Pengarang;Penerbit;Kota terbit;Tahun;ISBN;Edisi;Halaman;Bahasa;No. Panggil"
    writer.writerow(names.split(";"))
    for number, work in enumerate(all_works, 1):
        title = f"{work.title} : {work.subtitle}" if work.subtitle else work.title
        part = work.part.removeprefix("jilid ")
        edition = work.statement("Edisi {}", "Cetakan {}")
        imprint = [work.publisher, work.place, work.year]
        call = f"{work.ddc} {work.mark}"
        writer.writerow(
            [
                *(number, title, part, direct(work.author), *imprint),
                *(work.isbn, edition, work.pages, SLIMS_LANGUAGES[work.language], call),
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def files() -> Iterator[tuple[str, str, dict[str, str], bytes]]:
    """(code, preset, options of the source, the file) of each system."""
    held = list(enumerate(works(), 1))
    yield "marc21", "generic", {}, b"".join(marc21(*one).as_marc() for one in held)
    yield (
        "koha",
        "koha",
        {},
        b"<collection>" + b"".join(record_to_xml(koha(*one), namespace=True) for one in held) + (b"</collection>"),
    )
    yield "unimarc", "generic", {"format": "unimarc"}, b"".join(unimarc(*one).as_marc() for one in held)
    yield "mods", "generic", {}, (f"<modsCollection>{''.join(mods(*one) for one in held)}</modsCollection>".encode())
    yield "slims-oai2", "slims-oai2", {}, page((slims_oai2(*one) for one in held), "oai:slims/")
    yield "slims-oai", "slims-oai", {}, page((slims_oai(*one) for one in held), "oai:slims/")
    yield "inlislite", "inlislite", {}, page((inlislite(*one) for one in held), "oai:perpus.example.id:")
    yield "row", "generic", {}, sheet(work for _, work in held)
