"""Interface texts in Indonesian and English: gettext by language argument, never by the machine's locale.

Texts are marked by `N_` or `_`. An error, a reason of a run or a finding is made in English, where no reader is known,
and may lie in the database for months: `sentences` finds such a finished sentence again by the fixed words of its
f-string, which stands in the catalogue with numbered holes: `no cluster {1}`.
"""

from __future__ import annotations

import gettext as _gettext
import re
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

LANGUAGES = ("en", "id")
DOMAIN = "induk"
FOLDER = Path(__file__).with_name("locale")
HOLE = re.compile(r"\{(\d)\}")
LONGEST = 4000  # characters; what is longer is no sentence of ours
DEEPEST = 6  # sentences in sentences: what a server sends may stand in a hole


def N_(text: str) -> str:
    """Marks a text, or a sentence made by an f-string, for translation."""
    return text


@cache
def translations(language: str) -> _gettext.NullTranslations:
    """The catalogue of *language*; English is the language of the messages themselves."""
    return _gettext.translation(DOMAIN, FOLDER, languages=[language], fallback=True)


def translator(language: str) -> Callable[[str], str]:
    """The function that turns an English message into *language*."""
    return translations(language).gettext


@cache
def sentences(language: str) -> Callable[[str], str]:
    """The function that says finished English sentences in *language*; what it does not know stays as it is."""
    known: dict[object, str] = getattr(translations(language), "_catalog", {})  # gettext has no way to list it
    templates = [
        (HOLE.split(text)[::2], [int(number) for number in HOLE.findall(text)], said)
        for text, said in known.items()
        if isinstance(text, str) and HOLE.search(text)
    ]

    @lru_cache(maxsize=4096)
    def best(text: str, depth: int = DEEPEST) -> tuple[int, str]:
        """(how many letters of *text* are fixed words of ours, *text* in the language)."""
        if " " not in text or not depth:
            return 0, text
        if text in known:
            return len(text), known[text]

        def inner(part: str) -> tuple[int, str]:
            return best(part, depth - 1)

        found = [(0, text), *_apart(text, inner)]
        for pieces, numbers, template in templates:
            held = _held(pieces, text)
            if held is not None:
                parts = dict(zip(numbers, map(inner, held), strict=True))
                score = sum(map(len, pieces)) + sum(letters for letters, _ in parts.values())
                found.append((score, _filled(template, {number: said for number, (_, said) in parts.items()})))
        return max(found, key=lambda one: one[0])

    def say(text: str) -> str:
        return "\n".join(best(line)[1] if len(line) <= LONGEST else line for line in text.split("\n"))

    return say if known else str


def _apart(text: str, inner: Callable[[str], tuple[int, str]]) -> list[tuple[int, str]]:
    """*text* as `place: sentence`, `sentence (hint)` or `sentence; sentence`, each part said by *inner*."""
    found = []
    place, mark, rest = text.partition(": ")
    if mark:
        score, said = inner(rest)
        found.append((score, f"{place}: {said}"))
    head, mark, hint = text.removesuffix(")").rpartition(" (")
    if mark and text.endswith(")"):
        score, said = inner(head)
        extra, told = inner(hint)
        found.append((score + extra, f"{said} ({told})"))
    if "; " in text:
        parts = [inner(part) for part in text.split("; ")]
        found.append((sum(score for score, _ in parts), "; ".join(said for _, said in parts)))
    return found


def _filled(template: str, parts: dict[int, str]) -> str:
    return HOLE.sub(lambda hole: parts[int(hole[1])], template)


def _held(pieces: list[str], text: str) -> list[str] | None:
    """What *text* holds between the fixed *pieces*, or None where it is another sentence; takes linear time."""
    first, *middle, last = pieces
    at, end = len(first), len(text) - len(last)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return None
    found = []
    for piece in middle:
        there = text.find(piece, at, end)
        if there < 0:
            return None
        found.append(text[at:there])
        at = there + len(piece)
    return [*found, text[at:end]]
