"""The descriptive fields of MARC 21 (010 to 7XX, 856) out of a normalized record."""

from __future__ import annotations

from collections.abc import Iterable

from harvester.formats.light import data_body
from harvester.model import Classification, Contributor, Identifier, Link, NormalizedRecord, Note, Subject

Field = tuple[str, str]
Parts = Iterable[tuple[str, str]]

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)))
_NAMES = {"person": "00", "body": "10", "meeting": "11"}
_IDENTIFIERS = {  # kind → tag, first indicator, source code in $2
    "ismn": ("024", "2", ""), "ean": ("024", "3", ""), "doi": ("024", "7", "doi"), "handle": ("024", "7", "hdl"),
    "uri": ("024", "7", "uri"),
}  # fmt: skip
_CLASSES = {
    "ddc": ("082", "04"),
    "udc": ("080", "  "),
    "lcc": ("050", " 4"),
    "nlm": ("060", " 4"),
    "sudoc": ("086", "0 "),
}
_SUBJECTS = {
    "person": "600", "body": "610", "meeting": "611", "title": "630", "period": "648", "topic": "650", "place": "651",
    "keyword": "653", "genre": "655",
}  # fmt: skip
_THESAURI = {"lcsh": "0", "lcshac": "1", "mesh": "2", "nal": "3", "": "4"}
_NOTES = {
    "bibliography": "504", "thesis": "502", "contents": "505", "credits": "508", "performer": "511", "summary": "520",
    "abstract": "520", "audience": "521", "geographic": "522", "system": "538", "language": "546", "award": "586",
    "binding": "563", "reproduction": "533", "original": "534", "access": "506", "use": "540", "provenance": "561",
}  # fmt: skip


def control_text(text: str) -> str:
    """*text* without control characters: a delimiter inside a value would make fields of its own."""
    return text.translate(_CONTROL)


def field(tag: str, indicators: str, parts: Parts) -> Field:
    """A data field; empty subfields are left out."""
    kept = [(code, control_text(text)) for code, text in parts]
    return tag, data_body(indicators[0], indicators[1], [(code, text) for code, text in kept if text.strip()])


def describe(record: NormalizedRecord) -> list[Field]:
    """Every descriptive field; a field without any subfield is left out."""
    fields = [*_identifiers(record), *_languages(record), *_classes(record.classifications), *_titles(record)]
    fields += [*_names(record), *_publication(record), *_physical(record), *_notes(record), *_subjects(record.subjects)]
    fields += _links(record.links)
    return [(tag, body) for tag, body in fields if len(body) > 2]


def _identifiers(record: NormalizedRecord) -> list[Field]:
    fields = [_identifier(one) for one in record.identifiers]
    agency = [("a", record.control_agency), ("e", record.cataloguing)]
    return [*fields, field("040", "  ", agency)]


def _identifier(one: Identifier) -> Field:
    valid = one.status == "valid"
    if one.kind == "isbn":
        return field("020", "  ", [("a" if valid else "z", one.value), ("q", one.qualifier)])
    if one.kind == "issn":
        return field("022", "  ", [("a" if valid else "y", one.value), ("q", one.qualifier)])
    if one.kind == "issn-l":
        return field("022", "  ", [("l", one.value)])
    if one.kind == "lccn":
        return field("010", "  ", [("a" if valid else "z", one.value)])
    if one.kind == "oclc":
        return field("035", "  ", [("a" if valid else "z", f"(OCoLC){one.value}")])
    if one.kind == "publisher_number":
        return field("028", "52", [("a", one.value), ("q", one.qualifier)])
    if one.kind == "govdoc":
        return field("086", "  ", [("a" if valid else "z", one.value)])
    tag, indicator, source = _IDENTIFIERS.get(one.kind, ("024", "8", ""))
    return field(tag, f"{indicator} ", [("a" if valid else "z", one.value), ("q", one.qualifier), ("2", source)])


def _languages(record: NormalizedRecord) -> list[Field]:
    if len(record.languages) < 2 and not record.original_languages:
        return []
    parts = [("a", code) for code in record.languages] + [("h", code) for code in record.original_languages]
    return [field("041", "1 " if record.original_languages else "0 ", parts)]


def _classes(classes: Iterable[Classification]) -> list[Field]:
    fields = []
    for one in classes:
        tag, indicators = _CLASSES.get(one.scheme, ("084", "  "))
        scheme = "" if one.scheme in _CLASSES else one.scheme
        fields.append(field(tag, indicators, [("a", one.value), ("b", one.mark), ("2", scheme)]))
    return fields


