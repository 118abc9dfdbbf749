"""Tools for the authors of mappings: what no rule reads, which values never vary, what another version would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from db import constants as counted
from db import derivations, ledger, whole
from harvester import constants as counting
from harvester import evaluating
from harvester.errors import ConfigError, RecordError, UsageError
from harvester.formats import formats
from harvester.match.constants import FIELDS
from harvester.model import Address, MarcRecord, NormalizedRecord, RowRecord
from harvester.normalize import mapping as mappings
from harvester.normalize.apply import Context, normalize
from harvester.normalize.compile import RULE_KEYS, SET_KEYS
from harvester.normalize.coverage import unread
from harvester.normalize.describe import describe
from harvester.normalize.functions import functions
from harvester.normalize.layers import BASE, FAMILY_OF_FORMAT, KEYS, PRESET_KEYS
from harvester.normalize.library import NAME
from harvester.normalize.paths import FAMILIES
from harvester.normalize.targets import TARGETS
from harvester.pipeline import Pipeline, recipe

SAMPLES = 3
PAGE = 500
_decode = msgspec.json.Decoder(NormalizedRecord).decode
Reading = Callable[[NormalizedRecord], Iterable[str]]
# What software fills in by itself: what matching looks at, and what is only reported.
EVIDENCE: Mapping[str, Reading] = {
    **{name: lambda one, read=read: [read(one)] for name, read in FIELDS.items()},  # type: ignore[misc]
    "content_types": lambda one: [" ".join(one.content_types)],
    "media_types": lambda one: [" ".join(one.media_types)],
    "carrier_types": lambda one: [" ".join(one.carrier_types)],
    "subjects.scheme": lambda one: [" ".join(sorted({subject.scheme for subject in one.subjects}))],
    "classifications.scheme": lambda one: [" ".join(sorted({number.scheme for number in one.classifications}))],
}
# The elements and positions of a record in which such constants stand.
MARC_PLACES = {"leader/06": ("LDR", 6, 7), "leader/07": ("LDR", 7, 8), "008/15-17": ("008", 15, 18),
               "008/23": ("008", 23, 24), "008/35-37": ("008", 35, 38)}  # fmt: skip
MARC_FIELDS = ("040", "041", "044", "336", "337", "338", "546")


# ---- coverage ----------------------------------------------------------------------------------------


def coverage(pipeline: Pipeline, code: str, limit: int = 0) -> list[dict[str, Any]]:
    """A row a source of the partner: tags and elements that no rule reads, values that never vary.

    *limit* records of each source are looked at (0: all). Counts are of records; samples name one each.

    Raises:
        ConfigError: no such partner.
    """
    return [_covered(pipeline, one.code, limit) for one in pipeline.settings.partner(code).sources]


def _covered(pipeline: Pipeline, code: str, limit: int) -> dict[str, Any]:
    partner = pipeline.settings.partner_of(code)
    how = recipe(pipeline, next(one for one in partner.sources if one.code == code), partner)
    counts: Counter[str] = Counter()
    samples: dict[str, list[dict[str, str]]] = {}
    tally = Tally()
    for one in stored(pipeline, code, limit):
        try:
            parsed: Any = formats.get(one.format)(one.raw)
        except RecordError:  # read when it came, by an older reader; it is served as it was read then
            tally.unreadable += 1
            continue
        tally.take(parsed, _decode(one.body))
        told = dict(reversed(unread(parsed, how.mapping(one.format))))
        for name, text in told.items():
            counts[name] += 1
            if len(samples.setdefault(name, [])) < SAMPLES:
                samples[name].append({"record": one.identifier, "text": text})
    rows = [{"name": name, "records": count, "samples": samples[name]} for name, count in counts.most_common()]
    return {
        "source": code,
        "records": tally.records,
        "unreadable": tally.unreadable,
        "unread": rows,
        "constants": _marked(tally.constants(), in_force(pipeline, code)),
    }


def stored(pipeline: Pipeline, code: str, limit: int = 0) -> Iterator[whole.Stored]:
    """The stored records of a source, oldest first; at most *limit* unless that is 0."""
    with pipeline.database.read() as conn:
        ids = ledger.active_ids(conn, pipeline.source_ids[code])
    ids = ids[:limit] if limit else ids
    for start in range(0, len(ids), PAGE):
        with pipeline.database.read() as conn:
            page = whole.stored(conn, ids[start : start + PAGE])
        yield from page


class Tally:
    """Counts how often each value stands where a system may write the same into every record."""

    def __init__(self) -> None:
        self.records = 0
        self.unreadable = 0
        self.received: Counter[tuple[str, str]] = Counter()
        self.made: Counter[tuple[str, str]] = Counter()

    def take(self, parsed: Any, record: NormalizedRecord) -> None:
        """Count one record."""
        self.records += 1
        self.received.update(set(_values(parsed)))
        self.note(record)

    def note(self, record: NormalizedRecord) -> None:
        """Count what was made of one record."""
        self.made.update({(name, value) for name, read in EVIDENCE.items() for value in read(record) if value})

    def constants(self) -> list[dict[str, Any]]:
        """Values equal in more than 99 % of the records (of at least 200), as received and as normalized."""
        if self.records < counting.ENOUGH:
            return []
        return [
            {"where": where, "name": name, "value": value, "share": round(count / self.records, 4)}
            for where, counter in (("received", self.received), ("normalized", self.made))
            for (name, value), count in sorted(counter.items())
            if count > counting.SHARE * self.records
        ]


def _marked(rows: list[dict[str, Any]], unheeded: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """*rows*, each with whether matching passes the value over."""
    told = {(one["name"], one["value"]) for one in unheeded}
    return [{**one, "unheeded": one["where"] == "normalized" and (one["name"], one["value"]) in told} for one in rows]


def in_force(pipeline: Pipeline, code: str) -> list[dict[str, Any]]:
    """The values that matching passes over in the records of a source, with the share that was counted last."""
    with pipeline.database.read() as conn:
        found = counted.counted_of(conn, pipeline.source_ids[code])
    return [
        {"name": name, "value": one.value, "share": round(one.records / found.records, 4)}
        for name, one in sorted(found.common.items() if found else ())
        if found and one.constant
    ]


def _values(parsed: Any) -> Iterator[tuple[str, str]]:
    """(element or position, value) of a received record, where a constant would be taken for evidence."""
    if isinstance(parsed, MarcRecord):
        bodies = {"LDR": parsed.leader, "008": next(iter(parsed.bodies("008")), "")}
        yield from ((name, text) for name, (tag, a, z) in MARC_PLACES.items() if (text := bodies[tag][a:z].strip(" |")))
        yield from ((tag, body[2:].replace("\x1f", "$")) for tag, body in parsed.fields if tag in MARC_FIELDS)
    elif isinstance(parsed, RowRecord):
        yield from ((name, cells[0]) for name, cells in parsed.cells if cells and len(cells[0]) <= 80)
    else:
        yield from ((one.name, one.text.strip()) for one in parsed.elements if 0 < len(one.text.strip()) <= 80)


# ---- what differs ------------------------------------------------------------------------------------


class Other(NamedTuple):
    """A record by two mappings: which fields differ, or why one of them fails."""

    address: str
    changes: list[dict[str, str]]
    failure: str = ""


def difference(before: NormalizedRecord, after: NormalizedRecord) -> list[dict[str, str]]:
    """The fields in which two records differ, each with its values as JSON."""
    return [
        {"field": name, "before": _json(getattr(before, name)), "after": _json(getattr(after, name))}
        for name in NormalizedRecord.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    ]


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


class Received(NamedTuple):
    """A record to be mapped, wherever it is from."""

    address: Address
    format: str
    payload: bytes


def from_file(path: Path) -> Iterator[Received]:
    """The records of a file."""
    for page in evaluating.pages(path):
        yield from (Received(Address("file", one.identifier), one.format, one.payload) for one in page.records)


def from_partner(pipeline: Pipeline, code: str, limit: int = 0) -> Iterator[Received]:
    """The stored records of a partner."""
    for source in pipeline.settings.partner(code).sources:
        for one in stored(pipeline, source.code, limit):
            yield Received(Address(source.code, one.identifier), one.format, one.raw)


def diff(
    before: str, after: str, records: Iterable[Received], folders: Sequence[Path], samples: int = 20
) -> dict[str, Any]:
    """Which values change from one mapping (a name or a file) to the other, by field, with samples.

    Raises:
        ConfigError: one of the mappings has mistakes.
    """
    counts: Counter[str] = Counter()
    total = changed = failed = 0
    shown: list[Other] = []
    for one in records:
        total += 1
        found = _compared(one, *(mapping_of(name, one.format, tuple(folders)) for name in (before, after)))
        counts.update(row["field"] for row in found.changes)
        changed, failed = changed + bool(found.changes), failed + bool(found.failure)
        if (found.changes or found.failure) and len(shown) < samples:
            shown.append(found)
    fields = [{"field": name, "records": count} for name, count in counts.most_common()]
    return {"before": before, "after": after, "records": total, "changed": changed, "failed": failed,
            "fields": fields, "samples": [one._asdict() for one in shown]}  # fmt: skip


_compiled: dict[tuple[str, str, tuple[Path, ...]], mappings.Mapping] = {}


def mapping_of(name: str, format: str, folders: tuple[Path, ...]) -> mappings.Mapping:
    """The mapping or preset *name*, or the one in the file of that name, for a format."""
    key = (name, format, folders)
    if key not in _compiled:
        stem, places = named(name, folders)
        _compiled[key] = mappings.for_source(stem, format, places)
    return _compiled[key]


def named(name: str, folders: Sequence[Path]) -> tuple[str, tuple[Path, ...]]:
    """The mapping's name, and where to look for it: of a file, its folder first.

    Raises:
        ConfigError: there is no such file, or none of a mapping may be called so.
    """
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") and path.name == name:
        return name, tuple(folders)
    if not path.is_file():
        raise ConfigError("there is no such mapping file", place=name)
    if path.suffix != ".yaml" or not NAME.fullmatch(path.stem):
        raise ConfigError(
            "the name of a mapping file is of letters, digits, dots, - and _, and ends in .yaml", place=path.name
        )
    return path.stem, (path.resolve().parent, *folders)


def load(name: str, folders: Sequence[Path]) -> mappings.Mapping:
    """The mapping or preset *name*, or the one in the file of that name, with all its formats.

    Raises:
        ConfigError: there is no such mapping, or it has mistakes.
    """
    return mappings.load(*named(name, folders))


def check(names: Sequence[str], folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Every mistake in these mappings or files: file, line (0: of none in particular) and message."""
    found: dict[str, None] = {}
    for name in names:
        try:
            load(name, folders)
        except ConfigError as error:
            found |= dict.fromkeys(error.problems)
    return [_mistake(one) for one in found]


