"""Answers to people's questions about records, clusters and partners, as plain values. Reads only."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from db import catalogue, control, desk, ledger, work
from harvester import mapping_tools
from harvester.clock import SystemClock
from harvester.drawing import member
from harvester.errors import UsageError
from harvester.formats import formats
from harvester.merge import survivorship
from harvester.model import Address, NormalizedRecord, Source, Window
from harvester.normalize.apply import Context, normalize
from harvester.pipeline import Pipeline, recipe, source_of
from harvester.sources import Environment
from harvester.sources.files import open_paths


def _found(pipeline: Pipeline, conn: Any, address: str) -> dict[str, Any]:
    wanted = Address.parse(address)
    held = ledger.find(conn, wanted.source, wanted.identifier)
    if held is None:
        raise UsageError("no such record", place=address, hint="an address is source/identifier")
    return held


def record(pipeline: Pipeline, address: str) -> dict[str, Any]:
    """Everything about one record: state, versions, fields, warnings, where it stands."""
    with pipeline.database.read() as conn:
        held = _found(pipeline, conn, address)
        state = catalogue.states_of_records(conn, [held["id"]])[0]
        bodies = ledger.normalized_bodies(conn, [held["id"]])
        versions = ledger.versions(conn, held["id"])
        warnings = ledger.warnings_of(conn, held["id"])
    return {
        "address": address,
        "partner": held["partner"],
        "state": held["state"],
        "version": held["version"],
        "format": held["format"],
        "datestamp": held["datestamp"],
        "cluster": state.cluster_id,
        "versions": versions,
        "normalized": json.loads(bodies.get(held["id"], b"{}")),
        "warnings": warnings,
    }


def raw(pipeline: Pipeline, address: str, version: int | None = None, *, mended: bool = False) -> bytes:
    """The bytes of a version (None: the current one) as received.

    Of a current version that had to be mended to be readable: the bytes before, or with *mended* those after.
    """
    with pipeline.database.read() as conn:
        held = _found(pipeline, conn, address)
        stored = held["stored_hash"]
        if version is None and not mended:
            codes = {row["code"]: row["value"] for row in ledger.warnings_of(conn, held["id"])}
            stored = bytes.fromhex(codes["mended"]) if "mended" in codes else stored
        if version is not None:
            by_number = {row["version"]: row["payload"] for row in ledger.versions(conn, held["id"])}
            if version not in by_number:
                raise UsageError(f"no version {version}", place=address, hint=f"versions 1 to {held['version']}")
            stored = by_number[version]
        return ledger.raw(conn, bytes(stored))


def trace(pipeline: Pipeline, address: str) -> list[dict[str, Any]]:
    """The steps that today's mapping takes from the stored bytes to each field."""
    body = raw(pipeline, address, mended=True)
    with pipeline.database.read() as conn:
        held = _found(pipeline, conn, address)
    source, partner = source_of(pipeline.settings, held["source"])
    how = recipe(pipeline, source, partner)
    context = Context(
        source=source.code,
        identifier=held["identifier"],
        partner=partner.code,
        opac_url=partner.opac_url,
        lending=partner.lending,
        as_of=how.as_of,
    )
    parsed: Any = formats.get(held["format"])(body)
    found = normalize(parsed, how.mapping(held["format"]), context, trace=True)
    return [msgspec.to_builtins(step) for step in found.trace]


def try_mapping(name: str, path: Path, format: str, number: int, folders: Sequence[Path]) -> dict[str, Any]:
    """Record *number* of the file at *path* through mapping or preset *name*: its fields, warnings and every step."""
    options = {"content": "delta", **({"format": format} if format else {})}
    reader = open_paths(Source("try", "files", options=options), Environment(clock=SystemClock()), [path])
    pages = list(reader.pages(Window()))
    found = [one for page in pages for one in page.records]
    if not 1 <= number <= len(found):
        damaged = [one.message for page in pages for one in page.damages]
        raise UsageError(f"no record {number}: {len(found)} can be read", place=path.name, hint="; ".join(damaged[:3]))
    one = found[number - 1]
    how = mapping_tools.mapping_of(name, one.format, tuple(folders))
    parsed: Any = formats.get(one.format)(one.payload)
    made = normalize(parsed, how, Context(source="try", identifier=one.identifier, partner="try"), trace=True)
    return {
        "record": msgspec.to_builtins(made.record),
        "warnings": [msgspec.to_builtins(warning) for warning in made.warnings],
        "trace": [msgspec.to_builtins(step) for step in made.trace],
    }


