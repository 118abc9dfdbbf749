"""Apply a compiled mapping: a parsed record becomes a NormalizedRecord, with warnings and, when asked for, a trace."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import msgspec

from harvester.errors import RecordError
from harvester.formats.light import LightMarc
from harvester.model import MarcRecord, Normalized, NormalizedRecord, RowRecord, Step, XmlRecord
from harvester.normalize.doubled import undoubled
from harvester.normalize.fieldwise import Fields, Made
from harvester.normalize.finish import Context, holdings_of, warnings_of
from harvester.normalize.mapping import Mapping
from harvester.normalize.rules import Rule
from harvester.normalize.targets import TARGETS
from harvester.normalize.views import Record, View, view

_TAG = itemgetter(0)
NOT_BIBLIOGRAPHIC = frozenset("uvwxyzq")  # leader/06 of authority, holdings, classification and community records
_RECORDS: dict[str, tuple[type, ...]] = {
    "marc": (MarcRecord,),
    "row": (RowRecord,),
    "dc": (XmlRecord,),
    "mods": (XmlRecord,),
}
_MANY = {name for name, target in TARGETS.items() if target.kind == "many"}
_NOUNS = {t.field: TARGETS[t.field].item for t in TARGETS.values() if t.part}
_PARTS: dict[str, list[str]] = {}
for _target in TARGETS.values():
    if _target.part:
        _PARTS.setdefault(_target.field, []).append(_target.part)
_WITH_PARTS = tuple(_PARTS)
_DOTTED = frozenset(f"{field}.{part}" for field, parts in _PARTS.items() for part in parts)

__all__ = ["Context", "content_hash", "normalize", "normalize_batch"]


def normalize(record: Record, mapping: Mapping, context: Context, *, trace: bool = False) -> Normalized:
    """*record* in our own fields, as *mapping* says.

    Raises:
        RecordError: the mapping does not fit the record, or a pattern of it took too long (stage `map`).
    """
    if trace:
        _fits(record, mapping, context)
        found, flags = _view(record, mapping)
        steps: list[Step] = []
        return _finished(_traced(mapping, found, steps, context), mapping, flags, context, tuple(steps))
    (only,) = normalize_batch([(record, context)], mapping)
    if isinstance(only, RecordError):
        raise only
    return only


def normalize_batch(pairs: Iterable[tuple[Record, Context]], mapping: Mapping) -> list[Normalized | RecordError]:
    """One result a record, in order; a record that cannot be mapped gives its error and stops nothing."""
    found: dict[int, Normalized | RecordError] = {}
    batch: list[tuple[str, Fields]] = []
    waiting: list[tuple[int, Record, tuple[str, ...], Context]] = []
    for number, (record, context) in enumerate(pairs):
        try:
            _fits(record, mapping, context)
            fields, flags = _fields(record, mapping)
        except RecordError as error:
            found[number] = error
            continue
        batch.append(fields)
        waiting.append((number, record, flags, context))
    all_made = mapping.fieldwise.of_batch(batch)
    for (number, record, flags, context), made in zip(waiting, all_made, strict=True):
        try:
            told = made if made is not None else _traced(mapping, _view(record, mapping)[0], [], context)
            found[number] = _finished(told, mapping, flags, context)
        except RecordError as error:
            found[number] = error
    return [found[number] for number in range(len(found))]


def _finished(
    made: Made, mapping: Mapping, flags: tuple[str, ...], context: Context, steps: tuple[Step, ...] = ()
) -> Normalized:
    for name in mapping.distrust:
        made.pop(name, None)
    normal = _record(made, context)
    return Normalized(normal, warnings_of(normal, flags, context), steps)


def _fits(record: Record, mapping: Mapping, context: Context) -> None:
    if not isinstance(record, _RECORDS[mapping.format_family]):
        kind = type(record).__name__.removesuffix("Record").lower()
        message = f"mapping {mapping.name} reads {mapping.format_family}, not {kind}"
        raise RecordError(message, reason="wrong-mapping", stage="map", place=context.place)
    if isinstance(record, MarcRecord) and record.leader[6:7] in NOT_BIBLIOGRAPHIC and not _has_title(record):
        message = f"leader/06 is {record.leader[6:7]!r}: an authority or holdings record"
        raise RecordError(message, reason="not-bibliographic", stage="map", place=context.place)


def _fields(record: Record, mapping: Mapping) -> tuple[tuple[str, Fields], tuple[str, ...]]:
    """The leader and the fields of *record*, as they came if that will do, and its flags."""
    in_view = mapping.fieldwise.seen_in_view
    if isinstance(record, MarcRecord) and not mapping.needs_view and in_view.isdisjoint(map(_TAG, record.fields)):
        return (record.leader, record.fields), record.flags
    found, flags = _view(record, mapping)
    return ("", [(key, tuple(parts)) for key, several in found.items() for parts in several]), flags


def _view(record: Record, mapping: Mapping) -> tuple[View, tuple[str, ...]]:
    """What the rules look at, and the flags of the record."""
    found = view(record, mapping.keys)
    if mapping.ignored is not None:
        found = mapping.ignored(found)
    if not mapping.undoubled:
        return found, record.flags
    found, undone = undoubled(found, mapping.undoubled, mapping.format_family)
    return found, record.flags + undone


def _has_title(record: MarcRecord) -> bool:
    """A title makes a bibliographic record, whatever the leader says (a GPO record of 1983 has 'v')."""
    return any(tag in ("200", "245") for tag, _ in record.fields)


def content_hash(record: Record, mapping: Mapping) -> bytes:
    """16 bytes over the whole record without the mapping's volatile fields; equal bytes need no new version."""
    whole: Any = ""
    if isinstance(record, MarcRecord):
        whole = [record.leader[5:12], record.leader[17:20]]
    found = _whole(record)
    kept = mapping.dropped(found) if mapping.dropped is not None else found
    lines = [whole, sorted([(tag, fields) for tag, fields in kept.items() if fields and tag != "LDR"])]
    return blake2b(msgspec.msgpack.encode(lines), digest_size=16).digest()


