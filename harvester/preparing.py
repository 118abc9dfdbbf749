"""One received record → what the ledger stores: parse, content hash, normalize, profile, keys. Pure and picklable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from db.compress import EMPTY, Shelf, packer
from db.prepared import Known, Prepared, Profiled, digest
from harvester.errors import RecordError
from harvester.formats import formats
from harvester.laps import Laps
from harvester.match.compare import self_merges
from harvester.match.constants import NONE, Constants
from harvester.match.keys import plain_keys
from harvester.match.profile import profile
from harvester.match.rules import Rules
from harvester.model import Damage, HarvestedRecord, Normalized, NormalizedRecord, Profile, Source, Warning
from harvester.normalize import mapping as mappings
from harvester.normalize.apply import Context, content_hash, normalize_batch
from harvester.normalize.layers import FAMILY_OF_FORMAT

MAX_WARNINGS = 50
SLICE = 50  # records that go through a stage before the next stage begins
Work = Sequence[tuple[HarvestedRecord, bytes]]


class Recipe(NamedTuple):
    """How the records of one source are read: its preset, where mappings lie, the match rules, fixed texts."""

    source: Source
    partner: str
    opac_url: str
    lending: str
    as_of: str
    directories: tuple[Path, ...]
    rules: Rules
    rules_path: Path | None = None  # where a worker process reads the same rules
    constants: tuple[tuple[str, str], ...] = ()  # (element, value) that the probe found in nearly every record
    unheeded: Constants = NONE  # field → value that nearly every stored record of the source has
    shelf: Shelf = EMPTY  # the dictionaries to pack with

    def mapping(self, format: str) -> mappings.Mapping:
        """The mapping for a record format; compiled once a process."""
        return _mapping(self.source.mapping, self.source.preset, format, self.directories, self.constants)


_compiled: dict[tuple[object, ...], mappings.Mapping] = {}


def _mapping(
    name: str, preset: str, format: str, directories: tuple[Path, ...], constants: tuple[tuple[str, str], ...]
) -> mappings.Mapping:
    key = (name, preset, format, directories, constants)
    if key not in _compiled:
        found = mappings.load(name, directories) if name else mappings.for_source(preset, format, directories)
        _compiled[key] = found.distrusting(constants)
    return _compiled[key]


class Sorted(NamedTuple):
    """A page sorted by what is to be done: (record id, raw hash) for unchanged ones, damages with their format."""

    changed: tuple[Prepared, ...]
    unchanged: tuple[int, ...]
    reworded: tuple[tuple[int, bytes], ...]  # other bytes, same content: only volatile fields differ
    damages: tuple[tuple[Damage, str], ...]


Made = dict[str, Prepared | Damage]


def hashed(records: Iterable[HarvestedRecord]) -> dict[str, bytes]:
    """Identifier → hash of the bytes. Of several records with one identifier the last counts."""
    last = {one.identifier: one.payload for one in records}
    return {identifier: digest(body) for identifier, body in last.items()}


def to_prepare(records: Sequence[HarvestedRecord], known: Mapping[str, Known], hashes: Mapping[str, bytes]) -> Work:
    """The records whose bytes are new, with their hash. Of several with one identifier the last counts."""
    last = {one.identifier: one for one in records}
    return [(last[name], hash) for name, hash in hashes.items() if not _same_bytes(known.get(name), hash)]


def _same_bytes(held: Known | None, raw_hash: bytes) -> bool:
    return held is not None and held.state == "active" and held.raw_hash == raw_hash


def prepare_batch(work: Work, recipe: Recipe, laps: Laps | None = None) -> Made:
    """Identifier → the record ready for the ledger, or what is wrong with it; *laps* takes the time of each stage."""
    laps = laps or Laps()
    made: Made = {}
    for start in range(0, len(work), SLICE):
        made |= _prepare_slice(work[start : start + SLICE], recipe, laps)
    return made


def sort_page(
    records: Sequence[HarvestedRecord],
    known: Mapping[str, Known],
    recipe: Recipe,
    hashes: Mapping[str, bytes],
    made: Made | None = None,
) -> Sorted:
    """Sort live records by what they need; *made* are those that were prepared beforehand.

    Of several with one identifier the last decides, the others are kept in quarantine with their bytes
    (archivesspace PR#4279: same identifier, other content, one page).
    """
    last = {one.identifier: one for one in records}
    damages = [
        (_superseded(one), one.format)
        for one in (records if len(last) < len(records) else ())
        if one is not last[one.identifier] and one.payload != last[one.identifier].payload
    ]
    changed: list[Prepared] = []
    unchanged: list[int] = []
    reworded: list[tuple[int, bytes]] = []
    for one in last.values():
        held = known.get(one.identifier)
        raw_hash = hashes[one.identifier]
        if held and _same_bytes(held, raw_hash):
            unchanged.append(held.record_id)
            continue
        found = (made.get(one.identifier) if made else None) or prepare(one, raw_hash, recipe)
        if isinstance(found, Damage):
            damages.append((found, one.format))
        elif held and held.state == "active" and held.payload_hash == found.payload_hash:
            unchanged.append(held.record_id)
            reworded.append((held.record_id, raw_hash))
        else:
            changed.append(found)
    return Sorted(tuple(changed), tuple(unchanged), tuple(reworded), tuple(damages))


def prepare(one: HarvestedRecord, raw_hash: bytes, recipe: Recipe) -> Prepared | Damage:
    """The record ready for the ledger, or what is wrong with it."""
    return _prepare_slice([(one, raw_hash)], recipe, Laps())[one.identifier]


def _prepare_slice(work: Work, recipe: Recipe, laps: Laps) -> Made:
    """Stage after stage, each for all records: code that stays in the processor's cache takes a quarter less time."""
    made: Made = {}
    read: list[tuple[HarvestedRecord, bytes, mappings.Mapping, Any]] = []
    readers: dict[str, tuple[mappings.Mapping, Callable[[bytes], Any]]] = {}  # by format
    for one, raw_hash in work:
        try:
            if one.format not in readers or not one.identifier.strip():
                readers[one.format] = _mapping_of(one, recipe), formats.get(one.format)
            mapping, parse = readers[one.format]
            read.append((one, raw_hash, mapping, parse(one.payload)))
        except RecordError as error:
            made[one.identifier] = _damage(one, recipe, error)
    laps.lap("parse")
    mapped: list[tuple[HarvestedRecord, bytes, mappings.Mapping, Any, Normalized]] = []
    for mapping, group in groupby(read, lambda row: row[2]):
        rows = list(group)
        results = normalize_batch([(row[3], _context(row[0], recipe)) for row in rows], mapping)
        for (one, raw_hash, _, parsed), result in zip(rows, results, strict=True):
            if isinstance(result, RecordError):
                made[one.identifier] = _damage(one, recipe, result)
            else:
                mapped.append((one, raw_hash, mapping, parsed, result))
    laps.lap("normalize")
    hashes = [content_hash(parsed, mapping) for _, _, mapping, parsed, _ in mapped]
    bodies = [msgspec.json.encode(found.record) for *_, found in mapped]
    laps.lap("encode")
    shelf = recipe.shelf
    pack_raw, pack_normalized = packer(shelf.raw), packer(shelf.normalized)
    packed = [(pack_raw(row[0].payload), pack_normalized(body)) for row, body in zip(mapped, bodies, strict=True)]
    packed_with = (shelf.raw.id if shelf.raw else None, shelf.normalized.id if shelf.normalized else None)
    laps.lap("compress")
    profiles = profiled_batch([found.record for *_, found in mapped], recipe.rules, recipe.unheeded)
    laps.lap("profile")
    for line, payload_hash, body, (raw, normal), known in zip(mapped, hashes, bodies, packed, profiles, strict=True):
        one, raw_hash, mapping, _, found = line
        made[one.identifier] = Prepared(
            identifier=one.identifier,
            format=one.format,
            datestamp=one.datestamp,
            payload=one.payload,
            raw_hash=raw_hash,
            payload_hash=payload_hash,
            normalized=body,
            mapping_hash=bytes.fromhex(mapping.hash)[:16],
            warnings=(*_mended(one), *(_warning(warning) for warning in found.warnings[:MAX_WARNINGS])),
            profiled=known,
            packed=raw,
            packed_normalized=normal,
            dictionaries=packed_with,
            received=one.received,
        )
    return made


def _mapping_of(one: HarvestedRecord, recipe: Recipe) -> mappings.Mapping:
    if not one.identifier.strip():
        message = "the record has no identifier"
        raise RecordError(message, reason="no-identifier", place=f"{recipe.source.code}/{one.identifier}")
    if one.format not in FAMILY_OF_FORMAT:
        message = f"the record is in no format that can be read: {one.format[:60]!r}"
        raise RecordError(message, reason="unknown-format", place=f"{recipe.source.code}/{one.identifier}")
    return recipe.mapping(one.format)


def _context(one: HarvestedRecord, recipe: Recipe) -> Context:
    return Context(
        source=recipe.source.code,
        identifier=one.identifier,
        partner=recipe.partner,
        opac_url=recipe.opac_url,
        lending=recipe.lending,
        as_of=recipe.as_of,
        flags=one.flags,
    )


def _damage(one: HarvestedRecord, recipe: Recipe, error: RecordError) -> Damage:
    return Damage(
        stage=error.stage if error.stage in _STAGES else "parse",  # type: ignore[arg-type]
        reason=error.reason,
        message=error.message,
        payload=one.payload,
        identifier=one.identifier,
        place=error.place or f"{recipe.source.code}/{one.identifier}",
    )


def profiled(record: NormalizedRecord, rules: Rules, constants: Constants = NONE) -> Profiled:
    """What matching needs of a normalized record, in which the *constants* of its source count for nothing."""
    return profiled_batch([record], rules, constants)[0]


def profiled_batch(records: Iterable[NormalizedRecord], rules: Rules, constants: Constants = NONE) -> list[Profiled]:
    """What matching needs of normalized records of one source, in order."""
    return known_batch([profile(record, rules, constants) for record in records], rules)


def known_batch(profiles: Sequence[Profile], rules: Rules, *, with_keys: bool = True) -> list[Profiled]:
    """What matching needs of records with these profiles, in order; without keys for who knows that they have them."""
    packed = [msgspec.msgpack.encode(one) for one in profiles]
    solid = [self_merges(one, rules) for one in profiles]
    known = [plain_keys(one) if with_keys else () for one in profiles]
    return list(map(Profiled, map(digest, packed), solid, packed, known))


_STAGES = frozenset(("fetch", "split", "decode", "parse", "map", "load", "match"))


def _mended(one: HarvestedRecord) -> tuple[tuple[str, str, str], ...]:
    """The warning of a payload that was mended; its value is the hash of the bytes as they came, which are kept."""
    return (("mended", "", digest(one.received).hex()),) if one.received else ()


def _warning(one: Warning) -> tuple[str, str, str]:
    return one.code, one.field, one.value[:500]


def _superseded(one: HarvestedRecord) -> Damage:
    return Damage(
        stage="load",
        reason="duplicate-identifier",
        message="another record with this identifier came later on the same page and was taken",
        payload=one.payload,
        identifier=one.identifier,
    )


def dedupe(damages: Iterable[tuple[Damage, str]]) -> list[tuple[Damage, str]]:
    """Damages without repetitions, in order."""
    return list({(one.identifier, one.reason, one.payload): (one, name) for one, name in damages}.values())
