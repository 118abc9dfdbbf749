"""The works behind the sample, read from `titles/*.yaml`: one Manifestation for each thing a library can hold."""

from __future__ import annotations

from functools import cache
from importlib.resources import as_file, files
from typing import Any

import msgspec

from harvester import yaml_file
from harvester.demo import numbers
from harvester.errors import ConfigError

NAME_FIELDS = ("author", "editor", "translator")
LIST_FIELDS = ("subjects", "advisor")
Names = tuple[str, ...]


class Manifestation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One edition, part or form of a work: what right merging brings together.

    `at` names the holders: K Koha, S SLiMS, I INLISLite, C the school's sheet. `printings` maps number to year and
    is the same manifestation; `old` is the title in the spelling before 1972; `thin` marks a common title alone.
    """

    label: str
    key: str
    at: str
    title: str
    sub: str | None = None
    kind: str = "book"
    language: str = "ind"
    original_language: str | None = None
    uniform: str | None = None
    old: str | None = None
    script: str | None = None
    alt: str | None = None
    author: Names = ()
    editor: Names = ()
    translator: Names = ()
    body: str | None = None
    edition: int | None = None
    edition_text: str | None = None
    edition_label: str | None = None
    printings: dict[str, int] | None = None
    part: str | None = None
    part_word: str = "Jilid"
    part_name: str | None = None
    place: str | None = None
    publisher: str | None = None
    year: int | None = None
    year_to: int | None = None
    frequency: str | None = None
    pages: str | None = None
    size: int = 21
    series: str | None = None
    series_number: str | None = None
    isbn: str | None = None
    set_isbn: str | None = None
    issn: str | None = None
    bogus: bool = False
    thin: bool = False
    ddc: str = ""
    islam: str | None = None
    subjects: Names = ()
    summary: str | None = None
    url: str | None = None
    grade: str | None = None
    level: str | None = None
    semester: str | None = None
    audience: str | None = None
    curriculum: str | None = None
    nim: str | None = None
    advisor: Names = ()
    degree: str | None = None
    institution: str | None = None
    faculty: str | None = None

    @property
    def names(self) -> Names:
        """Every person, authors first."""
        return self.author + self.editor + self.translator


@cache
def manifestations() -> tuple[Manifestation, ...]:
    """Every manifestation, in the order of the files' names and of the entries in them."""
    found: list[Manifestation] = []
    for name, content in _files():
        if name != "people.yaml":
            defaults = content.get("defaults", {})
            for work in content["works"]:
                found += _of_work({**defaults, **work}, name)
    return tuple(found)


@cache
def people() -> dict[str, dict[str, str]]:
    """The forms of names that no rule makes: name → heading, dates, titled, old."""
    return next(content for name, content in _files() if name == "people.yaml")


@cache
def _files() -> tuple[tuple[str, Any], ...]:
    with as_file(files("harvester.demo") / "titles") as folder:
        return tuple((path.name, yaml_file.read(path).value) for path in sorted(folder.glob("*.yaml")))


def _of_work(work: dict[str, Any], file: str) -> list[Manifestation]:
    others = work.pop("also", [])
    try:
        return [_manifestation({**work, **other}) for other in ({}, *others)]
    except msgspec.ValidationError as error:
        raise ConfigError(f"{work.get('key')}: {error}", place=f"titles/{file}") from error


def _manifestation(facts: dict[str, Any]) -> Manifestation:
    facts = dict(facts)
    for field in NAME_FIELDS + LIST_FIELDS:
        value = facts.get(field) or []
        facts[field] = [value] if isinstance(value, str) else value
    for field in ("isbn", "set_isbn"):
        facts[field] = numbers.isbn(facts.get(field))
    facts["issn"] = numbers.issn(facts.get("issn"))
    facts["printings"] = {str(number): year for number, year in (facts.get("printings") or {}).items()} or None
    facts["label"] = _label(facts)
    return msgspec.convert({key: value for key, value in facts.items() if value is not None}, Manifestation)


def _label(facts: dict[str, Any]) -> str:
    """The work's key and what tells this manifestation from its others."""
    marks = {
        "edition": "ed",
        "part": "j",
        "grade": "kelas",
        "semester": "smt",
        "edition_label": "",
    }
    label = str(facts["key"])
    for field, mark in marks.items():
        if facts.get(field):
            label += f"/{mark}{facts[field]}"
    if facts.get("audience") == "Buku guru":
        label += "/guru"
    if facts.get("kind", "book") in ("online", "video"):
        label += f"/{facts['kind']}"
    return label
