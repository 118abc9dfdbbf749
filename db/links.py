"""What people decided about records: links over groups, pins, identifiers that are wrong, ids of an older union.

A decision is one row, and one row for each record that it concerns, whatever the number of pairs. It is never
deleted: undone, it stays in the list with the decision that undid it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, exists, func, insert, or_, select, update

from db.engine import within
from db.tables import (
    decision_member,
    human_decision,
    ignored_identifier,
    imported_id,
    label,
    match_queue,
    membership,
    pin,
    record,
    source,
)
from db.upsert import Row, insert_new
from harvester.model import Address

IN_FORCE = ("pending", "active")
BINDING = ("must", "cannot", "split")


class Decided(NamedTuple):
    """A person's decision. *sides* are groups of addresses: what `kind` says of them is

    must: the one side belongs together; cannot: no two sides do; split: each side belongs together, no two do;
    empty: nothing, it is no link.
    """

    id: int
    action: str
    kind: str
    author: str
    reason: str
    at: str
    state: str
    undone_by: int | None
    part_of: int | None
    run_id: int | None
    body: dict[str, Any]
    sides: tuple[tuple[Address, ...], ...]

    @property
    def addresses(self) -> list[Address]:
        return [one for side in self.sides for one in side]

    @property
    def in_force(self) -> bool:
        return self.state in IN_FORCE

    @property
    def sentence(self) -> str:
        """Who decided what, in a line."""
        reason = f": {self.reason}" if self.reason else ""
        return f"decision {self.id} ({self.action} by {self.author}, {self.at[:10]}{reason})"


class Draft(NamedTuple):
    """A decision that is to be stored."""

    action: str
    kind: str
    author: str
    reason: str
    sides: tuple[tuple[Address, ...], ...]
    body: dict[str, Any] = {}

    @property
    def addresses(self) -> list[Address]:
        return [one for side in self.sides for one in side]


# ---- writing -----------------------------------------------------------------------------------------


def add(conn: Connection, draft: Draft, now: str, *, run_id: int | None, part_of: int | None = None) -> int:
    """Store a decision as pending; returns its id."""
    values = {
        "action": draft.action,
        "kind": draft.kind,
        "author": draft.author,
        "reason": draft.reason,
        "at": now,
        "state": "pending",
        "part_of": part_of,
        "run_id": run_id,
        "body": json.dumps(draft.body, ensure_ascii=False, sort_keys=True),
    }
    made = int(conn.execute(insert(human_decision).values(values).returning(human_decision.c.id)).scalar_one())
    rows = [
        {"decision_id": made, "source": one.source, "identifier": one.identifier, "side": number}
        for number, side in enumerate(draft.sides)
        for one in side
    ]
    if rows:
        conn.execute(insert(decision_member), rows)
    return made


def end(conn: Connection, ids: Iterable[int], by: int) -> int:
    """Undo decisions that are in force, on behalf of the decision *by*; returns how many were."""
    ended = conn.execute(
        update(human_decision)
        .where(within(conn, human_decision.c.id, ids), human_decision.c.state.in_(IN_FORCE))
        .values(state="undone", undone_by=by)
    )
    return ended.rowcount


def revive(conn: Connection, ids: Iterable[int]) -> None:
    """Put decisions that were undone in force again."""
    conn.execute(
        update(human_decision)
        .where(within(conn, human_decision.c.id, ids), human_decision.c.state == "undone")
        .values(state="pending", undone_by=None)
    )


def settle(conn: Connection, ids: Iterable[int]) -> None:
    """Those of the decisions become active whose records are all matched."""
    waiting = (
        select(decision_member.c.decision_id)
        .join(source, source.c.code == decision_member.c.source)
        .join(record, and_(record.c.source_id == source.c.id, record.c.identifier == decision_member.c.identifier))
        .join(match_queue, match_queue.c.record_id == record.c.id)
        .where(decision_member.c.decision_id == human_decision.c.id)
    )
    conn.execute(
        update(human_decision)
        .where(within(conn, human_decision.c.id, ids), human_decision.c.state == "pending", ~exists(waiting))
        .values(state="active")
    )


def add_pin(conn: Connection, decision_id: int, where: Address, field: str, value: str | None, seen: str) -> None:
    """Pin *field*: to a typed *value* (JSON), or with None to the record's own."""
    row = {"decision_id": decision_id, "source": where.source, "identifier": where.identifier, "field": field}
    conn.execute(insert(pin).values({**row, "value": value, "seen": seen}))


def note_warned(conn: Connection, seen: Mapping[int, str]) -> None:
    """Remember of which value of its source a pin (by id) has warned."""
    for pin_id, value in seen.items():
        conn.execute(update(pin).where(pin.c.id == pin_id).values(warned=value))


