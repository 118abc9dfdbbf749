"""What SRU and Z39.50 received, as harvested records: the format and the identifier are those of the record itself.

What was asked for proves nothing: servers answer with another syntax or schema and still echo the request. A record
without an identifier cannot be addressed and goes to quarantine.
"""

from __future__ import annotations

import copy
import re

import msgspec
from lxml import etree

from harvester.errors import RecordError
from harvester.formats import xml_safe
from harvester.model import Damage, HarvestedRecord

MARC_NAMESPACES = {
    "http://www.loc.gov/MARC21/slim",
    "info:lc/xmlns/marcxchange-v1",
    "info:lc/xmlns/marcxchange-v2",
    "http://www.loc.gov/MARC21/slim/",
}
ENVELOPES = {
    "http://www.loc.gov/zing/srw/",
    "http://www.loc.gov/zing/srw/diagnostic/",
    "http://docs.oasis-open.org/ns/search-ws/sruResponse",
    "http://docs.oasis-open.org/ns/search-ws/diagnostic",
    "http://docs.oasis-open.org/ns/search-ws/xcql",
    "http://schemas.xmlsoap.org/soap/envelope/",
}
_FORMATS = {"mods": "mods", "dc": "oai_dc", "qualifieddc": "oai_dc", "modscollection": "mods"}
_WRAPPERS = {"collection", "modsCollection", "dcCollection", "metadata"}
_HOLDINGS_TYPES = frozenset("uvxy")
_HOLDINGS_TAGS = frozenset(str(tag) for tag in range(841, 879))
_LEADER = re.compile(rb"[0-9]{5}.{5}[0-9 ].[0-9]{5}", re.DOTALL)
MAX_IDENTIFIER = 500


def local(element: etree._Element) -> str:
    """The local name of *element*; "" for comments and processing instructions."""
    tag: object = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def _namespace(element: etree._Element) -> str:
    tag: object = element.tag
    return tag[1:].partition("}")[0] if isinstance(tag, str) and tag.startswith("{") else ""


class Portion(msgspec.Struct, frozen=True, tag="portion"):
    """What came of a search: `next` is the position behind it, `hits` what the search finds at this moment."""

    hits: int
    next: int
    records: tuple[HarvestedRecord, ...] = ()
    damages: tuple[Damage, ...] = ()


# ---- format ------------------------------------------------------------------------------------------


def is_iso2709(payload: bytes) -> bool:
    """True for what begins with a leader."""
    return _LEADER.match(payload) is not None


def _has_tag(payload: bytes, tag: bytes) -> bool:
    """True when the directory names *tag*."""
    base = int(payload[12:17]) if payload[12:17].isdigit() else 0
    at = payload.find(tag, 24, base)
    while at >= 0 and at % 12:
        at = payload.find(tag, at + 1, base)
    return at >= 0


def marc_format(payload: bytes) -> str:
    """`unimarc` for a record whose title stands in 200, otherwise `iso2709`."""
    if _has_tag(payload, b"245") or not _has_tag(payload, b"200"):
        return "iso2709"
    return "unimarc"


def _is_unimarc(root: etree._Element) -> bool:
    found = False
    for field in root:
        tag = field.get("tag")
        if tag == "245":
            return False
        found = found or tag == "200"
    return found


def unwrapped(root: etree._Element) -> tuple[etree._Element, tuple[str, ...]]:
    """The one record inside *root* and how it was taken out; *root* itself when it holds several or is no wrapper.

    DNB and ZDB (MARC21plus-xml) put a bibliographic record and its holdings records into one recordData, in any
    order: the holdings become fields of the bibliographic record, as they do for OPAC records.
    """
    for _ in range(3):
        inner = [child for child in root if local(child)] if local(root) in _WRAPPERS else []
        if not inner:
            break
        if len(inner) > 1:
            return _with_holdings(root, inner)
        root = inner[0]
    return root, ()


