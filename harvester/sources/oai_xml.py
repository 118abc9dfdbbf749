"""Reads one OAI-PMH answer: strictly and once; without what was printed around it; and only then by salvage."""

from __future__ import annotations

import re
from typing import Any

from harvester.errors import Blocked, ProtocolError, RecordError, Refused
from harvester.formats.xml_safe import parse
from harvester.sources.oai_salvage import CLOSING, DECLARED, OPENING, salvage
from harvester.sources.oai_sheet import Sheet, local, sheet_of

_HTML = re.compile(rb"(?i)<!doctype\s+html|<html\b|<head\b|<body\b|<title\b")
_TITLE = re.compile(rb"(?is)<title[^>]*>(.{0,200}?)</")
_UTF8 = (b"utf-8", b"utf8", b"us-ascii")


class Unreadable(Exception):
    """Nothing of the answer can be read: empty, cut before it began, or no XML. Another fetch may help."""


def read(body: bytes, verb: str) -> Sheet:
    """The answer *body* to *verb*.

    Raises:
        Blocked: it is a page for people: log-in, maintenance, bot wall, captive portal.
        ProtocolError: it is XML, but not OAI-PMH.
        Refused: it has a document type declaration, or passes a bound of our parser.
        Unreadable: nothing in it can be read.
    """
    try:
        root = _parsed(body)
    except RecordError as error:
        _refuse_page_for_people(body)
        if error.reason in ("doctype", "bounds"):
            raise Refused(error.message) from None
        return _mended(body, verb, error)
    _refuse_other_root(root, body)
    return sheet_of(root, verb, _charset_flags(body))


def _parsed(body: bytes) -> Any:
    # The length is bounded where it was fetched.
    return parse(body, max_bytes=len(body) + 1)


def _mended(body: bytes, verb: str, error: RecordError) -> Sheet:
    opening = OPENING.search(body)
    if opening is None:
        if body.strip() and b"<" not in body:
            raise Blocked(f"plain text answered instead of OAI-PMH: {body[:80].decode('utf-8', 'replace')!r}")
        raise Unreadable(error.message)
    trimmed, flags = _trimmed(body, opening)
    if not flags:
        return salvage(body, verb, ())
    try:
        return sheet_of(_parsed(trimmed), verb, (*flags, "repaired", *_charset_flags(trimmed)))
    except RecordError as again:
        if again.reason in ("doctype", "bounds"):
            raise Refused(again.message) from None
        return salvage(trimmed, verb, flags)


def _trimmed(body: bytes, opening: re.Match[bytes]) -> tuple[bytes, tuple[str, ...]]:
    """The document without what PHP or a proxy printed before and after it (findsorguk#843, INLISLite 3.2)."""
    start = body.rfind(b"<?xml", 0, opening.start())
    start = opening.start() if start < 0 else start
    end = max((match.end() for match in CLOSING.finditer(body, opening.end())), default=len(body))
    before = ("noise-before",) if start else ()
    after = ("noise-after",) if body[end:].strip() else ()
    return body[start:end], before + after


def _refuse_page_for_people(body: bytes) -> None:
    if OPENING.search(body) is None and _HTML.search(body, 0, 20_000):
        raise Blocked(f"a page for people answered instead of OAI-PMH: {_title(body)}")


def _refuse_other_root(root: Any, body: bytes) -> None:
    name = local(root)
    if name.lower() == "html":
        raise Blocked(f"a page for people answered instead of OAI-PMH: {_title(body)}")
    if name != "OAI-PMH":
        raise ProtocolError(f"the answer is <{name[:60]}>, not OAI-PMH", code="notOAI")


def _title(page: bytes) -> str:
    found = _TITLE.search(page, 0, 20_000)
    text = " ".join(found[1].decode("utf-8", "replace").split()) if found else ""
    return repr(text[:100]) if text else "without a title"


def _charset_flags(body: bytes) -> tuple[str, ...]:
    """`charset-doubt` where a single-byte encoding is declared but the bytes are sound UTF-8 (Z061)."""
    declared = DECLARED.match(body[:200])
    if declared is None or declared[1].lower() in _UTF8 or body.isascii():
        return ()
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return ()
    return ("charset-doubt",)
