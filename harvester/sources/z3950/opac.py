"""OPAC records: the bibliographic record with its holdings, which become fields of the record (852, 841-878).

The bibliographic part is kept byte for byte; the added fields are the last ones of the directory, so that taking
them off again gives what was sent. Tags follow the ASN.1 of the OPAC syntax (Z39.50, appendix REC.5).
"""

from __future__ import annotations

from harvester.sources.received import is_iso2709, marc_fields
from harvester.sources.z3950 import ber
from harvester.sources.z3950.apdu import RawRecord, external
from harvester.sources.z3950.ber import Buffer, Element

MAX_HOLDINGS = 2_000
# HoldingsAndCircData → subfields of 852 (MARC 21 Format for Holdings).
_SUBFIELDS = ((8, b"a"), (9, b"b"), (10, b"c"), (11, b"h"), (12, b"j"), (13, b"t"), (14, b"z"), (16, b"x"))
_ENUMERATION, _VOLUMES, _CIRCULATION, _ITEM = 17, 18, 19, 5
_MARC_HOLDINGS = {str(tag).encode() for tag in range(841, 879)}

Field = tuple[bytes, bytes]


def read(payload: bytes) -> tuple[RawRecord, list[Field]]:
    """The bibliographic record and the holdings as MARC fields, in the order of the server.

    Raises:
        ProtocolError: no OPAC record.
    """
    record = RawRecord("", b"")
    holdings: list[Field] = []
    top = ber.element(payload, 0, len(payload))
    for part in ber.elements(payload, top.start, top.stop):
        if part.tag == 1:
            record = _external(payload, part)
        elif part.tag in (2, 3) and part.constructed:
            for one in ber.elements(payload, part.start, part.stop)[:MAX_HOLDINGS]:
                holdings += _holding(payload, one)
    return record, holdings


def _external(buffer: Buffer, part: Element) -> RawRecord:
    """An EXTERNAL behind an implicit tag; some servers send the tag explicitly."""
    inner = ber.element(buffer, part.start, part.stop)
    return external(buffer, inner if inner.tag == ber.EXTERNAL else part._replace(tag=ber.EXTERNAL))


def _holding(buffer: Buffer, one: Element) -> list[Field]:
    if one.tag == 1:
        return [field for field in marc_fields(_external(buffer, one).payload) if field[0] in _MARC_HOLDINGS]
    if one.tag != 2 or not one.constructed:
        return []
    found = ber.fields(buffer, one)
    body = b"".join(_subfield(buffer, found[tag], code) for tag, code in _SUBFIELDS if tag in found)
    body += b"".join(_items(buffer, found.get(_CIRCULATION)))
    fields: list[Field] = [(b"852", b"  " + body)] if body else []
    return fields + [(b"866", b"  " + statement) for statement in _statements(buffer, found)]


def _subfield(buffer: Buffer, one: Element, code: bytes) -> bytes:
    value = ber.octets(buffer, one).translate(None, b"\x1d\x1e\x1f\x00").strip()
    return b"\x1f" + code + value if value else b""


def _items(buffer: Buffer, circulation: Element | None) -> list[bytes]:
    """The item identifiers (bar codes) of the circulation records, as $p."""
    if circulation is None or not circulation.constructed:
        return []
    records = ber.elements(buffer, circulation.start, circulation.stop)[:MAX_HOLDINGS]
    parts = [ber.fields(buffer, one) for one in records if one.constructed]
    return [_subfield(buffer, part[_ITEM], b"p") for part in parts if _ITEM in part]


def _statements(buffer: Buffer, found: dict[int, Element]) -> list[bytes]:
    """The serial statements: enumeration and chronology of the holding or of its volumes, as $a of 866."""
    texts = [_subfield(buffer, found[_ENUMERATION], b"a")] if _ENUMERATION in found else []
    if _VOLUMES in found and found[_VOLUMES].constructed:
        volumes = found[_VOLUMES]
        for one in ber.elements(buffer, volumes.start, volumes.stop)[:MAX_HOLDINGS]:
            parts = ber.fields(buffer, one) if one.constructed else {}
            texts += [_subfield(buffer, parts[tag], b"a") for tag in (3, 1, 2) if tag in parts][:1]
    return [text for text in texts if text]


def with_fields(record: bytes, added: list[Field]) -> bytes | None:
    """*record* with *added* at its end; None when it is no MARC record or would pass its five-digit length."""
    if not added or not is_iso2709(record) or not marc_fields(record):
        return None
    base = int(record[12:17])
    stop = record.rfind(b"\x1d")
    data = record[base : stop if stop > base else len(record)]
    directory, bodies, at = record[24 : base - 1], b"", len(data)
    for tag, body in added:
        size = len(body) + 1
        if size > 9_999 or at > 99_999:
            return None
        directory += tag + b"%04d%05d" % (size, at)
        bodies += body + b"\x1e"
        at += size
    start = 24 + len(directory) + 1
    total = start + at + 1
    if total > 99_999:
        return None
    return (
        b"%05d" % total + record[5:12] + b"%05d" % start + record[17:24] + directory + b"\x1e" + data + bodies + b"\x1d"
    )
