"""MARC-in-JSON (Ross Singer's form, that of pymarc, ruby-marc and marc4j): one object → the light MARC form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.json_safe import parse_object, text_of
from harvester.formats.json_split import split_objects
from harvester.formats.light import LEADER_LENGTH, LightMarc, indicators, is_control, subfields
from harvester.formats.span import Bytes, Piece
from harvester.model import MarcRecord

MAX_FIELDS = 20_000


@formats.register("marc_json")
def parse(payload: bytes) -> LightMarc:
    """The light form of one record.

    Raises:
        RecordError: no JSON object (stage decode); no fields, or not the form of MARC-in-JSON (stage parse).
    """
    value, charset_flags = parse_object(payload)
    flags = dict.fromkeys(charset_flags)
    fields = value.get("fields")
    if not isinstance(fields, list) or not fields:
        raise RecordError("The record is empty: it has no list of fields.", reason="empty")
    if len(fields) > MAX_FIELDS:
        raise RecordError(f"The record has more than {MAX_FIELDS:,} fields.", reason="bounds")
    leader = text_of(value.get("leader"), "leader", flags)
    if len(leader) != LEADER_LENGTH:
        flags["structure:leader"] = None
    pairs = tuple(pair for field in fields for pair in _field(field, flags))
    return LightMarc(leader, pairs, tuple(flags))


def split(source: Bytes) -> Iterator[Piece]:
    """The bytes of each record of a file: one object a line, or a list of objects."""
    return split_objects(source)


def write(record: MarcRecord) -> bytes:
    """*record* as one line of JSON in UTF-8, without a line end."""
    fields: list[dict[str, Any]] = []
    for tag, body in record.fields:
        if is_control(tag):
            fields.append({tag: body})
            continue
        marks = indicators(body)
        parts = [{code: text} for code, text in subfields(body)]
        fields.append({tag: {"ind1": marks[0], "ind2": marks[1], "subfields": parts}})
    return json.dumps({"leader": record.leader, "fields": fields}, ensure_ascii=False).encode("utf-8")


def _field(field: Any, flags: dict[str, None]) -> Iterator[tuple[str, str]]:
    if not isinstance(field, dict):
        raise RecordError("A field is no object of tag and value.", reason="json")
    for tag, value in field.items():
        if len(tag) != 3:
            flags[f"structure:tag:{tag[:12]}"] = None
        yield tag, _data(tag, value, flags) if isinstance(value, dict) else text_of(value, tag, flags)


def _data(tag: str, value: dict[str, Any], flags: dict[str, None]) -> str:
    parts = value.get("subfields")
    if not isinstance(parts, list):
        raise RecordError(f"Field {tag} has no list of subfields.", reason="json")
    first, second = (text_of(value.get(name), tag, flags)[:1] or " " for name in ("ind1", "ind2"))
    body = [first, second]
    for part in parts:
        if not isinstance(part, dict):
            raise RecordError(f"A subfield of {tag} is no object of code and text.", reason="json")
        for code, text in part.items():
            if len(code) != 1:
                flags[f"structure:code:{tag[:3]}"] = None
            body.append(f"\x1f{code[:1] or ' '}{text_of(text, tag, flags)}")
    return "".join(body)