def _whole(record: Record) -> View:
    """All fields of *record*."""
    if isinstance(record, LightMarc) and "880" not in (found := record.split()):
        return found
    if isinstance(record, MarcRecord):
        return view(record, frozenset([tag for tag, _ in record.fields]))
    if isinstance(record, XmlRecord):
        return view(record, frozenset([element.name for element in record.elements]))
    return view(record, frozenset([name.casefold().strip() for name, _ in record.cells]))


def _traced(mapping: Mapping, found: View, steps: list[Step], context: Context) -> Made:
    made: Made = {}
    for rule in mapping.rules:
        name = rule.target.name
        if name in made and rule.once:
            continue
        try:
            values, taken = rule.trace(found)
        except RecordError as error:
            raise _placed(error, rule, context) from error
        steps += taken
        if values:
            made[name] = [*made.get(name, ()), *values]
    return made


def _placed(error: RecordError, rule: Rule, context: Context) -> RecordError:
    message = f"{rule.place}: {rule.target.name}: {error.message}"
    return RecordError(message, reason=error.reason, stage="map", place=context.place)


def _record(made: Made, context: Context) -> NormalizedRecord:
    """The record of all *made* values: the first of what is one, all different ones of what is many."""
    fields: dict[str, Any] = {}
    for name, values in made.items():
        if name in _MANY:
            fields[name] = tuple(dict.fromkeys(values)) if len(values) > 1 else tuple(values)
        else:
            fields[name] = values[0]
    if len(spoken := fields.get("languages", ())) > 1:
        fields["languages"] = tuple(one for one in spoken if one not in ("mul", "und")) or spoken
    if not _DOTTED.isdisjoint(made):
        _join_parts(fields)
    fields["holdings"] = holdings_of(fields.get("holdings", ()), fields.get("control_number", ""), context)
    return NormalizedRecord(**fields)


def _join_parts(fields: dict[str, Any]) -> None:
    """Put `title.part_numbers` into `title`: what is many is added, what is one fills a gap only."""
    for field in _WITH_PARTS:
        given = {part: value for part in _PARTS[field] if (value := fields.pop(f"{field}.{part}", None)) is not None}
        if not given:
            continue
        noun = fields.get(field) or _NOUNS[field]()
        changes = {}
        for part, value in given.items():
            had = getattr(noun, part)
            if isinstance(value, tuple):
                changes[part] = tuple(dict.fromkeys((*had, *value)))
            elif had in ("", None) or (had == 0 and type(had) is int):
                changes[part] = value
        fields[field] = msgspec.structs.replace(noun, **changes)
