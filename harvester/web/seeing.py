"""Clusters and records as this person may see them: the partners' policies hold on pages too.

Whoever cares for a partner sees its records whole; of others only what they release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, ledger
from db.catalogue import RecordState
from harvester.drawing import member
from harvester.merge import survivorship
from harvester.merge.marc import to_marc
from harvester.merge.offers import show
from harvester.model import ClusterDocument, Member, NormalizedRecord, UnionRecord
from harvester.outputs.batch import partner_of
from harvester.outputs.privacy import release
from harvester.pipeline import Pipeline
from harvester.web.difference import Piece, nearest, pieces
from harvester.web.visit import Gone, Visit

_decode_record = msgspec.json.Decoder(NormalizedRecord).decode
FIELDS = tuple(name for name in NormalizedRecord.__struct_fields__ if name not in ("suppressed", "local"))


class Seen(NamedTuple):
    """A member as it may be seen; without a record where it may not."""

    address: str
    partner: str
    record: NormalizedRecord | None
    whole: bool


class ClusterSeen(NamedTuple):
    """A cluster as it may be seen."""

    number: int
    asked: int
    version: int
    size: int
    created_at: str
    changed_at: str
    members: tuple[Seen, ...]
    union: UnionRecord | None

    @property
    def partners(self) -> set[str]:
        return {one.partner for one in self.members}

    @property
    def title(self) -> str:
        return self.union.record.title.whole if self.union else ""


def cluster(visit: Visit, conn: Connection, number: int) -> ClusterSeen:
    """The cluster *number*, also by an id that now leads elsewhere.

    Raises:
        Gone: there is none, or it holds nothing any more.
    """
    living = catalogue.resolve(conn, number)
    row = catalogue.clusters(conn, [living]).get(living)
    if row is None or row["state"] != "active":
        raise Gone(f"no cluster {number}" if row is None else f"cluster {number} holds nothing any more")
    states = catalogue.members(conn, [living]).get(living, [])
    members = full_members(visit.pipeline, conn, states, inside=visit.account is not None)
    union = _union(visit.pipeline, conn, living, members)
    seen, shown = as_seen(visit, living, states, members, union)
    return ClusterSeen(
        living, number, row["version"], row["size"], row["created_at"], row["changed_at"], tuple(seen), shown
    )


def full_members(
    pipeline: Pipeline, conn: Connection, states: Sequence[RecordState], *, inside: bool = False
) -> dict[str, Member]:
    """Address → the record as merge sees it."""
    bodies = ledger.normalized_bodies(conn, [one.record_id for one in states])
    return {
        one.address: member(pipeline.partners, one, _decode_record(bodies[one.record_id]), inside=inside)
        for one in states
        if one.record_id in bodies
    }


def _union(pipeline: Pipeline, conn: Connection, number: int, members: Mapping[str, Member]) -> UnionRecord:
    stored = catalogue.union_bodies(conn, [number]).get(number)
    union = msgspec.convert(stored, UnionRecord) if stored is not None else None
    if union is not None and union.members:
        return union
    return survivorship.merge(list(members.values()), pipeline.merge)


def as_seen(
    visit: Visit, number: int, states: Sequence[RecordState], members: Mapping[str, Member], union: UnionRecord
) -> tuple[list[Seen], UnionRecord | None]:
    """The members and the merged record, as far as this person may see them."""
    document = ClusterDocument(
        str(number), union, tuple(members[one.address] for one in states if one.address in members)
    )
    released = release(document, partner_of(visit.pipeline.settings.partners))
    public = {str(one.address): one.record for one in released.members} if released else {}
    seen = []
    for one in states:
        whole = visit.may("raw", [one.partner])
        own = members[one.address].record if whole and one.address in members else None
        seen.append(Seen(one.address, one.partner, own or public.get(one.address), whole))
    if all(one.whole for one in seen):
        return seen, union
    return seen, released.union if released else None


def record(visit: Visit, conn: Connection, state: RecordState) -> NormalizedRecord | None:
    """One record as it may be seen."""
    return records(visit, conn, [state]).get(state.record_id)


def records(visit: Visit, conn: Connection, states: Sequence[RecordState]) -> dict[int, NormalizedRecord]:
    """Record id → the record as it may be seen, each for itself; those of which nothing may be seen are left out."""
    members = full_members(visit.pipeline, conn, states, inside=visit.account is not None)
    found: dict[int, NormalizedRecord] = {}
    for state in states:
        if state.address in members:
            alone = UnionRecord(members[state.address].record, (), (state.address,))
            shown = as_seen(visit, 0, [state], members, alone)[0][0].record
            found |= {state.record_id: shown} if shown else {}
    return found


def hides(visit: Visit, partner: str) -> bool:
    """Whether this person may not see all of a partner's records: then evidence about them stays without values."""
    known = visit.pipeline.partners.get(partner)
    if visit.may("raw", [partner]):
        return False
    open_to = ("public",) if visit.account is None else ("public", "members")
    return known is None or bool(known.policy.withheld) or known.policy.visibility not in open_to


