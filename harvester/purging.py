"""A takedown: `induk record purge ADDRESS` forgets a record, and the next harvest does not bring it back.

The record first leaves its cluster like any deleted one, so that outputs are told. Then its bytes, versions, evidence
and every mention of it are taken out. What stays is a hash of the address, and a line that something was purged.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from db import ledger, purge, work
from harvester import promoted
from harvester.admitting import address as hashed
from harvester.errors import UsageError
from harvester.matching import match_batch
from harvester.model import Address, Value
from harvester.pipeline import HARVEST_LOCK, MATCH_LOCK, MATCH_PATIENCE, Pipeline, desk_of

CHUNK = 1 << 20
MAX_SCAN = 8 << 30  # bytes looked through in one file
PACKED = (".zst", ".zip", ".xz", ".7z", ".dump", ".pgdump")


class Holder(Value, frozen=True):
    """A file that holds the record still, or (not `certain`) that may: it is packed, and was made since it came."""

    path: str
    certain: bool = True


class Purged(Value, frozen=True):
    """What was forgotten: table → rows; the cluster that it stood in; files outside the database that hold it."""

    source: str
    run: int = 0
    cluster: int | None = None
    rows: dict[str, int] = {}
    holders: tuple[Holder, ...] = ()


def forget(pipeline: Pipeline, address: str, author: str, *, preview: bool = False) -> Purged:
    """Purge the record at *address* (source/identifier), also one that never came: it is then kept out.

    Run again after a crash it goes on where it stopped.

    Raises:
        UsageError: no such source, or no identifier.
        Locked: the source is being harvested, or a batch of matching does not end.
    """
    wanted = Address.parse(address)
    if wanted.source not in pipeline.source_ids or not wanted.identifier:
        raise UsageError("an address is source/identifier", place=address)
    source_id = pipeline.source_ids[wanted.source]
    with pipeline.database.read() as conn:
        held = ledger.find(conn, wanted.source, wanted.identifier)
        since = purge.first_seen(conn, held["id"]) if held else ""
        cluster = purge.cluster_of(conn, held["id"]) if held else None
    holders = tuple(_holders(pipeline, wanted.identifier, since))
    if preview:
        return Purged(wanted.source, 0, cluster, {}, holders)
    database = pipeline.database
    with (
        database.lock(HARVEST_LOCK + wanted.source),
        database.ahead(),
        database.lock(MATCH_LOCK, wait=MATCH_PATIENCE),
    ):
        promoted.refuse_overtaken(database, pipeline.match, pipeline.merge)
        with database.write(durable=True) as conn:
            run_id = work.open_run(conn, "purge", source_id, pipeline.now())
            purge.remember(conn, source_id, hashed(wanted.source, wanted.identifier), pipeline.now())
            if held:
                ledger.apply_deletions(conn, [{"record_id": held["id"], "datestamp": ""}], run_id, pipeline.now())
                work.mark_dirty(conn, [held["id"]])
        if held:
            _leave(pipeline, run_id, held["id"])
        with database.write(durable=True) as conn:
            purge.overwrite(conn)
            rows = purge.scrub(conn, source_id, wanted.source, wanted.identifier, held["id"] if held else None)
            if cluster is not None:
                purge.note(conn, cluster, run_id, author, pipeline.now())
            counts = {"received": 1, "deleted": 1} if held else {}
            work.count(conn, run_id, counts)
            body = {"by": author, "rows": rows}
            work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=pipeline.now(), body=body)
        with closing(database.engine.raw_connection()) as raw:
            purge.flush(raw, sqlite=database.sqlite)
    return Purged(wanted.source, run_id, cluster, rows, holders)


def _leave(pipeline: Pipeline, run_id: int, record_id: int) -> None:
    """Let the deleted record leave its cluster; the feed tells it."""
    desk = desk_of(pipeline, run_id, durable=True)
    match_batch(desk, pipeline.settings.match.batch, [record_id])


# ---- backups and dumps -----------------------------------------------------------------------------------


def _holders(pipeline: Pipeline, identifier: str, since: str) -> Iterator[Holder]:
    """Files in the data folder and in those of sources and outputs that hold the identifier, or may."""
    folders = {pipeline.settings.data_folder}
    for output in pipeline.settings.outputs.values():
        if output.url and "://" not in output.url:
            folders.add((pipeline.settings.folder / output.url).absolute())
    folders.add((pipeline.settings.folder / "backups").absolute())
    own_files = [source.url for partner in pipeline.settings.partners for source in partner.sources]
    folders |= {Path(url) for url in own_files if Path(url).is_absolute()}  # dropped there by a partner
    own = {pipeline.database.path.resolve()} if pipeline.database.sqlite else set()
    began = datetime.fromisoformat(since).timestamp() if since else 0.0
    paths = {path for folder in folders for path in (folder.rglob("*") if folder.is_dir() else [folder])}
    for path in sorted(paths):
        if not path.is_file() or path.is_symlink() or _is_own(path, own):
            continue
        found = _search(path, identifier.encode())
        if found is None and path.stat().st_mtime >= began:
            yield Holder(str(path), certain=False)
        elif found:
            yield Holder(str(path))


def _is_own(path: Path, own: set[Path]) -> bool:
    return any(path.resolve() == one or path.name.startswith(f"{one.name}-") for one in own)


def _search(path: Path, wanted: bytes) -> bool | None:
    """Whether the file holds these bytes, in a text not as a part of a longer word; None when it cannot be said."""
    if path.suffix.lower() in PACKED:
        return None
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            return _in_stream(stream, wanted)  # type: ignore[arg-type]
    except (OSError, EOFError, zlib.error):
        return None


def _in_stream(stream: BinaryIO, wanted: bytes) -> bool | None:
    tail, seen, binary = b"", 0, False
    whole = re.compile(rb"(?<![0-9A-Za-z])" + re.escape(wanted) + rb"(?![0-9A-Za-z])")
    while chunk := stream.read(CHUNK):
        binary = binary or b"\0" in chunk  # the columns of a row in a database follow each other without a mark
        if wanted in (held := tail + chunk) and (binary or whole.search(held)):
            return True
        tail, seen = held[-len(wanted) - 1 :], seen + len(chunk)
        if seen > MAX_SCAN:
            return None
    return False
