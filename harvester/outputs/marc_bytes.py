"""A light MARC record as MARCXML, as ISO 2709 and as MARC-in-JSON; nothing is ever cut to fit."""

from __future__ import annotations

from typing import Any
from xml.sax.saxutils import escape, quoteattr

from harvester.errors import RecordError
from harvester.formats.light import is_control, subfields
from harvester.model import MarcRecord

NAMESPACE = "http://www.loc.gov/MARC21/slim"
FIELD_LIMIT, RECORD_LIMIT = 9_999, 99_999
_XML = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 65534, 65535, *range(55296, 57344)))


def marcxml(record: MarcRecord) -> bytes:
    """One `record` element with its namespace; characters that XML has no place for are left out."""
    parts = [f'<record xmlns="{NAMESPACE}"><leader>{_text(record.leader)}</leader>']
    for tag, body in record.fields:
        if is_control(tag):
            parts.append(f"<controlfield tag={_attribute(tag)}>{_text(body)}</controlfield>")
            continue
        inner = "".join(f"<subfield code={_attribute(code)}>{_text(text)}</subfield>" for code, text in subfields(body))
        marks = f"tag={_attribute(tag)} ind1={_attribute(body[:1])} ind2={_attribute(body[1:2])}"
        parts.append(f"<datafield {marks}>{inner}</datafield>")
    return "".join([*parts, "</record>"]).encode()


def _text(text: str) -> str:
    return escape(text.translate(_XML))


def _attribute(text: str) -> str:
    return quoteattr(text.translate(_XML))


def iso2709(record: MarcRecord) -> bytes:
    """The record in ISO 2709, UTF-8.

    Raises:
        RecordError: a field over 9,999 or a record over 99,999 bytes, or text with a terminator: it has no true form.
    """
    directory, bodies, start = [], [], 0
    for tag, body in record.fields:
        payload = body.encode("utf-8", "strict") + b"\x1e"
        if len(payload) > FIELD_LIMIT:
            raise _refused(f"field {tag} takes {len(payload)} bytes", "too_long")
        if b"\x1e" in payload[:-1] or b"\x1d" in payload or len(tag) != 3:
            raise _refused(f"field {tag} holds a terminator", "delimiter")
        directory.append(f"{tag}{len(payload):04d}{start:05d}")
        bodies.append(payload)
        start += len(payload)
        if start > RECORD_LIMIT:
            break
    base = 24 + 12 * len(directory) + 1
    length = base + start + 1
    if length > RECORD_LIMIT:
        raise _refused(f"the record takes {length} bytes or more", "too_long")
    leader = f"{length:05d}{record.leader[5:12]:<7}{base:05d}{record.leader[17:20]:<3}4500"
    return leader.encode("ascii", "replace") + "".join(directory).encode() + b"\x1e" + b"".join(bodies) + b"\x1d"


def _refused(message: str, reason: str) -> RecordError:
    return RecordError(message, reason=reason, stage="write", hint="ISO 2709 has no place for it; take MARCXML or JSON")


def marc_json(record: MarcRecord) -> dict[str, Any]:
    """The record as MARC-in-JSON (leader, fields; pymarc's and VuFind's form)."""
    fields: list[dict[str, Any]] = []
    for tag, body in record.fields:
        if is_control(tag):
            fields.append({tag: body})
            continue
        parts = [{code: text} for code, text in subfields(body)]
        fields.append({tag: {"ind1": body[:1], "ind2": body[1:2], "subfields": parts}})
    return {"leader": record.leader, "fields": fields}
