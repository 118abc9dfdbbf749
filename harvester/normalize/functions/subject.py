"""subject."""

from __future__ import annotations

import re

from harvester.model import Subject
from harvester.normalize.field import Field
from harvester.normalize.functions import functions

_KINDS = {
    "600": "person",
    "610": "body",
    "611": "body",
    "630": "title",
    "648": "period",
    "650": "topic",
    "651": "place",
    "653": "keyword",
    "655": "genre",
}
_SCHEMES = {"0": "lcsh", "1": "lcshac", "2": "mesh", "3": "nal", "5": "csh", "6": "rvm"}
_NAME_CODES = "abcdfgklnpqrt"
# Words that no heading of the Library of Congress has: INLISLite files local terms under second indicator 0.
_FORMS = (
    "dan di untuk dengan dari yang ilmu agama pendidikan sejarah hukum ekonomi kesehatan perpustakaan kesusastraan "
    "bahasa masyarakat pertanian pemerintahan cerita anak keuangan manajemen sosial politik teknik komputer matematika "
    "kebudayaan perempuan pembangunan tafsir fiksi buku perusahaan kedokteran psikologi filsafat"
)
_INDONESIAN = frozenset(_FORMS.split())
_PHRASE = re.compile(r"\bnovel indonesia\b")
_WORD = re.compile(r"\w+")
_CLOSED = re.compile(r"(?:\b\w|\b(?:Inc|Dept|Jr|Sr|St|Co))\.$")
_LOCAL = frozenset(word.encode() for word in _INDONESIAN)
_WORDS = bytes(code if chr(code).isalnum() or chr(code) == "_" else 32 for code in range(128)) + bytes(128)


@functions.register("subject")
def subject(field: Field, scheme: str = "") -> Subject | None:
    """The heading of a 6XX field with its subdivisions after ` -- `, its kind by tag and its scheme by indicator or $2.

    A scheme is kept only where it is plausible: an Indonesian term under indicator 0 is no LCSH heading.

    >>> subject(Field.of("650", " 0", "$aIslam$zIndonesia$xHistory."))
    Subject(term='Islam -- Indonesia -- History', kind='topic', scheme='lcsh')
    >>> subject(Field.of("650", " 0", "$aPendidikan Islam")).scheme
    ''
    >>> subject(Field.of("650", " 7", "$aIslam$2gnd")).scheme
    'gnd'
    """
    main, divisions, source = [], [], ""
    for part in field.parts[1:]:
        code, text = part[:1], part[1:].strip()
        if not text:
            continue
        if code in "vxyz":
            divisions.append(text.rstrip(" .,"))
        elif code == "2":
            source = text.rstrip(".").lower()
        elif code in _NAME_CODES and code:
            main.append(text)
    if not main and not divisions:
        return None
    head = " ".join(main).rstrip(" ,;:/")
    # The heading's own full stop is punctuation unless it closes an initial or an abbreviation.
    if head.endswith(".") and not _CLOSED.search(head):
        head = head[:-1]
    term = " -- ".join([head, *divisions] if head else divisions)
    if not scheme:
        second = field.indicators[1:2]
        scheme = source if second == "7" else _SCHEMES.get(second, "")
    return Subject(term, _KINDS.get(field.tag, "topic"), scheme if scheme != "lcsh" or _plausible(term) else "")


def _plausible(term: str) -> bool:
    text = term.lower()
    if text.isascii():
        local = not _LOCAL.isdisjoint(text.encode().translate(_WORDS).split())
    else:
        local = not _INDONESIAN.isdisjoint(_WORD.findall(text))
    return not local and ("novel indonesia" not in text or _PHRASE.search(text) is None)
