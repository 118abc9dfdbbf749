"""Part statements (Jilid 2, juz 30, Bd. III) in titles, editions and extents."""

from __future__ import annotations

import re

from harvester.normalize.numerals import ROMAN, WORDS

_WORD = (
    r"jilid|jld|jil|juz'?|bagian|bag|volume|vol|v|buku|book|bk|band|bd|tome|tom|part|pt|deel|dl|teil|seri|series|"
    r"nomor|no|number|al-juz'?|الجزء|جزء|المجلد"
)
_NUMBER = rf"(?:ke-?\s?)?(?:[0-9]{{1,3}}(?:\s?[-–]\s?[0-9]{{1,3}})?|{ROMAN}|{'|'.join(w for w in WORDS if len(w) > 2)})"
_STATEMENT = rf"(?P<word>{_WORD})\b\.?\s*(?P<number>{_NUMBER})(?![\w'’])"
# The word must stand at the end of the text; what follows it is at most a mark.
_END = re.compile(rf"(?:^|(?P<mark>[\s,.:;(\[–-]+)){_STATEMENT}[\s.)\]:/]*$", re.IGNORECASE)
_ANY = re.compile(rf"(?<![\w]){_STATEMENT}", re.IGNORECASE)
# Weak words name a part only behind a mark: "Buku 1" may be the title's own words, "no. 5" a street.
_WEAK = frozenset(["buku", "book", "bk", "v", "seri", "series", "nomor", "no", "number", "band", "part", "pt", "tom"])
_ROMANS = [
    ten + one for ten in ("", "x", "xx") for one in ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x")
]
_TOKEN = re.compile(r"[^\W\d_]+")
_NAMES = frozenset(re.findall(r"[^\W\d_]+", _WORD.replace("al-juz", "")))
_LAST = frozenset(WORDS) | frozenset(_ROMANS)
TAIL = 40  # characters at the end in which a part statement stands


def split_part(text: str) -> tuple[str, str]:
    """*text* without a part statement at its end, and that statement; ("Fisika", "Jilid 2") or (text, "")."""
    last = text.rstrip(" .)]:/").rpartition(" ")[2]
    if not last[-1:].isdecimal():
        if last.casefold() not in _LAST:
            return text, ""
    elif len(last) > 3 and last[-4:].isdecimal():
        return text, ""  # a year: parts have three digits at most
    start = max(0, len(text) - TAIL)
    match = _END.search(text, start)
    if match is None:
        return text, ""
    mark = match["mark"] or ""
    if match["word"].lower() in _WEAK and match.start() > 0 and not mark.strip():
        return text, ""
    front = text[: match.start()].rstrip(" ,.:;([-–")
    return front, " ".join(match.group(0).strip(" ,.:;()[]/–-").split())


def parts_in(text: str) -> list[str]:
    """Every part statement in *text* whose word is no weak one."""
    if _NAMES.isdisjoint(_TOKEN.findall(text.lower())):
        return []
    return [" ".join(match.group(0).split()) for match in _ANY.finditer(text) if match["word"].lower() not in _WEAK]
