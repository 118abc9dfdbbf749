"""MARCXML as nearly every server writes it, read without an XML parser: five times as fast as walking a parsed tree.

Only a document that is nothing but `record`, `leader`, `controlfield`, `datafield` and `subfield`, in UTF-8, is read
here, and only if one piece follows the other to its last byte. It is cut at its tags, which are counted: where no text
holds another `<`, a parser would find the same. Whatever else there is (CDATA, comments, other elements, attributes or
quotes, character references, fields without subfields, `">` in a text, unknown namespaces) is left to the parser:
`quick` returns None.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from harvester.formats.characters import ILLEGAL_BYTES
from harvester.formats.light import DELIMITER

LONGEST = 1_000_000  # bytes; a longer record is left to the parser and its bounds
FIRST = "\x1e"  # stands for the first subfield of a field, where DELIMITER stands for the next ones
_NO_CODE = re.compile(f'[{FIRST}{DELIMITER}](?![^"<&\\s]">)')
MAX_HEADS, MAX_HEAD = 4096, 200  # that are remembered, and their characters
_BLANKS = " \n\t"
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


class _Heads(dict[str, tuple[str, str] | None]):
    """What stands before the first subfield of a data field → its tag, and its indicators with a delimiter."""

    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._pattern = re.compile(rf"[ \n\t]*<{prefix}datafield([^<>{DELIMITER}]{{1,100}})>[ \n\t]*")

    def __missing__(self, head: str) -> tuple[str, str] | None:
        found = self._pattern.fullmatch(head)
        known = _field(found[1]) if found else None
        made = (known[0], known[1] + DELIMITER) if known else None
        if made and len(head) <= MAX_HEAD and len(self) < MAX_HEADS:
            self[head] = made
        return made


class _Shape(NamedTuple):
    """Of a prefix: leader, control field and what stands between subfields as patterns; heads of fields; its tags."""

    leader: re.Pattern[str]
    control: re.Pattern[str]
    gap: re.Pattern[str]
    heads: _Heads
    subfield: str
    subfield_end: str
    field_end: str
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
    fields: list[tuple[str, str]] = []
    text = _controls(text[found.end() :], shape, fields)
    leading, closing = len(fields), shape.subfield_end
    if f"{closing} " in text or f"{closing}\n" in text or f"{closing}\t" in text:
        text = shape.gap.sub(closing, text)
    text = text.replace(closing + shape.subfield, DELIMITER)
    firsts = text.count(shape.subfield)
    text = text.replace(shape.subfield, FIRST)
    *pieces, rest = text.split(closing + shape.field_end)
    if firsts != len(pieces) or _NO_CODE.search(text):
        return None
    for piece in pieces:
        head, first, content = piece.partition(FIRST)
        known = shape.heads[head] or shape.heads[_controls(head, shape, fields)]
        if known is None or not first or FIRST in content:
            return None
        fields.append((known[0], known[1] + content.replace('">', "")))
    if _controls(rest, shape, fields) != shape.end or not fields:
        return None
    # of the tags counted so far each has its own; there is no other, and no `">` but behind a code or a tag
    controls = len(fields) - leading - len(pieces)
    if text.count("<") != 3 * len(pieces) + 2 * controls + 1:
        return None
    if text.count('">') != firsts + text.count(DELIMITER) + len(pieces) + controls:
        return None
    if escaped:
        fields = [(tag, _unescaped(body) if "&" in body else body) for tag, body in fields]
    return Read(_unescaped(found[1]), fields)


def _controls(text: str, shape: _Shape, fields: list[tuple[str, str]]) -> str:
    """Add the control fields at the beginning of *text*; returns what is left of it, without blanks around it."""
    text, at = text.strip(_BLANKS), 0
    while found := shape.control.match(text, at):
        fields.append((found[1], found[2]))
        at = found.end()
    return text[at:]


def _unescaped(text: str) -> str:
    for entity, character in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        text = text.replace(entity, character)
    return text


@lru_cache(maxsize=32)
def _shape(prefix: str) -> _Shape:
    """The patterns of documents whose elements have this *prefix* (with its colon, or "")."""
    blank = r"[ \n\t]*"
    return _Shape(
        re.compile(rf"<{prefix}leader>([^<]*)</{prefix}leader>{blank}"),
        re.compile(
            rf'<{prefix}controlfield tag="([^"<&\s]{{3}})">([^<{FIRST}{DELIMITER}]*)</{prefix}controlfield>{blank}'
        ),
        re.compile(rf"</{prefix}subfield>[ \n\t]+(?=<)"),
        _Heads(prefix),
        f'<{prefix}subfield code="',
        f"</{prefix}subfield>",
        f"</{prefix}datafield>",
        f"</{prefix}record>",
    )


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
