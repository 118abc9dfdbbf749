"""MARCXML as nearly every server writes it, read without an XML parser: five times as fast as walking a parsed tree.

Only a document that is nothing but `record`, `leader`, `controlfield`, `datafield` and `subfield`, in UTF-8, is read
here, and only if one piece follows the other to its last byte. Each piece is well-formed by its pattern, so a parser
would find the same. Whatever else there is (CDATA, comments, other elements, attributes or quotes, character
references, fields without subfields, unknown namespaces) is left to the parser: `quick` returns None.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harvester.formats.characters import ILLEGAL_BYTES

LONGEST = 1_000_000  # bytes; a longer record is left to the parser and its bounds
_REFUSED = ILLEGAL_BYTES + b"\r\x1f"  # illegal in XML, or changed by a parser (line ends)
_NON_CHARACTER = re.compile("[\ufffe\uffff]")
_HEAD = re.compile(
    r'(?:<\?xml version="1\.0" encoding="(?:UTF|utf)-8"\?>[ \n\t]*)?'
    r"<(?P<prefix>(?:[A-Za-z][A-Za-z0-9_-]{0,30}:)?)record(?P<attributes>[^<>]{0,1000})>[ \n\t]*"
)
_ATTRIBUTE = re.compile(r'[ \n\t]+([A-Za-z][A-Za-z0-9:_-]*)="([^"<&\n\t]*)"')
_PREFIX = re.compile("xmlns:(?![xX][mM][lL])[A-Za-z][A-Za-z0-9_-]*")
_ENTITY = re.compile("&(?:amp|lt|gt|quot|apos);")
_SCHEMA_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_NAMESPACES = frozenset(
    (
        "http://www.loc.gov/MARC21/slim",
        "http://www.loc.gov/MARC21/slim/",
        "info:lc/xmlns/marcxchange-v1",
        "info:lc/xmlns/marcxchange-v2",
        "http://www.openarchives.org/OAI/2.0/",
    )
)


class Read(NamedTuple):
    """The leader and the fields of a record, as (tag, body)."""

    leader: str
    fields: list[tuple[str, str]]


class _Shape(NamedTuple):
    """The patterns of a prefix, what stands around a subfield, and the end of the document."""

    leader: re.Pattern[str]
    field: re.Pattern[str]
    opening: str
    closing: str
    end: str


def quick(payload: bytes) -> Read | None:
    """What *payload* holds if it is of the usual make; None if a parser must look at it."""
    if len(payload) > LONGEST or len(payload.translate(None, _REFUSED)) != len(payload) or b"]]>" in payload:
        return None
    try:
        text = payload.decode("utf-8")
    except UnicodeDecodeError:
        return None
    head = _HEAD.match(text)
    if head is None or not _declared(head["prefix"], head["attributes"]):
        return None
    escaped = "&" in text
    if escaped and text.count("&") != len(_ENTITY.findall(text)):
        return None
    if not text.isascii() and _NON_CHARACTER.search(text):
        return None
    return _read(text, head.end(), _shape(head["prefix"]), escaped=escaped)


def _read(text: str, at: int, shape: _Shape, *, escaped: bool) -> Read | None:
    found = shape.leader.match(text, at)
    if found is None:
        return None
    leader = found[1]
    fields: list[tuple[str, str]] = []
    match, opening, closing = shape.field.match, shape.opening, shape.closing
    between = closing + opening
    while True:
        at = found.end()
        found = match(text, at)
        if found is None:
            break
        attributes, content, tag, body = found.groups()
        if content is not None:
            known = _field(attributes)
            if known is None:
                return None
            tag, indicators = known
            count = content.count(opening)
            parts = content.split(between)
            if len(parts) != count:
                between = closing + _gap(content, closing) + opening
                parts = content.split(between)
                if len(parts) != count:
                    return None
            parts[0] = parts[0][len(opening) :]
            parts[-1] = parts[-1].rstrip(" \n\t")[: -len(closing)]
            body = "\x1f".join([indicators, *[part[0] + part[3:] for part in parts]])
        if escaped and "&" in body:
            body = _unescaped(body)
        fields.append((tag, body))
    if not fields or text[at:].rstrip(" \n\t") != shape.end:
        return None
    return Read(_unescaped(leader), fields)


def _gap(content: str, closing: str) -> str:
    """What stands between the first subfield and the next: line ends and blanks."""
    start = content.find(closing) + len(closing)
    return content[start : content.find("<", start)]


def _unescaped(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


@lru_cache(maxsize=32)
def _shape(prefix: str) -> _Shape:
    """The patterns of documents whose elements have this *prefix* (with its colon, or "")."""
    blank = r"[ \n\t]*"
    subfield = rf'<{prefix}subfield code="[^"<&\s]">[^<]*</{prefix}subfield>{blank}'
    data = rf"<{prefix}datafield([^<>]{{1,100}})>{blank}((?:{subfield})+)</{prefix}datafield>{blank}"
    control = rf'<{prefix}controlfield tag="([^"<&\s]{{3}})">([^<]*)</{prefix}controlfield>{blank}'
    return _Shape(
        re.compile(rf"<{prefix}leader>([^<]*)</{prefix}leader>{blank}"),
        re.compile(f"{data}|{control}"),
        f'<{prefix}subfield code="',
        f"</{prefix}subfield>",
        f"</{prefix}record>",
    )


@lru_cache(maxsize=4096)
def _field(attributes: str) -> tuple[str, str] | None:
    """Tag and indicators of a data field that has exactly these three attributes; None if it has not."""
    found = dict(_ATTRIBUTE.findall(attributes))
    if len(found) != 3 or _ATTRIBUTE.sub("", attributes, count=3):
        return None
    tag, first, second = found.get("tag", ""), found.get("ind1", ""), found.get("ind2", "")
    if len(tag) != 3 or any(letter.isspace() for letter in tag) or len(first) != 1 or len(second) != 1:
        return None
    return tag, first + second


@lru_cache(maxsize=1024)
def _declared(prefix: str, attributes: str) -> bool:
    """Whether the *attributes* of the record element are usual ones, each once, and declare the prefixes in use."""
    pairs = _ATTRIBUTE.findall(attributes)
    found = dict(pairs)
    if len(found) != len(pairs) or _ATTRIBUTE.sub("", attributes).strip(" \n\t"):
        return False
    for name, value in pairs:
        if name == "xmlns" or _PREFIX.fullmatch(name):
            if value not in _NAMESPACES and (name, value) != ("xmlns:xsi", _SCHEMA_INSTANCE):
                return False
        elif name not in ("xsi:schemaLocation", "type", "format", "id"):
            return False
    if "xsi:schemaLocation" in found and "xmlns:xsi" not in found:
        return False
    return not prefix or f"xmlns:{prefix[:-1]}" in found
