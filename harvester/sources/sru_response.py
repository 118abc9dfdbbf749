"""One answer of an SRU server, versions 1.1, 1.2 and 2.0: read strictly, by local names, as whatever it really is.

The versions differ in their namespaces, servers more; recordPacking may say string and send elements, or the other
way round, or escape twice. Diagnostics come with HTTP 200 and with or without numberOfRecords.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

import msgspec
from lxml import etree

from harvester.errors import Blocked, ProtocolError, RecordError
from harvester.formats import xml_safe
from harvester.model import Damage, HarvestedRecord
from harvester.sources.received import from_bytes, from_element, is_iso2709, local

MAX_RECORDS = 10_000
MAX_BYTES = 128 << 20  # of an unpacked answer; Fetcher's own bound comes first
_HTML = re.compile(rb"(?i)\A[\s\xef\xbb\xbf]*(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.DOTALL)
_DECLARATION = re.compile(r"\A\s*<\?xml\b[^>]*\?>\s*")
_CODE = re.compile(r"info:srw/diagnostic/(\d+)/(-?\d+)|^\s*(-?\d+)\s*$")
_RESPONSES = {"searchRetrieveResponse", "explainResponse", "scanResponse", "diagnostics"}


class Diagnostic(NamedTuple):
    """`code` is `1/61` for info:srw/diagnostic/1/61; a set of the server's own keeps its URI."""

    code: str
    message: str = ""
    details: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.code, self.message, self.details) if part)[:500]


class SruRecord(NamedTuple):
    """One record of a page: what it became, or None when it came empty; `schema` is what the server calls it."""

    found: HarvestedRecord | Damage | None
    schema: str = ""


