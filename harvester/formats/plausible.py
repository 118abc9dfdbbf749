"""How plausible a decoding is: points for every character beyond ASCII, by what it is and what stands beside it.

The same bytes read in the wrong charset give letters where no language has them: Latin-1 "Université" read as MARC-8
puts a caron on nothing, MARC-8 "Cafe" + acute read as Latin-1 gives "Cafâe". The words decide where letters cannot
("São" against "Sô").
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from harvester.formats.characters import REPLACEMENT
from harvester.formats.frequent_words import FREQUENT

# Letters that the languages of our libraries really use: Europe, Vietnamese, and the romanizations of Arabic,
# Sanskrit, Javanese and Japanese.
LETTERS = frozenset(
    "àáâãäåæçèéêëìíîïñòóôõöøœùúûüýÿßāăąćčďđēęěğġīįıķļłńņňōőřśşšșťţțūůųűźżžơưħċĉĝĥĵŝŵŷǎǐǒǔǧ"
    "ḍḥḫḳḷṁṃṅṇṛṣṭẓẖŏŭ" + "ạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ"
)
RARE_IN_CP1252 = frozenset("ðþÿýãõ")
VOWELS = frozenset("aeiouyAEIOUY")
QUOTES_OPEN, QUOTES_CLOSE = "“‘«„‚", "”’»"
_LATIN1_LETTERS = "Àÿ"
WORD = re.compile(r"[^\W\d_]+(?:['’ʼʻ][^\W\d_]+)*")
ODD_SYMBOLS = frozenset("¤¦¨´¸¯¬÷†‡ˆ˜‰ƒªº‹›ℓ")
# A vowel with a mark before another vowel: what the marks of MARC-8 become when they are read as Latin-1.
HIATUS_OF_MARC8 = {
    **dict.fromkeys("âåæ", "aeiouy"),
    "á": "eouy",
    "ä": "aoe",
    "ã": "aiu",
    "è": "aouie",
    "ò": "aeiou",
    "ø": "aiou",
}


def plausibility(text: str) -> float:
    """Mean points of the characters beyond ASCII: about 1 for good text, below 0 for the wrong charset."""
    points, count = 0.0, 0
    padded = f" {text} "
    for position, character in enumerate(padded):
        if character > "\x7f":
            points += _points(padded[position - 1], character, padded[position + 1])
            count += 1
    return (points + _word_points(text)) / max(1, count)


def _word_points(text: str) -> float:
    """Two points for each frequent word that holds a letter beyond ASCII."""
    return sum(2.0 for word in WORD.findall(text) if len(word) > 1 and not word.isascii() and word.lower() in FREQUENT)


def _points(before: str, character: str, after: str) -> float:
    if character == REPLACEMENT:
        return -3.0
    kind = _kind(character)
    if kind in ("Ll", "Lu"):
        return _letter(before, character, after)
    if kind in ("Lo", "Lm"):
        return _script_letter(before, character, after)
    if kind[0] == "M":
        return _mark(before, character)
    if kind[0] == "C":
        return -2.5
    return _symbol(before, character, after)


@lru_cache(maxsize=4096)
def _kind(character: str) -> str:
    return unicodedata.category(character)


def _letter(before: str, character: str, after: str) -> float:
    """Cased letters: Latin by its table, other alphabets by their neighbours, capitals not within a word."""
    if character.isupper() and before.islower():
        return -2.0
    if not _is_latin(character):
        return _script_letter(before, character, after)
    small = character.lower()
    points = 1.0 if small in LETTERS or character == "ẞ" else -0.6
    if not before.isalpha() and not after.isalpha() and small not in "àèéêëòóôöâåæø":
        points -= 1.0  # a word of one letter is no word
    if small in RARE_IN_CP1252:
        points -= 0.4
    if after.lower() in HIATUS_OF_MARC8.get(small, ""):
        points -= 1.4
    if small in "ďťň" and after.lower() in "eiíě":
        points -= 1.2  # Czech writes "ti", not "ťi"; Latin-1 "setia" with é read as MARC-8 has it
    if before.isalpha() and not _is_latin(before):
        points -= 1.5  # the rest of a cut UTF-8 letter behind Arabic
    if character.islower() and after.isupper():
        points -= 1.5  # MARC-8 dot above + "Eksmo" read as Latin-1 is "çEksmo"
    if _LATIN1_LETTERS[0] <= before <= _LATIN1_LETTERS[1] and _LATIN1_LETTERS[0] <= after <= _LATIN1_LETTERS[1]:
        points -= 1.5  # three in a row: Cyrillic or Arabic read as Latin-1
    if before.isdigit() or (character.islower() and before.isupper() and after.isupper()):
        points -= 1.0
    if small in "ñç" and after.isalpha() and after.lower() not in "aeiouyáéíóúàèãõâêôāīūcj":
        points -= 1.2
    if _base(small) in VOWELS and before.lower() == _base(small) and small != "ĭ":  # Dostoevskiĭ
        points -= 1.2  # MARC-8 "Sa" + tilde + "njaya" read as Latin-1 is "Saänjaya"
    if small == "ß" and not before.islower():
        points -= 1.5
    if small not in "ñç" and _crowded(before, small, after):
        points -= 0.5
    return points


@lru_cache(maxsize=4096)
def _base(character: str) -> str:
    return unicodedata.normalize("NFD", character)[0]


def _crowded(before: str, small: str, after: str) -> bool:
    """A consonant with a mark between two consonants: Latin-1 "Männer" read as MARC-8 is "Mñner"."""
    base = _base(small)
    return base.isascii() and base not in "aeiouy" and _is_consonant(before) and _is_consonant(after)


def _is_consonant(character: str) -> bool:
    return character.isascii() and character.isalpha() and character not in VOWELS


@lru_cache(maxsize=4096)
def _is_latin(character: str) -> bool:
    return unicodedata.name(character, "").startswith("LATIN")


@lru_cache(maxsize=4096)
def script(character: str) -> str:
    """The first word of the character's Unicode name: LATIN, ARABIC, JAVANESE, CJK …"""
    return unicodedata.name(character, "?").partition(" ")[0]


