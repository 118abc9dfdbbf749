"""The title area as matching reads it: text, significant words, numbers, parts, school marks."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harvester.match.keys_of_music import with_keys
from harvester.match.vocabulary import Vocabulary
from harvester.model import Title
from harvester.text import STOP_WORDS, fold, folded_words, respelled, romanize

MAX_WORDS = 40
SHORTEST = 3  # letters of a title before the mark of a parallel one: "E = mc²" has none
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
_CARDINAL_FORMS = (
    "one satu two dua three tiga four empat five lima six enam seven tujuh eight delapan nine sembilan ten"
)
_ORDINALS = frozenset(_COUNTING) - {*_CARDINAL_FORMS.split(), "sepuluh"}
_ORDINALS |= {f"{one}{end}" for one in range(1, 21) for end in ("st", "nd", "rd", "th", "er", "re", "e", "eme")}
_ORDINAL = re.compile(r"^(?:ke)?(\d+)(?:st|nd|rd|th|er|re|e|eme|me|a|o)?$")


Ranges = frozenset[tuple[str, str]]


class TitleArea(NamedTuple):
    proper: str
    full: str
    tokens: list[str]  # the words of the full title, as they stand
    words: tuple[str, ...]
    numbers: tuple[str, ...]
    parts: tuple[str, ...]
    part_names: tuple[str, ...]
    extra: tuple[str, ...]
    open_at: int


@lru_cache(maxsize=8_000)
def spelled(word: str) -> str:
    """The folded *word* in Latin letters and in the key of old and new spelling."""
    return respelled(word if word.isascii() else romanize(word))


def all_spelled(words: list[str]) -> list[str]:
    """Each of *words* so; together, which takes a third of the time."""
    text = "\n".join(words)
    if not text.isascii():
        return list(map(spelled, words))
    return respelled(text).split("\n") if words else []


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


def parallel_titles(title: Title) -> list[str]:
    """The titles in other languages behind ` = `, each with and without its subtitle."""
    if "=" not in title.proper and "=" not in title.remainder:
        return []
    front, _, rest = f"{title.proper} {title.remainder}".partition(" = ")
    if len(front) < SHORTEST:
        return []
    return [form for one in rest.split(" = ")[:4] for form in (one, one.partition(" : ")[0])] if rest else []


def title_area(title: Title, vocabulary: Vocabulary, material: str = "") -> TitleArea:
    """What matching reads in the title area of a *material*; a title without any word is empty."""
    filed = _filed(title)
    raw = f"{filed} {title.remainder}"
    proper, remainder = filed, title.remainder
    if "=" in raw:
        at = filed.find(" = ")
        proper, remainder = (filed[:at], "") if at >= SHORTEST else (filed, f" {remainder}".partition(" = ")[0])
    tokens = folded_words(proper)
    if len(tokens) > 1 and tokens[0] in vocabulary.articles:
        del tokens[0]
    proper, length = " ".join(tokens), len(tokens)
    tokens += folded_words(remainder)
    full = " ".join(tokens)
    read = tokens[: MAX_WORDS * 2]
    reader = _TitleWords(read, vocabulary, length, ranges(raw))
    reader.read(with_whole_years(with_figures(joined_initials(with_keys(read, raw, material)))))
    if _COUNTED_FIRST.match(filed) and (first := roman(tokens[0])):
        reader.numbers.append(first)
    parts, names = _parts(title, vocabulary) if title.part_numbers or title.part_names else ([], [])
    for name in names:
        reader.school(name.split())
    reader.companion([token for text in (full, *names) for token in text.split()] if names else tokens)
    return TitleArea(
        proper=proper,
        full=full,
        tokens=tokens,
        words=_once(all_spelled(reader.words))[:MAX_WORDS],
        numbers=tuple(sorted(set(reader.numbers))) if reader.numbers else (),
        parts=tuple(dict.fromkeys(parts or reader.parts)) if parts or reader.parts else (),
        part_names=tuple(sorted({name for name in names if name})) if names else (),
        extra=tuple([f"{kind}:{value}" for kind, value in sorted(reader.extra.items())]) if reader.extra else (),
        open_at=_omission(raw, vocabulary),
    )


def _once(words: list[str]) -> tuple[str, ...]:
    """Each of *words* once, in order; most titles have each once."""
    return tuple(words if len(set(words)) == len(words) else dict.fromkeys(words))


# IX. Symphonie, IV. Streichquartett
_COUNTED_FIRST = re.compile(r"[IVX]{1,5}\. ?[^ .]{3}")


def _parts(title: Title, vocabulary: Vocabulary) -> tuple[list[str], list[str]]:
    """The numbers of parts, and their folded names."""
    counted = [text for text in title.part_numbers if not _is_name(text, vocabulary)]
    parts = [found for text in counted for found in part_number(text, vocabulary)]
    return parts, [fold(name) for name in (*title.part_names, *(set(title.part_numbers) - set(counted)))]


_OMISSION = re.compile(r"\.\s?\.\s?\.|…")


def _omission(raw: str, vocabulary: Vocabulary) -> int:
    """How many words of the title stand before the first mark of omission; 0 without one."""
    match = _OMISSION.search(raw) if raw.count(".") > 2 or "…" in raw else None
    return len(without_article(fold(raw[: match.start()]), vocabulary).split()) if match else 0


_END = "([0-9]{1,3}|[IVX]{1,6}|[a-z]{3,9})"
# From the hyphen on, which is found at once where a pattern that begins with any word tries every letter.
_TO = re.compile(rf"[-–]\s?\[?{_END}(?![\w-])")
_FROM = re.compile(rf"(?:.*[^\w-])?{_END}\s?", re.DOTALL)
_REACH = 12  # characters before the hyphen that it can need: a text may be one hyphen after the other


def ranges(text: str) -> Ranges:
    """Ascending ranges in *text* (v. 1-44, I-III, Book one-[two]), as (first, last); "1-2" of one volume is none."""
    if "-" not in text and "–" not in text:
        return frozenset()
    found = []
    done = 0
    for to in _TO.finditer(text):
        begun = _FROM.fullmatch(text, max(to.start() - _REACH, 0), to.start())
        if begun and begun.start(1) >= done:
            found.append((number(begun[1].lower()), number(to[1].lower())))
            done = to.end()
    return frozenset(pair for pair in found if pair[0] and pair[1] and int(pair[0]) < int(pair[1]))


_GROWN_ON = "\u0627\u0644"  # the Arabic article is written as one with its word


_ELIDED = tuple(letter + mark for letter in "Ll" for mark in "'’ʼ‘`")  # L'étranger


def _filed(title: Title) -> str:
    """The title proper without the characters that do not file; a count is wrong that eats half of the title or ends
    inside a word (an indicator of 2 before "Beef cattle feeding").
    """
    skipped, rest = title.proper[: title.nonfiling], title.proper[title.nonfiling :]
    if not 0 < title.nonfiling <= 6 or len(rest) <= len(skipped):
        return title.proper[2:].lstrip() if title.proper.startswith(_ELIDED) else title.proper
    inside = skipped[-1:].isalnum() and rest[0].isalnum() and not skipped.endswith(_GROWN_ON)
    return title.proper if inside else rest


def without_article(proper: str, vocabulary: Vocabulary) -> str:
    """The folded title without an article at its beginning."""
    first, _, rest = proper.partition(" ")
    return rest if rest and first in vocabulary.articles else proper


def _is_name(text: str, vocabulary: Vocabulary) -> bool:
    """Whether what stands as the number of a part is none: three words and more without any number."""
    tokens = folded_words(text)
    return len(tokens) > 2 and not any(number(token) or any(map(str.isdigit, token)) for token in tokens)


def part_number(text: str, vocabulary: Vocabulary) -> list[str]:
    """The numbers in a part statement ("Bd. II, Teil 3" → 2, 3; "Bd. 1-3" → 1-3); its words when it holds none."""
    found = _numbers_or_words(folded_words(text), vocabulary)
    return ["-".join(found)] if len(found) == 2 and tuple(found) in ranges(text) else found


def _numbers_or_words(tokens: list[str], vocabulary: Vocabulary) -> list[str]:
    parts = vocabulary.parts
    telling = [HALVES.get(token, token) for token in tokens if token not in parts] or tokens
    found = [known or token for token in telling if (known := number(token)) or any(map(str.isdigit, token))]
    return found or ([" ".join(telling)] if telling else [])


# Upper, middle and lower volume in Chinese, Japanese and Korean.
HALVES = {
    form: half
    for half, forms in (
        ("upper", "上 上巻 上卷 上册 上冊 jo jokan shang 상 sang"),
        ("middle", "中 中巻 中卷 中册 中冊 chu chukan zhong 중"),
        ("lower", "下 下巻 下卷 下册 下冊 ge gekan xia 하 ha"),
    )
    for form in forms.split()
}
_TYPED_L = re.compile("l([0-9]{3}s?)")
_LETTERED = re.compile(r"\b([0-9]+) ([a-z])\b")


def series_numbers(text: str, vocabulary: Vocabulary) -> list[str]:
    """The numbers of a volume in its series; a letter behind a number belongs to it (148-A, 148-B)."""
    if text.isdigit() and text.isascii():
        return [text.lstrip("0") or "0"]
    if not text:
        return []
    folded = fold(text)
    lettered = [digits + letter for digits, letter in _LETTERED.findall(folded)]
    return lettered or _numbers_or_words(folded.split(), vocabulary)


def joined_initials(words: list[str]) -> list[str]:
    """*words* with runs of two and more single letters joined: u s g p o → usgpo."""
    if [*map(len, words)].count(1) < 2:
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
    digits = [*filter(str.isdigit, words)]
    if len(digits) < 2 or ("000" not in digits and not {2, 4}.issubset(map(len, digits))):
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


_TENS = {
    "twenty": "2", "thirty": "3", "forty": "4", "fifty": "5", "sixty": "6", "seventy": "7", "eighty": "8",
    "ninety": "9",
}  # fmt: skip
_TEN_WORDS = frozenset(_TENS)
_UNITS = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "first": "1th", "second": "2th", "third": "3th", "fourth": "4th", "fifth": "5th", "sixth": "6th",
    "seventh": "7th", "eighth": "8th", "ninth": "9th",
}  # fmt: skip


def with_figures(words: list[str]) -> list[str]:
    """*words* with numbers of two English words in figures: twenty four songs → 24 songs, twenty first → 21th."""
    if _TEN_WORDS.isdisjoint(words):
        return words
    result: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        if result and before in _TENS and word in _UNITS:
            result[-1] = _TENS[before] + _UNITS[word]
        else:
            result.append(word)
    return result


class _TitleWords:
    """One pass over the words of a title, sorting them into words, numbers, parts and school marks."""

    def __init__(self, tokens: list[str], vocabulary: Vocabulary, proper_length: int, ranges: Ranges) -> None:
        self.words: list[str] = []
        self.numbers: list[str] = []
        self.parts: list[str] = []
        self.extra: dict[str, str] = {}
        self._vocabulary = vocabulary
        self._proper_length = proper_length
        self._ranges = ranges
        self.school(tokens)

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
            elif token in known.levels:
                before = tokens[index - 1] if index and tokens[index - 1] in _STEPS else ""
                held = {*self.extra.get("level", "").split("+"), before + token} - {""}
                self.extra["level"] = "+".join(sorted(held))
            elif token in known.schools:
                self.extra.setdefault("school", token)
            elif token in known.students and _is_book_for(tokens, index):
                self.extra.setdefault("user", "student")
            elif token in known.teachers and _is_book_for(tokens, index):
                self.extra.setdefault("user", "teacher")

    def companion(self, tokens: list[str]) -> None:
        """The answer key, workbook or study guide that the title and the names of parts speak of."""
        known = self._vocabulary.companions_from
        if self._vocabulary.companion_words.isdisjoint(tokens):
            return
        begun = self._vocabulary.companion_words.intersection(tokens)
        padded = f" {' '.join(tokens)} "
        found = [one for word in begun for one in known[word] if f" {one.phrase} " in padded]
        if found:
            self.extra.setdefault("companion", min(found).kind)

    def read(self, tokens: list[str]) -> None:
        """Words, numbers and parts."""
        known = self._vocabulary
        counted, abbreviations = known.counted, known.abbreviations
        skip, last = 0, self._proper_length - 1
        for index, token in enumerate(tokens):
            if skip:
                skip -= 1
            elif token in _SILENT and token not in counted:
                continue
            elif token[0] in (_LETTERS if len(token) > 5 else _NO_FIGURE) and not (
                token in _TELLING or token in counted
            ):
                self.words.append(abbreviations.get(token, token))  # most words are just words
            elif token in _ORDINALS and index + 1 < len(tokens) and self._is_part(tokens[index + 1 : index + 3]):
                self.parts.append(number(token))
                skip = 1
            elif token in counted and (used := self._counts(token, tokens[index + 1 : index + 3])):
                skip = used
            elif index == last and index and token in HALVES and not token.isascii():
                self.parts.append(HALVES[token])
            elif token.isdigit():
                self.numbers.append(token.lstrip("0") or "0")
            elif token[0] == "l" and (decade := _TYPED_L.fullmatch(token)):
                self.words.append("1" + decade[1])  # l990s: a typewriter without a 1
            elif (
                index
                and token[0] in "ivxlc"
                and len(token) < 6
                and roman(token)
                and (len(token) > 1 or index == self._proper_length - 1)
            ):
                self.numbers.append(roman(token))
            elif token in _BEFORE_YEARS and index + 1 < len(tokens) and self._year(tokens[index + 1]):
                continue  # "tahun 2018" is 2018
            elif token not in STOP_WORDS or (len(token) == 1 and index and tokens[index - 1] in _LETTERED_KINDS):
                self.words.append(abbreviations.get(token, token))
        self.words = self.words or [token for token in tokens if not token.isdigit()]

    def _counts(self, token: str, following: list[str]) -> int:
        """How many of the *following* words are a number that belongs to *token*; that of a part is kept."""
        first = number(following[0]) if following else ""
        if not first:
            return 0
        if token in self._vocabulary.parts and not self._year(following[0]):
            last = number(following[-1])
            ranging = (first, last) in self._ranges
            self.parts.append(f"{first}-{last}" if ranging else first)
            return 2 if ranging else 1
        return int(token in self._vocabulary.grades or token in self._vocabulary.semesters)

    def _is_part(self, following: list[str]) -> bool:
        """Whether a word for a part follows that has no number of its own (premier livre, 2nd volume)."""
        return following[0] in self._vocabulary.parts and not (len(following) > 1 and number(following[1]))

    def _year(self, token: str) -> bool:
        return len(token) == 4 and token.isdigit() and token[0] in "12"


_BEFORE_YEARS = frozenset(("tahun", "thn", "th", "year", "jahr", "annee", "ano", "anno", "jaar"))
_NO_FIGURE = frozenset("abdefghjkmnopqrstuwyz")  # letters with which no number begins, arabic or roman …
_LETTERS = _NO_FIGURE.union("ivxlc")  # … and with which none of more than five begins
_TELLING = _ORDINALS | _BEFORE_YEARS | STOP_WORDS
# Stop words that are nothing else, wherever they stand.
_SILENT = frozenset(word for word in STOP_WORDS - _ORDINALS - _BEFORE_YEARS if len(word) > 1 and not roman(word))
_STEPS = frozenset(("pre", "upper", "lower", "low", "high"))  # before a level of a course
_LETTERED_FORMS = "vitamin hepatitis type tipe class kelas group grup plan model seri series"
_LETTERED_KINDS = frozenset(_LETTERED_FORMS.split())
_BOOK_FORMS = "buku book books manual guide edition panduan pegangan guidebook handbook solutions"
_BOOKS = frozenset(_BOOK_FORMS.split())


def _is_book_for(tokens: list[str], index: int) -> bool:
    """Whether "siswa" or "guru" names the user of the book: Buku Guru, teacher's book; not the subject of it."""
    around = tokens[max(0, index - 2) : index] + tokens[index + 1 : index + 2]
    return tokens[index].endswith(("band", "buch")) or any(token in _BOOKS for token in around)
