"""How records arrive: to add a protocol, add a file that registers an opener under the protocol's name."""

from __future__ import annotations

from collections.abc import Callable

from harvester.model import Harvester, Source
from harvester.registry import Registry
from harvester.sources.environment import Environment, Limits

__all__ = ["HALTING", "Environment", "Limits", "Opener", "sources"]

Opener = Callable[[Source, Environment], Harvester]
"""Opens a source; no network is touched before the first page is asked for.

A harvester's `pages(window)` fetches lazily: the next page only when it is asked for, so that a page is committed
first. The list is complete only when the iterator ends by itself; whatever it raises leaves it partial. A page with
the flag `salvaged` had parts that could not be read, so its run is partial too. A ProtocolError with one of the codes
in HALTING wants a person. Flags `learned:NAME=VALUE` are facts about the server: stored, they come back in
`Environment.learned`.
"""

HALTING = frozenset({"otherRepository", "setGone"})

sources: Registry[Opener] = Registry("protocol", __name__)