def _with_holdings(root: etree._Element, records: list[etree._Element]) -> tuple[etree._Element, tuple[str, ...]]:
    holdings = [one for one in records if _is_holdings(one)]
    others = [one for one in records if one not in holdings]
    if len(others) != 1 or not holdings:
        return root, ()
    record = copy.deepcopy(others[0])
    for holding in holdings:
        record.extend(copy.deepcopy(field) for field in holding if field.get("tag") in _HOLDINGS_TAGS)
    return record, (f"holdings-added:{len(holdings)}",)


def _is_holdings(record: etree._Element) -> bool:
    leader = next((one.text or "" for one in record if local(one) == "leader"), "")
    return record.get("type") == "Holdings" or leader[6:7] in _HOLDINGS_TYPES


def xml_format(root: etree._Element) -> str:
    """The format by root element: marcxml, unimarc, oai_dc, mods, otherwise its local name in small letters."""
    name = local(root).lower()
    if name in ("record", "collection") and (_namespace(root) in MARC_NAMESPACES or _has_leader(root)):
        return "unimarc" if _is_unimarc(root) else "marcxml"
    return _FORMATS.get(name, name)


def _has_leader(root: etree._Element) -> bool:
    return any(local(child) in ("leader", "controlfield") for child in root)


# ---- identifier --------------------------------------------------------------------------------------


def marc_fields(payload: bytes) -> list[tuple[bytes, bytes]]:
    """(tag, body without its terminator) by the directory of an ISO 2709 record; [] when it cannot be read."""
    if not payload[12:17].isdigit():
        return []
    base = int(payload[12:17])
    found = []
    for at in range(24, min(base - 1, len(payload)) - 11, 12):
        entry = payload[at : at + 12]
        if not entry[3:].isdigit():
            return []
        start = base + int(entry[7:])
        found.append((entry[:3], payload[start : start + int(entry[3:7]) - 1]))
    return found


def _control(payload: bytes, tag: bytes) -> str:
    """The first control field *tag*, looked up in the directory without reading the others."""
    base = int(payload[12:17]) if payload[12:17].isdigit() else 0
    for at in range(24, min(base, len(payload)) - 12, 12):
        name = payload[at : at + 3]
        if name == tag:
            entry = payload[at + 3 : at + 12]
            if not entry.isdigit():
                return ""
            start = base + int(entry[4:])
            return payload[start : start + int(entry[:4]) - 1].decode("utf-8", "replace").strip()
        if name > b"009" and tag < b"010":
            return ""
    return ""


def _subfield(payload: bytes, tag: bytes, code: bytes) -> str:
    for name, body in marc_fields(payload):
        if name == tag:
            for part in body.split(b"\x1f")[1:]:
                if part[:1] == code:
                    return part[1:].decode("utf-8", "replace").strip()
    return ""


def iso2709_identifier(payload: bytes, rule: str) -> str:
    """The identifier of a MARC record by *rule*: empty is 001 with 003, else a tag or tag and subfield (`035$a`)."""
    if not rule:
        number, agency = _control(payload, b"001"), _control(payload, b"003")
        return f"({agency}){number}" if agency and number else number
    tag, _, code = rule.partition("$")
    raw = tag.encode()
    return _subfield(payload, raw, code.encode()) if code else _control(payload, raw)


def _marcxml_value(root: etree._Element, tag: str, code: str) -> str:
    for field in root:
        name = field.get("tag")
        if name != tag:
            if not code and name is not None and name > "009":
                break
            continue
        if not code:
            return (field.text or "").strip()
        for part in field:
            if local(part) == "subfield" and part.get("code") == code:
                return (part.text or "").strip()
    return ""


