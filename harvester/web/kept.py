"""Answers about the whole catalogue that are slow to make, kept until a run ends or somebody decides something."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection

from db import desk
from harvester.web.visit import Visit

T = TypeVar("T")
MOST = 200
CLOCKS: dict[str, Callable[[Connection], tuple[Any, ...]]] = {
    "anything": desk.clock_of_changes,
    "runs": lambda conn: (desk.clock_of_runs(conn),),
    "matches": lambda conn: ("matches", desk.clock_of_matches(conn)),
}
_KEPT: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
_LOCK = Lock()


def kept(visit: Visit, name: str, make: Callable[[], T], *, until: str = "anything") -> T:
    """What *make* returns, made once for each state of the catalogue.

    *until* says when it is stale: "anything" a change, decision, verdict or run; "runs" only when a run ends or starts,
    "matches" only when a match ends.
    The answer must be the same for everybody: what depends on the person is filtered by the caller.
    """
    with visit.pipeline.database.read() as conn:
        state = CLOCKS[until](conn)
    files = visit.request.app.state.opened.state
    key = (str(visit.pipeline.database.url), visit.pipeline.match.hash, files, name, *state)
    with _LOCK:
        if key in _KEPT:
            return _KEPT[key]  # type: ignore[no-any-return]
    made = make()
    with _LOCK:
        _KEPT[key] = made
        while len(_KEPT) > MOST:
            _KEPT.popitem(last=False)
    return made
