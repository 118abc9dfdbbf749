"""MARCXML: one record element → the light MARC form, by local names, in any namespace or none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.characters import clean, flags_of
from harvester.formats.light import LEADER_LENGTH, LightMarc
from harvester.formats.marcxml_quick import quick
from harvester.formats.span import Bytes, Piece
from harvester.formats.xml_safe import local, parse_mended, text_of
from harvester.formats.xml_split import split_records
from harvester.model import Damage

PARTS = frozenset({"leader", "controlfield", "datafield"})
MAX_PAGE = 128_000_000


@formats.register("marcxml")
def parse(payload: bytes) -> LightMarc:
    """The light form of one MARCXML record; an envelope around it does not matter.

    Raises:
        RecordError: broken XML (stage decode), no MARC record or several, or an empty one (stage parse).
    """
    found = quick(payload)
    return light(found.leader, found.fields, {}) if found is not None else slow(payload)


def slow(payload: bytes) -> LightMarc:
    """The same by an XML parser, whatever the document looks like."""
    root, flags = parse_mended(payload)
    records = _records(root)
    if len(records) > 1:
        raise RecordError(f"{len(records)} MARC records came where one was expected.", reason="several")
    if not records:
        raise RecordError(f"There is no MARC record in it, but <{local(root.tag)[:60]}>.", reason="no-record")
    return from_element(records[0], flags)


def parse_page(page: bytes) -> list[LightMarc | Damage]:
    """Every record of a collection, in order; one that cannot be read is a Damage.

    Raises:
        RecordError: the page as a whole cannot be read.
    """
    root, flags = parse_mended(page, MAX_PAGE)
    return [_or_damage(record, flags, place) for place, record in enumerate(_records(root), 1)]


def split(source: Bytes) -> Iterator[Piece]:
    """The bytes of each record of a file as a document of its own, with a Damage for what is none."""
    return split_records(source, "record")


def _or_damage(record: Any, flags: tuple[str, ...], place: int) -> LightMarc | Damage:
    try:
        return from_element(record, flags)
    except RecordError as error:
        return Damage(stage="parse", reason=error.reason, message=error.message, place=f"record {place}")


def _records(root: Any) -> list[Any]:
    """The elements below *root* (or itself) that have MARC fields."""
    if any(local(child.tag) in PARTS for child in root):
        return [root]
    return [each for each in root.iter() if local(each.tag) == "record" and any(local(c.tag) in PARTS for c in each)]


def from_element(record: Any, flags: tuple[str, ...] = ()) -> LightMarc:
    """The light form of a parsed record element.

    Raises:
        RecordError: it has no field.
    """
    flagged = dict.fromkeys(flags)
    leaders = [text_of(child) for child in record if local(child.tag) == "leader"]
    return light(leaders[-1] if leaders else "", _fields(record, flagged), flagged)


def _fields(record: Any, flags: dict[str, None]) -> Iterator[tuple[str, str]]:
    for child in record:
        name = local(child.tag)
        if name == "datafield":
            yield _tag(child, flags), _data(child, flags)
        elif name == "controlfield":
            yield _tag(child, flags), text_of(child)


def light(leader: str, fields: Iterable[tuple[str, str]], flags: dict[str, None]) -> LightMarc:
    """The light form of what was read, in clean characters; a field without a tag cannot be addressed.

    Raises:
        RecordError: there is no field.
    """
    cleaned = []
    for tag, body in fields:
        if not body.isascii():
            text, repairs = clean(body)
            flags.update(dict.fromkeys(flags_of(repairs, tag, body, text)))
        else:
            text = body
        if tag:
            cleaned.append((tag, text))
    if not cleaned:
        raise RecordError("The record is empty: it has no field.", reason="empty")
    if len(leader) != LEADER_LENGTH:
        flags["structure:leader"] = None
    return LightMarc(leader, tuple(cleaned), tuple(flags))


def _tag(field: Any, flags: dict[str, None]) -> str:
    """The field's tag; "" (and a flag) when it has none: such a field cannot be addressed."""
    tag = (_attribute(field, "tag") or "").strip()
    if len(tag) != 3:
        flags[f"structure:tag:{tag[:12]}" if tag else "structure:no-tag"] = None
    return tag


def _data(field: Any, flags: dict[str, None]) -> str:
    """The body of a data field; text outside subfields, if there is nothing else, stands behind the indicators."""
    parts = [(_attribute(field, name) or " ")[:1] for name in ("ind1", "ind2")]
    if not len(field) and field.text and field.text.strip():
        flags[f"structure:no-subfield:{(_attribute(field, 'tag') or '')[:3]}"] = None
        return "".join([*parts, str(field.text)])
    for subfield in field:
        code = _attribute(subfield, "code") or ""
        if len(code) != 1:
            flags[f"structure:code:{(_attribute(field, 'tag') or '')[:3]}"] = None
        parts.append(f"\x1f{code[:1] or ' '}{subfield.text or '' if not len(subfield) else text_of(subfield)}")
    return "".join(parts)


def _attribute(element: Any, name: str) -> str | None:
    """Attribute *name*, with a namespace or without (MarcXchange exports write mx:tag)."""
    value: str | None = element.get(name)
    if value is None:
        value = next((each for key, each in element.attrib.items() if local(key) == name), None)
    return value