class SruAnswer(msgspec.Struct, frozen=True):
    """One answer; `hits` is None where the server gave no number."""

    kind: str
    version: str = ""
    hits: int | None = None
    records: tuple[SruRecord, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    next_position: int | None = None
    terms: tuple[tuple[str, int], ...] = ()


class Explained(msgspec.Struct, frozen=True):
    """What a server says of itself; advice only."""

    title: str = ""
    indexes: tuple[str, ...] = ()
    schemas: tuple[tuple[str, str], ...] = ()
    most_records: int | None = None
    default_records: int | None = None


# ---- envelope ----------------------------------------------------------------------------------------


def envelope(body: bytes, place: str) -> etree._Element:
    """The root of an answer.

    Raises:
        Blocked: a page for people.
        RecordError: not well-formed; another fetch may bring it whole.
        ProtocolError: XML, but no SRU.
    """
    if _HTML.match(body[:4096]):
        raise Blocked("an HTML page answered instead of the SRU server", place=place)
    root: etree._Element = xml_safe.parse(body.lstrip(b" \t\r\n") if body[:1].isspace() else body, MAX_BYTES)
    name = local(root)
    if name == "Envelope":  # SRW: the same in SOAP
        root = next((one for one in root.iter() if local(one) in _RESPONSES), root)
        name = local(root)
    if name.lower() == "html":
        raise Blocked("an HTML page answered instead of the SRU server", place=place)
    if name not in _RESPONSES and name != "explain":
        raise ProtocolError(f"{name!r} is no SRU answer", place=place)
    return root


def _child(parent: etree._Element, name: str) -> etree._Element | None:
    return next((one for one in parent if local(one) == name), None)


def _text(parent: etree._Element, name: str) -> str:
    one = _child(parent, name)
    return (one.text or "").strip() if one is not None else ""


def _inner_text(element: etree._Element) -> str:
    return "".join(str(part) for part in element.itertext())


def _number(parent: etree._Element, name: str) -> int | None:
    text = _text(parent, name)
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else None


def read(body: bytes, rule: str, place: str, position: int = 1) -> SruAnswer:
    """Read an answer; *position* is that of its first record, *rule* the identifier rule of the source.

    Raises:
        Blocked, RecordError, ProtocolError: as `envelope`.
    """
    root = envelope(body, place)
    listed = _child(root, "records")
    elements = [one for one in listed if local(one) == "record"] if listed is not None else []
    if len(elements) > MAX_RECORDS:
        raise ProtocolError(f"{len(elements)} records in one answer", place=place)
    records = tuple(_record(one, rule, f"{place} position {position + at}") for at, one in enumerate(elements))
    return SruAnswer(
        local(root),
        _text(root, "version"),
        _number(root, "numberOfRecords"),
        records,
        _diagnostics(root),
        _number(root, "nextRecordPosition"),
        _terms(root),
    )


# ---- diagnostics -------------------------------------------------------------------------------------


def _diagnostics(root: etree._Element) -> tuple[Diagnostic, ...]:
    outer = root if local(root) == "diagnostics" else _child(root, "diagnostics")
    if outer is None:
        return ()
    return tuple(_diagnostic(one) for one in outer if local(one) == "diagnostic")[:50]


def _diagnostic(one: etree._Element) -> Diagnostic:
    uri = _text(one, "uri") or _text(one, "code")
    match = _CODE.search(uri)
    code = f"{match[1] or 1}/{match[2] or match[3]}" if match else uri[:200]
    return Diagnostic(code, _text(one, "message"), _text(one, "details"))


# ---- records -----------------------------------------------------------------------------------------


def _record(one: etree._Element, rule: str, place: str) -> SruRecord:
    schema = _text(one, "recordSchema")
    container = _child(one, "recordData")
    if container is None:
        return SruRecord(None, schema)
    inner = next((child for child in container if local(child)), None)
    given = _text(one, "recordIdentifier")
    if inner is not None:
        return SruRecord(_from_child(inner, rule, place, given), schema)
    text = _inner_text(container)
    if not text.strip():
        return SruRecord(None, schema)
    return SruRecord(_from_text(text, rule, place, given), schema)


def _from_child(inner: etree._Element, rule: str, place: str, given: str) -> HarvestedRecord | Damage:
    if local(inner) == "diagnostic":
        return _surrogate(_diagnostic(inner), place)
    return from_element(inner, rule, place, given=given)


def _surrogate(diagnostic: Diagnostic, place: str) -> Damage:
    said = f"the server sent a diagnostic instead: {diagnostic}"
    return Damage("fetch", "surrogate-diagnostic", said, b"", "", place)


def _from_text(text: str, rule: str, place: str, given: str) -> HarvestedRecord | Damage:
    """A record in string packing, once or twice escaped, or MARC as such."""
    stripped = text.strip("\ufeff \t\r\n")
    flags: tuple[str, ...] = ()
    if stripped.startswith(("&lt;", "&#60;", "&#x3c;", "&#x3C;")):
        stripped = html.unescape(stripped).strip("\ufeff \t\r\n")
        flags = ("escaped-twice",)
    payload = text.encode() if is_iso2709(text.encode()[:24]) else _DECLARATION.sub("", stripped).encode()
    if is_iso2709(payload):
        return from_bytes(payload, rule, place, flags)
    try:
        root = xml_safe.parse(payload)
    except RecordError as error:
        return Damage("parse", error.reason, error.message, payload, "", place)
    if local(root) == "diagnostic":
        return _surrogate(_diagnostic(root), place)
    return from_element(root, rule, place, given=given, flags=flags)


# ---- scan and explain --------------------------------------------------------------------------------


def _terms(root: etree._Element) -> tuple[tuple[str, int], ...]:
    outer = _child(root, "terms")
    if outer is None:
        return ()
    found = [one for one in outer if local(one) == "term"][:MAX_RECORDS]
    return tuple((_text(one, "value"), _number(one, "numberOfRecords") or 0) for one in found)


def explained(body: bytes, place: str) -> Explained:
    """Read an explain answer; an empty one where the server explains nothing.

    Raises:
        Blocked, RecordError, ProtocolError: as `envelope`.
    """
    root = envelope(body, place)
    record = next((one for one in root.iter() if local(one) == "explain"), None)
    if record is None:
        data = next((one for one in root.iter() if local(one) == "recordData"), None)
        text = _inner_text(data).strip() if data is not None else ""
        if not text.startswith("<"):
            return Explained()
        record = xml_safe.parse(_DECLARATION.sub("", text).encode())
    return _explained(record)


def _explained(record: etree._Element) -> Explained:
    within = [one for one in record.iter() if local(one)]
    title = next(((one.text or "").strip() for one in within if local(one) == "title"), "")
    names = [(one.get("set", ""), (one.text or "").strip()) for one in within if local(one) == "name"]
    schemas = [(one.get("name", ""), one.get("identifier", "")) for one in within if local(one) == "schema"]
    settings = {
        (local(one), one.get("type", "")): (one.text or "").strip()
        for one in within
        if local(one) in ("setting", "default")
    }
    indexes = (f"{context}.{name}" if context and "." not in name else name for context, name in names if name)
    return Explained(
        title[:200],
        tuple(dict.fromkeys(indexes))[:2000],
        tuple(schemas[:200]),
        _whole(settings.get(("setting", "maximumRecords"), "")),
        _whole(settings.get(("default", "numberOfRecords"), "")),
    )


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) and int(text) else None
