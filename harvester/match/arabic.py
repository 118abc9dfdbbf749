"""Consonants of Arabic titles, equal in script, in the SKB 1987 romanization, in ALA-LC and in what people write.

فتح القريب, Fath al-Qarib and Fathul Qorib have one skeleton. Vowels, h, w and y are left out (they are written in one
and not in another), letters that the romanizations confuse are one (t/th/ts, s/sh/sy, d/dh/dz/z, k/kh/q), articles and
their assimilated forms go. It is a coarse key, meant to be read beside author and year.
"""

from __future__ import annotations

import re

# Shortest skeleton that may stand for a title.
SHORTEST = 4

_SCRIPT = {
    "ب": "b", "ت": "t", "ث": "t", "ج": "j", "خ": "k", "د": "d", "ذ": "d", "ر": "r", "ز": "d", "س": "s",
    "ش": "s", "ص": "s", "ض": "d", "ط": "t", "ظ": "d", "غ": "g", "ف": "f", "ق": "k", "ك": "k", "ل": "l",
    "م": "m", "ن": "n", "پ": "p", "چ": "j", "گ": "g",
}  # fmt: skip
_LATIN = {
    "b": "b", "c": "k", "d": "d", "f": "f", "g": "g", "j": "j", "k": "k", "l": "l", "m": "m", "n": "n", "p": "p",
    "q": "k", "r": "r", "s": "s", "t": "t", "v": "f", "z": "d", "x": "k",
}  # fmt: skip
_ARTICLE_FORMS = (
    "al el as asy ash ass at ath ats an ad adh adz az azh ar il ul us usy ush ut un ud uz ur "
    "wa wal was war fi fil li lil bi bil kitab"
)
_ARTICLES = frozenset(_ARTICLE_FORMS.split())
_DIN = re.compile(r"(?:u|i|a)?d{1,2}[ie]+n$")
_CASE = re.compile(r"(?:u|i|a)([lrsndtz])$")
_PREFIX = re.compile("^(?:وال|بال|فال|كال|ال|لل|و)(?=..)")
_ARABIC = re.compile("[\u0620-\u064a\u066e-\u06d3]")


def in_script(text: str) -> bool:
    """Whether *text* holds an Arabic letter."""
    return not text.isascii() and _ARABIC.search(text) is not None


def looks_romanized(words: list[str], text: str) -> bool:
    """Whether folded *words*, and their *text*, could be a romanized Arabic title: an article, or one grown on."""
    if not _ARTICLES_APART.isdisjoint(words) and not _ARTICLES_APART.isdisjoint(words[:-1]):
        return True
    if _GROWN_ON.search(text):
        return True
    return "din" in text and any(len(word) > 5 and word.endswith(("uddin", "udin", "iddin")) for word in words)


_ARTICLES_APART = frozenset(("al", "el", "wal", "asy", "ash", "fil"))
# The article at the end of a word before another: fathul qorib, asbabun nuzul.
_GROWN_ON = re.compile(r"u(?:(?<=\S{3}u)l |(?<=\S{4}u)([lrsndtz]) \1)")


def skeleton(words: list[str]) -> str:
    """The consonants of the folded *words*, in script or romanized; "" when fewer than four are left."""
    parts = []
    for index, word in enumerate(words):
        following = words[index + 1] if index + 1 < len(words) else ""
        parts.append(word_skeleton(word, following))
    joined = "".join(parts)
    return joined if len(joined) >= SHORTEST else ""


def word_skeleton(word: str, following: str = "") -> str:
    """The consonants of one folded word; *following* tells whether its end is a grown-on article."""
    if in_script(word):
        return "" if word == "كتاب" else _collapsed("".join(_SCRIPT.get(letter, "") for letter in _script_stem(word)))
    if word in _ARTICLES:
        return ""
    return _collapsed(_consonants(_stem(word, following)))


def _script_stem(word: str) -> str:
    """Without the article and the ta marbuta, which romanizations write t, h or not at all."""
    stem = _PREFIX.sub("", word)
    return stem[:-1] if stem.endswith("ة") else stem


def _stem(word: str, following: str) -> str:
    if len(word) > 5 and _DIN.search(word):
        return word[: _DIN.search(word).start()] + "din"  # type: ignore[union-attr]
    if following and len(word) > 4:
        match = _CASE.search(word)
        if match and ((match[1] == "l" and word[-2] == "u") or match[1] == following[0]):
            word = word[:-2]
    if following and len(word) > 4 and word.endswith(("at", "atu")):
        return word[: word.rindex("at")]
    if len(word) > 4 and word.endswith(("ah", "ath")):
        return word[: word.rindex("a")]
    return word


def _consonants(word: str) -> str:
    for digraph, letter in (
        ("sh", "s"),
        ("sy", "s"),
        ("ts", "t"),
        ("th", "t"),
        ("dz", "d"),
        ("dh", "d"),
        ("gh", "g"),
        ("kh", "k"),
        ("zh", "d"),
        ("dj", "j"),
        ("tj", "j"),
    ):
        word = word.replace(digraph, letter)
    return "".join(_LATIN.get(letter, "") for letter in word)


def _collapsed(text: str) -> str:
    return re.sub(r"(.)\1+", r"\1", text)
