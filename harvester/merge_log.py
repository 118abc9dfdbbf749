"""The lines of the merge log: who joined or left which cluster, on what evidence, and who said so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from db.upsert import Row
from harvester.heeding import People
from harvester.resolving import Grouping


class Log(NamedTuple):
    """Who writes the lines of the merge log, in which run, when."""

    actor: str
    run_id: int
    now: str
    people: People

    def line(self, cluster_id: int, kind: str, **body: Any) -> Row:
        """One line; a person's decision about `record` stands in it with its author."""
        actor = self.actor
        decider = self.people.behind.get(body.get("record", ""))
        if decider:
            actor = decider.author
            body |= {"decision": decider.decision_id, "why": decider.reason}
        text = msgspec.json.encode(body).decode()
        found = {"cluster_id": cluster_id, "kind": kind, "actor": actor, "run_id": self.run_id, "at": self.now}
        return {**found, "body": text}


def events(grouping: Grouping, ids: Sequence[int], redirects: Mapping[int, int], log: Log) -> Iterator[Row]:
    """The merge log's lines: who joined or left which cluster, and on what evidence.

    The birth of a cluster of one is no line: its row says when it was made.
    """
    for number, group in enumerate(grouping.groups):
        for one in group:
            back = one.cluster_id is None and grouping.ids[number] is not None
            if one.cluster_id == ids[number] or (one.cluster_id is None and len(group) == 1 and not back):
                continue
            reason = grouping.reasons.get(one.record_id, {})
            kind = "merged" if one.cluster_id in redirects else "returned" if back and len(group) == 1 else "joined"
            yield log.line(ids[number], kind, record=one.address, came_from=one.cluster_id, **reason)
            if one.cluster_id is not None and one.cluster_id not in grouping.lost:
                yield log.line(one.cluster_id, "left", record=one.address, went_to=ids[number])
    for one in grouping.records:
        if one.node_id is None and one.cluster_id is not None:
            yield log.line(one.cluster_id, "gone", record=one.address)