def partner_of_address(visit: Visit, address: str) -> str:
    """The partner whose source the address names; empty when there is none."""
    known = partner_of(visit.pipeline.settings.partners).get(address.partition("/")[0])
    return known.code if known else ""


def evidence(visit: Visit, lines: Iterable[Mapping[str, Any]], addresses: Iterable[str]) -> list[dict[str, Any]]:
    """Evidence as it may be seen: without the compared values where a partner withholds some."""
    hidden = any(hides(visit, partner_of_address(visit, one)) for one in addresses)
    found = []
    for line in lines:
        told = {**line, "weight": abs(line.get("points") or 0)}
        private = hidden or line.get("feature") == "student"
        found.append({**told, "left": "", "right": ""} if private else told)
    return found


# ---- side by side ------------------------------------------------------------------------------------


def values_of(record: NormalizedRecord, field: str) -> list[str]:
    """The values of a field, each as one line."""
    value = getattr(record, field)
    if value in ("", (), None, getattr(NormalizedRecord(), field)) and field != "material":
        return []
    several = isinstance(value, tuple)
    return [text for one in (value if several else (value,)) if (text := getattr(one, "text", "") or show(one))]


class Row(NamedTuple):
    """One field of several records: a list of marked values for each; *same* when all say the same."""

    field: str
    cells: tuple[tuple[tuple[Piece, ...], ...], ...]
    same: bool


def side_by_side(records: Sequence[NormalizedRecord | None]) -> list[Row]:
    """The fields of several records in lines, each value marked where it differs from its nearest in the first."""
    return _rows(FIELDS, [{field: values_of(one, field) for field in FIELDS} if one else None for one in records])


def marc_side_by_side(records: Sequence[NormalizedRecord | None]) -> list[Row]:
    """The same with the fields of MARC 21, as each record alone would be written."""
    told = [_marc(one) if one else None for one in records]
    return _rows(sorted({tag for one in told if one for tag in one}), told)


def _marc(record: NormalizedRecord) -> dict[str, list[str]]:
    """Tag → its fields, each as one line; without those that only name the record."""
    found: dict[str, list[str]] = {}
    for tag, body in to_marc(UnionRecord(record), "").fields:
        if tag > "005":
            found.setdefault(tag, []).append(body.replace("\x1f", " $"))
    return found


def _rows(names: Iterable[str], told: Sequence[Mapping[str, list[str]] | None]) -> list[Row]:
    rows = []
    known = [number for number, one in enumerate(told) if one is not None]
    for name in names:
        columns = [one.get(name, []) if one is not None else [] for one in told]
        if not any(columns):
            continue
        first = columns[known[0]]
        cells = [
            tuple(tuple(_marked(value, first, number == known[0])) for value in column)
            for number, column in enumerate(columns)
        ]
        rows.append(Row(name, tuple(cells), all(columns[number] == first for number in known)))
    return rows


def _marked(value: str, first: Sequence[str], itself: bool) -> list[Piece]:
    if itself or value in first:
        return [Piece(value, False)]
    other = nearest(value, first)
    return pieces(value, other) if other else [Piece(value, True)]
