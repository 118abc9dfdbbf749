"""One OAI-PMH answer: bytes → envelope and records, read strictly once; broken answers are salvaged, always flagged.

Records of a broken answer are cut out by a scanner and parsed strictly one by one, so that one bad character costs at
most its own record. lxml's recover mode is never used: it ends a cut list as if it were complete (sickle#19).
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import msgspec
from lxml import etree

from harvester.errors import Blocked, ProtocolError, Refused
from harvester.sources import oai_repair

MOST_RECORDS = 20_000  # salvaged one by one; whole answers are bounded by their bytes

_LISTS = ("ListRecords", "ListIdentifiers", "GetRecord")

OAI_NAMESPACE = "http://www.openarchives.org/OAI/2.0/"

_OPENING = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)OAI-PMH\b[^<>]*>")
_CLOSING = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?OAI-PMH\s*>")
_RECORD = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?record(?:\s[^<>]*)?>\s*(?:<!--.*?-->\s*)?<(?:[\w.-]+:)?(?:header|metadata)\b"
)
_HEADER = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?header(?:\s[^<>]*)?>\s*<(?:[\w.-]+:)?identifier\b")
_RECORD_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?record\s*>")
_HEADER_END = re.compile(rb"</(?:[A-Za-z_][\w.-]*:)?header\s*>")
_LIST_END = re.compile(
    rb"<(?:[A-Za-z_][\w.-]*:)?resumptionToken\b|</(?:[\w.-]+:)?(?:ListRecords|ListIdentifiers|GetRecord)\s*>"
)
_TOKEN = re.compile(rb"<((?:[A-Za-z_][\w.-]*:)?)resumptionToken\b[^<>]*>[^<]*</\1resumptionToken\s*>")
_DECLARED = re.compile(rb"^\s*<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_HTML = re.compile(rb"(?i)<!doctype\s+html|<html\b|<head\b|<body\b|<title\b")


class Unreadable(Exception):
    """Nothing of the answer can be read: empty, cut before it began, or no XML. Another fetch may help."""


class Piece(msgspec.Struct, frozen=True):
    """One record as it stood in the answer: its element, or what is wrong and its header if at least that is sound.

    `raw` is there only where it was not strict XML.
    """

    element: Any = None
    raw: bytes = b""
    flags: tuple[str, ...] = ()
    problem: str = ""
    header: Any = None


class Sheet(msgspec.Struct, frozen=True):
    """One answer, read. `whole` means that every byte between its first and last tag is accounted for."""

    root: Any
    pieces: tuple[Piece, ...] = ()
    whole: bool = True
    flags: tuple[str, ...] = ()
    token: Any = None
    tail: bytes = b""


def parse(document: bytes) -> Any:
    """The root of *document*, strictly parsed, without entities, DTD or network.

    Raises:
        etree.XMLSyntaxError: not well-formed.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
    )
    return etree.fromstring(document, parser)


