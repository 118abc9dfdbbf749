"""Taking a run back, and letting it be again: the versions before it return, and its contents are not taken again.

The cursor is not rewound: what the source sends anew is judged anew, but what the run had brought stays out until
`induk run release`.
"""

from __future__ import annotations

import json
from typing import Any

from db import work
from harvester import pipeline as journey
from harvester import restoring
from harvester.errors import UsageError
from harvester.pipeline import HARVEST_LOCK, Pipeline
from harvester.restoring import Reverted

REVERTIBLE = ("harvest", "import", "audit", "approve", "retire", "retry", "release")


def revert(pipeline: Pipeline, number: int, author: str, why: str = "", *, preview: bool = False) -> Reverted:
    """Restore what stood before run *number*; what it brought is rejected until it is released.

    Raises:
        UsageError: it is no run that changed records, or is reverted already.
        Locked: the source is being harvested.
    """
    row = _changing(pipeline, number)
    notes = json.loads(row["body"])
    if by := notes.get("reverted"):
        raise UsageError(f"run {number} is reverted already, by run {by}")
    if by := notes.get("released"):
        raise UsageError(f"run {number} was taken again by run {by}", hint=f"`induk run revert {by}`")
    place = journey.place_of(pipeline, row["source"])
    if preview:
        return restoring.foresee(place, row)
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        return restoring.set_back(place, row, {"reverts": number, "by": author, "why": why})


def release(pipeline: Pipeline, number: int, author: str, why: str = "") -> Reverted:
    """Take the contents of a reverted run again, at once where nothing newer stands, else when they are sent.

    Raises:
        UsageError: the run was not reverted, or waits for a decision.
        Locked: the source is being harvested.
    """
    row = _changing(pipeline, number)
    if row["verdict"] == "halted":
        raise UsageError(f"run {number} waits for a decision", hint=f"`induk run approve {number}` lets it happen")
    if not json.loads(row["body"]).get("reverted"):
        raise UsageError(f"run {number} was not reverted: there is nothing to release")
    with pipeline.database.lock(HARVEST_LOCK + row["source"]):
        place = journey.place_of(pipeline, row["source"])
        return restoring.bring_again(place, row, {"releases": number, "by": author, "why": why})


def _changing(pipeline: Pipeline, number: int) -> dict[str, Any]:
    with pipeline.database.read() as conn:
        row = work.get_run(conn, number)
    if row is None:
        raise UsageError(f"no run {number}", hint="`induk run list` shows them")
    if row["kind"] not in REVERTIBLE or row["verdict"] == "running":
        raise UsageError(f"run {number} ({row['kind']}, {row['verdict']}) cannot be reverted")
    return row
