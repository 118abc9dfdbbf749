"""Perpustakaan Kota Melati: SLiMS 9 through oai2.php. No edition, ISBN in an element of its own, names as they came."""

from __future__ import annotations

from harvester.demo import dc, numbers, wording
from harvester.demo.dice import chance, pick
from harvester.demo.holdings import Copy
from harvester.demo.partners import Library
from harvester.demo.quirks import SLIMS_OAI2, variant
from harvester.demo.works import Manifestation

FORMS = (wording.direct, wording.heading, wording.titled, wording.titled)
SITE = "http://perpus.kotamelati.example.id"
LANGUAGES = {"ind": "id", "eng": "en", "dut": "nl", "fre": "fr", "ger": "de", "ara": "ar", "jav": "jv"}
TYPES = {
    "thesis": "Skripsi",
    "serial": "Majalah",
    "online": "Electronic Resource",
    "video": "Video Recording",
    "recording": "Sound Recording",
    "map": "Map",
}


def render(copy: Copy) -> dict[str, bytes]:
    """The record as record_dc.php of SLiMS writes it."""
    this = copy.of
    elements: list[tuple[str, str | None]] = [
        ("title", _title(copy)),
        *(("creator", name) for name in _creators(this)),
        *(("subject", term.partition(" -- ")[0]) for term in this.subjects),
        ("publisher", this.publisher),
        ("date", str(copy.year) if copy.year else None),
        ("language", LANGUAGES.get(this.language, this.language)),
        ("type", TYPES.get(this.kind, "Text")),
        ("identifier", f"{SITE}/index.php?p=show_detail&id={copy.key}"),
        ("identifier", None if this.kind == "online" else f"{this.islam or this.ddc} {wording.author_mark(this)}"),
        ("identifier_isbn", _isbn(this)),
        ("description", _note(copy)),
        ("coverage", this.place),
        ("identifier", this.url),
        (":image", f"cover_{copy.key}.jpg" if chance(5, "slims-image", this.label) else None),
        ("source", f"{this.series} ; {this.series_number}" if this.series else None),
        ("format", wording.collation(this, illustrated=pick(("ilus.", "il", ""), "slims-ill", this.label))),
        ("subject", this.islam if chance(2, "slims-2x", this.label) and this.islam else this.ddc),
    ]
    return {"oai_dc": dc.write(elements)}


def render_oai(copy: Copy) -> dict[str, bytes]:
    """The same record as the older endpoint oai.php writes it: title encoded twice, three bare identifiers."""
    this = copy.of
    elements: list[tuple[str, str | None]] = [
        ("title", _title(copy).encode().decode("latin-1")),
        *(("creator", name) for name in _creators(this)),
        *(("subject", term.partition(" -- ")[0]) for term in this.subjects),
        ("publisher", this.publisher),
        ("date", str(copy.year) if copy.year else None),
        ("language", LANGUAGES.get(this.language, this.language)),
        ("type", TYPES.get(this.kind, "Text")),
        ("hasVersion", this.edition_text),
        ("extent", wording.collation(this)),
        ("identifier", f"{SITE}/index.php?p=show_detail&id={copy.key}"),
        ("identifier", _isbn(this)),
        ("identifier", f"{this.islam or this.ddc} {wording.author_mark(this)}"),
        *(("hasPart", f"M{copy.key:05d}{number}") for number in range(1, 3)),
        ("description", _note(copy)),
    ]
    return {"oai_dc": dc.write(elements)}


def _title(copy: Copy) -> str:
    this = copy.of
    title = this.title
    if this.script and this.language in ("ara", "may") and chance(3, "slims-script", this.label):
        title = this.script
    if this.grade:
        return wording.capitals(f"{title} {wording.school_words(this)} {this.curriculum or ''}".strip())
    style = pick(("isbd", "isbd", "plain", "capitals", "full"), "slims-title", this.label)
    if copy.edited:
        style = "full"
    if style == "full" and wording.responsibility(this):
        return f"{wording.isbd(this, title=title)} / {wording.responsibility(this, with_titles=True)}"
    if style == "capitals":
        return wording.capitals(wording.isbd(this, title=title, mark=": "))
    if style == "plain":
        return " ".join(text for text in (title, wording.part(this, word="Jil.")) if text)
    return wording.isbd(this, title=title)


def _creators(this: Manifestation) -> list[str]:
    """Everybody as a creator: translators, and now and then the advisors of a thesis."""
    form = pick(FORMS, "slims-names", this.label)
    names = [form(name) for name in this.names]
    if this.body and not names:
        names = [this.body]
    return names + (list(this.advisor) if chance(2, "slims-advisors", this.label) else [])


def _isbn(this: Manifestation) -> str | None:
    if this.bogus:
        return numbers.BOGUS
    if this.issn:
        return this.issn
    number = this.isbn
    if this.set_isbn and chance(2, "slims-set", this.label):
        number = this.set_isbn
    if not number:
        return None
    thirteen = numbers.thirteen(number)
    forms = (number, number, thirteen, thirteen, numbers.plain(number), numbers.plain(thirteen), None)
    return numbers.wrong(thirteen) if chance(14, "slims-wrong", this.label) else pick(forms, "slims-isbn", this.label)


def _note(copy: Copy) -> str | None:
    notes = [wording.thesis_note(copy.of), copy.of.summary or ""]
    if copy.printing:
        notes.append(f"Cetakan ke-{copy.printing[0]}")
    return " ".join(text for text in notes if text) or None


LIBRARY = Library(
    code="melati",
    letter="S",
    name_id="Perpustakaan Kota Melati",
    name_en="Melati City Library",
    type="public",
    preset="slims-oai2",
    format="oai_dc",
    metadata_prefix="oai_dc",
    quirks=variant(SLIMS_OAI2, page_size=50),
    render=render,
    sets=lambda copy: (str(copy.year),) if copy.year else (),
)