def cluster(pipeline: Pipeline, number: int) -> dict[str, Any]:
    """A cluster (also by an id that now leads elsewhere): its merged record, donors and members."""
    with pipeline.database.read() as conn:
        living = catalogue.resolve(conn, number)
        row = catalogue.clusters(conn, [living]).get(living)
        if row is None or row["state"] != "active":
            raise UsageError(f"no cluster {number}" if row is None else f"cluster {number} holds nothing any more")
        states = catalogue.members(conn, [living]).get(living, [])
        union = catalogue.union_bodies(conn, [living]).get(living)
        if union is None:
            bodies = ledger.normalized_bodies(conn, [one.record_id for one in states])
            decoded = [
                member(
                    pipeline.partners,
                    one,
                    msgspec.json.decode(bodies[one.record_id], type=NormalizedRecord),
                    pipeline.merge,
                )
                for one in states
                if one.record_id in bodies
            ]
            union = msgspec.to_builtins(survivorship.merge(decoded, pipeline.merge))
    return {
        "asked": number,
        "cluster": living,
        "size": row["size"],
        "created_at": row["created_at"],
        "changed_at": row["changed_at"],
        "members": [{"address": one.address, "partner": one.partner} for one in states],
        "union": union,
    }


def history(pipeline: Pipeline, number: int) -> list[dict[str, Any]]:
    """The events of a cluster, also of one that ended, oldest first.

    Raises:
        UsageError: there never was one of this number.
    """
    with pipeline.database.read() as conn:
        rows = catalogue.events(conn, number)
        if not rows and number not in catalogue.clusters(conn, [number]):
            raise UsageError(f"no cluster {number}")
    return [{**row, "body": json.loads(row["body"])} for row in rows]


def partners(pipeline: Pipeline) -> list[dict[str, Any]]:
    """A line a partner: status, numbers, last run."""
    with pipeline.database.read() as conn:
        status = {row["partner"]: row["status"] for row in work.sources(conn)}
        numbers = {row["code"]: row for row in catalogue.by_partner(conn)}
        counts = ledger.source_counts(conn)
        lines = []
        for one in pipeline.settings.partners:
            runs = [work.list_runs(conn, source_code=source.code, limit=1) for source in one.sources]
            last = max((run[0] for run in runs if run), key=lambda run: run["id"], default=None)
            lines.append(
                {
                    "code": one.code,
                    "name": {"id": one.name_id, "en": one.name_en},
                    "status": status.get(one.code, ""),
                    "records": numbers.get(one.code, {}).get("records", 0),
                    "clusters": numbers.get(one.code, {}).get("clusters", 0),
                    "quarantined": sum(counts.get(source.code, {}).get("quarantined", 0) for source in one.sources),
                    "last_run": last["started_at"] if last else "",
                    "verdict": last["verdict"] if last else "",
                }
            )
    return lines


def partner(pipeline: Pipeline, code: str) -> dict[str, Any]:
    """One partner: policy, sources with their position, last runs."""
    known = pipeline.settings.partner(code)
    line = next(row for row in partners(pipeline) if row["code"] == code)
    with pipeline.database.read() as conn:
        counts = ledger.source_counts(conn)
        rows = []
        runs: list[dict[str, Any]] = []
        for source in known.sources:
            source_id = pipeline.source_ids[source.code]
            done = [one["server_time"] for one in work.done_windows(conn, source_id)]
            windows = ledger.window_counts(conn, source_id)
            rows.append(
                {
                    "code": source.code,
                    "protocol": source.protocol,
                    "url": source.url,
                    "preset": source.preset,
                    "records": counts.get(source.code, {}).get("active", 0),
                    "windows": ", ".join(f"{number} {state}" for state, number in sorted(windows.items())),
                    "position": max(done, default=""),
                    "profile": (control.profile(conn, source_id) or ("", {}))[1],
                    "drift": control.last_drift(conn, source_id),
                    "constants": mapping_tools.in_force(pipeline, source.code),
                }
            )
            runs += work.list_runs(conn, source_code=source.code, limit=10)
        warnings = dict(desk.warning_totals(conn, [source.code for source in known.sources]))
    policy = msgspec.to_builtins(known.policy)
    defaults = {name: getattr(known.policy, name) for name in known.policy.__struct_fields__}
    return {**line, "policy": {**defaults, **policy}, "sources": rows, "warnings": warnings, "runs": runs}
