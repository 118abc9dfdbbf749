"""The bibliographic fields of a VuFind document out of a normalized record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from harvester.model import Classification, Contributor, NormalizedRecord, Survivor
from harvester.text import fold

_FORMATS = {
    "book": "Book", "schoolbook": "Book", "thesis": "Thesis", "serial": "Journal", "article": "Article",
    "part": "Book Chapter", "score": "Musical Score", "recording": "Sound Recording", "video": "Video", "map": "Map",
    "electronic": "Electronic", "manuscript": "Manuscript", "image": "Photo", "object": "Physical Object", "kit": "Kit",
}  # fmt: skip
_CARRIERS = {"online": "eBook", "micro": "Microfilm", "braille": "Braille"}
_LANGUAGES = {
    "ind": "Indonesian", "eng": "English", "ara": "Arabic", "jav": "Javanese", "sun": "Sundanese", "ban": "Balinese",
    "mad": "Madurese", "min": "Minangkabau", "bug": "Buginese", "ace": "Achinese", "msa": "Malay", "may": "Malay",
    "nld": "Dutch", "dut": "Dutch", "deu": "German", "ger": "German", "fra": "French", "fre": "French",
    "jpn": "Japanese", "zho": "Chinese", "chi": "Chinese", "spa": "Spanish", "por": "Portuguese", "ita": "Italian",
    "rus": "Russian", "lat": "Latin", "kaw": "Kawi", "san": "Sanskrit", "kor": "Korean", "tha": "Thai",
    "tur": "Turkish", "per": "Persian", "fas": "Persian", "hin": "Hindi", "und": "Undetermined",
    "mul": "Multiple languages",
}  # fmt: skip


def bibliographic(record: NormalizedRecord, lines: Sequence[Survivor] = ()) -> dict[str, Any]:
    """Title, people, publication, numbers, subjects and the rest; variants of names come from *lines*."""
    return {
        **_title(record),
        **_people(record, lines),
        **_publication(record),
        **_numbers(record),
        **_subjects(record),
        **_classes(record.classifications),
        **_container(record),
        "format": _formats(record),
        "language": [_LANGUAGES.get(code, code) for code in record.languages],
        "description": record.abstract,
        "contents": [record.contents],
        "series": [one.title for one in record.series],
        "url": [link.url for link in record.links],
        "work_keys_str_mv": _work_keys(record),
    }


def _title(record: NormalizedRecord) -> dict[str, Any]:
    title = record.title
    parts = [*title.part_numbers, *title.part_names]
    short = ". ".join([title.proper, *parts])
    full = title.with_remainder(short)
    related = {"preceding": "title_old", "succeeding": "title_new"}
    fields: dict[str, Any] = {
        "title": full,
        "title_short": short,
        "title_sub": title.remainder,
        "title_full": f"{full} / {title.responsibility}" if title.responsibility else full,
        "title_auth": title.proper,
        "title_sort": fold(full[title.nonfiling :]),
        "title_alt": [*record.variant_titles, record.uniform_title, title.original],
    }
    for relation in record.relations:
        if relation.relation in related:
            fields.setdefault(related[relation.relation], []).append(relation.title)
    return fields


def _people(record: NormalizedRecord, lines: Sequence[Survivor]) -> dict[str, Any]:
    persons = [one for one in record.contributors if one.kind == "person"]
    bodies = [one for one in record.contributors if one.kind != "person"]
    main = [one for one in persons if one.main] or persons[:1]
    other = [one for one in persons if one not in main]
    spelled: dict[str, list[str]] = {}
    for line in lines:
        if line.field == "contributors" and line.rule.startswith("variant:"):
            spelled.setdefault(line.rule.partition(":")[2], []).append(line.value)
    fields: dict[str, Any] = {"author_sort": _heading(main[0]) if main else _heading(bodies[0]) if bodies else ""}
    for name, group in (("author", main), ("author2", other), ("author_corporate", bodies)):
        fields[name] = [_heading(one) for one in group]
        fields[f"{name}_role"] = [one.role for one in group]
        if name != "author_corporate":
            fields[f"{name}_variant"] = [text for one in group for text in (*spelled.get(one.name, ()), one.original)]
    return fields


def _heading(person: Contributor) -> str:
    return ", ".join(part for part in (person.name, person.dates) if part)


def _publication(record: NormalizedRecord) -> dict[str, Any]:
    dates = record.dates
    years = [str(year) for year in (dates.year_from, dates.copyright_year) if year is not None]
    open_end = dates.kind == "continuing" or dates.year_to not in (None, dates.year_from)
    return {
        "publisher": [one.publisher for one in record.publications],
        "publishDate": years[:1],
        "publishDateSort": years[0] if years else "",
        "dateSpan": [dates.text] if open_end else [],
        "edition": record.edition.text or record.impression.text,
        "physical": [record.extent.text],
    }


def _numbers(record: NormalizedRecord) -> dict[str, Any]:
    def of(*kinds: str) -> list[str]:
        return [one.value for one in record.identifiers if one.kind in kinds and one.status == "valid"]

    return {"isbn": of("isbn"), "issn": of("issn"), "oclc_num": of("oclc"), "lccn": of("lccn"), "doi_str_mv": of("doi")}


def _subjects(record: NormalizedRecord) -> dict[str, Any]:
    def of(*kinds: str) -> list[str]:
        return [one.term for one in record.subjects if one.kind in kinds]

    fields: dict[str, Any] = {}
    for name, terms in (
        ("topic", of("topic", "person", "body", "title", "keyword", "meeting")),
        ("genre", of("genre")),
        ("geographic", of("place")),
        ("era", of("period")),
    ):
        fields[name] = terms
        fields[f"{name}_facet"] = terms
    return fields


def _classes(classes: Iterable[Classification]) -> dict[str, Any]:
    dewey = [one.value for one in classes if one.scheme == "ddc" and one.value[:3].isdigit()]
    return {
        "dewey-hundreds": [f"{value[0]}00" for value in dewey],
        "dewey-tens": [f"{value[:2]}0" for value in dewey],
        "dewey-ones": [value[:3] for value in dewey],
        "dewey-full": dewey,
        "dewey-raw": dewey,
        "dewey-search": dewey,
        "dewey-sort": dewey[0] if dewey else "",
    }


def _container(record: NormalizedRecord) -> dict[str, Any]:
    host = next((one for one in record.relations if one.relation == "host"), None)
    return {"container_title": host.title, "container_reference": host.part} if host else {}


def _formats(record: NormalizedRecord) -> list[str]:
    return [_FORMATS.get(record.material, "Unknown"), _CARRIERS.get(record.carrier_form, "")]


def _work_keys(record: NormalizedRecord) -> list[str]:
    """Author and title as VuFind's own importer keys a work: `AT <author> <title>`."""
    title = record.uniform_title or record.title.proper
    return [f"AT {fold(one.name)} {fold(title)}" for one in record.contributors[:3] if one.kind == "person"]