def local(element: Any) -> str:
    """The name of *element* without its namespace; "" for comments and processing instructions."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def children(element: Any, name: str) -> list[Any]:
    """The children of *element* with the local name *name*, whatever their namespace."""
    return [child for child in element if local(child) == name]


def text_of(element: Any) -> str:
    """All text within *element*."""
    return "".join(element.itertext())


def read(body: bytes, verb: str) -> Sheet:
    """The answer *body* to *verb*.

    Raises:
        Blocked: it is a page for people: log-in, maintenance, bot wall, captive portal.
        ProtocolError: it is XML, but not OAI-PMH.
        Refused: it has a document type declaration.
        Unreadable: nothing in it can be read.
    """
    if not body.strip():
        raise Unreadable("empty answer")
    try:
        root = parse(body)
    except etree.XMLSyntaxError as error:
        _refuse_page_for_people(body)
        return _mend(body, verb, str(error))
    except ValueError as error:
        raise Unreadable(str(error)) from None
    return _sheet(root, verb, _charset_flags(body))


def _sheet(root: Any, verb: str, flags: tuple[str, ...]) -> Sheet:
    if local(root) != "OAI-PMH":
        _refuse_other_root(root)
    if root.getroottree().docinfo.internalDTD is not None:
        raise Refused("the answer carries a document type declaration")
    if root.tag != f"{{{OAI_NAMESPACE}}}OAI-PMH":
        flags += ("namespace",)
    name = "header" if verb == "ListIdentifiers" else "record"
    lists = children(root, verb)
    if verb in _LISTS and any(stray(each) for each in lists):
        flags += ("stray-content",)
    pieces = tuple(Piece(element) for each in lists for element in children(each, name))
    tokens = [token for each in lists for token in children(each, "resumptionToken")]
    # Some servers write the token behind the list instead of into it.
    tokens += children(root, "resumptionToken")
    return Sheet(root, pieces, True, flags, tokens[-1] if tokens else None)


def _refuse_page_for_people(body: bytes) -> None:
    start = body[:20_000]
    if _OPENING.search(body) is None and _HTML.search(start):
        raise Blocked(f"a page for people answered instead of OAI-PMH: {_title(start)}")


def _refuse_other_root(root: Any) -> None:
    if local(root).lower() == "html":
        raise Blocked(f"a page for people answered instead of OAI-PMH: {_title(etree.tostring(root)[:20_000])}")
    raise ProtocolError(f"the answer is <{local(root)[:60]}>, not OAI-PMH", code="notOAI")


def _title(page: bytes) -> str:
    found = re.search(rb"(?is)<title[^>]*>(.{0,200}?)</", page)
    text = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return repr(text[:100]) if text else "without a title"


def _charset_flags(body: bytes) -> tuple[str, ...]:
    """`charset-doubt` where a single-byte encoding is declared but the bytes are sound UTF-8 (Z061)."""
    declared = _DECLARED.match(body[:200])
    if declared is None or declared[1].lower() in (b"utf-8", b"utf8", b"us-ascii") or body.isascii():
        return ()
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return ("charset-doubt",)


# ---- broken answers --------------------------------------------------------------------------------------


def _mend(body: bytes, verb: str, why: str) -> Sheet:
    opening = _OPENING.search(body)
    if opening is None:
        if b"<" not in body:
            raise Blocked(f"plain text answered instead of OAI-PMH: {body[:80].decode('utf-8', 'replace')!r}")
        raise Unreadable(why)
    trimmed, flags = _trim(body, opening)
    if flags:
        try:
            return _sheet(parse(trimmed), verb, (*flags, "repaired", *_charset_flags(trimmed)))
        except (etree.XMLSyntaxError, ValueError):
            pass
    if b"<!DOCTYPE" in trimmed.partition(opening[0])[0]:
        raise Refused("the answer carries a document type declaration")
    return _salvage(trimmed, verb, flags)


def _trim(body: bytes, opening: re.Match[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The document without what PHP or a proxy printed before and after it (findsorguk#843, INLISLite 3.2)."""
    start = body.rfind(b"<?xml", 0, opening.start())
    start = opening.start() if start < 0 else start
    end = len(body)
    for closing in _CLOSING.finditer(body, opening.end()):
        end = closing.end()
    before = ("noise-before",) if start else ()
    after = ("noise-after",) if body[end:].strip() else ()
    return body[start:end], before + after


