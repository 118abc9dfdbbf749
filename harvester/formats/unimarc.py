"""UNIMARC in the same physical forms as MARC 21: the charset comes from 100 $a, and 4XX may hold whole fields in $1."""

from __future__ import annotations

from typing import NamedTuple

from harvester.formats import Record, formats, iso2709, marcxml
from harvester.formats.encodings import Charset
from harvester.formats.iso2709_repair import Dissected
from harvester.formats.light import DELIMITER, is_control

ISO_5426 = ("03", "11")
UNICODE = "50"


@formats.register("unimarc")
def parse(payload: bytes) -> Record:
    """The light form of one UNIMARC record in ISO 2709 or MARCXML.

    Raises:
        RecordError: as iso2709 and marcxml.
    """
    if payload.lstrip(b"\xef\xbb\xbf\r\n\t ").startswith(b"<"):
        return marcxml.parse(payload)
    if payload.isascii() and b"\x1b" not in payload:
        found = iso2709.quick(payload)
        if found is not None:
            return found
    return iso2709.slow(payload, lambda found: charset(general_data(found)))


def general_data(found: Dissected) -> str:
    """100 $a of a dissected record; "" when it has none."""
    for tag, raw in zip(found.tags, found.raws, strict=True):
        if tag == "100" and b"\x1fa" in raw:
            return raw.partition(b"\x1fa")[2].partition(b"\x1f")[0].decode("ascii", "replace")
    return ""


def charset(general: str) -> Charset:
    """The charset that 100 $a/26-29 states: 50 is Unicode, 03 and 11 are ISO 5426; Unicode where it says nothing."""
    codes = (general[26:28], general[28:30], general[30:32], general[32:34])
    if UNICODE in codes:
        return "utf8"
    return "iso5426" if codes[0] == "01" or any(code in ISO_5426 for code in codes) else "utf8"


class Embedded(NamedTuple):
    """One field inside a linking field: its tag and a body as in a light record."""

    tag: str
    body: str


def embedded(body: str) -> list[Embedded]:
    """The fields inside the linking field (4XX) *body*: each $1 begins one, what follows are its subfields.

    Empty for a link in the standard-subfields technique ($t, $x …).
    """
    fields: list[tuple[str, list[str]]] = []
    for part in body.split(DELIMITER)[1:]:
        if part.startswith("1") and len(part) >= 4:
            tag, rest = part[1:4], part[4:]
            fields.append((tag, [rest if is_control(tag) else rest[:2].ljust(2)]))
        elif fields:
            fields[-1][1].append(part)
    return [Embedded(tag, DELIMITER.join(parts)) for tag, parts in fields]
