"""Universitas Cendekia Nusantara: Koha with good MARC 21, ISBD marks, items in 952, deletions told."""

from __future__ import annotations

from harvester.demo import dc, marc, numbers, wording
from harvester.demo.dice import chance, pick, roll
from harvester.demo.holdings import Copy
from harvester.demo.marc import Field, field
from harvester.demo.partners import Library
from harvester.demo.quirks import KOHA, variant
from harvester.demo.works import Manifestation

BRANCHES = ("PUSAT", "PUSAT", "FKIP", "FH", "FE")
TYPES = {"video": "g", "map": "e", "score": "c", "recording": "j"}
ITEM_TYPES = {"thesis": "SKR", "serial": "CR", "video": "AV", "recording": "AV", "map": "PETA"}
COUNTRIES = {"London": "enk", "Cambridge": "enk", "Paris": "fr", "Leiden": "ne", "The Hague": "ne", "Amsterdam": "ne"}
CARRIERS = {
    "online": ("text", "txt", "computer", "c", "online resource", "cr"),
    "video": ("two-dimensional moving image", "tdi", "video", "v", "videodisc", "vd"),
    "recording": ("performed music", "prm", "audio", "s", "audio disc", "sd"),
    "map": ("cartographic image", "cri", "unmediated", "n", "sheet", "nb"),
    "score": ("notated music", "ntm", "unmediated", "n", "volume", "nc"),
}
PRINT = ("text", "txt", "unmediated", "n", "volume", "nc")


def render(copy: Copy) -> dict[str, bytes]:
    """The record as MARC 21 in XML, and as simple Dublin Core."""
    return {"marcxml": marc.write(_leader(copy.of), _controls(copy), _fields(copy)), "oai_dc": dc.simple(copy)}


def _leader(this: Manifestation) -> str:
    return f"00000n{TYPES.get(this.kind, 'a')}{'s' if this.kind == 'serial' else 'm'} a2200000 i 4500"


def _controls(copy: Copy) -> list[tuple[str, str]]:
    changed = "20260303031500.0" if copy.edited else f"{copy.created:%Y%m%d%H%M%S}.0"
    return [("001", str(copy.key)), ("003", "ID-CdUCN"), ("005", changed), ("008", _fixed(copy))]


def _fixed(copy: Copy) -> str:
    """008: 40 characters by MARC 21 for the record's material."""
    this = copy.of
    first = f"{copy.year:04d}" if copy.year else "uuuu"
    second = f"{this.year_to:04d}" if this.year_to else (f"{this.year:04d}" if copy.printing else "    ")
    kind = ("c" if this.year_to == 9999 else "d") if this.kind == "serial" else ("r" if copy.printing else "s")
    form = "o" if this.kind == "online" else " "
    book = f"a    {form}    000 0 "
    middle = {"thesis": f"a    {form}bm   000 0 ", "serial": "wr p       0    0"}.get(this.kind, book)
    start = f"{copy.created:%y%m%d}{kind}{first}{second}{COUNTRIES.get(this.place or '', 'io '):3}"
    return f"{start}{middle:17.17}{this.language:3} d"


def _fields(copy: Copy) -> list[Field]:
    this = copy.of
    return [
        *_numbers(copy),
        *field("040", "  ", ("a", "ID-CdUCN"), ("b", "ind"), ("e", "rda")),
        *(field("041", "1 ", ("a", this.language), ("h", this.original_language)) if this.original_language else []),
        *field("082", "04", ("a", this.ddc), ("2", "23")),
        *_main_entry(this),
        *field("130" if not (this.author or this.body) else "240", "0 ", ("a", this.uniform)),
        *_title(this),
        *_edition(copy),
        *_publication(copy),
        *field("300", "  ", *_extent(this)),
        *_carrier(this),
        *field("310", "  ", ("a", this.frequency)),
        *field("490", "0 ", ("a", this.series and f"{this.series} ;"), ("v", this.series_number)),
        *_thesis(this),
        *field("520", "  ", ("a", this.summary or (copy.edited and "Ringkasan ditambahkan kemudian.") or None)),
        *(one for term in this.subjects for one in _subject(term)),
        *_added_entries(this),
        *field("856", "40", ("u", this.url), ("y", this.url and "Teks lengkap")),
        *_script(this),
        *_items(copy),
        *field("942", "  ", ("2", "ddc"), ("c", ITEM_TYPES.get(this.kind, "BK"))),
        *field("999", "  ", ("c", str(copy.key)), ("d", str(copy.key))),
    ]


def _numbers(copy: Copy) -> list[Field]:
    this = copy.of
    if this.bogus:
        return field("020", "  ", ("a", numbers.BOGUS))
    fields = field("022", "0 ", ("a", this.issn))
    if this.isbn:
        # Up to 2006 the book itself has ten digits; afterwards thirteen, and some cataloguers give both.
        ten, thirteen = numbers.plain(this.isbn), numbers.plain(numbers.thirteen(this.isbn))
        shown = [ten] if (this.year or 0) < 2007 and not chance(3, "koha-isbn", this.label) else [thirteen]
        if chance(4, "koha-both", this.label):
            shown = [thirteen, ten]
        for number in shown:
            fields += field("020", "  ", ("a", number), ("q", pick((None, "pbk."), "koha-q", this.label)))
    if this.set_isbn:
        fields += field("020", "  ", ("a", numbers.plain(this.set_isbn)), ("q", "jilid lengkap"))
    return fields


def _main_entry(this: Manifestation) -> list[Field]:
    if this.author:
        return _person("100", this.author[0], "pengarang")
    return field("110", "2 ", ("a", this.body)) if this.body else []


