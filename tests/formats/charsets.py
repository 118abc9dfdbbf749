"""Write text in the charsets of the encoding corpus, independently of the code that reads them."""

from __future__ import annotations

import unicodedata

from pymarc import marc8_mapping

from harvester.formats import iso5426

ESCAPES = {0x33: b"\x1b(3", 0x4E: b"\x1b(N", 0x53: b"\x1b(S", 0x32: b"\x1b(2", 0x31: b"\x1b$1"}
TO_ASCII = b"\x1b(B"


def written(text: str, charset: str) -> bytes:
    """*text* as bytes in *charset*."""
    if charset == "marc8":
        return marc8(text)
    if charset == "iso5426":
        return _with_marks_first(text, {chr(ord(c)): bytes([b]) for b, c in iso5426.SPACING.items()}, _iso5426_marks())
    return text.encode({"utf8": "utf-8", "latin1": "latin-1"}.get(charset, charset))


def _iso5426_marks() -> dict[str, bytes]:
    return {mark: bytes([byte]) for byte, mark in reversed(iso5426.COMBINING.items())}


def marc8(text: str) -> bytes:
    """MARC-8: marks before their letter, other scripts by escape sequences back to ASCII."""
    ansel = marc8_mapping.CODESETS[0x45]
    spacing = {chr(code): bytes([byte]) for byte, (code, combining) in ansel.items() if not combining and byte > 0xA0}
    marks = {chr(code): bytes([byte]) for byte, (code, combining) in ansel.items() if combining}
    out = b""
    for word in text.split(" "):
        charset = next((c for c in ESCAPES if _needs(word, c, spacing)), None)
        out += (b" " if out else b"") + (
            _with_marks_first(word, spacing, marks) if charset is None else _escaped(word, charset)
        )
    return out


def _needs(word: str, charset: int, spacing: dict[str, bytes]) -> bool:
    codes = {chr(code) for code, _ in marc8_mapping.CODESETS[charset].values()}
    return any(
        c in codes and not c.isascii() and c not in spacing
        for c in word
        if unicodedata.category(c) == "Lo" or (ord(c) > 0x36F and ord(c) < 0x500)
    )


def _escaped(word: str, charset: int) -> bytes:
    codes = {}
    for number, (code, _) in marc8_mapping.CODESETS[charset].items():
        if charset == 0x31 or number < 0x80:
            codes.setdefault(chr(code), number)
    greek = unicodedata.normalize("NFD", word) if charset == 0x53 else word
    letters = []
    for character in greek:
        raw = codes[character].to_bytes(3 if charset == 0x31 else 1, "big")
        if unicodedata.combining(character) and charset == 0x53:
            letters.insert(-1, raw)
        else:
            letters.append(raw)
    return ESCAPES[charset] + b"".join(letters) + TO_ASCII


def _taken_apart(character: str, spacing: dict[str, bytes]) -> list[str]:
    """Base and marks, only as far as the charset needs it: it has ơ, but not ớ."""
    found = unicodedata.decomposition(character)
    if character in spacing or character.isascii() or not found or found.startswith("<"):
        return [character]
    return [piece for code in found.split() for piece in _taken_apart(chr(int(code, 16)), spacing)]


def _with_marks_first(text: str, spacing: dict[str, bytes], marks: dict[str, bytes]) -> bytes:
    out: list[bytes] = []
    base = 0
    for character in unicodedata.normalize("NFC", text):
        if character in spacing:
            base = len(out)
            out.append(spacing[character])
            continue
        for part in _taken_apart(character, spacing):
            if part in marks:
                out.insert(base, marks[part])
                base += 1
            else:
                base = len(out)
                out.append(spacing[part] if part in spacing else part.encode("ascii"))
    return b"".join(out)
