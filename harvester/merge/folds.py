"""Which values of a union are the same thing spelled differently: one key function per kind of value.

Two values with an equal key become one; the best spelling is shown, the others are kept as variants.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from harvester.merge.offers import shouting, show
from harvester.model import Classification, Contributor, Identifier, Link, Note, Publication, Series, Subject
from harvester.text import fold, significant, spelled_words

_FIRM = "pt cv ud fa tbk penerbit percetakan publisher publishers publishing press verlag inc ltd co company gmbh"
FIRM_WORDS = frozenset(_FIRM.split())
MANY_NAMES = 200  # beyond it initials are not resolved: the work grows with the square


def _words(text: str) -> tuple[str, ...]:
    return tuple(sorted(spelled_words(text)))


def text_key(value: Any) -> Hashable:
    """Letters and digits only, without case and diacritics."""
    text = show(value) if not isinstance(value, str) else value
    return fold(text) or text


def name_key(value: Contributor) -> Hashable:
    """The words of the name in any order, old spelling as new: Soekarno = Sukarno; Hirata, Andrea = Andrea Hirata."""
    return value.kind, _words(value.name) or (value.name,)


def publication_key(value: Publication) -> Hashable:
    """The publisher without PT, CV, Penerbit …; the place where no publisher is given."""
    words = [word for word in fold(value.publisher).split() if word not in FIRM_WORDS]
    words = significant(words) if words else fold(value.publisher).split()
    return ("publisher", *words) if words else ("place", *_words(value.place))


def subject_key(value: Subject) -> Hashable:
    """The term; scheme and kind do not part equal terms."""
    return fold(value.term) or value.term


def identifier_key(value: Identifier) -> Hashable:
    """Kind and canonical value; the qualifier and a cancelled copy do not part them."""
    return value.kind, value.value


def classification_key(value: Classification) -> Hashable:
    """Scheme and number without blanks and segmentation marks."""
    return value.scheme, value.value.replace(" ", "").replace("/", "").replace("'", "").casefold()


def series_key(value: Series) -> Hashable:
    """Title and number of the series."""
    return fold(value.title) or value.title, fold(value.number)


def note_key(value: Note) -> Hashable:
    """Kind and text."""
    return value.kind, fold(value.text) or value.text


def url_key(value: Link) -> Hashable:
    """The address without scheme, www. and the last slash."""
    address = value.url.partition("://")[2] or value.url
    return address.removeprefix("www.").rstrip("/")


def exact_key(value: Any) -> Hashable:
    """The value itself."""
    return value  # type: ignore[no-any-return]


folds: dict[str, Callable[[Any], Hashable]] = {
    "exact": exact_key,
    "text": text_key,
    "name": name_key,
    "publication": publication_key,
    "subject": subject_key,
    "identifier": identifier_key,
    "classification": classification_key,
    "series": series_key,
    "note": note_key,
    "url": url_key,
}


def same_person(groups: list[Hashable]) -> dict[Hashable, Hashable]:
    """Shorter names → the one fuller name that each can only be: `Hirata, A.` → `Hirata, Andrea`.

    A short form that fits two fuller names (Grimm, J. with Jacob and Johann) stays by itself.
    """
    keys = sorted({key for key in groups if isinstance(key, tuple) and key and key[0] == "person"})
    joined: dict[Hashable, Hashable] = {}
    for short in keys if len(keys) <= MANY_NAMES else ():
        fuller = [key for key in keys if key != short and _abbreviates(short[1], key[1])]
        fullest = [key for key in fuller if not any(_abbreviates(key[1], other[1]) for other in fuller if other != key)]
        if len(fullest) == 1:
            joined[short] = fullest[0]
    return {short: _last(short, joined) for short in joined}


def _last(key: Hashable, joined: dict[Hashable, Hashable]) -> Hashable:
    while key in joined:
        key = joined[key]
    return key


def _abbreviates(short: tuple[str, ...], long: tuple[str, ...]) -> bool:
    """Whether every word of *short* is in *long* and its initials begin further words of it."""
    rest = list(long)
    whole = [word for word in short if len(word) > 1]
    initials = [word for word in short if len(word) == 1]
    if not whole or len(short) < 2 or len(short) > len(long) or short == long:
        return False
    for word in whole:
        if word not in rest:
            return False
        rest.remove(word)
    for initial in initials:
        match = next((word for word in rest if word.startswith(initial)), None)
        if match is None:
            return False
        rest.remove(match)
    return True


def spelling(value: Any) -> tuple[bool, bool, int]:
    """How good a spelling is, best first when sorted: no shouting, heading form of a person, more parts said."""
    heading = isinstance(value, Contributor) and value.kind == "person" and "," not in value.name
    text = show(value)
    return shouting(text), heading, -len(fold(text).split())
