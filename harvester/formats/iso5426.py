"""ISO 5426 bytes → Unicode: the extended Latin set of UNIMARC (100 $a/26-29 code 03), marks before their letter."""

from __future__ import annotations

from harvester.formats.characters import REPLACEMENT

_SPACING = (
    "A1¡ A2„ A3£ A4$ A5¥ A6† A7§ A8′ A9‘ AA“ AB« AC♭ AD© AE℗ AF® B0ʻ B1ʼ B2‚ B6‡ B7· B8″ B9’ BA” BB» BC♯ BDʹ BEʺ BF¿ "
    "E1Æ E2Đ E6Ĳ E8Ł E9Ø EAŒ ECÞ F1æ F2đ F3ð F5ı F6ĳ F8ł F9ø FAœ FBß FCþ"
)
_COMBINING = (
    "C0 0309 C1 0300 C2 0301 C3 0302 C4 0303 C5 0304 C6 0306 C7 0307 C8 0308 C9 0308 CA 030A CB 0315 CC 0312 CD 030B "
    "CE 031B CF 030C D0 0327 D1 031C D2 0326 D3 0328 D4 0325 D5 032E D6 0323 D7 0324 D8 0332 D9 0333 DA 0329 DB 032D "
    "DD FE20 DE FE21"
)
SPACING = {int(entry[:2], 16): entry[2:] for entry in _SPACING.split()}
_PAIRS = _COMBINING.split()
COMBINING = {int(code, 16): chr(int(mark, 16)) for code, mark in zip(_PAIRS[::2], _PAIRS[1::2], strict=True)}
NON_SORTING = {0x88: "\x98", 0x89: "\x9c"}  # as Unicode has them: `clean` takes them away and says so


def decode(raw: bytes) -> tuple[str, int]:
    """The text of one subfield (not yet NFC), and how many of its codes could not be read."""
    out: list[str] = []
    marks: list[str] = []
    unknown = 0
    for byte in raw:
        if byte in COMBINING:
            marks.append(COMBINING[byte])
            continue
        if byte in NON_SORTING:
            out.append(NON_SORTING[byte])
            continue
        character = chr(byte) if byte < 0x7F else SPACING.get(byte, REPLACEMENT)
        unknown += character == REPLACEMENT
        out.append(character)
        out += marks
        marks.clear()
    if marks:
        out.append(REPLACEMENT)
    return "".join(out), unknown + bool(marks)
