"""Saves what is sound in a broken answer: its records are cut out by a scanner and parsed strictly one by one.

One bad character then costs at most its own record. lxml's recover mode is never used: it ends a cut list as if it
were complete (sickle#19). The answer counts as whole only when the envelope is sound and every record in it was read,
mended, or is at least surely one; everything else makes its run partial.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec

from harvester.errors import RecordError, Refused
from harvester.formats.xml_mend import mend
from harvester.formats.xml_safe import parse
from harvester.sources.oai_sheet import LISTS, Piece, Sheet, children, local, only_records, sheet_of, stray

MOST_RECORDS = 20_000  # salvaged one by one; sound answers are bounded by their bytes
_LARGEST = 1 << 20  # a larger broken record is not mended

_PREFIX = rb"(?:[A-Za-z_][\w.-]*:)?"
_ATTRIBUTES = rb"(?:\s[^<>]*)?>"
OPENING = re.compile(rb"<(" + _PREFIX + rb"OAI-PMH)" + _ATTRIBUTES)
CLOSING = re.compile(rb"</" + _PREFIX + rb"OAI-PMH\s*>")
DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_RECORD = re.compile(
    rb"<" + _PREFIX + rb"record" + _ATTRIBUTES + rb"\s*(?:<!--.*?-->\s*)?<" + _PREFIX + rb"(?:header|metadata)\b"
)
_RECORD_END = re.compile(rb"</" + _PREFIX + rb"record\s*>")
_HEADER = re.compile(rb"<" + _PREFIX + rb"header" + _ATTRIBUTES + rb"\s*<" + _PREFIX + rb"identifier\b")
_HEADER_END = re.compile(rb"</" + _PREFIX + rb"header\s*>")
_LIST_END = re.compile(
    rb"<" + _PREFIX + rb"resumptionToken\b|</" + _PREFIX + rb"(?:ListRecords|ListIdentifiers|GetRecord)\s*>"
)
_TOKEN = re.compile(rb"<(" + _PREFIX + rb")resumptionToken\b[^<>]*>[^<]*</\1resumptionToken\s*>")


class Frame(msgspec.Struct, frozen=True):
    """The root tag of the answer and its encoding; what is wrapped into it keeps its namespaces."""

    opening: bytes
    name: bytes
    encoding: bytes

    def wrap(self, span: bytes) -> bytes:
        """*span* as a document of its own."""
        return b'<?xml version="1.0" encoding="%s"?>%s%s</%s>' % (self.encoding, self.opening, span, self.name)


def salvage(body: bytes, verb: str, flags: tuple[str, ...]) -> Sheet:
    """What is sound in *body*, an answer that has a root tag but is not well-formed; flagged repaired or salvaged.

    Raises:
        Refused: more records than are salvaged.
    """
    opening, declared = OPENING.search(body), DECLARED.match(body[:200])
    if opening is None:
        return Sheet(None, whole=False, flags=(*flags, "salvaged"))
    frame = Frame(opening[0], opening[1], declared[1] if declared else b"utf-8")
    spans, rest, tail = _cut(body, verb)
    pieces = tuple(piece for span in spans for piece in _pieces(span, frame))
    root = _envelope(rest)
    # What the scanner did not recognise as a record, but is one, is still in the envelope.
    sheet = Sheet(None, flags=flags) if root is None else sheet_of(root, verb, flags)
    sure = all(piece.element is not None or piece.header is not None for piece in pieces)
    whole = root is not None and not tail and sure
    token = sheet.token if sheet.token is not None else _token(body, frame)
    return Sheet(root, sheet.pieces + pieces, whole, (*sheet.flags, "repaired" if whole else "salvaged"), token, tail)


def _cut(body: bytes, verb: str) -> tuple[list[bytes], bytes, bytes]:
    """The bytes of each record, the answer without them, and a record that was cut off at the end."""
    start_pattern, end_pattern = (_HEADER, _HEADER_END) if verb == "ListIdentifiers" else (_RECORD, _RECORD_END)
    starts = [match.start() for match in start_pattern.finditer(body)]
    if len(starts) > MOST_RECORDS:
        raise Refused(f"a broken answer with more than {MOST_RECORDS:,} records")
    spans: list[bytes] = []
    rest: list[bytes] = []
    tail = b""
    position = 0
    for start, following in pairwise([*starts, len(body)]):
        last = following == len(body)
        stop = _list_end(body, start) if last else following
        ends = [match.end() for match in end_pattern.finditer(body, start, stop)]
        rest.append(body[position:start])
        position = ends[-1] if ends else stop
        if ends or not last:
            spans.append(body[start:position])
        else:
            tail = body[start:stop]
    rest.append(body[position:])
    return spans, b"".join(rest), tail


def _list_end(body: bytes, start: int) -> int:
    found = _LIST_END.search(body, start)
    return found.start() if found else len(body)


def _pieces(span: bytes, frame: Frame) -> list[Piece]:
    """The record in *span*, or the several that a damaged tag has joined into it."""
    try:
        return _apart(parse(frame.wrap(span)), span, ())
    except RecordError as error:
        problem = error.message
    if len(span) <= _LARGEST:
        mended, flags = mend(frame.wrap(span))
        try:
            return _apart(parse(mended), span, flags)
        except RecordError:
            pass
    return [Piece(None, span, (), problem, _header(span, frame))]


def _apart(wrapped: Any, span: bytes, flags: tuple[str, ...]) -> list[Piece]:
    if not only_records(wrapped):
        return [Piece(None, span, (), "text or elements that belong to no record")]
    return [Piece(each, span if flags else b"", flags) for each in wrapped if local(each)]


def _envelope(rest: bytes) -> Any:
    """The answer without its records, strictly parsed; None when it is broken or holds more than records."""
    try:
        root = parse(rest, max_bytes=len(rest) + 1)
    except RecordError:
        return None
    return None if any(stray(each) for name in LISTS for each in children(root, name)) else root


def _header(raw: bytes, frame: Frame) -> Any:
    """The header of a record that cannot be read, when it is sound and surely the only one; else None."""
    opened, closed = _count(raw, b"record")
    if opened != closed or _count(raw, b"header") != (1, 1) or _count(raw, b"metadata") not in ((0, 0), (1, 1)):
        return None
    start, end = _HEADER.search(raw), _HEADER_END.search(raw)
    if start is None or end is None:
        return None
    found = _only_child(frame.wrap(raw[start.start() : end.end()]))
    names = [] if found is None else [local(child) for child in found]
    known = names.count("identifier") == 1 and names.count("datestamp") <= 1
    return found if known and set(names) <= {"identifier", "datestamp", "setSpec", ""} else None


def _count(raw: bytes, name: bytes) -> tuple[int, int]:
    """How often an element opens and closes, under any prefix."""
    tag = _PREFIX + name
    return len(re.findall(rb"<" + tag + rb"[\s>]", raw)), len(re.findall(rb"</" + tag + rb"\s*>", raw))


def _token(body: bytes, frame: Frame) -> Any:
    """The resumption token of a broken answer, when its element is whole."""
    found = [match[0] for match in _TOKEN.finditer(body)]
    return _only_child(frame.wrap(found[-1])) if found else None


def _only_child(document: bytes) -> Any:
    try:
        root = parse(document)
    except RecordError:
        return None
    return root[0] if len(root) == 1 else None