def xml_identifier(root: etree._Element, kind: str, rule: str) -> str:
    """The identifier of an XML record by *rule*.

    MARCXML takes the rules of MARC; elsewhere a rule is the local name of an element. Empty means 001 with 003,
    the recordIdentifier of MODS, the first identifier of Dublin Core.
    """
    if kind in ("marcxml", "unimarc"):
        if rule:
            tag, _, code = rule.partition("$")
            return _marcxml_value(root, tag, code)
        number, agency = _marcxml_value(root, "001", ""), _marcxml_value(root, "003", "")
        return f"({agency}){number}" if agency and number else number
    name = rule or {"mods": "recordIdentifier", "oai_dc": "identifier"}.get(kind, "")
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        return ""
    return next((text for one in root.iter("{*}" + name) if (text := (one.text or "").strip())), "")


# ---- records -----------------------------------------------------------------------------------------


def _kept(
    identifier: str, kind: str, payload: bytes, place: str, flags: tuple[str, ...], deleted: bool = False
) -> HarvestedRecord | Damage:
    if not identifier:
        return Damage("parse", "no-identifier", "no identifier by the rule of the source", payload, "", place)
    if len(identifier) > MAX_IDENTIFIER or not identifier.isprintable() or "\ufffd" in identifier:
        said = f"the identifier {identifier[:50]!a} is too long or not printable"
        return Damage("parse", "no-identifier", said, payload, "", place)
    return HarvestedRecord(identifier, kind, payload, deleted=deleted, flags=flags)


def _says_deleted(record: etree._Element, kind: str) -> bool:
    """True when the leader says so (status d)."""
    if kind not in ("marcxml", "unimarc"):
        return False
    leader = next((one.text or "" for one in record if local(one) == "leader"), "")
    return leader[5:6] == "d"


def _own_bytes(record: etree._Element) -> bytes:
    """*record* by itself, without the namespaces that only its envelope uses (they differ from version to version)."""
    payload: bytes = etree.tostring(record, encoding="utf-8", with_tail=False)
    for prefix, uri in record.nsmap.items():
        name = (prefix or "").encode()
        if prefix and uri in ENVELOPES and b"<%s:" % name not in payload and b" %s:" % name not in payload:
            payload = payload.replace(b' xmlns:%s="%s"' % (name, uri.encode()), b"", 1)
    return payload


def from_marc(payload: bytes, rule: str, place: str, flags: tuple[str, ...] = ()) -> HarvestedRecord | Damage:
    """An ISO 2709 record as received."""
    return _kept(iso2709_identifier(payload, rule), marc_format(payload), payload, place, flags, payload[5:6] == b"d")


def from_element(
    root: etree._Element, rule: str, place: str, *, given: str = "", flags: tuple[str, ...] = ()
) -> HarvestedRecord | Damage:
    """An XML record; *given* is the identifier of the envelope, taken when the record itself has none by the rule."""
    record, taken = unwrapped(root)
    kind = xml_format(record)
    payload = _own_bytes(record)
    identifier = xml_identifier(record, kind, rule) or ("" if rule else given.strip())
    if kind == "marcxml" and local(record) == "collection":
        return Damage("parse", "several", "several records came where one was expected", payload, "", place)
    return _kept(identifier, kind, payload, place, (*flags, *taken), _says_deleted(record, kind))


def from_bytes(payload: bytes, rule: str, place: str, flags: tuple[str, ...] = ()) -> HarvestedRecord | Damage:
    """A record in an unknown syntax: MARC or XML by its first bytes, anything else is damaged."""
    if not payload.strip():
        return Damage("parse", "empty", "the server sent an empty record", payload, "", place)
    if is_iso2709(payload):
        return from_marc(payload, rule, place, flags)
    if payload.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"<":
        return Damage("parse", "unknown-format", "neither MARC nor XML", payload, "", place)
    try:
        root = xml_safe.parse(payload.lstrip(b" \t\r\n"))
    except RecordError as error:
        return Damage("parse", error.reason, error.message, payload, "", place)
    if local(root) in _WRAPPERS:
        return from_element(root, rule, place, flags=flags)
    kind = xml_format(root)
    return _kept(xml_identifier(root, kind, rule), kind, payload, place, flags, _says_deleted(root, kind))
