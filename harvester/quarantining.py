"""What could not be read, tried again: after a mapping or a decoder was mended, with the bytes that were kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from db import control, ledger, work
from db.prepared import Prepared, digest
from harvester import pipeline as journey
from harvester.errors import UsageError
from harvester.model import Damage, HarvestedRecord, Value
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.preparing import Recipe, prepare
from harvester.sources.file_split import kind_of

UNTRIED = ("fetch", "split")  # no record of its own to try
READABLE = ("iso2709", "marcxml", "oai_dc", "mods", "marc_json", "line_marc")


class Retried(Value, frozen=True):
    """What came of a second try; `run` is 0 when there was nothing to try."""

    source: str
    run: int = 0
    tried: int = 0
    read: int = 0
    outdated: int = 0  # a newer version of the record is there already
    still: tuple[tuple[int, str], ...] = ()  # (quarantine id, why)


def retry(pipeline: Pipeline, code: str, only: Sequence[int] = ()) -> Retried:
    """Read what waits in quarantine of a source again (only these ids, or all) with today's mapping.

    Raises:
        UsageError: an id that does not wait in the quarantine of this source.
        Locked: the source is being harvested.
    """
    source, partner = journey.source_of(pipeline.settings, code)
    source_id = pipeline.source_ids[code]
    with pipeline.database.lock(HARVEST_LOCK + code):
        how = journey.recipe(pipeline, source, partner)
        with pipeline.database.read() as conn:
            rows = control.waiting_damage(conn, source_id, only)
        unknown = set(only) - {row["id"] for row in rows}
        if unknown:
            raise UsageError(f"not waiting in the quarantine of {code}: {', '.join(map(str, sorted(unknown)))}")
        rows = [row for row in rows if row["stage"] not in UNTRIED and row["reason"] != "duplicate-identifier"]
        if not rows:
            return Retried(code)
        return _try(pipeline, code, how, rows)


def ignore(pipeline: Pipeline, ids: Sequence[int], *, preview: bool = False) -> list[int]:
    """Set things aside that wait and need no work; returns their ids.

    Raises:
        UsageError: an id under which nothing waits; none is set aside then.
    """
    wanted = sorted(set(ids))
    with pipeline.database.write() as conn:
        states = {one: (ledger.quarantined(conn, one) or {}).get("state") for one in wanted}
        unknown = [str(one) for one in wanted if states[one] != "open"]
        if unknown:
            raise UsageError(f"not waiting in quarantine: {', '.join(unknown)}")
        if not preview:
            control.settle_damage(conn, wanted, "ignored")
    return wanted


def _try(pipeline: Pipeline, code: str, how: Recipe, rows: Sequence[dict[str, Any]]) -> Retried:
    source_id = pipeline.source_ids[code]
    made = [(row, _again(row, how)) for row in rows]
    ready = {one.identifier: one for _, one in made if isinstance(one, Prepared)}
    with pipeline.database.write() as conn:
        run_id = work.open_run(conn, "retry", source_id, pipeline.now())
        known = ledger.known(conn, source_id, ready)
        newer = control.changed_after(conn, source_id, {row["identifier"]: row["last_run"] for row in rows})
        rejected = control.rejected_payloads(conn, source_id)
        fresh = [one for one in ready.values() if one.identifier not in newer and one.payload_hash not in rejected]
        ledger.store(
            conn,
            fresh,
            known,
            source_id=source_id,
            run_id=run_id,
            window_id=None,
            derivation_id=pipeline.derivation_id,
            now=pipeline.now(),
        )
        still = [(row["id"], one.message) for row, one in made if isinstance(one, Damage)]
        control.note_tries(conn, [number for number, _ in still])
        control.settle_damage(conn, [row["id"] for row, one in made if isinstance(one, Prepared)])
        created = sum(1 for one in fresh if one.identifier not in known)
        counts = {
            "received": len(rows),
            "created": created,
            "updated": len(fresh) - created,
            "quarantined": len(still),
            "unchanged": len(rows) - len(fresh) - len(still),
        }
        work.count(conn, run_id, counts)
        work.close_run(conn, run_id, verdict="complete", reason="", proof="", now=pipeline.now(), body={})
    return Retried(code, run_id, len(rows), len(fresh), len(newer & ready.keys()), tuple(still))


def _again(row: dict[str, Any], how: Recipe) -> Prepared | Damage:
    """The kept bytes, tried as what they were taken for, or as what they look like."""
    guessed = kind_of(row["payload"][:4096])
    name = row["format"] or (guessed if guessed in READABLE else "")
    record = HarvestedRecord(row["identifier"], name, row["payload"])
    return prepare(record, digest(row["payload"]), how)
