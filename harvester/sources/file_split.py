"""What a file holds, told from its first bytes and never from its name, and how it is cut into records."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from harvester.formats.iso2709_split import PADDING
from harvester.formats.iso2709_split import split as split_iso2709
from harvester.formats.json_split import split_objects
from harvester.formats.line_marc import split as split_lines
from harvester.formats.span import MAX_RECORD, Bytes, Piece, Span, as_stream, damages
from harvester.formats.xml_split import split_records

SAMPLE = 1_000_000
SHEET, LIST, PAGE, UNKNOWN = "sheet", "list", "web-page", "unknown"

_LEADER = re.compile(rb"[0-9 ]{5}[\x20-\x7e]{7}[0-9 ]{5}[^\n\r]{7}(?:[0-9A-Za-z]{3}[0-9]|[0-9A-Za-z]{0,3}$)")
_CUT_LEADER = re.compile(rb"[0-9]{1,5}(?:(?<=[0-9]{5})[a-z][ -~]{0,17})?")  # a file of less than a leader
_LINE_MARC = re.compile(rb"=?(?:LDR|LEADER|000)\s|=[0-9]{3} |[0-9]{5}[a-z][a-z].{2}[ a]22[0-9]{5}.{3}4500\s*\n")
_TAG = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?([A-Za-z_][\w.-]*)[\s/>]")
_PROLOG = re.compile(rb"\s*(?:<\?.*?\?>|<!--.*?-->|\s)*", re.DOTALL)
_HTML = re.compile(rb"<(?:!doctype\s+html|html)[\s>]", re.IGNORECASE)
_MARC_TAGS = {b"leader", b"controlfield", b"datafield"}
_DC_TAGS = {b"dc", b"qualifieddc", b"qdc"}
_ENVELOPES = {b"OAI-PMH", b"ListRecords", b"GetRecord"}
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def kind_of(head: bytes) -> str:
    """The format of a file that begins with *head*: iso2709, marcxml, mods, oai_dc, marc_json, line_marc, sheet …

    `web-page` is an answer of something else (a log-in page saved as dump.mrc), `unknown` is binary.
    """
    body = head
    for bom in _BOMS:
        body = body.removeprefix(bom)
    start = PADDING.match(body)
    body = body[start.end() if start else 0 :]
    if head.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        return SHEET
    if body.startswith(b"<"):
        return _xml_kind(body)
    if _LEADER.match(body) or _CUT_LEADER.fullmatch(body[:25]):
        return "iso2709"
    if body.startswith((b"{", b"[")):
        return "marc_json"
    if _LINE_MARC.match(body):
        return "line_marc"
    if b"\x1e" in body and b"\x1f" in body:
        return "iso2709"
    return UNKNOWN if _binary(head) else SHEET


def _xml_kind(body: bytes) -> str:
    if _HTML.match(body, _end_of_prolog(body)):
        return PAGE
    tags = [found[1] for found in _TAG.finditer(body[: 64 << 10])]
    for tag in tags:
        if tag in _MARC_TAGS:
            return "marcxml"
        if tag == b"mods":
            return "mods"
        if tag in _DC_TAGS:
            return "oai_dc"
    if tags and tags[0].lower() in (b"body", b"head", b"script"):
        return PAGE
    return "oai_dc" if b"purl.org/dc/" in body else "marcxml"


def _end_of_prolog(body: bytes) -> int:
    found = _PROLOG.match(body)
    return found.end() if found else 0


def _binary(head: bytes) -> bool:
    """True for bytes that no text has; UTF-16 has NUL in every second byte."""
    if head.startswith(_BOMS[1:]):
        return False
    sample = head[:4000]
    controls = sum(1 for byte in sample if byte < 32 and byte not in b"\t\n\r\x1a")
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    return controls * 20 > len(sample) and not (min(even, odd) == 0 and max(even, odd) * 3 > len(sample) // 2)


def pieces(kind: str, head: bytes, stream: BinaryIO) -> Iterator[Piece]:
    """Every record of *stream* as a Span, and a Damage for all other bytes but padding."""
    if kind in ("mods", "oai_dc"):
        return split_records(stream, _tag_of(kind, head))
    return _SPLITTERS[kind](stream)


def _tag_of(kind: str, head: bytes) -> str:
    """The element that is one record: with its OAI-PMH header where there is one."""
    tags = {found[1] for found in _TAG.finditer(head)}
    if tags & _ENVELOPES:
        return "record"
    if kind == "mods":
        return "mods"
    return next((tag.decode() for tag in sorted(_DC_TAGS & tags)), "record")


def _list(source: Bytes) -> Iterator[Piece]:
    """A line an identifier; of a line with several cells the first one; # begins a remark."""
    stream = as_stream(source)
    offset = 0
    while line := stream.readline(MAX_RECORD):
        text = line.removeprefix(_BOMS[0]).strip(b"\xef\xbb\xbf\x00\x1a\r\n\t ")
        if text and not text.startswith(b"#"):
            if len(text) > 4000 or _binary(text):
                yield from damages(offset, line, "garbage", "This line is no identifier.")
            else:
                yield Span(offset, text)
        offset += len(line)


def _unknown(source: Bytes) -> Iterator[Piece]:
    yield from _sampled(as_stream(source), "garbage", "These bytes are in no format that is known.")


def _page(source: Bytes) -> Iterator[Piece]:
    yield from _sampled(as_stream(source), "web-page", "This is a web page, not a file of records.")


def _sampled(stream: BinaryIO, reason: str, message: str) -> Iterator[Piece]:
    """The beginning of what is no file of records; the rest is read only to see that it stays within the bounds."""
    sample = stream.read(SAMPLE)
    rest = 0
    while chunk := stream.read(1 << 20):
        rest += len(chunk)
    yield from damages(0, sample, reason, f"{message} {rest:,} further bytes were not kept." if rest else message)


_SPLITTERS: dict[str, Callable[[Bytes], Iterator[Piece]]] = {
    "iso2709": split_iso2709,
    "unimarc": split_iso2709,
    "marcxml": lambda source: split_records(source, "record"),
    "marc_json": split_objects,
    "line_marc": split_lines,
    LIST: _list,
    PAGE: _page,
    UNKNOWN: _unknown,
}
KINDS = (*_SPLITTERS, "mods", "oai_dc", SHEET)
