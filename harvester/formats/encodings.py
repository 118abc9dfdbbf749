"""Which charset a field is really in, decided by evidence: what it declares, what is valid, what is plausible.

Nothing here is silent: every decoding other than the declared one becomes a flag,
`encoding:<what>:<tag>:<before → after>`:

utf8-under-marc8, marc8-under-utf8, latin1-under-utf8, cp1252-under-marc8 …  the charset was not the declared one
mixed        UTF-8 and single bytes of cp1252 in one field
cut          a UTF-8 character cut in two at the end of a subfield (a column of fixed width): U+FFFD stands there
unknown-code a code that its charset does not have: U+FFFD stands there
doubtful     no reading is plausible; the best one stands there
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal, NamedTuple

from harvester.formats import iso5426, marc8
from harvester.formats.characters import REPLACEMENT, clean, flags_of
from harvester.formats.mojibake import undouble
from harvester.formats.plausible import plausibility

__all__ = ["Charset", "declared_marc21", "decode_bodies", "decode_text", "undouble"]

Charset = Literal["utf8", "marc8", "iso5426"]
PRIOR = 0.35  # points that the declared charset, or cp1252 under a false UTF-8, has ahead
DOUBTFUL = -0.4
MAX_FLAGS = 64
SAMPLE = 20_000  # bytes of a field that are read in every way; the rest follows them
# Single-byte charsets of other scripts, tried where three letters of the script would follow each other.
OTHER_SCRIPTS = {"cp1256": re.compile("[\u0621-\u064a]{3}"), "cp1251": re.compile("[\u0410-\u044f]{3}")}
CUT_TAIL = re.compile(rb"(?:[\xc3-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})(?=[\x1f\s]*(?:\x1f|$))")
MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe1-\xef][\x80-\xbf]{2}|\xe0[\xa0-\xbf][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}"
)
_CODE = re.compile("\x1f.?")
SURROGATES = re.compile(rb"\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf]")


class Reading(NamedTuple):
    """One way to read a field: charset, text, codes it could not read, points."""

    charset: str
    text: str
    unknown: int
    points: float


def declared_marc21(leader: str) -> Charset:
    """The charset that leader/09 states: `a` is UTF-8, all else MARC-8."""
    return "utf8" if leader[9:10] == "a" else "marc8"


def decode_text(raw: bytes, declared: Charset = "utf8", where: str = "") -> tuple[str, tuple[str, ...]]:
    """The text of *raw* by the best reading, with the flags of what was repaired (`where` ends each flag)."""
    texts, flags = decode_bodies([where], [raw], declared)
    return texts[0], flags


def decode_bodies(tags: Sequence[str], raws: Sequence[bytes], declared: Charset) -> tuple[list[str], tuple[str, ...]]:
    """The text of each field body in NFC, and the record's flags in field order.

    Fields that are not valid in the declared charset vote together: a record is seldom in two single-byte charsets.
    """
    scripts = [name for name, script in OTHER_SCRIPTS.items() if any(_shows(raw, name, script) for raw in raws)]
    readings = [_readings(raw, declared, scripts) for raw in raws]
    totals = _votes(readings)
    texts: list[str] = []
    flags: dict[str, None] = {}
    for tag, raw, found in zip(tags, raws, readings, strict=True):
        best = _best(found, totals)
        if len(found) > 1 and len(raw) > SAMPLE:
            best = _whole(raw, best)
        text, done = clean(best.text)
        texts.append(text)
        flags.update(dict.fromkeys(flags_of((*_flags(best, declared), *done), tag, raw, text)))
    return texts, tuple(flags)[:MAX_FLAGS]


def _shows(raw: bytes, charset: str, script: re.Pattern[str]) -> bool:
    """True when *raw* would hold three letters of another script in a row, and may be in its charset."""
    return not raw.isascii() and _valid(raw) is None and script.search(raw.decode(charset, "replace")) is not None


def _valid(raw: bytes) -> str | None:
    """*raw* as UTF-8; None when it is not valid."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _readings(raw: bytes, declared: Charset, scripts: Sequence[str]) -> list[Reading]:
    """The possible readings of *raw*; a single one where there is no question."""
    if raw.isascii() and b"\x1b" not in raw:
        return [Reading("ascii", raw.decode("ascii"), 0, 1.0)]
    if b"\x1b" in raw and marc8.has_escapes(raw):
        return [_read(raw, "marc8", marc8.decode, 1.0)]
    if raw.isascii():
        return [Reading("ascii", raw.decode("ascii"), 0, 1.0)]
    # Several bytes that form valid UTF-8 by chance are all but unknown, in MARC-8 too.
    valid = _valid(raw)
    return _contested(_sample(raw), declared, scripts) if valid is None else [Reading("utf8", valid, 0, 1.0)]


