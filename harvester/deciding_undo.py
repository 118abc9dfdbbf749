"""What undoing means: which decisions end, which count again, and who is kept apart."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection

from db import catalogue, links
from db.links import Decided, Draft
from db.upsert import Row
from harvester.deciding_acts import Plan
from harvester.errors import UsageError
from harvester.model import Address

UNDOES = ("undo", "undo_events", "undo_run", "unpin")


def undo_decisions(conn: Connection, ids: Sequence[int], action: str, author: str, reason: str) -> Plan:
    """The plan that takes these decisions back, with their parts; an undo taken back puts in force what it undid.

    Raises:
        UsageError: one does not exist or is undone already; the message says by whom.
    """
    if not ids:
        raise UsageError("there is no decision to undo")
    ends = [one for wanted in ids for one in _with_parts(conn, wanted)]
    revives = [back for one in ends if one.action in UNDOES for back in links.ended_by(conn, one.id)]
    revived = links.get(conn, revives).values()
    concerned = dict.fromkeys(address for one in (*ends, *revived) for address in one.addresses)
    draft = Draft(action, "", author, reason, (tuple(sorted(concerned)),), {"undoes": sorted(ids)})
    return Plan(
        (draft,),
        ends=frozenset(one.id for one in ends),
        revives=frozenset(revives),
        notes=tuple(_still(conn, ends)),
    )


def _with_parts(conn: Connection, wanted: int) -> list[Decided]:
    held = links.get(conn, [wanted]).get(wanted)
    if held is None:
        raise UsageError(f"no decision {wanted}", hint="`induk link list` lists them")
    if not held.in_force:
        by = links.get(conn, [held.undone_by or 0]).get(held.undone_by or 0)
        raise UsageError(
            f"decision {wanted} was undone already" + (f" by {by.sentence}" if by else ""),
            hint=f"undo decision {by.id} to put it in force again" if by else "",
        )
    return [held, *(one for one in links.get(conn, links.parts(conn, wanted)).values() if one.in_force)]


def _still(conn: Connection, ends: Sequence[Decided]) -> Iterable[str]:
    """Newer decisions about the same records: they stay, and may hold what this undo would loosen."""
    concerned = {address for one in ends if one.kind for address in one.addresses}
    going = {one.id for one in ends}
    oldest = min(going)
    for one in links.concerning(conn, concerned) if concerned else ():
        if one.id > oldest and one.id not in going and len(concerned.intersection(one.addresses)) > 1:
            yield f"{one.sentence} is newer and stays in force for these records"


# ---- the merge log -------------------------------------------------------------------------------------


def undo_of_events(conn: Connection, events: Sequence[Row], action: str, author: str, reason: str) -> Plan:
    """The plan that takes back lines of the merge log: who joined is kept apart from those whom they joined.

    Records that came together from one cluster leave together. Behind a line of a person stands a decision: that is
    undone instead.
    """
    if not events:
        raise UsageError("there is nothing in the merge log to undo")
    notes: list[str] = []
    people: set[int] = set()
    joined: dict[int, dict[str, set[Address]]] = defaultdict(lambda: defaultdict(set))
    for row in events:
        body = json.loads(row["body"])
        if "decision" in body and row["kind"] != "pin_changed":
            people.add(int(body["decision"]))
        elif row["kind"] in ("joined", "merged"):
            origin = f"{row['run_id']}:{body['came_from']}" if body.get("came_from") else body["record"]
            joined[catalogue.resolve(conn, row["cluster_id"])][origin].add(Address.parse(body["record"]))
        elif row["kind"] == "gone":
            notes.append(f"{body['record']} left because its partner deleted it: that is not undone here")
    drafts = [draft for key in sorted(joined) if (draft := _apart(conn, key, joined[key], author, reason, notes))]
    ends, revives = _ended(conn, people, notes)
    if not drafts and not ends:
        raise UsageError("nothing of it can be undone", hint="; ".join(dict.fromkeys(notes))[:2000])
    found = links.get(conn, [*ends, *revives]).values()
    concerned = dict.fromkeys(address for one in found for address in one.addresses)
    head = Draft(action, "", author, reason, (tuple(sorted(concerned)),), {"events": len(events)})
    return Plan((head, *drafts), frozenset(ends), frozenset(revives), notes=tuple(dict.fromkeys(notes)))


def _apart(
    conn: Connection, key: int, origins: dict[str, set[Address]], author: str, reason: str, notes: list[str]
) -> Draft | None:
    """The records that joined a cluster, those of one origin together, apart from each other and from the rest."""
    members = [Address(one.source, one.identifier) for one in catalogue.members(conn, [key]).get(key, [])]
    here = set(members)
    for address in sorted({one for group in origins.values() for one in group} - here):
        notes.append(f"{address} is no longer in cluster {key}: it has left since")
    sides = [tuple(sorted(group & here)) for _, group in sorted(origins.items()) if group & here]
    rest = tuple(one for one in members if not any(one in side for side in sides))
    sides += [rest] if rest else []
    return Draft("apart", "cannot", author, reason, tuple(sides)) if len(sides) > 1 else None


def _ended(conn: Connection, people: set[int], notes: list[str]) -> tuple[list[int], list[int]]:
    """The decisions of people behind the lines that can end, and those which count again then."""
    ends: list[int] = []
    revives: list[int] = []
    for wanted in sorted(people):
        try:
            found: list[Any] = _with_parts(conn, wanted)
        except UsageError as error:
            notes.append(str(error))
            continue
        ends += [one.id for one in found]
        revives += [back for one in found if one.action in UNDOES for back in links.ended_by(conn, one.id)]
    return ends, revives
