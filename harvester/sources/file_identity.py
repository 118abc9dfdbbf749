"""The identifier of a record in a file, by the source's rule or from 001, and whether the record says it is deleted."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.model import MarcRecord, XmlRecord

MAX_IDENTIFIER = 200
_RULE = re.compile(r"(?P<tag>[0-9A-Za-z]{3})(?:\$(?P<code>[0-9a-z]))?")
_HEADER = re.compile(rb"<(?:[\w.-]+:)?header\b(?P<attributes>[^<>]*)>(?P<body>.*?)</(?:[\w.-]+:)?header>", re.DOTALL)
_HEADER_ID = re.compile(rb"<(?:[\w.-]+:)?identifier>\s*([^<]+?)\s*</")
_STATUS = re.compile(rb"\bstatus\s*=\s*[\"']deleted[\"']")
_ENTITIES = ((b"&lt;", b"<"), (b"&gt;", b">"), (b"&quot;", b'"'), (b"&apos;", b"'"), (b"&amp;", b"&"))


class Found(NamedTuple):
    """An identifier ("" when there is none) and whether the record says that it is deleted."""

    identifier: str
    deleted: bool = False


def find(format_: str, payload: bytes, rule: str) -> Found:
    """Identifier and deletion mark of one record.

    Raises:
        RecordError: the record cannot be read.
    """
    if format_ in ("iso2709", "unimarc"):
        quick = _quick(payload, rule or "001")
        if quick is not None:
            return Found(_clean(quick), payload[5:6] == b"d")
    else:
        header = _HEADER.search(payload[:20_000])
        if header:
            found = _HEADER_ID.search(header["body"])
            return Found(_clean(_unescaped(found[1])) if found else "", bool(_STATUS.search(header["attributes"])))
    record = formats.get(format_)(payload)
    if isinstance(record, MarcRecord):
        return Found(_clean(_marc(record, rule)), record.leader[5:6] == "d")
    if isinstance(record, XmlRecord):
        return Found(_clean(_xml(record, rule)))
    return Found("")


def _quick(payload: bytes, rule: str) -> str | None:
    """The control field *rule* straight from the directory; None when that cannot be trusted."""
    if len(rule) != 3 or not rule.startswith("00"):
        return None
    end = payload.find(b"\x1e", 24)
    directory = payload[24:end]
    if end < 0 or len(directory) % 12 or payload[12:17] != b"%05d" % (end + 1):
        return None
    entry = _entry_of(rule)
    found = entry(directory)
    if found is None or entry(directory, found.end()):
        return None
    length, start = found[1], found[2]
    if not (length + start).isdigit():
        return None
    first = end + 1 + int(start)
    raw = payload[first : first + int(length)]
    if not raw.endswith(b"\x1e") or not raw[:-1].isascii() or b"\x1e" in raw[:-1]:
        return None
    return raw[:-1].decode("ascii")


@cache
def _entry_of(tag: str) -> Callable[..., re.Match[bytes] | None]:
    """What finds the next entry of a tag in a directory."""
    return re.compile(rb"(?:.{12})*?" + re.escape(tag.encode()) + rb"(.{4})(.{5})", re.DOTALL).match


def _marc(record: MarcRecord, rule: str) -> str:
    """The first field or subfield that *rule* names and that is not empty."""
    found = _RULE.fullmatch(rule or "001")
    if found is None:
        raise RecordError(f"The identifier rule {rule!r} is none; write 001 or 035$a.", reason="identifier-rule")
    for body in record.bodies(found["tag"]):
        if not found["code"]:
            return body
        for part in body.split("\x1f")[1:]:
            if part[:1] == found["code"] and part[1:].strip():
                return part[1:]
    return ""


def _xml(record: XmlRecord, rule: str) -> str:
    """The first element that *rule* names; MODS keeps its own in recordInfo/recordIdentifier."""
    for name in [rule.removeprefix("dc:")] if rule else ["recordInfo/recordIdentifier", "identifier"]:
        texts = [text for text in record.texts(name) if text.strip()]
        if texts:
            return texts[0]
    return ""


def _clean(text: str) -> str:
    """*text* as an identifier; blanks at its ends and inside count once, control characters make it unusable."""
    text = " ".join(text.split())
    return text if len(text) <= MAX_IDENTIFIER and text.isprintable() else ""


def _unescaped(raw: bytes) -> str:
    for entity, sign in _ENTITIES:
        raw = raw.replace(entity, sign)
    return raw.decode("utf-8", "replace")