def _mistake(problem: str) -> dict[str, Any]:
    file, _, rest = problem.partition(":")
    line, _, message = rest.partition(": ")
    known = line.isdecimal()
    return {
        "file": file if known else "",
        "line": int(line) if known else 0,
        "message": message if known else problem,
        "text": problem,
    }


def _compared(one: Received, before: mappings.Mapping, after: mappings.Mapping) -> Other:
    made: list[NormalizedRecord | str] = []
    for how in (before, after):
        try:
            parsed: Any = formats.get(one.format)(one.payload)
            context = Context(source=one.address.source, identifier=one.address.identifier, partner=one.address.source)
            made.append(normalize(parsed, how, context).record)
        except RecordError as error:
            made.append(error.message)
    old, new = made
    if isinstance(old, str) or isinstance(new, str):
        same = isinstance(old, str) and isinstance(new, str)
        text = f"before: {old}" if isinstance(old, str) else f"after: {new}"
        return Other(str(one.address), [], "" if same else text)
    return Other(str(one.address), difference(old, new))


def derivation(pipeline: Pipeline, number: int, samples: int = 10) -> dict[str, Any]:
    """A derivation, and what it changes (or has changed) in some of its records.

    Raises:
        UsageError: no such derivation.
    """
    with pipeline.database.read() as conn:
        row = derivations.get(conn, number)
        if row is None:
            raise UsageError(f"no derivation {number}", hint="`induk derivation list` shows them")
        forms = derivations.forms(conn, number, limit=samples)
        served = ledger.normalized_bodies(conn, [one["record_id"] for one in forms])
        counts = derivations.counts(conn, number)
    code_of = {source_id: code for code, source_id in pipeline.source_ids.items()}
    shown = []
    for one in forms:
        address = str(Address(code_of.get(one["source_id"], "?"), one["identifier"]))
        if one["damage"]:
            shown.append(Other(address, [], msgspec.json.decode(one["damage"])["message"]))
            continue
        beside, now = _decode(one["form"]), _decode(served[one["record_id"]])
        shown.append(Other(address, difference(beside, now) if one["swapped"] else difference(now, beside)))
    return {**row, "counts": counts, "samples": [one._asdict() for one in shown]}