def ignore(conn: Connection, decision_id: int, where: Address, kind: str, value: str) -> None:
    """Leave an identifier of a record out of matching."""
    row = {"decision_id": decision_id, "source": where.source, "identifier": where.identifier}
    conn.execute(insert(ignored_identifier).values({**row, "kind": kind, "value": value}))


def keep_old_ids(conn: Connection, decision_id: int, rows: Iterable[tuple[str, Address]]) -> None:
    """Note under which ids an older union catalogue held these records."""
    insert_new(
        conn,
        imported_id,
        [
            {"name": name, "source": one.source, "identifier": one.identifier, "decision_id": decision_id}
            for name, one in rows
        ],
    )


def add_label(conn: Connection, left: Address, right: Address, duplicate: bool, author: str, now: str) -> None:
    """Keep a reviewer's verdict on a pair, for training."""
    first, second = sorted((left, right))
    row = {"left_source": first.source, "left_identifier": first.identifier}
    row |= {"right_source": second.source, "right_identifier": second.identifier}
    conn.execute(insert(label).values({**row, "duplicate": duplicate, "author": author, "at": now}))


# ---- reading -----------------------------------------------------------------------------------------


def get(conn: Connection, ids: Iterable[int]) -> dict[int, Decided]:
    """Decisions by id, with the records that they concern."""
    wanted = list(ids)
    if not wanted:
        return {}
    query = select(human_decision).where(within(conn, human_decision.c.id, wanted)).order_by(human_decision.c.id)
    heads = list(conn.execute(query).mappings())
    sides: dict[int, dict[int, list[Address]]] = {}
    members = select(decision_member).where(within(conn, decision_member.c.decision_id, wanted))
    for row in conn.execute(members):
        sides.setdefault(row.decision_id, {}).setdefault(row.side, []).append(Address(row.source, row.identifier))
    found = {}
    for head in heads:
        mine = sides.get(head["id"], {})
        grouped = tuple(tuple(sorted(mine[number])) for number in sorted(mine))
        found[head["id"]] = Decided(**{**head, "body": json.loads(head["body"])}, sides=grouped)
    return found


def concerning(conn: Connection, addresses: Iterable[tuple[str, str]], *, links: bool = True) -> list[Decided]:
    """The decisions in force that concern one of these records, oldest first; only links, or all."""
    if conn.execute(select(decision_member.c.decision_id).limit(1)).first() is None:
        return []
    by_source: dict[str, list[str]] = {}
    for code, name in addresses:
        by_source.setdefault(code, []).append(name)
    ids: set[int] = set()
    for code, names in by_source.items():
        query = (
            select(decision_member.c.decision_id)
            .join(human_decision, human_decision.c.id == decision_member.c.decision_id)
            .where(
                decision_member.c.source == code,
                within(conn, decision_member.c.identifier, names),
                human_decision.c.state.in_(IN_FORCE),
            )
            .distinct()
        )
        ids |= {row[0] for row in conn.execute(query.where(human_decision.c.kind != "") if links else query)}
    return list(get(conn, ids).values())


def listed(
    conn: Connection, *, after: int = 0, limit: int = 100, states: Sequence[str] = IN_FORCE, kinds: Sequence[str] = ()
) -> list[Decided]:
    """Decisions with an id above *after*, oldest first."""
    query = select(human_decision.c.id).where(human_decision.c.id > after, human_decision.c.state.in_(states))
    if kinds:
        query = query.where(human_decision.c.kind.in_(kinds))
    query = query.order_by(human_decision.c.id).limit(limit)
    return list(get(conn, [row[0] for row in conn.execute(query)]).values())


def parts(conn: Connection, decision_id: int) -> list[int]:
    """The decisions that were made as parts of this one."""
    query = select(human_decision.c.id).where(human_decision.c.part_of == decision_id).order_by(human_decision.c.id)
    return [row[0] for row in conn.execute(query)]


def ended_by(conn: Connection, decision_id: int) -> list[int]:
    """The decisions that this one has undone."""
    query = select(human_decision.c.id).where(human_decision.c.undone_by == decision_id).order_by(human_decision.c.id)
    return [row[0] for row in conn.execute(query)]


def of_run(conn: Connection, run_id: int) -> list[int]:
    """The decisions that a run carried out, parts left out."""
    query = select(human_decision.c.id).where(human_decision.c.run_id == run_id, human_decision.c.part_of.is_(None))
    return [row[0] for row in conn.execute(query.order_by(human_decision.c.id))]


def waiting(conn: Connection) -> list[Decided]:
    """The decisions that are stored and not yet matched, oldest first."""
    query = select(human_decision.c.id).where(human_decision.c.state == "pending")
    return list(get(conn, [row[0] for row in conn.execute(query)]).values())


