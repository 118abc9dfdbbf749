"""Cases as a librarian writes them: a few words a record, in YAML, become NormalizedRecords."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

from harvester import yaml_file
from harvester.model import (
    Contributor,
    Dates,
    Edition,
    Extent,
    Identifier,
    Impression,
    NormalizedRecord,
    Publication,
    Relation,
    Series,
    Thesis,
    Title,
)

HERE = Path(__file__).parent
_IDENTIFIERS = ("isbn", "issn", "ismn", "lccn", "oclc", "doi", "ean", "publisher_number", "govdoc")
_PLAIN = ("material", "level", "country", "scale", "score_format")
_KNOWN = {
    *_IDENTIFIERS, *_PLAIN, "title", "nonfiling", "part", "part_name", "statement", "variant", "uniform", "script",
    "by", "body", "editor", "translator", "advisor", "born", "publisher", "place", "year", "until", "copyright",
    "original_year", "edition", "revised", "printing", "pages", "volumes", "height", "series", "series_number",
    "language", "form", "degree", "institution", "student", "host", "host_part",
}  # fmt: skip


class Case(NamedTuple):
    label: str
    left: NormalizedRecord
    right: NormalizedRecord
    kind: str = ""


def cases(name: str) -> list[Case]:
    """The pairs of tests/match/<name>.yaml: `left` and `right`, or every two of `each`, on top of `both`."""
    rows = yaml_file.read(HERE / f"{name}.yaml").value
    found = []
    for row in rows:
        assert set(row) <= {"label", "kind", "both", "left", "right", "each"}, row["label"]
        shared = row.get("both", {})
        sides = row["each"] if "each" in row else [row["left"], row["right"]]
        records = [record({**shared, **side}) for side in sides]
        found += [Case(row["label"], left, right, row.get("kind", "")) for left, right in combinations(records, 2)]
    return found


def record(row: dict[str, Any]) -> NormalizedRecord:
    """One record; texts stand as normalize would leave them, `title: proper : remainder`."""
    unknown = set(row) - _KNOWN
    assert not unknown, f"unknown keys {unknown} in {row}"
    proper, _, remainder = str(row.get("title", "")).partition(" : ")
    return NormalizedRecord(
        **{key: str(row[key]) for key in _PLAIN if key in row},
        carrier_form=row.get("form", ""),
        identifiers=tuple(Identifier(kind, str(v)) for kind in _IDENTIFIERS for v in _many(row, kind)),
        title=Title(
            proper,
            remainder,
            tuple(map(str, _many(row, "part"))),
            tuple(_many(row, "part_name")),
            row.get("statement", ""),
            row.get("nonfiling", 0),
            row.get("script", ""),
        ),
        variant_titles=tuple(_many(row, "variant")),
        uniform_title=row.get("uniform", ""),
        contributors=tuple(_contributors(row)),
        publications=(Publication(row.get("place", ""), row.get("publisher", "")),)
        if {"place", "publisher"} & row.keys()
        else (),
        dates=Dates(
            row.get("year"),
            row.get("until", row.get("year")),
            certain="until" not in row,
            copyright_year=row.get("copyright"),
            original_year=row.get("original_year"),
        ),
        edition=_edition(row),
        impression=_printing(str(row.get("printing", ""))),
        extent=Extent(str(row.get("pages", "")), row.get("pages"), row.get("volumes"), row.get("height")),
        series=(Series(row["series"], str(row.get("series_number", ""))),) if "series" in row else (),
        languages=tuple(_many(row, "language")),
        relations=(Relation("host", row["host"], part=str(row.get("host_part", ""))),) if "host" in row else (),
        thesis=Thesis(row.get("degree", ""), row.get("institution", ""), student_id=str(row.get("student", "")))
        if {"degree", "institution", "student"} & row.keys()
        else None,
    )


def _many(row: dict[str, Any], key: str) -> list[Any]:
    value = row.get(key, [])
    return value if isinstance(value, list) else [value]


def _contributors(row: dict[str, Any]) -> list[Contributor]:
    people = [
        Contributor(name, "person", "creator", dates=str(row.get("born", "")) if number == 0 else "", main=number == 0)
        for number, name in enumerate(_many(row, "by"))
    ]
    people += [Contributor(name, "body", "creator", main=not people) for name in _many(row, "body")]
    for role in ("editor", "translator", "advisor"):
        people += [Contributor(name, "person", role) for name in _many(row, role)]
    return people


def _edition(row: dict[str, Any]) -> Edition:
    text = str(row.get("edition", ""))
    number = re.search(r"\d+", text)
    return Edition(text, int(number[0]) if number else None, bool(row.get("revised", False)))


def _printing(text: str) -> Impression:
    number = re.search(r"\d+", text)
    return Impression(text, int(number[0]) if number else None)
