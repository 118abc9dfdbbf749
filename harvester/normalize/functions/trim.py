"""trim."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

# The marks around a non-sorting article: of ISO 6630 and of Unicode (ISO 10646).
_NON_SORTING = dict.fromkeys((0x88, 0x89, 0x98, 0x9C))
_TAIL = " /:;=,"
# A last full stop belongs to an initial (J.), an abbreviation (Inc., Tbk.) or an ellipsis; otherwise it is ISBD.
_ABBREVIATED = re.compile(
    r"(?:\.\.|\b[^\W\d_]|\b(?:Inc|Ltd|Co|Corp|Tbk|dkk|etc|al|ed|jil|vol|no|cet|Jr|Sr|St|ca)|\.\w{1,4})\.$",
    re.IGNORECASE,
)
_LONGEST = 6  # characters of an abbreviation with its full stop


@functions.register("trim")
def trim(value: str) -> str:
    """The text with single blanks and without the ISBD marks at its ends.

    >>> trim("Laskar  pelangi /")
    'Laskar pelangi'
    >>> trim("Bentang Pustaka,"), trim("Gramedia."), trim("Tolkien, J. R. R.")
    ('Bentang Pustaka', 'Gramedia', 'Tolkien, J. R. R.')
    >>> trim(": sebuah novel")
    'sebuah novel'
    """
    if value[:2] in (": ", "/ ", "; ", "= "):
        value = value[2:]  # "245 $b: sebuah novel"
    last = value[-1:]
    if "  " in value or not value.isprintable():
        value = " ".join(value.translate(_NON_SORTING).split())
        last = value[-1:]
    if last.isalnum():
        return value
    value = value.rstrip(_TAIL)  # no other blanks are left
    if value[-1:] == "." and not _is_abbreviated(value):
        value = value[:-1].rstrip()
    return value


def _is_abbreviated(value: str) -> bool:
    """Whether the last full stop of *value* belongs to its last word."""
    word = value[-_LONGEST:-1]
    if (len(word) == _LONGEST - 1 and word.isalpha()) or (word[-4:].isdecimal() and word[:-4] in ("", " ")):
        return False  # a longer word, a year: most texts end so, and the pattern takes three times as long
    return _ABBREVIATED.search(value, max(0, len(value) - _LONGEST)) is not None
