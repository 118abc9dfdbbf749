"""Characters that cannot be stored or are traces of another encoding: what becomes of them, and how that is said."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

REPLACEMENT = "\ufffd"
# Illegal in XML 1.0 or in a PostgreSQL text; tab, line feed and carriage return stay, and so does 0x1F, our delimiter.
# A byte order mark says nothing within a record.
ILLEGAL_BYTES = bytes([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x1F)])
ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1e\ud800-\udfff\ufeff\ufffe\uffff]")
OVERRIDES = re.compile("[\u202d\u202e]")  # right-to-left override: turns what follows around on a screen
# U+0098 … U+009C (MARC 21, German National Library) or U+0088 … U+0089 (UNIMARC) stand around words that do not sort.
# Behind one of Â to ô they are a part of doubled UTF-8 instead.
NON_SORTING = re.compile("(?<![Â-ô])(?:\x98([^\x80-\x9f\x1f]{1,24})\x9c|\x88([^\x80-\x9f\x1f]{1,24})\x89)")
_CODE = re.compile("\x1f.?")
_WORD_BEFORE = re.compile(r"[^\s<>]*\Z")
_WORD_AFTER = re.compile(r"[^\s<>]*")
_BETWEEN = re.compile("[ <>]")
_SPECIAL = re.compile(rb"[^\t\n\r\x1f -~]")
C1 = re.compile("[\x80-\x9f]")
_CP1252 = {code: bytes([code]).decode("cp1252", "ignore") or chr(code) for code in range(0x80, 0xA0)}


def clean(text: str) -> tuple[str, tuple[str, ...]]:
    """*text* in NFC without characters that cannot be stored, and what was done: control, override, nonsort, c1, nfc.

    Most text is clean; that is found out without building anything.
    """
    if text.isascii() and not ILLEGAL.search(text):
        return text, ()
    done: list[str] = []
    for name, pattern, replacement in (
        ("characters:control", ILLEGAL, ""),
        ("characters:override", OVERRIDES, ""),
        ("characters:nonsort", NON_SORTING, r"\1\2"),
    ):
        if pattern.search(text):
            text = pattern.sub(replacement, text)
            done.append(name)
    if C1.search(text):
        # A C1 control in a catalogue record is a cp1252 byte that somebody took for Latin-1.
        changed = text.translate(_CP1252)
        if changed != text:
            text = changed
            done.append("encoding:cp1252-controls")
    if not unicodedata.is_normalized("NFC", text):
        text = unicodedata.normalize("NFC", text)
        done.append("encoding:nfc")
    return text, tuple(done)


def flags_of(repairs: Iterable[str], where: str, before: str | bytes, after: str) -> list[str]:
    """The flags of *repairs* in the field *where* ("": the whole), with the first word that changed:
    `Qur\\x92an → Qur’an`. NFC is told without: both are the same text.
    """
    told = ""
    flags = []
    for repair in repairs:
        if repair == "encoding:nfc":
            flags.append(repair)
            continue
        told = told or _changed(before, after)
        flags.append(f"{repair}:{where}:{told}" if where or told else repair)
    return flags


def told(text: str, start: int, end: int, new: str) -> str:
    """The word around text[start:end] before and after *new* has taken its place."""
    left = _WORD_BEFORE.search(text, max(0, start - 25), start)
    right = _WORD_AFTER.match(text, end, end + 25)
    head, tail = left.group() if left else "", right.group() if right else ""
    return f"{shown(head + text[start:end] + tail)} → {shown(head + new + tail)}"


def shown(text: str) -> str:
    """*text* with what no screen shows as \\xNN."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _changed(before: str | bytes, after: str) -> str:
    """The first word of *before* that is another in *after*, and that one; what no screen shows stands as \\xNN."""
    if isinstance(before, bytes):
        start = _plain(before)
        old_text, new_text = before[start : start + 4000].decode("ascii", "backslashreplace"), after[start:]
    else:
        old_text, new_text = before[:4000], after
    for old, new in zip(_words(old_text), _words(new_text[:4000]), strict=False):
        if old != new:
            return f"{old[:60]} → {new[:60]}"
    return ""


def _plain(raw: bytes) -> int:
    """Where the word with the first byte that is no plain ASCII begins; up to there bytes and text are the same."""
    first = _SPECIAL.search(raw)
    return raw.rfind(b" ", 0, first.start()) + 1 if first else 0


def _words(text: str) -> list[str]:
    """The words of *text* without codes of subfields; controls as \\xNN."""
    bare = _CODE.sub(" ", text)
    return [shown(word) for word in _BETWEEN.split(bare)]
