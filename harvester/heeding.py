"""What matching heeds of people's decisions: who stands behind a change, pinned values, identifiers that are wrong."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import constants, ledger, links, placing
from db.catalogue import RecordState
from db.engine import Database
from db.upsert import Row
from harvester.identifiers import canonical
from harvester.match.rules import Rules
from harvester.merge import survivorship
from harvester.model import Address, Member, NormalizedRecord, Pin
from harvester.preparing import profiled

_decode_record = msgspec.json.Decoder(NormalizedRecord).decode


class People(NamedTuple):
    """Whose decisions a batch carries out: who stands behind a record (by address), and every decision that waits."""

    behind: dict[str, Decider]
    waiting: frozenset[int]


class Decider(NamedTuple):
    """A person's decision that a batch carries out."""

    author: str
    decision_id: int
    reason: str


def deciders(conn: Connection, states: Iterable[RecordState]) -> People:
    """The decisions that wait for these records to be matched; behind each record stands the newest one."""
    found: dict[str, Decider] = {}
    waiting = set()
    for one in links.concerning(conn, [(state.source, state.identifier) for state in states], links=False):
        if one.state == "pending":
            waiting.add(one.id)
            found |= {str(address): Decider(one.author, one.id, one.reason) for address in one.addresses}
    return People(found, frozenset(waiting))


# ---- identifiers that are wrong ------------------------------------------------------------------------


def hide_identifiers(database: Database, rules: Rules) -> None:
    """Give queued records the profile that they have without the identifiers which a person called wrong.

    Here and not where records are received: whatever makes a record dirty (a harvest, other rules, an undo) comes
    this way, and no other path can forget it.
    """
    with database.read() as conn:
        told = links.ignored_of_queued(conn)
        bodies = ledger.normalized_bodies(conn, told) if told else {}
        found = {key: ledger.profile_of(conn, key) for key in bodies}
        common = constants.of_records(conn, bodies) if bodies else {}
    wanted = {
        key: profiled(without(_decode_record(body), told[key]), rules, common[key]) for key, body in bodies.items()
    }
    moved = {key: made for key, made in wanted.items() if (found[key] or (0, b""))[1] != made.profile}
    if moved:
        with database.write() as conn:
            placing.place(conn, moved)


def without(record: NormalizedRecord, wrong: set[tuple[str, str]]) -> NormalizedRecord:
    """*record* without these identifiers (kind, value); older databases hold some as they were typed."""
    meant = wrong | {(kind, canonical(kind, value)) for kind, value in wrong}
    kept = tuple(one for one in record.identifiers if (one.kind, one.value) not in meant)
    return msgspec.structs.replace(record, identifiers=kept)


# ---- pins ----------------------------------------------------------------------------------------------


class Pinned(NamedTuple):
    """A pin in force, as merge wants it, with where it hangs."""

    pin: Pin
    pin_id: int
    decision_id: int
    where: Address
    seen: str
    warned: str


def pins_of(
    conn: Connection,
    groups: Mapping[int, Sequence[RecordState]],
    added: Sequence[Pinned] = (),
    ended: frozenset[int] = frozenset(),
) -> dict[int, tuple[Pinned, ...]]:
    """Group number → its pins; of two about one field the newer counts. *added* and *ended* as a preview has them."""
    home = {(one.source, one.identifier): number for number, group in groups.items() for one in group}
    found: dict[int, dict[str, Pinned]] = defaultdict(dict)
    stored = [_pinned(row) for row in links.pins(conn, home) if row["decision_id"] not in ended]
    for one in (*stored, *added):
        if one.where in home:
            found[home[one.where]][one.pin.field] = one
    return {number: tuple(by_field.values()) for number, by_field in found.items()}


def _pinned(row: Row) -> Pinned:
    where = Address(row["source"], row["identifier"])
    if row["value"] is None:
        made = Pin(row["field"], donor=str(where), author=row["author"], seen=row["seen"])
    else:
        made = Pin(row["field"], value=json.loads(row["value"]), author=row["author"])
    return Pinned(made, row["id"], row["decision_id"], where, row["seen"], row["warned"])


class Warned(NamedTuple):
    """A pin whose source says something else than when it was pinned (or again the same: `told` is then empty)."""

    pinned: Pinned
    told: str


def changed_pins(pinned: Iterable[Pinned], members: Iterable[Member]) -> list[Warned]:
    """The pins of a cluster about whose source there is news."""
    shown = {one.address: one for one in members}
    found = []
    for one in pinned:
        if one.where not in shown or not one.seen:
            continue
        now = survivorship.fingerprint(getattr(shown[one.where].shown(), one.pin.field))
        told = "" if now == one.seen else now
        if told != one.warned:
            found.append(Warned(one, told))
    return found


def warning(one: Warned, cluster_id: int) -> dict[str, Any]:
    """The event's body."""
    pin = one.pinned
    said = "the source says what it said when it was pinned" if not one.told else "the source's own value has changed"
    return {
        "field": pin.pin.field,
        "record": str(pin.where),
        "decision": pin.decision_id,
        "pinned_by": pin.pin.author,
        "note": said,
        "cluster": cluster_id,
    }
