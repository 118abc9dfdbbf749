"""What a harvest of one source needs, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from db.engine import Database
from harvester.guards import DeletionLimits
from harvester.laps import Spent
from harvester.model import Clock, Value
from harvester.preparing import Recipe
from harvester.workers import Workers


class Job(Value, frozen=True):
    """What a harvest of one source needs; `full` sweeps the whole list and looks for absent records."""

    database: Database
    clock: Clock
    recipe: Recipe
    source_id: int
    derivation_id: int
    limits: DeletionLimits
    workers: Workers
    kind: str = "harvest"
    full: bool = False
    delta: bool = False  # what comes is never the whole: nothing is absent from it
    since: str = ""
    until: str = ""
    limit: int = 0
    incremental: bool = True
    sweeps_absent: bool = False
    unstable: bool = False
    trust_list_size: bool = True
    shrink_percent: float = 20
    overlap: timedelta = timedelta(minutes=15)
    night: str = ""
    progress: Callable[[Mapping[str, int]], None] = lambda counts: None
    log: Callable[..., None] = lambda event, **values: None
    spent: Spent = lambda stage, seconds: None
    gate: Callable[[int, Sequence[int]], tuple[str, Mapping[str, Any]]] = lambda run_id, windows: ("", {})


class Outcome(Value, frozen=True):
    """The verdict on a run. proof: proven | claimed | "" (when it is not complete)."""

    run_id: int
    verdict: str
    reason: str = ""
    proof: str = ""
