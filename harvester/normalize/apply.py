"""Apply a compiled mapping: a parsed record becomes a NormalizedRecord, with warnings and, when asked for, a trace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import chain
from typing import Any

import msgspec

from harvester.errors import RecordError
from harvester.formats.light import LightMarc
from harvester.model import MarcRecord, Normalized, NormalizedRecord, RowRecord, Step, XmlRecord
from harvester.normalize.doubled import undoubled
from harvester.normalize.finish import Context, holdings_of, warnings_of
from harvester.normalize.mapping import Mapping
from harvester.normalize.rules import Rule
from harvester.normalize.targets import TARGETS
from harvester.normalize.views import Record, View, view

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
Made = dict[str, list[Any]]

__all__ = ["Context", "content_hash", "normalize", "normalize_batch"]


def normalize(record: Record, mapping: Mapping, context: Context, *, trace: bool = False) -> Normalized:
    """*record* in our own fields, as *mapping* says.

    Raises:
        RecordError: the mapping does not fit the record, or a pattern of it took too long (stage `map`).
    """
    draft = _drafted(record, mapping, context)
    steps: list[Step] = []
    if trace:
        draft.made = _traced(mapping, draft.found, steps, context)
    else:
        _fill([draft], mapping)
    if draft.error is not None:
        raise draft.error
    return _finished(draft, mapping, tuple(steps))


def normalize_batch(pairs: Iterable[tuple[Record, Context]], mapping: Mapping) -> list[Normalized | RecordError]:
    """One result a record, in order; a record that cannot be mapped gives its error and stops nothing."""
    drafts: list[_Draft | RecordError] = []
    for record, context in pairs:
        try:
            drafts.append(_drafted(record, mapping, context))
        except RecordError as error:
            drafts.append(error)
    _fill([one for one in drafts if isinstance(one, _Draft)], mapping)
    found: list[Normalized | RecordError] = []
    for one in drafts:
        if isinstance(one, _Draft):
            found.append(one.error or _finished(one, mapping))
        else:
            found.append(one)
    return found


class _Draft:
    """A record on its way through the rules: what they look at, what they have made, or why one of them failed."""

    __slots__ = ("context", "error", "flags", "found", "made")

    def __init__(self, context: Context, found: View, flags: tuple[str, ...]) -> None:
        self.context = context
        self.found = found
        self.flags = flags
        self.made: Made = {}
        self.error: RecordError | None = None


def _drafted(record: Record, mapping: Mapping, context: Context) -> _Draft:
    if not isinstance(record, _RECORDS[mapping.format_family]):
        kind = type(record).__name__.removesuffix("Record").lower()
        message = f"mapping {mapping.name} reads {mapping.format_family}, not {kind}"
        raise RecordError(message, reason="wrong-mapping", stage="map", place=context.place)
    if isinstance(record, MarcRecord) and record.leader[6:7] in NOT_BIBLIOGRAPHIC and not _has_title(record):
        message = f"leader/06 is {record.leader[6:7]!r}: an authority or holdings record"
        raise RecordError(message, reason="not-bibliographic", stage="map", place=context.place)
    found = view(record, mapping.keys)
    if mapping.ignored is not None:
        found = mapping.ignored(found)
    flags = record.flags
    if mapping.undoubled:
        found, undone = undoubled(found, mapping.undoubled, mapping.format_family)
        flags += undone
    return _Draft(context, found, flags)


def _finished(draft: _Draft, mapping: Mapping, steps: tuple[Step, ...] = ()) -> Normalized:
    for name in mapping.distrust:
        draft.made.pop(name, None)
    normal = _record(draft.made, draft.context)
    return Normalized(normal, warnings_of(normal, draft.flags, draft.context), steps)


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
    if isinstance(record, LightMarc) and "880" not in record.split:
        return record.split
    if isinstance(record, MarcRecord):
        return view(record, frozenset([tag for tag, _ in record.fields]))
    if isinstance(record, XmlRecord):
        return view(record, frozenset([element.name for element in record.elements]))
    return view(record, frozenset([name.casefold().strip() for name, _ in record.cells]))


def _fill(drafts: Sequence[_Draft], mapping: Mapping) -> None:
    """Run rule after rule, each for all *drafts*: a rule whose code stays in the processor's cache takes less time."""
    having: dict[str, list[_Draft]] = {}
    for draft in drafts:
        for tag in draft.found:
            having.setdefault(tag, []).append(draft)
    for number, (name, once, run, keys) in enumerate(mapping.planned):
        for draft in drafts if keys is None else _having_any(having, keys):
            made = draft.made
            if (once and name in made) or draft.error is not None:
                continue
            try:
                values = run(draft.found)
            except RecordError as error:
                draft.error = _placed(error, mapping.rules[number], draft.context)
                draft.error.__cause__ = error
                continue
            if values:
                if name in made:
                    made[name] += values
                else:
                    made[name] = list(values)


def _having_any(having: dict[str, list[_Draft]], tags: frozenset[str]) -> Iterable[_Draft]:
    """The drafts that have one of *tags*, each once."""
    several = [having[tag] for tag in tags if tag in having]
    return dict.fromkeys(chain.from_iterable(several)) if len(several) > 1 else chain.from_iterable(several)


def _traced(mapping: Mapping, found: View, steps: list[Step], context: Context) -> Made:
    made: Made = {}
    for rule in mapping.rules:
        name = rule.target.name
        if name in made and (rule.target.kind == "one" or rule.fallback):
            continue
        try:
            values, taken = rule.trace(found)
        except RecordError as error:
            raise _placed(error, rule, context) from error
        steps += taken
        if values:
            made.setdefault(name, []).extend(values)
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
