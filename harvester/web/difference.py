"""Where texts differ, down to the word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

_WORDS = re.compile(r"\s+|[^\W_]+|[\W_]", re.UNICODE)
LONGEST = 400  # words; what is longer is marked as a whole


class Piece(NamedTuple):
    """A stretch of text; *differs* from what it was compared with."""

    text: str
    differs: bool


def pieces(text: str, other: str) -> list[Piece]:
    """*text* cut where it stops or begins to differ from *other*; case counts.

    >>> pieces("Laskar Pelangi", "Laskar pelangi")
    [Piece(text='Laskar ', differs=False), Piece(text='Pelangi', differs=True)]
    """
    if text == other:
        return [Piece(text, False)] if text else []
    mine, theirs = _WORDS.findall(text), _WORDS.findall(other)
    if len(mine) > LONGEST or len(theirs) > LONGEST:
        return [Piece(text, True)]
    found: list[Piece] = []
    for kind, start, end, _, _ in SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        if part := "".join(mine[start:end]):
            found.append(Piece(part, kind != "equal"))
    return found


def nearest(text: str, others: Sequence[str]) -> str:
    """That of *others* which *text* is best compared with; empty when there is none."""
    if text in others:
        return text
    return max(others, key=lambda one: SequenceMatcher(None, text, one).quick_ratio(), default="")