def _script_letter(before: str, character: str, after: str) -> float:
    if character in "ʻʼʹʺ":
        return 0.6 if before.isalpha() or after.isalpha() else -1.0
    own = script(character)
    if own in (script(before), script(after)) or own in ("CJK", "HIRAGANA", "KATAKANA"):
        return 1.0
    return -0.6 if before.isalpha() or after.isalpha() else -0.1


def _mark(before: str, character: str) -> float:
    """Combining marks that no letter took up: usual in scripts other than Latin, and as ligature halves."""
    if script(character) not in ("COMBINING", "?"):
        return 0.9 if script(before) == script(character) or _kind(before)[0] == "M" else -1.0
    if character in "\ufe20\ufe21\u0360\u0361":
        return 0.6 if before.isalpha() or _kind(before)[0] == "M" else -1.0
    return 0.1 if before.isalpha() and _is_latin(before) and character in "\u0323\u0331\u0310\u0304" else -1.3


def _symbol(before: str, character: str, after: str) -> float:
    if before in "([\"'" and after in ")]\"'":
        return 0.4  # a sign that is spoken about
    inner = before.isalpha() and after.isalpha()
    if character in "’ʼ":
        return 1.0 if before.isalnum() else -0.3
    if character in QUOTES_OPEN:
        if character == "«":
            return -0.8 if after.isdigit() else 0.8  # MARC-8 "±2"
        return 0.8 if not before.isalnum() and not after.isspace() else -0.8
    if character in QUOTES_CLOSE:
        return 0.6 if not inner else -0.8
    if character in "–—…":
        return 0.8
    if character in "©℗":
        return 0.9 if after.isdigit() or (after.isspace() and not before.isalpha()) else -1.8
    if character == "°":
        return 0.8 if before.isdigit() or before in "nN" else -1.2
    if character in "¿¡":
        return 0.8 if not before.isalnum() and after.isalpha() else -2.0
    if character in "£€¥":
        return 0.8 if after.isdigit() or before.isspace() else -1.2
    if character in "²³‰":
        return 0.9 if before.isdigit() or before in "mM" else -1.0
    if character in "♯♭":
        return 0.8 if before in "ABCDEFGHabcdefgis" and not after.isalpha() else -1.2
    if character in ODD_SYMBOLS:
        return 0.4 if character in "ªº" and before.isdigit() else -1.5
    return -1.6 if inner or (character in "±®" and after.isalpha()) else 0.3
