"""MARC-8 bytes → Unicode, with everything that could not be read made visible.

The tables are those of pymarc (Library of Congress, MARC 21 Specifications, part 2). pymarc's own loop prints to
stderr and puts a blank where it does not know a code; here it becomes U+FFFD and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from harvester.formats.characters import REPLACEMENT

ESCAPE = 0x1B
BASIC_LATIN, ANSEL, EACC, GREEK_SYMBOLS = 0x42, 0x45, 0x31, 0x67
G0_INTRODUCERS, G1_INTRODUCERS = b"(,$", b")-$"
SINGLE_SHIFTS = {0x67: GREEK_SYMBOLS, 0x62: 0x62, 0x70: 0x70, 0x73: BASIC_LATIN}
NON_SORTING = {0x88: "\x98", 0x89: "\x9c"}  # as Unicode has them: `clean` takes them away and says so
# Ligature and double tilde span two letters: one mark between them (as the Library of Congress maps them today),
# not the two half marks of pymarc's table.
LIGATURES = {0xEB: "\u0361", 0xFA: "\u0360"}
LIGATURE_ENDS = {0xEC, 0xFB}

Codeset = Mapping[int, tuple[int, int]]


@cache
def _codesets() -> tuple[Mapping[int, Codeset], Mapping[int, int]]:
    from pymarc import marc8_mapping  # 16,000 entries: loaded only where a record needs them

    return marc8_mapping.CODESETS, marc8_mapping.ODD_MAP


def has_escapes(raw: bytes) -> bool:
    """True when *raw* designates a character set by a MARC-8 escape sequence."""
    position = raw.find(b"\x1b")
    while position >= 0:
        if _designation(raw, position) is not None:
            return True
        position = raw.find(b"\x1b", position + 1)
    return False


def decode(raw: bytes) -> tuple[str, int]:
    """The text of one subfield (not yet NFC), and how many of its codes could not be read."""
    codesets, odd = _codesets()
    g0, g1, position, unknown = BASIC_LATIN, ANSEL, 0, 0
    sorting = 0 < raw.count(0x88) == raw.count(0x89)
    out: list[str] = []
    marks: list[str] = []
    while position < len(raw):
        byte = raw[position]
        if byte == ESCAPE:
            found = _designation(raw, position)
            if found is None:
                unknown, position = unknown + 1, position + 1
                continue
            half, charset, position = found
            g0, g1 = (charset, g1) if half == 0 else (g0, charset)
            continue
        if byte < 0x21:
            code, table, width = byte, codesets[BASIC_LATIN], 1
        elif byte in NON_SORTING and sorting:
            out.append(NON_SORTING[byte])
            position += 1
            continue
        else:
            if byte in LIGATURE_ENDS and g1 == ANSEL and g0 != EACC:
                position += 1
                continue
            charset = g1 if byte > 0x80 and g0 != EACC else g0
            width = 3 if charset == EACC else 1
            code, table = int.from_bytes(raw[position : position + width], "big"), codesets.get(charset, {})
        position += width
        if code in LIGATURES and table is codesets[ANSEL]:
            marks.append(LIGATURES[code])
            continue
        # A set may stand in either half: the tables have each of them in its usual one.
        other = (odd.get(code, 0), 0) if width == 3 else table.get(code ^ 0x80, (0, 0))
        character, combining = table.get(code) or other
        if combining:
            marks.append(chr(character))
            continue
        unknown += not character
        out.append(chr(character) if character else REPLACEMENT)
        if marks:
            out += marks
            marks.clear()
    if marks:
        out.append(REPLACEMENT)
    return "".join(out), unknown + bool(marks)


def _designation(raw: bytes, position: int) -> tuple[int, int, int] | None:
    """(0 for G0 or 1 for G1, character set, next position) of the escape sequence at *position*; None if it is none."""
    codesets, _ = _codesets()
    follow = raw[position + 1 : position + 4]
    if not follow:
        return None
    if follow[0] in SINGLE_SHIFTS:
        return 0, SINGLE_SHIFTS[follow[0]], position + 2
    if follow[0] not in b"(),-$" or len(follow) < 2:
        return None
    half, at = int(follow[0] in b")-"), 1
    if follow[0] == 0x24 and follow[1] in b"(),-" and len(follow) == 3:
        half, at = int(follow[1] in b")-"), 2
    if follow[at] == 0x21 and len(raw) > position + 2 + at:  # ESC ( ! E: the second byte of "ANSEL"
        at += 1
        follow = raw[position + 1 : position + 2 + at]
    charset = follow[at]
    return (half, charset, position + 2 + at) if charset in codesets else None
