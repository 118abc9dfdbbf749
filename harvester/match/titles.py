"""The title area as matching reads it: text, significant words, numbers, parts, school marks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harvester.match.vocabulary import Vocabulary
from harvester.model import Title
from harvester.text import STOP_WORDS, fold, respelled, romanize

MAX_WORDS = 40
_ROMAN = re.compile(r"^(?=[ivxlc])(?:x{0,3}|xl|l?x{0,3})(?:ix|iv|v?i{0,3})$")
_VALUES = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}
_COUNTING = {
    word: str(number)
    for number, line in enumerate(
        (
            "one first pertama kesatu satu erster erste erstes premier premiere primo primero الاول الاولى",
            "two second kedua dua zweiter zweite zweites deuxieme seconde secondo segundo الثاني الثانية",
            "three third ketiga tiga dritter dritte drittes troisieme terzo tercero الثالث الثالثة",
            "four fourth keempat empat vierter vierte quatrieme الرابع الرابعة",
            "five fifth kelima lima funfter funfte cinquieme الخامس الخامسة",
            "six sixth keenam enam sechster sechste sixieme السادس",
            "seven seventh ketujuh tujuh siebter septieme السابع",
            "eight eighth kedelapan delapan achter huitieme الثامن",
            "nine ninth kesembilan sembilan neunter neuvieme التاسع",
            "ten tenth kesepuluh sepuluh zehnter dixieme العاشر",
        ),
        start=1,
    )
    for word in line.split()
}
_ORDINAL = re.compile(r"^(?:ke)?(\d+)(?:st|nd|rd|th|er|re|e|eme|me|a|o)?$")


class TitleArea(NamedTuple):
    proper: str
    full: str
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    parts: tuple[str, ...]
    part_names: tuple[str, ...]
    extra: tuple[str, ...]


@lru_cache(maxsize=8_000)
def spelled(word: str) -> str:
    """The folded *word* in Latin letters and in the key of old and new spelling."""
    return respelled(word if word.isascii() else romanize(word))


@lru_cache(maxsize=2_000)
def roman(word: str) -> str:
    """The arabic number of a roman numeral, "" when *word* is none."""
    if not _ROMAN.match(word) or word in ("l", "c"):
        return ""
    total = 0
    for letter, following in zip(word, [*word[1:], ""], strict=True):
        value = _VALUES[letter]
        total += -value if following and value < _VALUES[following] else value
    return str(total)


@lru_cache(maxsize=2_000)
def number(word: str) -> str:
    """The arabic number that *word* stands for behind a word such as "volume"; "" when it is none."""
    match = _ORDINAL.match(word)
    if match:
        return match[1].lstrip("0") or "0"
    return roman(word) or _COUNTING.get(word, "")


def title_area(title: Title, vocabulary: Vocabulary) -> TitleArea:
    """What matching reads in the title area; a title without any word is empty."""
    proper = _without_article(fold(_filed(title)), vocabulary)
    full = f"{proper} {fold(title.remainder)}".strip()
    reader = _TitleWords(full.split()[: MAX_WORDS * 2], vocabulary, len(proper.split()))
    parts = [found for text in title.part_numbers for found in part_number(text, vocabulary)]
    names = [fold(name) for name in title.part_names]
    for name in names:
        reader.school(name.split())
    return TitleArea(
        proper=proper,
        full=full,
        words=tuple(dict.fromkeys(map(spelled, reader.words)))[:MAX_WORDS],
        numbers=tuple(sorted(set(reader.numbers))),
        parts=tuple(dict.fromkeys(parts or reader.parts)),
        part_names=tuple(sorted({name for name in names if name})),
        extra=tuple(f"{kind}:{value}" for kind, value in sorted(reader.extra.items())),
    )


def _filed(title: Title) -> str:
    """The title proper without the characters that do not file; a count that eats half of the title is wrong."""
    if 0 < title.nonfiling <= 6 and title.nonfiling * 2 < len(title.proper):
        return title.proper[title.nonfiling :]
    return title.proper


def _without_article(proper: str, vocabulary: Vocabulary) -> str:
    first, _, rest = proper.partition(" ")
    return rest if rest and first in vocabulary.articles else proper


def part_number(text: str, vocabulary: Vocabulary) -> list[str]:
    """The numbers in a part statement ("Bd. II, Teil 3" → 2, 3); its words when it holds none."""
    tokens = fold(text).split()
    telling = [token for token in tokens if token not in vocabulary.parts] or tokens
    found = [number(token) or token for token in telling if number(token) or any(map(str.isdigit, token))]
    return found or ([" ".join(telling)] if telling else [])


_LETTERED = re.compile(r"\b([0-9]+) ([a-z])\b")


def series_numbers(text: str, vocabulary: Vocabulary) -> list[str]:
    """The numbers of a volume in its series; a letter behind a number belongs to it (148-A, 148-B)."""
    if not text:
        return []
    lettered = [digits + letter for digits, letter in _LETTERED.findall(fold(text))]
    return lettered or part_number(text, vocabulary)


def joined_initials(words: list[str]) -> list[str]:
    """*words* with runs of two and more single letters joined: u s g p o → usgpo."""
    if not words or min(map(len, words)) > 1:
        return words
    result: list[str] = []
    run: list[str] = []
    for word in [*words, ""]:
        if len(word) == 1 and word.isalpha():
            run.append(word)
            continue
        if run:
            result.append("".join(run))
            run = []
        if word:
            result.append(word)
    return result


def with_whole_years(words: list[str]) -> list[str]:
    """*words* with the end of a range of years written out (1914 18 → 1914 1918) and thousands joined."""
    if not any(map(str.isdigit, words)):
        return words
    result: list[str] = []
    for word in words:
        before = result[-1] if result else ""
        if word == "000" and before.isdigit():
            result[-1] = before + word
            continue
        if len(word) == 2 and word.isdigit() and len(before) == 4 and before.isdigit() and before[2:] < word:
            word = before[:2] + word
        result.append(word)
    return result


class _TitleWords:
    """One pass over the words of a title, sorting them into words, numbers, parts and school marks."""

    def __init__(self, tokens: list[str], vocabulary: Vocabulary, proper_length: int) -> None:
        self.words: list[str] = []
        self.numbers: list[str] = []
        self.parts: list[str] = []
        self.extra: dict[str, str] = {}
        self._vocabulary = vocabulary
        self._proper_length = proper_length
        self.school(tokens)
        self._read(with_whole_years(joined_initials(tokens)))

    def school(self, tokens: list[str]) -> None:
        """Grade, semester, curriculum, school and user, wherever they stand."""
        known = self._vocabulary
        if known.marking.isdisjoint(tokens):
            return
        for index, token in enumerate(tokens):
            following = tokens[index + 1] if index + 1 < len(tokens) else ""
            if token in known.grades and number(following):
                self.extra.setdefault("grade", number(following))
            elif token in known.semesters and number(following):
                self.extra.setdefault("semester", number(following))
            elif token in known.curricula and following:
                self.extra.setdefault("curriculum", following)
            elif token in known.schools:
                self.extra.setdefault("school", token)
            elif token in known.students and _is_book_for(tokens, index):
                self.extra.setdefault("user", "student")
            elif token in known.teachers and _is_book_for(tokens, index):
                self.extra.setdefault("user", "teacher")

    def _read(self, tokens: list[str]) -> None:
        known = self._vocabulary
        skip = False
        for index, token in enumerate(tokens):
            if skip:
                skip = False
                continue
            if token in known.counted and self._counts(token, tokens[index + 1 : index + 2]):
                skip = True
            elif token.isdigit():
                self.numbers.append(token.lstrip("0") or "0")
            elif (
                index
                and token[0] in "ivxlc"
                and len(token) < 6
                and roman(token)
                and (len(token) > 1 or index == self._proper_length - 1)
            ):
                self.numbers.append(roman(token))
            elif token not in STOP_WORDS or (len(token) == 1 and index and tokens[index - 1] in _LETTERED_KINDS):
                self.words.append(token)
        self.words = self.words or [token for token in tokens if not token.isdigit()]

    def _counts(self, token: str, following: list[str]) -> bool:
        """Whether a number follows that belongs to *token*: that of a part is kept."""
        if not following or not number(following[0]):
            return False
        if token in self._vocabulary.parts and not self._year(following[0]):
            self.parts.append(number(following[0]))
            return True
        return token in self._vocabulary.grades or token in self._vocabulary.semesters

    def _year(self, token: str) -> bool:
        return len(token) == 4 and token.isdigit() and token[0] in "12"


_LETTERED_FORMS = "vitamin hepatitis type tipe class kelas group grup plan model seri series"
_LETTERED_KINDS = frozenset(_LETTERED_FORMS.split())
_BOOK_FORMS = "buku book books manual guide edition panduan pegangan guidebook handbook solutions"
_BOOKS = frozenset(_BOOK_FORMS.split())


def _is_book_for(tokens: list[str], index: int) -> bool:
    """Whether "siswa" or "guru" names the user of the book: Buku Guru, teacher's book; not the subject of it."""
    around = tokens[max(0, index - 2) : index] + tokens[index + 1 : index + 2]
    return tokens[index].endswith(("band", "buch")) or any(token in _BOOKS for token in around)
