"""Text that was encoded twice: found by its score, undone exactly, and only where the caller asks for it.

"Ã©" is what UTF-8 "é" becomes when it is read as Latin-1 (or cp1252) and written as UTF-8 again: SLiMS' oai_dc puts
titles through utf8_encode. "SÃO PAULO" and "IRMÔ are genuine; a score tells them apart.
"""

from __future__ import annotations

import re
import unicodedata

# Every character that a byte beyond ASCII becomes under sloppy cp1252 (and under Latin-1).
_BYTES = {bytes([b]).decode("cp1252", "ignore") or chr(b): b for b in range(0x80, 0x100)} | {
    chr(b): b for b in range(0x80, 0x100)
}
_TAIL = "".join(re.escape(character) for character, byte in _BYTES.items() if 0x80 <= byte <= 0xBF)
_TWO = "".join(chr(b) for b in range(0xC2, 0xE0))
_THREE = "".join(chr(b) for b in range(0xE0, 0xF0))
_FOUR = "".join(chr(b) for b in range(0xF0, 0xF5))
SEQUENCE = re.compile(f"[{_TWO}][{_TAIL}]|[{_THREE}][{_TAIL}]{{2}}|[{_FOUR}][{_TAIL}]{{3}}")
THRESHOLD = 1.0
MAX_ROUNDS = 3
CLOSING = "”’»“›‘"
ONE_LETTER_WORDS = "àáâãéèêëóòôöåæøíìúùýñ"


def undouble(text: str) -> str | None:
    """*text* with its double encoding undone, or None when it is none (or not surely one).

    All sequences are undone or none is; triple encoding is undone too.
    """
    result = None
    for _ in range(MAX_ROUNDS):
        better = _once(text)
        if better is None:
            break
        result = text = better
    return result


def _once(text: str) -> str | None:
    if text.isascii():
        return None
    found = [(match, _decoded(match.group())) for match in SEQUENCE.finditer(text)]
    found = [(match, decoded) for match, decoded in found if decoded]
    if not found or sum(_points(text, match, decoded) for match, decoded in found) < THRESHOLD:
        return None
    pieces, last = [], 0
    for match, decoded in found:
        pieces += [text[last : match.start()], decoded]
        last = match.end()
    return unicodedata.normalize("NFC", "".join(pieces) + text[last:])


def _decoded(sequence: str) -> str:
    """The character that *sequence* is in UTF-8; "" when it is none."""
    try:
        return bytes(_BYTES[character] for character in sequence).decode("utf-8")
    except UnicodeDecodeError:
        return ""


def _points(text: str, match: re.Match[str], decoded: str) -> float:
    """How sure this sequence is double encoding: above 1 by itself, around 0 when it may be genuine."""
    sequence, before = match.group(), text[match.start() - 1 : match.start()]
    after = text[match.end() : match.end() + 1]
    kind = unicodedata.category(decoded)
    if kind in ("Cn", "Co", "Cc"):
        return 0.3 if decoded.isspace() or kind == "Cc" else -2.0
    if len(sequence) > 2:
        return 2.0  # three such characters in a row stand in no language
    if any("\x80" <= character <= "\x9f" for character in sequence):
        return 1.5  # a C1 control is in no text
    if sequence[0] == "Â" and kind[0] in "SPNZ" and not before.isalpha():
        return 1.2  # "37Â° C", " Â©2005", "1Â½"
    if kind[0] == "L" and not unicodedata.name(decoded, "").startswith("LATIN"):
        return 0.5  # a letter of another script seldom stands alone
    if before.isupper() and decoded.islower() and not after.islower():
        return -0.5 if after.isupper() else 0.2  # "MAÇÃ\u00a0VERDE"
    if kind[0] == "L" and not before.isalpha() and not after.isalpha() and decoded.lower() not in ONE_LETTER_WORDS:
        return 0.2  # "Å©" is not "ũ"
    if before.islower() and sequence[0].isupper():
        return 1.5  # a capital after a small letter, followed by a sign
    if sequence[1] in CLOSING:
        return _closing(text[: match.start()], before, after)
    if kind[0] == "L" and after.islower():
        return 1.2
    return 1.0 if kind[0] in "LM" else 0.7


def _closing(head: str, before: str, after: str) -> float:
    """`IRMÔ: genuine where a quotation was opened, or where the word is in capitals."""
    opened = head.count("“") + head.count("«") + head.count("‘") > head.count("”") + head.count("»") + head.count("’")
    if opened or (before.isupper() and not after.isalpha()):
        return -0.5
    return 1.0 if after.isalpha() else 0.2