# ---- for reading and writing mappings ----------------------------------------------------------------


def document(name: str, folders: Sequence[Path]) -> list[dict[str, str]]:
    """The rules of a mapping or preset as rows: format family, field, source, functions, place.

    Raises:
        ConfigError: there is no such mapping, or it has mistakes.
    """
    first = load(name, folders)
    return [{"family": one.format_family, **line._asdict()} for one in (first, *first.others) for line in describe(one)]


def schema() -> dict[str, Any]:
    """The JSON Schema of mapping files and presets, for editors that complete and check YAML."""
    texts = {"type": "array", "items": {"type": "string"}}
    fields = {name: {"$ref": "#/$defs/rules"} for name in sorted(TARGETS)}
    rules = {"type": "object", "properties": fields, "additionalProperties": False}
    layer: dict[str, Any] = {
        "mapping": {"type": "string", "description": "the name: that of the file"},
        "title": {"type": "string"},
        "version": {"type": ["integer", "string"]},
        "family": {"enum": sorted(FAMILIES)},
        "extends": {"type": "string", "description": "the mapping on top of which this one stands"},
        "identifier": {"type": "string", "description": "header, header-number, a tag or a path"},
        "volatile": {**texts, "description": "what may change without making a new version"},
        "ignore": {"type": "object", "description": "values that say nothing, by path"},
        "undouble": {"type": "array", "items": {"type": "string"}},
        "distrust": {"type": "array", "items": {"enum": sorted(TARGETS)}},
        "fields": {**rules, "description": "rules instead of those of what this extends"},
        "add": {**rules, "description": "rules besides those"},
        "remove": {**texts, "description": "names of rules, or fields, that are left out"},
        "tests": {"type": "array", "items": {"type": "object", "required": ["record", "expect"]}},
    }
    head = {name: layer.get(name, {}) for name in KEYS}
    inner = {"type": "object", "properties": head, "additionalProperties": False}
    names = sorted({*FAMILY_OF_FORMAT, *BASE})
    preset = {name: layer.get(name, {}) for name in PRESET_KEYS} | {
        "preset": {"type": "string"},
        "notes": {},
        "formats": {"type": "object", "properties": dict.fromkeys(names, inner), "additionalProperties": False},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Induk mapping",
        "oneOf": [
            {**inner, "required": ["mapping"]},
            {"type": "object", "properties": preset, "additionalProperties": False, "required": ["preset"]},
        ],
        "$defs": _definitions(),
    }


def _definitions() -> dict[str, Any]:
    """Rules, what builds a noun, and calls of functions."""
    paths = {"type": ["string", "array", "object", "integer"]}
    call = {"anyOf": [{"enum": functions.names()}, {"type": "object", "propertyNames": {"enum": functions.names()}}]}
    calls = {"anyOf": [{"$ref": "#/$defs/call"}, {"type": "array", "items": {"$ref": "#/$defs/call"}}]}
    known = {"from": paths, "do": calls, "fallback": {"type": "boolean"}, "name": {"type": "string"}}
    setter = {"type": "object", "properties": {key: known.get(key, {}) for key in SET_KEYS}}
    known["set"] = {"type": "object", "additionalProperties": {"anyOf": [paths, setter]}}
    body = {"type": "object", "properties": {key: known.get(key, {}) for key in RULE_KEYS}}
    rule = {"anyOf": [{"type": "string"}, {**body, "additionalProperties": False}]}
    both = {"anyOf": [{"$ref": "#/$defs/rule"}, {"type": "array", "items": {"$ref": "#/$defs/rule"}}]}
    return {"rules": both, "rule": rule, "call": call}