def _titles(record: NormalizedRecord) -> list[Field]:
    title = record.title
    main = next((person for person in record.contributors if person.main), None)
    nonfiling = str(title.nonfiling) if 0 <= title.nonfiling <= 9 else "0"
    link = [("6", "880-01")] if title.original else []
    parts = [*link, ("a", title.proper), *(("n", number) for number in title.part_numbers)]
    parts += [*(("p", name) for name in title.part_names), ("b", title.remainder), ("c", title.responsibility)]
    fields = [field("245", ("1" if main else "0") + nonfiling, parts)]
    if title.original:
        fields.append(field("880", ("1" if main else "0") + "0", [("6", "245-01"), ("a", title.original)]))
    uniform = (
        field("240", "10", [("a", record.uniform_title)]) if main else field("130", "0 ", [("a", record.uniform_title)])
    )
    fields.append(uniform)
    return fields + [field("246", "3 ", [("a", variant)]) for variant in record.variant_titles]


def _names(record: NormalizedRecord) -> list[Field]:
    fields = []
    for number, person in enumerate(record.contributors, start=2):
        tag = ("1" if person.main else "7") + _NAMES[person.kind]
        occurrence = f"{number:02d}"
        link = [("6", f"880-{occurrence}")] if person.original else []
        fields.append(field(tag, _name_indicators(person), [*link, *_name(person)]))
        if person.original:
            parts = [("6", f"{tag}-{occurrence}"), ("a", person.original)]
            fields.append(field("880", _name_indicators(person), parts))
    return fields


def _name(person: Contributor) -> Parts:
    role = "j" if person.kind == "meeting" else "e"
    titles = [("c", person.titles)] if person.kind == "person" else []
    dates = "" if person.kind == "meeting" and "(" in person.name else person.dates  # it stands in the name
    return [("a", person.name), *titles, ("d", dates), (role, "" if person.role == "creator" else person.role)]


def _name_indicators(person: Contributor) -> str:
    return ("1" if "," in person.name else "0") + " " if person.kind == "person" else "2 "


def _publication(record: NormalizedRecord) -> list[Field]:
    dates = record.dates
    when = dates.text or ("" if dates.year_from is None else str(dates.year_from))
    fields = [
        field("264", " 1", [("a", one.place), ("b", one.publisher), ("c", when if index == 0 else "")])
        for index, one in enumerate(record.publications)
    ]
    if not record.publications:
        fields.append(field("264", " 1", [("c", when)]))
    if dates.copyright_year is not None:
        fields.append(field("264", " 4", [("c", f"©{dates.copyright_year}")]))
    editions = [record.edition.text or str(record.edition.number or ""), record.impression.text]
    return fields + [field("250", "  ", [("a", text)]) for text in editions]


def _physical(record: NormalizedRecord) -> list[Field]:
    extent = record.extent
    text = extent.text or (f"{extent.pages} p." if extent.pages else "")
    height = f"{extent.height} cm" if extent.height else ""
    fields = [field("300", "  ", [("a", text), ("c", height if height not in text else "")])]
    fields += [field("255", "  ", [("a", record.scale)]), field("310", "  ", [("a", record.frequency)])]
    fields += [field("348", "  ", [("a", record.score_format)]), field("500", "  ", [("a", record.playing_time)])]
    for tag, values, scheme in (
        ("336", record.content_types, "rdacontent"),
        ("337", record.media_types, "rdamedia"),
        ("338", record.carrier_types, "rdacarrier"),
    ):
        fields += [field(tag, "  ", [("b", value), ("2", scheme)]) for value in values]
    return fields + [
        field("490", "0 ", [("a", one.title), ("x", one.issn), ("v", one.number)]) for one in record.series
    ]


def _notes(record: NormalizedRecord) -> list[Field]:
    fields = [_note(one) for one in record.notes]
    fields += [field("505", "0 ", [("a", record.contents)]), field("520", "  ", [("a", record.abstract)])]
    fields.append(field("521", "  ", [("a", record.audience)]))
    if record.thesis:
        thesis = record.thesis
        year = "" if thesis.year is None else str(thesis.year)
        parts = [("b", thesis.degree), ("c", thesis.institution), ("d", year), ("g", thesis.faculty)]
        fields.append(field("502", "  ", parts))
    return fields


def _note(note: Note) -> Field:
    tag = (
        note.kind
        if len(note.kind) == 3 and note.kind.isdigit() and note.kind[0] == "5"
        else _NOTES.get(note.kind, "500")
    )
    return field(tag, "0 " if tag == "505" else "  ", [("a", note.text)])


def _subjects(subjects: Iterable[Subject]) -> list[Field]:
    fields = []
    for one in subjects:
        tag = _SUBJECTS.get(one.kind, "650")
        code = _THESAURI.get(one.scheme, "7")
        source = [("2", one.scheme)] if code == "7" else []
        first = {"600": "1", "610": "2", "611": "2", "630": "0"}.get(tag, " ")
        fields.append(field(tag, first + (" " if tag == "653" else code), [("a", one.term), *source]))
    return fields


def _links(links: Iterable[Link]) -> list[Field]:
    return [field("856", "40", [("u", one.url), ("y", one.label)]) for one in links]
