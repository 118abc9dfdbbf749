"""Files that somebody hands over: the same windows, proofs, proposals and halts as for a source that is fetched.

A full set says what is gone; a delta and a list of deletions speak only of what they name. A dry run stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from db import control, ledger
from db.prepared import Prepared
from harvester import pipeline as journey
from harvester.admitting import admit
from harvester.errors import UsageError
from harvester.job import Outcome
from harvester.model import Damage, HarvestedRecord, Page, Partner, Source, Window
from harvester.pipeline import Order, Pipeline
from harvester.preparing import Recipe, hashed, prepare_batch, to_prepare
from harvester.sources.file_dry_run import DryRun, dry_run
from harvester.sources.files import open_paths
from harvester.sources.sheet_messages import flag
from harvester.storing import rule

DOUBTS = ("isbn-invalid", "issn-invalid", "ismn-invalid", "year-unreadable")  # what only normalizing finds
REFUSED = b"\0"  # the hash of a record that cannot be read; dry_run() never sees such a record


def import_files(
    pipeline: Pipeline,
    code: str,
    paths: Sequence[Path],
    *,
    content: str = "",
    language: str = "",
    progress: Callable[[str, Mapping[str, int]], None] = lambda source, counts: None,
) -> Outcome:
    """Read *paths* into the ledger as one set of partner or source *code*.

    *content* is full, delta or deletes (empty: as the source says; without a word full); *language* that of messages.

    Raises:
        UsageError: no such source of files, or a file that is not there.
        Locked: the source is being harvested.
    """
    source, _ = file_source(pipeline, code, paths, content, language)
    journey.active_sources(pipeline, [source.code])
    environment = journey.environment(pipeline, source)
    return journey.harvest_one(
        pipeline, source.code, Order(kind="import"), progress, lambda: open_paths(source, environment, paths), source
    )


def import_dry(
    pipeline: Pipeline, code: str, paths: Sequence[Path], *, content: str = "", language: str = ""
) -> DryRun[bytes]:
    """What an import of *paths* would do, row by row: new, changed, unchanged, deleted, gone, refused."""
    source, partner = file_source(pipeline, code, paths, content, language)
    how = journey.recipe(pipeline, source, partner)
    with pipeline.database.read() as conn:
        known = control.active_contents(conn, pipeline.source_ids[source.code])
        purged = control.purged(conn, pipeline.source_ids[source.code])
        rejected = control.rejected_payloads(conn, pipeline.source_ids[source.code])
    hashes: dict[str, bytes] = {}
    files = open_paths(source, journey.environment(pipeline, source), paths)
    admitted = (admit(page, source, purged).page for page in files.pages(Window()))
    pages = _read(admitted, how, hashes, known, rejected)
    found = dry_run(pages, known, lambda record: hashes.get(record.identifier, REFUSED), language or "id")
    return found._replace(halts=_halts(pipeline, source, found))


def _halts(pipeline: Pipeline, source: Source, found: DryRun[bytes]) -> str:
    """Why the deletions would wait for a person, as a sentence; empty when they would be applied."""
    gone = {one.identifier for one in found.lines if one.kind in ("gone", "deleted")}
    if not gone:
        return ""
    source_id, limits = pipeline.source_ids[source.code], journey.deletion_limits(pipeline.settings, source)
    with pipeline.database.read() as conn:
        waiting = {row["identifier"] for row in ledger.proposals(conn, source_id)}
        active = ledger.active_count(conn, source_id) + found.counts["new"]
        ruling = rule(conn, source_id, len(gone | waiting), active, pipeline.clock.now(), limits)
    return ruling.reason


def _read(
    pages: Iterable[Page],
    how: Recipe,
    hashes: dict[str, bytes],
    known: Mapping[str, bytes],
    rejected: frozenset[bytes],
) -> Iterator[Page]:
    """The pages with what cannot be read among the damages; *hashes* learns the content of the rest."""
    for page in pages:
        live = [one for one in page.records if not one.deleted]
        made = prepare_batch(to_prepare(live, {}, hashed(live)), how)
        bad = {name: one for name, one in made.items() if isinstance(one, Damage)}
        for name, one in made.items():
            if isinstance(one, Prepared):
                # what a reverted run had brought is not taken again: it counts as no change
                hashes[name] = known.get(name, one.payload_hash) if one.payload_hash in rejected else one.payload_hash
        kept = tuple(_doubted(one, made) for one in page.records if one.deleted or one.identifier not in bad)
        damages = (*page.damages, *(_placed(bad[one.identifier], one) for one in live if one.identifier in bad))
        yield msgspec.structs.replace(page, records=kept, damages=damages)


def _doubted(record: HarvestedRecord, made: Mapping[str, Prepared | Damage]) -> HarvestedRecord:
    """*record* flagged with what its values make doubtful, so that the dry run says it."""
    found = made.get(record.identifier)
    told = [] if record.deleted or not isinstance(found, Prepared) else found.warnings
    flags = [flag(code, _place(record) or record.identifier, value) for code, _, value in told if code in DOUBTS]
    return msgspec.structs.replace(record, flags=(*record.flags, *flags)) if flags else record


def _place(record: HarvestedRecord) -> str:
    """Where the record stands in its file, such as Sheet!cell; empty when the reader does not say."""
    return next((one.removeprefix("place:") for one in record.flags if one.startswith("place:")), "")


def _placed(damage: Damage, record: HarvestedRecord) -> Damage:
    """*damage* with the place in the file, such as Sheet!cell."""
    return msgspec.structs.replace(damage, place=_place(record) or damage.place)


def file_source(
    pipeline: Pipeline, code: str, paths: Sequence[Path], content: str, language: str
) -> tuple[Source, Partner]:
    """The source of files meant by *code*, with the options of this import, and its partner."""
    missing = [str(path) for path in paths if not path.is_file()]
    if missing:
        raise UsageError(f"no such file: {', '.join(missing)}")
    partner = pipeline.partners.get(code) or pipeline.settings.partner_of(code)
    found = [one for one in partner.sources if one.code == code] or list(partner.sources)
    source = next((one for one in found if one.protocol == "files"), None)
    if source is None:
        hint = "give it one of its own: sources: [{code: …, protocol: files, url: FOLDER}]"
        raise UsageError(f"{code} has no source of files", hint=hint)
    given = {name: value for name, value in (("content", content), ("language", language)) if value}
    return msgspec.structs.replace(source, options={**source.options, **given}), partner
