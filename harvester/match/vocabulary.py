"""The word lists of match.yaml, as sets."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

from harvester.text import STOP_WORDS


class Companion(NamedTuple):
    """Words of a title that name a companion of the book, and what it is; the first place wins."""

    place: int
    phrase: str
    kind: str


class Vocabulary:
    """Word lists by name; a list that the file leaves out is empty."""

    LISTS: ClassVar[tuple[str, ...]] = (
        "articles",
        "parts",
        "grades",
        "semesters",
        "curricula",
        "levels",
        "schools",
        "students",
        "teachers",
        "generic_titles",
        "edition_versions",
        "honorifics",
        "responsibility_words",
        "publisher_generic",
        "institution_generic",
    )

    def __init__(
        self,
        lists: dict[str, frozenset[str]],
        publisher_aliases: dict[str, str],
        abbreviations: dict[str, str],
        companions: dict[str, str],
        edition_forms: dict[str, str],
    ) -> None:
        empty: frozenset[str] = frozenset()
        self.articles = lists.get("articles", empty)
        self.parts = lists.get("parts", empty)
        self.grades = lists.get("grades", empty)
        self.semesters = lists.get("semesters", empty)
        self.curricula = lists.get("curricula", empty)
        self.levels = lists.get("levels", empty)
        self.schools = lists.get("schools", empty)
        self.students = lists.get("students", empty)
        self.teachers = lists.get("teachers", empty)
        self.generic_titles = lists.get("generic_titles", empty)
        self.edition_versions = lists.get("edition_versions", empty)
        self.honorifics = lists.get("honorifics", empty)
        self.responsibility_words = lists.get("responsibility_words", empty)
        self.publisher_generic = lists.get("publisher_generic", empty)
        self.institution_generic = lists.get("institution_generic", empty)
        self.publisher_aliases = publisher_aliases
        self.abbreviations = abbreviations  # of title words: abbreviation → the word
        self.edition_forms = edition_forms  # words of an edition statement → the one of edition_versions they mean
        self.companions_from: dict[str, list[Companion]] = {}  # by the first word of the phrase
        for place, (phrase, kind) in enumerate(companions.items()):
            self.companions_from.setdefault(phrase.partition(" ")[0], []).append(Companion(place, phrase, kind))
        school = (self.grades, self.semesters, self.curricula, self.schools, self.students, self.teachers)
        self.companion_words = frozenset(self.companions_from)
        self.roles = self.responsibility_words | self.honorifics
        self.silent = self.roles | STOP_WORDS
        self.marking = empty.union(*school, self.levels)  # a title without any of these is no school book's
        self.counted = empty.union(self.parts, self.grades, self.semesters)  # words that a number may follow
