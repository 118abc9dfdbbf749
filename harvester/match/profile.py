"""From a normalized record to its Profile: what matching needs, and nothing that two equal manifestations differ in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from harvester.match import carriers
from harvester.match.agents import (
    all_names,
    born,
    entry_words,
    first_author,
    institution_words,
    name_skeletons,
    name_words,
    plain_name,
    publisher_words,
    responsibility_words,
)
from harvester.match.arabic import in_script, looks_romanized, skeleton
from harvester.match.bogus import is_bogus
from harvester.match.comparing import present
from harvester.match.constants import NONE, Constants, silenced
from harvester.match.rules import Rules
from harvester.match.titles import (
    TitleArea,
    all_spelled,
    number,
    parallel_titles,
    series_numbers,
    title_area,
    without_article,
)
from harvester.match.vocabulary import Vocabulary
from harvester.model import Identifier, NormalizedRecord, Profile, Series
from harvester.text import fold, folded_words, significant

MAX_VALUES = 30
# So many significant words of a part's name may stand elsewhere as a title of their own.
NAMING_WORDS = 4
_ARABIC_LANGUAGES = frozenset(("ara", "per", "fas", "urd", "ota"))
_LEVELS = {
    "m": "monograph",
    "s": "serial",
    "i": "serial",
    "b": "part",
    "a": "part",
    "d": "part",
    "c": "collection",
}
_NO_LANGUAGE = frozenset(("und", "mul", "zxx", "mis"))
_KINDS = frozenset(("isbn", "issn", "oclc", "govdoc"))  # with a field of their own
# Kinds that name the record or its address, not the manifestation.
_LOCAL = frozenset(("local", "issn-l", "uri", "url", "handle", "barcode", "control", "nim", "call_number"))
_EDITION_FORMS = (
    "ed edition edisi edn auflage aufl editie druk uitgave edizione edicion ausgabe cetakan cet printing print "
    "st nd rd th eme ke pertama kedua ketiga first second third fourth fifth cut version fassung"
)
_EDITION_WORDS = frozenset(_EDITION_FORMS.split())


def profile(record: NormalizedRecord, rules: Rules, constants: Constants = NONE) -> Profile:
    """What matching needs of *record*; records that matching cannot tell apart give equal bytes.

    *constants* are what its source has in nearly every record.
    """
    known = rules.vocabulary
    area = title_area(record.title, known, record.material)
    identifiers = _identifiers(record)
    author = first_author(record)
    bones = _skeleton(record, area)
    names = all_names(record, known)
    if bones:
        skeletons = name_skeletons([w for person in record.contributors[:10] for w in folded_words(person.name)])
        names = tuple(sorted({*names, *skeletons}))
    dates = record.dates
    host = next((item for item in record.relations if item.relation == "host"), None) if record.relations else None
    thesis = record.thesis
    publisher = publisher_words(record.publications, known)
    year = dates.year_from or (thesis.year if thesis and thesis.year else 0) or dates.copyright_year or 0
    made = Profile(
        material=record.material,
        level=_level(record),
        form=carriers.form(record),
        thin=not identifiers and author is None and not record.title.responsibility and not year,
        isbns=identifiers.get("isbn", ()),
        issns=identifiers.get("issn", ()),
        ids=identifiers.get("id", ()),
        documents=identifiers.get("govdoc", ()),
        oclcs=identifiers.get("oclc", ()),
        proper=area.proper,
        title=area.full,
        words=area.words,
        numbers=area.numbers,
        parts=area.parts,
        part_names=area.part_names,
        variants=_variants(record, area, known),
        skeleton=bones,
        generic=_is_generic(area, known),
        author=name_words(plain_name(author), known) if author else (),
        entry=entry_words(author, known) if author else (),
        author_kind=author.kind if author else "",
        born=born(author) if author else 0,
        names=names,
        responsibility=responsibility_words(record.title.responsibility, known),
        year=year,
        year_to=_uncertain_end(record, year),
        years=_years(year, dates.copyright_year or 0),
        country=record.country.strip(),
        place=_place(record),
        publisher=publisher,
        pages=_pages(record),
        volumes=record.extent.volumes or 0,
        height=record.extent.height or 0,
        edition=_edition_number(record),
        edition_words=_edition_words(record),
        impression=record.impression.number or (-1 if record.impression.text else 0),
        series=_series_words(record.series),
        series_numbers=_series_numbers(record.series, known),
        languages=_languages(record.languages),
        institution=institution_words(thesis.institution, known) if thesis else (),
        degree=fold(thesis.degree) if thesis else "",
        student=_student(record),
        host=fold(host.title) if host else "",
        host_part=fold(host.part) if host else "",
        score_format=carriers.score_format(record),
        extra=_extra(record, area, known),
        open_at=area.open_at,
        minutes=carriers.minutes(record),
        coded_year=(dates.coded_year or 0) if year == dates.year_from else 0,
    )
    return changed(made, silenced(record, constants))


def changed(made: Profile, fields: Mapping[str, Any]) -> Profile:
    """The profile *made* with other values of *fields*."""
    found = msgspec.structs.replace(made, **fields) if fields else made
    msgspec.structs.force_setattr(found, "present", present(found))  # nobody has seen it yet
    return found


def _identifiers(record: NormalizedRecord) -> dict[str, tuple[str, ...]]:
    """What identifies the manifestation, by kind; those that have no field of their own under `id`."""
    found: dict[str, list[str]] = {}
    for item in record.identifiers:
        kind, value = item.kind, item.value
        if item.status != "valid" or not value or kind in _LOCAL or is_bogus(value):
            continue
        if kind not in _KINDS:
            value = f"{kind}:{_publisher_number(item) if kind in _LOOSE else value.lower()}"
            kind = "id"
        found.setdefault(kind, []).append(value)
    return {
        kind: tuple(sorted(set(values)))[:MAX_VALUES] if len(values) > 1 else tuple(values)
        for kind, values in found.items()
    }


# Kinds whose blanks, hyphens, "No." and letters of the publisher are the cataloguer's: 1786, No. 1786; Carus 31.248/03,
# CV 31.248/03. A number of less than three characters keeps its letters.
_LOOSE = frozenset(("publisher_number",))
_LETTERS_FIRST = re.compile(r"[a-z]+(?=[0-9].{2})")


def _publisher_number(item: Identifier) -> str:
    return _LETTERS_FIRST.sub("", fold(item.value).replace(" ", "").removeprefix("no"), count=1) or item.value.lower()


def _level(record: NormalizedRecord) -> str:
    """Monograph, serial, part or collection; a collection with a publisher is a set that somebody coded so."""
    level = _LEVELS.get(record.level, record.level)
    published = level == "collection" and any(item.publisher for item in record.publications)
    return "monograph" if published else level


def _skeleton(record: NormalizedRecord, area: TitleArea) -> str:
    words = area.tokens
    if in_script(record.title.proper):
        return skeleton(words)
    if in_script(record.title.original):
        return skeleton(folded_words(record.title.original))
    if looks_romanized(words, area.full) or not _ARABIC_LANGUAGES.isdisjoint(record.languages):
        return skeleton(words)
    return ""


def _variants(record: NormalizedRecord, area: TitleArea, known: Vocabulary) -> tuple[str, ...]:
    title = record.title
    texts = [*parallel_titles(title), *record.variant_titles[:6], record.uniform_title, title.original]
    if title.part_names:
        # What one library calls a part of "Studies of education reform" another catalogues under its own title, and a
        # sheet always.
        least = 1 if record.material == "map" else NAMING_WORDS
        texts += [name for name in title.part_names[:2] if len(significant(folded_words(name))) >= least]
    folded = {without_article(fold(text), known) for text in texts if text}
    if not folded:
        return ()
    return tuple(sorted(folded - {"", area.proper, area.full}))[:8]


def _is_generic(area: TitleArea, known: Vocabulary) -> bool:
    if len(area.words) <= 1:
        return True
    for word in area.tokens:  # noqa: SIM110 - a loop takes half the time of all()
        if word not in known.generic_titles and not word.isdigit():
            return False
    return True


def _years(year: int, copyrighted: int) -> tuple[int, ...]:
    if year and copyrighted and year != copyrighted:
        return (year, copyrighted) if year < copyrighted else (copyrighted, year)
    return (year or copyrighted,) if year or copyrighted else ()


def _place(record: NormalizedRecord) -> str:
    for item in record.publications:
        if item.place:
            return _folded(item.place)
    return ""


def _languages(coded: tuple[str, ...]) -> tuple[str, ...]:
    if len(coded) == 1:
        return () if coded[0] in _NO_LANGUAGE else coded
    return tuple(sorted(set(coded) - _NO_LANGUAGE))[:6]


def _uncertain_end(record: NormalizedRecord, year: int) -> int:
    last = record.dates.year_to or 0
    return last if year < last < 9999 and not record.dates.certain else 0


_ORDINAL = re.compile(r"\b([0-9]{1,2})(?:st|nd|rd|th|d|e|\.)(?=\W|$)")


def _edition_number(record: NormalizedRecord) -> int:
    if record.edition.number:
        return record.edition.number
    match = _ORDINAL.search(record.edition.text.lower()) if record.edition.text else None
    return int(match[1]) if match else 0


_FROM_TO = re.compile(r"(?<![0-9])\[?([0-9]{1,2})\]?-([0-9]{2,4})(?![0-9])")


def _pages(record: NormalizedRecord) -> int:
    """The pagination; "3-307 p." of a monograph ends on 307, it does not count 305 pages."""
    pages = record.extent.pages or 0
    told = record.extent.text
    match = _FROM_TO.search(told) if pages and "-" in told and record.level not in ("a", "b") else None
    return int(match[2]) if match and int(match[2]) - int(match[1]) + 1 == pages else pages


def _edition_words(record: NormalizedRecord) -> tuple[str, ...]:
    if not record.edition.text:
        return ()
    kept = [word for word in significant(folded_words(record.edition.text)) if word not in _EDITION_WORDS]
    return tuple(sorted({word for word in kept if not number(word) and not word.isdigit()}))[:8]


def _series_words(series: tuple[Series, ...]) -> tuple[str, ...]:
    if not series:
        return ()
    found: set[str] = set()
    for item in series[:4]:
        found.update(_title_words(item.title))
    return tuple(sorted(found))[:16]


def _series_numbers(series: tuple[Series, ...], known: Vocabulary) -> tuple[str, ...]:
    if not series:
        return ()
    found: list[str] = []
    for item in series[:4]:
        found += series_numbers(item.number, known)
    return tuple(sorted(set(found)))[:8] if len(found) > 1 else tuple(found)


@lru_cache(maxsize=4_000)  # the records of a series come by the hundred
def _title_words(title: str) -> tuple[str, ...]:
    return tuple(all_spelled(significant(folded_words(title))))


_folded = lru_cache(maxsize=2_000)(fold)  # of places, which are few


def _student(record: NormalizedRecord) -> str:
    if record.thesis and record.thesis.student_id:
        return fold(record.thesis.student_id).replace(" ", "")
    for name, value in record.local:
        if name == "nim":
            return fold(value).replace(" ", "")
    return ""


_SCALE = re.compile(r"1\s*:\s*([0-9][0-9 .,'’]*)")


def _extra(record: NormalizedRecord, area: TitleArea, known: Vocabulary) -> tuple[str, ...]:
    """Marks that part two records when they differ, as kind:value: of school books, maps, versions of a text."""
    marks = [*area.extra, *carriers.marks(record)]
    if record.edition.text:
        said = {known.edition_forms.get(word, word) for word in folded_words(record.edition.text)}
        version = sorted(known.edition_versions & said)
        if version:
            marks.append("version:" + " ".join(version))
    if record.scale and (match := _SCALE.search(record.scale)):
        marks.append("scale:" + re.sub(r"\D", "", match[1]))
    return tuple(sorted(marks)) if marks else ()