def _contested(raw: bytes, declared: Charset, scripts: Sequence[str]) -> list[Reading]:
    """Every reading of bytes that are no UTF-8."""
    if SURROGATES.search(raw):
        found = _cesu8(raw)
        if found is not None:
            return [Reading("cesu8", found, 0, 1.0)]
    first = PRIOR if declared == "utf8" else 0.0
    readings = [_read(raw, "cp1252", _cp1252, first), _read(raw, "marc8", marc8.decode, PRIOR * (declared == "marc8"))]
    if declared != "marc8":  # UNIMARC; its records that say UTF-8 and are not are ISO 5426 as a rule
        readings.append(_read(raw, "iso5426", iso5426.decode, PRIOR if declared == "iso5426" else -0.1))
    readings += [_read(raw, charset, partial(_single, charset), -0.1) for charset in scripts]
    if CUT_TAIL.search(raw):
        readings.append(_read_cut(raw))
    if MULTIBYTE.search(raw):
        readings.append(_read(raw, "mixed", _mixed, 0.5))
    return [reading for reading in readings if reading.text]


def _sample(raw: bytes) -> bytes:
    """The beginning of a long field, cut behind an ASCII character where there is one."""
    if len(raw) <= SAMPLE:
        return raw
    return raw[:SAMPLE].rstrip(bytes(range(0x80, 0x100))) or raw[:SAMPLE]


def _whole(raw: bytes, best: Reading) -> Reading:
    """The whole of a long field, read as its sample was read best."""
    if best.charset in OTHER_SCRIPTS:
        decode: Callable[[bytes], tuple[str, int]] = partial(_single, best.charset)
    else:
        decode = {"marc8": marc8.decode, "iso5426": iso5426.decode, "cp1252": _cp1252}.get(best.charset, _mixed)
    parts = [decode(part) for part in raw.split(b"\x1f")]
    return best._replace(text="\x1f".join(text for text, _ in parts), unknown=sum(count for _, count in parts))


def _read(raw: bytes, charset: str, decode: Callable[[bytes], tuple[str, int]], prior: float) -> Reading:
    """*raw* read subfield by subfield: the state of MARC-8 ends with each of them."""
    parts = [decode(part) for part in raw.split(b"\x1f")]
    text = unicodedata.normalize("NFC", "\x1f".join(part for part, _ in parts))
    unknown = sum(count for _, count in parts)
    return Reading(charset, text, unknown, plausibility(_CODE.sub(" ", clean(text)[0])) + prior)


def _read_cut(raw: bytes) -> Reading:
    """Valid UTF-8 but for characters cut in two at the end of a subfield; they count as no evidence."""
    try:
        text = CUT_TAIL.sub(b"", raw).decode("utf-8")
    except UnicodeDecodeError:
        return Reading("cut", "", 0, 0.0)
    points = plausibility(_CODE.sub(" ", text)) if not text.isascii() else -0.2
    return Reading("cut", CUT_TAIL.sub(REPLACEMENT.encode(), raw).decode("utf-8"), 0, points + 0.3)


def _cp1252(raw: bytes) -> tuple[str, int]:
    return "".join(_CP1252[byte] for byte in raw), 0


def _single(charset: str, raw: bytes) -> tuple[str, int]:
    text = raw.decode(charset, "replace")
    return text, text.count(REPLACEMENT)


_CP1252 = [bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in range(256)]


def _single_byte(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _CP1252[error.object[error.start]], error.start + 1


codecs.register_error("induk-cp1252", _single_byte)


def _mixed(raw: bytes) -> tuple[str, int]:
    return raw.decode("utf-8", "induk-cp1252"), 0


def _cesu8(raw: bytes) -> str | None:
    """UTF-8 whose characters beyond U+FFFF were written as two surrogates (Oracle, old Java)."""
    try:
        return raw.decode("utf-8", "surrogatepass").encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeError:
        return None


def _votes(readings: Sequence[Sequence[Reading]]) -> dict[str, float]:
    """Mean points of each charset over the contested fields of a record, long fields counting for more."""
    contested = [found for found in readings if len(found) > 1]
    # A field with escape sequences is MARC-8 beyond doubt; so, then, are its neighbours.
    escaped = any(len(found) == 1 and found[0].charset == "marc8" for found in readings)
    totals = {"marc8": 5.0} if escaped else {}
    whole = sum(_weight(found) for found in contested)
    for found in contested:
        share = _weight(found) / whole
        for reading in found:
            totals[reading.charset] = totals.get(reading.charset, 0.0) + reading.points * share
    return totals


def _weight(found: Sequence[Reading]) -> float:
    """How much a field says: one and its characters beyond ASCII, as its first reading has them."""
    return 1.0 + sum(character > "\x7f" for character in found[0].text)


def _best(found: Sequence[Reading], totals: dict[str, float]) -> Reading:
    """The reading with most points of its own and of the record's other fields; the first of equals."""
    if len(found) == 1:
        return found[0]
    return max(found, key=lambda reading: reading.points + 0.7 * totals.get(reading.charset, 0.0))


def _flags(reading: Reading, declared: Charset) -> list[str]:
    flags = []
    name = reading.charset
    if name in ("cut", "mixed", "cesu8"):
        flags.append(f"encoding:{name}")
    elif name not in (declared, "ascii"):
        flags.append(f"encoding:{_spoken(reading)}-under-{declared}")
    if reading.unknown:
        flags.append("encoding:unknown-code")
    if reading.points < DOUBTFUL:
        flags.append("encoding:doubtful")
    return flags


def _spoken(reading: Reading) -> str:
    """`latin1` for cp1252 without the characters that only cp1252 has."""
    if reading.charset == "cp1252" and all(character < "\u0100" for character in reading.text):
        return "latin1"
    return reading.charset