def _person(tag: str, name: str, role: str) -> list[Field]:
    shown, dates = wording.heading(name), wording.dates(name)
    first = "1" if "," in shown else "0"
    if dates:
        return field(tag, f"{first} ", ("a", f"{shown},"), ("d", f"{dates},"), ("e", f"{role}."))
    return field(tag, f"{first} ", ("a", f"{shown},"), ("e", f"{role}."))


def _title(this: Manifestation) -> list[Field]:
    title = this.title
    if this.old and (this.year or 9999) < 1960:
        title = this.old
    if this.alt and not chance(3, "koha-alt", this.label):
        title = this.alt
    rest = wording.remainder(this)
    said = wording.responsibility(this)
    pieces: list[tuple[str, str | None]] = [("a", title)]
    if this.part:
        pieces += [("n", wording.part(this)), ("p", this.part_name)]
    pieces += [("h", "[rekaman video]" if this.kind == "video" else None), ("b", rest or None), ("c", said or None)]
    kept = [(code, text) for code, text in pieces if text]
    marked = [(code, text + _mark(kept[index + 1 :])) for index, (code, text) in enumerate(kept)]
    added = "1" if this.author or this.body else "0"
    articles = {"eng": ("The ", "A "), "fre": ("Le ", "La "), "dut": ("Het ", "De ")}.get(this.language, ())
    skip = next((len(article) for article in articles if title.startswith(article)), 0)
    return field("245", f"{added}{skip}", *marked)


def _mark(following: list[tuple[str, str]]) -> str:
    """The ISBD mark before the next subfield of 245."""
    if not following:
        return "."
    return {"n": ".", "p": ",", "b": " :", "c": " /"}.get(following[0][0], "")


def _edition(copy: Copy) -> list[Field]:
    this = copy.of
    said = [this.edition_text] if this.edition_text else []
    if copy.printing:
        said.append(wording.impression(copy.printing[0]))
    return field("250", "  ", ("a", ", ".join(said) + "." if said else None))


def _publication(copy: Copy) -> list[Field]:
    this = copy.of
    tag, indicators = ("260", "  ") if chance(3, "koha-260", this.label) else ("264", " 1")
    year = str(copy.year or "[t.th.]") + ("-" if this.year_to == 9999 else f"-{this.year_to}" if this.year_to else "")
    place, publisher = this.place or "[t.t.]", this.publisher or "[t.p.]"
    return field(tag, indicators, ("a", f"{place} :"), ("b", f"{publisher},"), ("c", f"{year}."))


def _extent(this: Manifestation) -> list[tuple[str, str | None]]:
    if this.kind == "serial":
        return [("a", "v. :"), ("b", "ilustrasi ;"), ("c", f"{this.size} cm")]
    text = wording.collation(this, unit="halaman", illustrated="ilustrasi")
    pages, _, rest = text.partition(" : ")
    details, _, size = rest.partition(" ; ")
    return [("a", f"{pages} :" if rest else pages), ("b", f"{details} ;" if details else None), ("c", size)]


def _carrier(this: Manifestation) -> list[Field]:
    content, code1, media, code2, carrier, code3 = CARRIERS.get(this.kind, PRINT)
    return [
        *field("336", "  ", ("a", content), ("b", code1), ("2", "rdacontent")),
        *field("337", "  ", ("a", media), ("b", code2), ("2", "rdamedia")),
        *field("338", "  ", ("a", carrier), ("b", code3), ("2", "rdacarrier")),
    ]


def _thesis(this: Manifestation) -> list[Field]:
    if not this.degree:
        return []
    return [
        *field("502", "  ", ("b", this.degree), ("c", this.institution), ("d", str(this.year)), ("o", this.nim)),
        *field("500", "  ", ("a", f"Pembimbing: {'; '.join(this.advisor)}")),
    ]


def _subject(term: str) -> list[Field]:
    topic, *divisions = term.split(" -- ")
    return field("650", " 4", ("a", topic), *((("x"), division) for division in divisions))


def _added_entries(this: Manifestation) -> list[Field]:
    roles = [*((name, "pengarang") for name in this.author[1:]), *((name, "penyunting") for name in this.editor)]
    roles += [(name, "penerjemah") for name in this.translator]
    return [one for name, role in roles for one in _person("700", name, role)]


def _script(this: Manifestation) -> list[Field]:
    code = "(3" if this.language in ("ara", "may") else "$1"
    return field("880", "10", ("6", f"245-01/{code}"), ("a", this.script)) if this.script else []


def _items(copy: Copy) -> list[Field]:
    this = copy.of
    if this.kind == "online":
        return []
    call = f"{'SKR ' if this.kind == 'thesis' else ''}{this.ddc} {wording.author_mark(this)}"
    count = 1 + roll(3, "koha-items", this.label) + (1 if copy.edited else 0)
    branch = pick(BRANCHES, "koha-branch", this.label)
    closed = "1" if this.kind in ("thesis", "serial") else "0"
    return [
        one
        for number in range(1, count + 1)
        for one in field(
            "952",
            "  ",
            ("a", branch),
            ("b", branch),
            ("7", closed),
            ("o", call),
            ("p", f"UCN{copy.key:05d}{number:02d}"),
            ("t", str(number)),
            ("y", ITEM_TYPES.get(this.kind, "BK")),
        )
    ]


LIBRARY = Library(
    code="cendekia",
    letter="K",
    name_id="Perpustakaan Universitas Cendekia Nusantara",
    name_en="Cendekia Nusantara University Library",
    type="university",
    preset="koha",
    format="marcxml",
    metadata_prefix="marcxml",
    quirks=variant(KOHA, page_size=50),
    render=render,
    sets=lambda copy: ("THESIS",) if copy.of.kind == "thesis" else ("BOOKS",),
)