def _salvage(body: bytes, verb: str, flags: tuple[str, ...]) -> Sheet:
    opening = _OPENING.search(body)
    if opening is None:
        raise Unreadable("no OAI-PMH element")
    declared = _DECLARED.match(body[:200])
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    frame = oai_repair.Frame(opening[0], encoding)
    spans, rest, tail = _cut(body, verb)
    pieces = tuple(piece for span in spans for piece in _pieces(span, frame))
    root = _envelope(rest, frame)
    sound = all(piece.element is not None or piece.header is not None for piece in pieces)
    whole = root is not None and not tail and sound
    sheet = _sheet(root, verb, flags) if root is not None else Sheet(None, flags=flags)
    token = sheet.token if sheet.token is not None else _token(body, frame)
    state = "repaired" if whole else "salvaged"
    # What the scanner did not recognise as a record, but is one, is still in the envelope.
    return Sheet(root, sheet.pieces + pieces, whole, (*sheet.flags, state), token, tail)


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
        if ends:
            spans.append(body[start : ends[-1]])
            position = ends[-1]
        elif last:
            tail, position = body[start:stop], stop
        else:
            spans.append(body[start:stop])
            position = stop
    rest.append(body[position:])
    return spans, b"".join(rest), tail


def _list_end(body: bytes, start: int) -> int:
    found = _LIST_END.search(body, start)
    return found.start() if found else len(body)


def _pieces(span: bytes, frame: oai_repair.Frame) -> list[Piece]:
    """The record in *span*, or the several that a damaged tag has joined into it."""
    try:
        return _apart(parse(frame.wrap(span)), span, ())
    except (etree.XMLSyntaxError, ValueError) as error:
        problem = str(error)
    if len(span) > oai_repair.LARGEST:
        return [Piece(None, span, (), problem, _header(span, frame))]
    mended, flags = oai_repair.mend(span, frame)
    try:
        return _apart(parse(frame.wrap_text(mended)), span, flags)
    except (etree.XMLSyntaxError, ValueError):
        return [Piece(None, span, (), problem, _header(span, frame))]


def _apart(wrapped: Any, span: bytes, flags: tuple[str, ...]) -> list[Piece]:
    raw = span if flags else b""
    if not stray(wrapped):
        return [Piece(each, raw, flags) for each in wrapped if local(each)]
    return [Piece(None, span, (), "text or elements that belong to no record")]


def _envelope(rest: bytes, frame: oai_repair.Frame) -> Any:
    """The answer without its records, strictly parsed; None when it is broken or holds more than records."""
    try:
        root = parse(rest)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return None if any(stray(each) for each in root if local(each) in _LISTS) else root


def stray(container: Any) -> bool:
    """True when a list holds text or elements that belong to no record."""
    texts = [container.text, *(child.tail for child in container)]
    known = ("record", "header", "resumptionToken", "error", "set", "metadataFormat", "")
    return any((text or "").strip() for text in texts) or any(local(child) not in known for child in container)


def _header(raw: bytes, frame: oai_repair.Frame) -> Any:
    """The header of a record that cannot be read, when it is sound and surely the only one; else None."""
    opened, closed = _count(raw, b"record")
    if opened != closed or _count(raw, b"header") != (1, 1) or _count(raw, b"metadata") not in ((0, 0), (1, 1)):
        return None
    start, end = _HEADER.search(raw), _HEADER_END.search(raw)
    try:
        header = parse(frame.wrap(raw[start.start() : end.end()]))[0] if start and end else None
    except (etree.XMLSyntaxError, ValueError, IndexError):
        return None
    names = [] if header is None else [local(child) for child in header]
    known = names.count("identifier") == 1 and names.count("datestamp") <= 1
    return header if known and set(names) <= {"identifier", "datestamp", "setSpec", ""} else None


def _count(raw: bytes, name: bytes) -> tuple[int, int]:
    """How often an element opens and closes, under any prefix."""
    tag = rb"(?:[A-Za-z_][\w.-]*:)?" + name
    return len(re.findall(rb"<" + tag + rb"[\s>]", raw)), len(re.findall(rb"</" + tag + rb"\s*>", raw))


def _token(body: bytes, frame: oai_repair.Frame) -> Any:
    """The resumption token of a broken answer, when its element is whole."""
    found = [match[0] for match in _TOKEN.finditer(body)]
    try:
        return parse(frame.wrap(found[-1]))[0]
    except (etree.XMLSyntaxError, ValueError, IndexError):
        return None