def pins(conn: Connection, addresses: Iterable[tuple[str, str]]) -> list[Row]:
    """The pins in force on these records with their author, oldest first."""
    wanted = set(addresses)
    if conn.execute(select(pin.c.id).limit(1)).first() is None:
        return []
    head = human_decision
    query = (
        select(pin, head.c.author, head.c.reason, head.c.at)
        .join(head, head.c.id == pin.c.decision_id)
        .where(head.c.state.in_(IN_FORCE), within(conn, pin.c.identifier, {one[1] for one in wanted}))
        .order_by(pin.c.decision_id, pin.c.id)
    )
    rows = [dict(row) for row in conn.execute(query).mappings()]
    return [row for row in rows if (row["source"], row["identifier"]) in wanted]


def ignored_of_queued(conn: Connection) -> dict[int, set[tuple[str, str]]]:
    """Queued record id → the identifiers (kind, value) that do not count; empty for one that counts again."""
    if conn.execute(select(ignored_identifier.c.kind).limit(1)).first() is None:
        return {}
    table = ignored_identifier
    query = (
        select(record.c.id, table.c.kind, table.c.value, human_decision.c.state)
        .join(source, source.c.code == table.c.source)
        .join(record, and_(record.c.source_id == source.c.id, record.c.identifier == table.c.identifier))
        .join(match_queue, match_queue.c.record_id == record.c.id)
        .join(human_decision, human_decision.c.id == table.c.decision_id)
        .where(record.c.state == "active")
    )
    found: dict[int, set[tuple[str, str]]] = {}
    for record_id, kind, value, state in conn.execute(query):
        mine = found.setdefault(record_id, set())
        if state in IN_FORCE:
            mine.add((kind, value))
    return found


def ignored(conn: Connection, where: Address) -> set[tuple[str, str]]:
    """The identifiers (kind, value) of a record that do not count in matching."""
    table = ignored_identifier
    query = (
        select(table.c.kind, table.c.value)
        .join(human_decision, human_decision.c.id == table.c.decision_id)
        .where(
            table.c.source == where.source,
            table.c.identifier == where.identifier,
            human_decision.c.state.in_(IN_FORCE),
        )
    )
    return {(row[0], row[1]) for row in conn.execute(query)}


def details(conn: Connection, decision_id: int) -> dict[str, list[Row]]:
    """The pins, wrong identifiers and old ids that came with a decision."""
    found = {}
    for name, table in (("pins", pin), ("ignored", ignored_identifier), ("old_ids", imported_id)):
        query = select(table).where(table.c.decision_id == decision_id)
        found[name] = [dict(row) for row in conn.execute(query).mappings()]
    return found


def by_old_id(conn: Connection, name: str) -> list[int]:
    """The clusters in which the records now are that an older union held under *name*, the largest share first."""
    number = func.count().label("number")
    query = (
        select(membership.c.cluster_id, number)
        .select_from(imported_id)
        .join(source, source.c.code == imported_id.c.source)
        .join(record, and_(record.c.source_id == source.c.id, record.c.identifier == imported_id.c.identifier))
        .join(membership, membership.c.record_id == record.c.id)
        .join(human_decision, human_decision.c.id == imported_id.c.decision_id)
        .where(imported_id.c.name == name, human_decision.c.state.in_(IN_FORCE))
        .group_by(membership.c.cluster_id)
        .order_by(number.desc(), membership.c.cluster_id)
    )
    return [row[0] for row in conn.execute(query)]


def under_old_id(conn: Connection, name: str) -> list[str]:
    """The addresses that an older union held under *name*, sorted."""
    query = (
        select(imported_id.c.source, imported_id.c.identifier)
        .join(human_decision, human_decision.c.id == imported_id.c.decision_id)
        .where(imported_id.c.name == name, human_decision.c.state.in_(IN_FORCE))
    )
    return sorted({f"{source}/{identifier}" for source, identifier in conn.execute(query)})


def labels(conn: Connection) -> list[Row]:
    """Every reviewed pair, oldest first."""
    return [dict(row) for row in conn.execute(select(label).order_by(label.c.id)).mappings()]


def newest_label(conn: Connection) -> int:
    """The number of the last verdict; 0 where there is none."""
    return int(conn.execute(select(func.max(label.c.id))).scalar_one() or 0)


def labels_since(conn: Connection, number: int) -> int:
    """How many verdicts came after that of this number."""
    return int(conn.execute(select(func.count()).where(label.c.id > number)).scalar_one())


def labelled(conn: Connection, pairs: Iterable[tuple[Address, Address]]) -> set[tuple[Address, Address]]:
    """Those of the pairs (the smaller address first) that somebody has judged."""
    wanted = set(pairs)
    names = {one.identifier for pair in wanted for one in pair}
    query = select(label).where(
        or_(within(conn, label.c.left_identifier, names), within(conn, label.c.right_identifier, names))
    )
    found = {
        (Address(row.left_source, row.left_identifier), Address(row.right_source, row.right_identifier))
        for row in conn.execute(query)
    }
    return found & wanted
