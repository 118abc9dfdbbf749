"""Folding, words and spelling: the one way in which Induk makes two texts comparable.

Every function takes and returns plain text; a folded text is lower case, without diacritics and punctuation, its
words parted by single blanks. Non-Latin letters stay what they are until `romanize`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from anyascii import anyascii

# Marks that stand inside a word and are written or left out at will: Qur'an, Qurʼān, Quran.
_INSIDE = "'`´‘’‚‛ʹʻʼʽʾʿˈ׳ـ­\u200b\u200c\u200d\u200e\u200f\u2060\ufeff"
_LETTERS = {
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŋ": "ng",
    "ɓ": "b", "ɗ": "d", "ƙ": "k", "ə": "e", "ی": "ي", "ى": "ي", "ک": "ك", "ە": "ه",
}  # fmt: skip
_DELETED = b"'`"
_ASCII = bytes(ord(chr(code).lower()) if chr(code).isalnum() and code < 128 else 32 for code in range(256))
_FRACTION = re.compile(r"(?<=\S)[\u00bc-\u00be\u2150-\u215e]")  # 8½ is 8 1/2
_SIGNED = re.compile(r"\b([A-Za-z])(\+\+|#)(?![0-9A-Za-z])")
_SIGNS = {"++": "plusplus", "#": "sharp"}

_STOP = (
    "a an the of and or in on for to with by from at as its it is are be into about etc "  # English
    "dan atau yang di ke dari untuk pada dengan dalam oleh para sebuah suatu serta bagi sebagai dll "  # Indonesian
    "der die das den dem des ein eine einer eines und oder im in am zu zur zum von vom mit fur auf aus bei "  # German
    "le la les un une des du de et ou au aux en dans pour par sur avec "  # French
    "el los las una y o del al con por para il lo gli i della delle dei di e da nel "  # Spanish, Italian
    "het een van voor op met te ten ter aan "  # Dutch
    "cum ad ab ex"
)
STOP_WORDS = frozenset(_STOP.split())


class _Folding(dict[int, str]):
    """Code point → folded text, computed once for each character that is met."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        if len(self) < 20_000:
            self[code] = folded
        return folded


def _fold_character(character: str) -> str:
    if character in _INSIDE:
        return ""
    if character in _LETTERS:
        return _LETTERS[character]
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category[0] == "M":
        # Vowel signs and killers of Indic and Javanese scripts are letters of the word; accents and harakat are not.
        return "" if category == "Mn" and unicodedata.combining(character) else character
    return character if category[0] in "LN" else " "


_FOLDING = _Folding()


def fold(text: str) -> str:
    """*text* in lower case, without diacritics, apostrophes and punctuation; words parted by one blank.

    C++ and C# stay words of their own (cplusplus, csharp).

    >>> fold("L’Étranger : roman /")
    'letranger roman'
    """
    if not text:
        return ""
    if "#" in text or "++" in text:
        text = _SIGNED.sub(lambda match: match[1] + _SIGNS[match[2]], text)
    if text.isascii():
        return " ".join(_folded_ascii(text).split())
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    if "\u2044" in decomposed and (parted := _FRACTION.sub(r" \g<0>", text)) != text:
        return fold(parted)
    return " ".join(decomposed.translate(_FOLDING).split())


def _folded_ascii(text: str) -> str:
    """*text* folded, with as many blanks as there were marks."""
    return text.encode().translate(_ASCII, _DELETED).decode("ascii")


def folded_words(text: str) -> list[str]:
    """The words of *text*, folded, in order.

    >>> folded_words("Al-Qur'an dan terjemahannya")
    ['al', 'quran', 'dan', 'terjemahannya']
    """
    plain = text.isascii() and "#" not in text and "++" not in text
    return _folded_ascii(text).split() if plain else fold(text).split()


def significant(words: Iterable[str], stop: frozenset[str] = STOP_WORDS) -> list[str]:
    """The folded *words* without articles, prepositions and conjunctions; all of them when nothing else is left.

    >>> significant(["the", "history", "of", "java"])
    ['history', 'java']
    """
    kept = list(words)
    return [word for word in kept if word not in stop] or kept


def is_latin(text: str) -> bool:
    """Whether no letter of *text* stands outside the Latin blocks."""
    return text.isascii() or not any(character.isalpha() and not _is_latin(ord(character)) for character in text)


def _is_latin(code: int) -> bool:
    return code < 0x300 or 0x1D00 <= code < 0x1F00 or 0x2C60 <= code < 0x2C80 or 0xA720 <= code < 0xA800


def romanize(text: str) -> str:
    """*text* folded and, where it is not Latin, put letter by letter into Latin (no vowels are invented).

    >>> romanize("Война и мир")
    'voina i mir'
    """
    folded = fold(text)
    return folded if folded.isascii() else fold(anyascii(folded))


def old_spelling(text: str) -> str:
    """The key under which old and new Indonesian spelling of *text* meet; no spelling by itself.

    oe→u, tj→c, dj→j, ch→kh; old j and new y are one letter, as are old nj and sj with new ny and sy.

    >>> old_spelling("Tjerita Soekarno jang baroe") == old_spelling("Cerita Sukarno yang baru")
    True
    """
    return respelled(fold(text))


def respelled(folded: str) -> str:
    """The same key of a text that is folded already. In this order no replacement makes food for a later one."""
    return folded.replace("ch", "kh").replace("tj", "c").replace("dj", "j").replace("oe", "u").replace("y", "j")


def spelled_words(text: str) -> list[str]:
    """The words of *text* in Latin letters, each in the key of old and new spelling.

    >>> spelled_words("Tjerita dari Djakarta, Война")
    ['cerita', 'dari', 'jakarta', 'voina']
    """
    plain = text.isascii() and "#" not in text and "++" not in text
    return respelled(_folded_ascii(text) if plain else romanize(text)).split()
