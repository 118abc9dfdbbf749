"""Names of people, bodies and publishers as matching reads them."""

from __future__ import annotations

import re
from functools import lru_cache

from harvester.match.arabic import word_skeleton
from harvester.match.titles import all_spelled, joined_initials, spelled
from harvester.match.vocabulary import Vocabulary
from harvester.model import Contributor, NormalizedRecord, Publication
from harvester.text import folded_words, significant

MAX_NAMES = 40
# A student's supervisors and examiners are no creators (design of Indonesian repositories).
_NOT_CREATORS = frozenset(("advisor", "examiner", "translator", "illustrator", "reader", "narrator"))
_YEAR = re.compile(r"\b(1[0-9]{3}|20[0-9]{2})\b")


# Names, publishers and numbers repeat from record to record: each is worked out once.
@lru_cache(maxsize=4_000)
def name_words(name: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The spelled words of *name* without honorifics and degrees; with them when nothing else is left."""
    folded = folded_words(name)
    kept = [word for word in folded if word not in vocabulary.honorifics and not word.isdigit()]
    return tuple(all_spelled(kept or folded))[:12]


def entry_words(author: Contributor, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The spelled words of *author* under which a statement of responsibility would name them."""
    name = plain_name(author)
    front, comma, _ = name.partition(",")
    words = name_words(front if comma and author.kind == "person" else name, vocabulary)
    return tuple([word for word in words if len(word) > 2]) or words


def plain_name(agent: Contributor) -> str:
    """The name; that of a meeting without number, date and place, which others leave out."""
    return agent.name if agent.kind != "meeting" else agent.name.partition(" (")[0]


def first_author(record: NormalizedRecord) -> Contributor | None:
    """The main entry, else the first creator, else the first who made the content; None when nobody is named."""
    makers = [person for person in record.contributors if person.role not in _NOT_CREATORS and person.name]
    return min(makers, key=_rank) if len(makers) > 1 else makers[0] if makers else None


def _rank(person: Contributor) -> int:
    if person.main:
        return 0
    if person.kind != "person":
        return 3
    return 1 if person.role in ("creator", "author") else 2


def born(contributor: Contributor) -> int:
    """The year of birth, 0 when unknown or no year of the common era with four digits."""
    match = _YEAR.search(contributor.dates) if contributor.kind == "person" else None
    return int(match[1]) if match and not contributor.dates.strip().startswith(("-", "d.", "d ")) else 0


def all_names(record: NormalizedRecord, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The spelled words of every name, sorted; names in Arabic script also as ~consonants."""
    found: set[str] = set()
    for person in record.contributors[:MAX_NAMES]:
        if person.role in ("advisor", "examiner"):
            continue
        if name := plain_name(person):
            found |= _long_words(name, vocabulary)
        if person.original:
            found.update(name_words(person.original, vocabulary))  # letters without vowels: two may be a name
    return tuple(sorted(found))[: MAX_NAMES * 2]


@lru_cache(maxsize=4_000)
def _long_words(name: str, vocabulary: Vocabulary) -> frozenset[str]:
    return frozenset([word for word in name_words(name, vocabulary) if len(word) > 2])


def name_skeletons(words: list[str]) -> set[str]:
    """~consonants of each word of a name that has at least three, to compare a name in script with a romanized one."""
    return {f"~{bones}" for bones in map(word_skeleton, words) if len(bones) >= 3}


def responsibility_words(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """The spelled significant words of a statement of responsibility, sorted."""
    if not text:
        return ()
    words, silent = folded_words(text), vocabulary.silent
    kept = [word for word in words if word not in silent and len(word) > 2]
    if not kept:  # perhaps for want of a significant word
        kept = [word for word in significant(words) if word not in vocabulary.roles and len(word) > 2]
    return tuple(sorted(set(all_spelled(kept))))[:MAX_NAMES]


def publisher_words(publications: tuple[Publication, ...], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The significant words of the publishers, sorted; one alias word where the vocabulary has one."""
    found: set[str] = set()
    for publication in publications[:3]:
        found |= _publisher(publication.publisher, vocabulary)
    return tuple(sorted(found))[:12]


@lru_cache(maxsize=4_000)
def _publisher(name: str, vocabulary: Vocabulary) -> frozenset[str]:
    folded = " ".join(joined_initials(folded_words(name)))
    aliases = {alias for form, alias in vocabulary.publisher_aliases.items() if f" {form} " in f" {folded} "}
    return frozenset(spelled(word) for word in significant(folded.split()) if _tells(word, vocabulary)) | aliases


def _tells(word: str, vocabulary: Vocabulary) -> bool:
    return len(word) > 1 and word not in vocabulary.publisher_generic


def institution_words(text: str, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Initials of the whole name (or the name itself when it is one word), then its telling words."""
    words = folded_words(text)
    if not words:
        return ()
    initials = words[0] if len(words) == 1 else "".join(word[0] for word in words if word not in ("dan", "of", "di"))
    telling = [word for word in significant(words) if word not in vocabulary.institution_generic]
    return (initials, *sorted(set(telling or words))) if len(words) > 1 else (initials,)
