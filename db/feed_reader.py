"""The catalogue as outputs read it: one snapshot of the database behind harvester.model.Catalogue.

A document is the present state of a cluster; the feed says which ones to read again. How a record becomes a member
and one member a union is told from outside: that is policy and merging, not storage.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, exists, func, or_, select

from db import catalogue, changes, ledger, linking
from db.catalogue import RecordState
from db.engine import within
from db.tables import change, cluster, cluster_brief, cluster_partner
from harvester.model import Change, ClusterDocument, Member, NormalizedRecord, Partner, Touch, UnionRecord

MakeMember = Callable[[RecordState, NormalizedRecord], Member]
Merge = Callable[[Sequence[Member]], UnionRecord]

_decode_record = msgspec.json.Decoder(NormalizedRecord).decode
_decode_union = msgspec.json.Decoder(UnionRecord).decode


class FeedReader:
    """harvester.model.Catalogue over the reading transaction of *conn*, which the caller keeps open meanwhile."""

    def __init__(self, conn: Connection, make_member: MakeMember, merge: Merge, partners: Sequence[Partner]) -> None:
        self._conn = conn
        self._make_member = make_member
        self._merge = merge
        self._partners = partners
        state = changes.feed_state(conn)
        self.epoch = str(state["epoch"])
        self.released = int(state["released"])
        self.kept_since = int(state["min_seq"])

    def changes(self, since: int, limit: int = 1000) -> Sequence[Change]:
        """Released changes after *since* in order, about *limit*; the last one ends its batch."""
        return [_change(row) for row in changes.since(self._conn, since, limit)]

    def documents(self, clusters: Sequence[str]) -> dict[str, ClusterDocument]:
        """The documents of living clusters; a deleted, redirected or unknown id is absent."""
        return {one.cluster: one for one in self._documents(numbers(clusters))}

    def pages(self, size: int = 500) -> Iterator[Sequence[ClusterDocument]]:
        """Every living cluster in the order of its id, in pages."""
        last = 0
        living = select(cluster.c.id).where(_living()).order_by(cluster.c.id).limit(size)
        while ids := [row[0] for row in self._conn.execute(living.where(cluster.c.id > last))]:
            last = ids[-1]
            yield self._documents(ids)

    def touched(self, since: str, until: str, partner: str, material: str, after: int, limit: int) -> Sequence[Touch]:
        """The last change of each cluster in the stretch of time, by seq: see harvester.model.Catalogue."""
        # times never go back along the feed: what is before the first of them is not read
        first = select(change.c.seq).where(change.c.at >= since).order_by(change.c.at, change.c.seq).limit(1)
        begin = self._conn.execute(first).scalar()
        if begin is None:
            return []
        query = self._last_changes().where(change.c.seq >= max(begin, after + 1), change.c.at >= since)
        if until:
            query = query.where(change.c.at <= until)
        if partner:
            held = and_(cluster_partner.c.cluster_id == change.c.cluster_id, cluster_partner.c.partner == partner)
            query = query.where(exists().where(held))
        if material:
            query = query.where(or_(change.c.kind != "upsert", cluster_brief.c.material == material))
        return self._touches(self._conn.execute(query.order_by(change.c.seq).limit(limit)).all())

    def touch(self, cluster: str) -> Touch | None:
        """The last change of one cluster, living or not; None if there never was one."""
        ids = numbers([cluster])
        found = self._conn.execute(self._last_changes().where(change.c.cluster_id.in_(ids))).all() if ids else []
        return next(iter(self._touches(found)), None)

    def partners(self) -> Sequence[Partner]:
        """Every partner, without credentials."""
        return self._partners

    # ---- documents -------------------------------------------------------------------------------------

    def _documents(self, ids: Sequence[int]) -> list[ClusterDocument]:
        query = select(cluster.c.id, cluster.c.created_at, cluster.c.changed_at).where(
            within(self._conn, cluster.c.id, ids), _living()
        )
        rows = self._conn.execute(query.order_by(cluster.c.id)).all()
        alive = [row.id for row in rows]
        told = self._told_at(alive)
        states = catalogue.members(self._conn, alive)
        members = self._members(states)
        linked = self._linked(states)
        unions = self._unions(alive)
        made = []
        for row in rows:
            held = members.get(row.id, ())
            union = unions.get(row.id) or self._merge(held)
            changed = told.get(row.id, row.changed_at)
            named = linked.get(row.id, {})
            made.append(ClusterDocument(str(row.id), union, tuple(held), row.created_at, changed, named))
        return made

    def _members(self, states: Mapping[int, Sequence[RecordState]]) -> dict[int, list[Member]]:
        """Cluster id → members; a record that was deleted and waits for matching is none any more."""
        records = [one.record_id for held in states.values() for one in held]
        bodies = ledger.normalized_bodies(self._conn, records)
        return {
            key: [
                self._make_member(one, _timeless(_decode_record(bodies[one.record_id])))
                for one in held
                if one.record_id in bodies and one.node_id is not None
            ]
            for key, held in states.items()
        }

    def _linked(self, states: Mapping[int, Sequence[RecordState]]) -> dict[int, dict[str, dict[str, str]]]:
        """Cluster id → address of a member → control number → the cluster that it names."""
        placed = {one.record_id: (key, one.address) for key, held in states.items() for one in held}
        linked: dict[int, dict[str, dict[str, str]]] = defaultdict(dict)
        for record_id, found in linking.answers(self._conn, placed).items():
            key, address = placed[record_id]
            linked[key][address] = found
        return linked

    def _unions(self, ids: Sequence[int]) -> dict[int, UnionRecord]:
        """Cluster id → stored union record: of clusters of two or more, or with a pin."""
        unions = {key: _decode_union(body) for key, body in catalogue.union_texts(self._conn, ids).items()}
        return {key: msgspec.structs.replace(one, record=_timeless(one.record)) for key, one in unions.items()}

    def _told_at(self, ids: Sequence[int]) -> dict[int, str]:
        """Cluster id → when its last released change was announced."""
        last = (
            select(func.max(change.c.seq).label("seq"))
            .where(within(self._conn, change.c.cluster_id, ids), change.c.seq <= self.released)
            .group_by(change.c.cluster_id)
            .subquery()
        )
        query = select(change.c.cluster_id, change.c.at).join(last, last.c.seq == change.c.seq)
        return {row[0]: row[1] for row in self._conn.execute(query)}

    # ---- touches ---------------------------------------------------------------------------------------

    def _last_changes(self) -> Any:
        later = change.alias("later")
        superseded = exists().where(
            later.c.cluster_id == change.c.cluster_id, later.c.seq > change.c.seq, later.c.seq <= self.released
        )
        columns = (change.c.seq, change.c.cluster_id, change.c.kind, change.c.at, cluster_brief.c.material)
        return (
            select(*columns)
            .join(cluster_brief, cluster_brief.c.cluster_id == change.c.cluster_id, isouter=True)
            .where(change.c.seq <= self.released, ~superseded)
        )

    def _touches(self, rows: Sequence[Any]) -> list[Touch]:
        now: dict[int, list[str]] = defaultdict(list)
        once: dict[int, list[str]] = defaultdict(list)
        query = select(cluster_partner).where(
            within(self._conn, cluster_partner.c.cluster_id, [row.cluster_id for row in rows])
        )
        for one in self._conn.execute(query.order_by(cluster_partner.c.partner)):
            once[one.cluster_id].append(one.partner)
            if one.here:
                now[one.cluster_id].append(one.partner)
        return [
            Touch(
                cluster=str(row.cluster_id),
                seq=row.seq,
                at=row.at,
                deleted=row.kind != "upsert",
                partners=tuple(now[row.cluster_id]) if row.kind == "upsert" else (),
                once=tuple(once[row.cluster_id]),
                material=row.material or "" if row.kind == "upsert" else "",
            )
            for row in rows
        ]


def _living() -> Any:
    """Clusters of which something may be seen."""
    return and_(cluster.c.state == "active", cluster.c.doc_hash != b"")


def _change(row: Mapping[str, Any]) -> Change:
    target = "" if row["target_id"] is None else str(row["target_id"])
    return Change(row["seq"], row["batch"], row["kind"], str(row["cluster_id"]), target, row["at"])


def _timeless(record: NormalizedRecord) -> NormalizedRecord:
    """*record* without the dates to which its holdings refer: they move without a change, so no copy may hold them."""
    if not any(one.as_of for one in record.holdings):
        return record
    holdings = tuple(msgspec.structs.replace(one, as_of="") for one in record.holdings)
    return msgspec.structs.replace(record, holdings=holdings)


def numbers(clusters: Iterable[str]) -> list[int]:
    """The cluster ids among *clusters* as numbers; what cannot be an id is left out."""
    return [int(one) for one in clusters if one.isascii() and one.isdecimal() and len(one) <= 18 and one[0] != "0"]
