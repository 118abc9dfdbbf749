"""The catalogue as canonical JSON Lines, for comparing two of them.

The same records, rules and links give the same bytes, whatever the database, page size, order of arrival or number
of crashes: run ids, cluster ids and times are left out, lines are sorted by address, keys by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from db import catalogue, changes, ledger, linking, links
from db.catalogue import RecordState
from db.compress import unpack
from db.prepared import digest
from db.tables import change, cluster, membership, quarantine, record, record_version, source

BATCH = 1000


def lines(conn: Connection) -> Iterator[str]:
    """One JSON line a record, cluster, quarantined thing and human decision; then the net effect of the feed."""
    for batch in _record_batches(conn):
        yield from _record_lines(conn, batch)
        yield from _cluster_lines(conn, batch)
    yield from _quarantine_lines(conn)
    yield from _link_lines(conn)
    yield from _feed_lines(conn)


def _line(kind: str, **body: Any) -> str:
    return json.dumps({"kind": kind, **body}, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _record_batches(conn: Connection) -> Iterator[list[Any]]:
    columns: list[Any] = [record, source.c.code.label("source"), membership.c.cluster_id]
    last = ("", "")
    while True:
        query = (
            select(*columns)
            .join(source, source.c.id == record.c.source_id)
            .join(membership, membership.c.record_id == record.c.id, isouter=True)
            .where((source.c.code > last[0]) | ((source.c.code == last[0]) & (record.c.identifier > last[1])))
            .order_by(source.c.code, record.c.identifier)
            .limit(BATCH)
        )
        rows = list(conn.execute(query))
        if not rows:
            return
        yield rows
        last = (rows[-1].source, rows[-1].identifier)


def _record_lines(conn: Connection, rows: list[Any]) -> Iterator[str]:
    bodies = ledger.normalized_bodies(conn, [row.id for row in rows])
    versions: dict[int, list[dict[str, str]]] = {}
    query = select(record_version).where(record_version.c.record_id.in_([row.id for row in rows]))
    for row in conn.execute(query.order_by(record_version.c.record_id, record_version.c.version)):
        held = {"state": row.state, "payload": bytes(row.payload).hex(), "content": bytes(row.payload_hash).hex()}
        versions.setdefault(row.record_id, []).append(held)
    for row in rows:
        yield _line(
            "record",
            address=f"{row.source}/{row.identifier}",
            state=row.state,
            format=row.format,
            datestamp=row.datestamp,
            versions=versions.get(row.id, []),
            normalized=_timeless(msgspec.json.decode(bodies.get(row.id, b"{}"))),
        )


def _timeless(body: Any) -> Any:
    """*body* without the dates to which holdings refer: they are times of harvest."""
    if isinstance(body, dict):
        return {key: _timeless(value) for key, value in body.items() if key != "as_of"}
    return [_timeless(one) for one in body] if isinstance(body, list) else body


def _cluster_lines(conn: Connection, rows: list[Any]) -> Iterator[str]:
    """A cluster stands behind the batch that holds its first member."""
    ids = {row.cluster_id for row in rows if row.cluster_id is not None}
    here = {f"{row.source}/{row.identifier}" for row in rows}
    unions = catalogue.union_bodies(conn, ids)
    held = catalogue.members(conn, ids)
    linked = _linked(conn, held)
    firsts = sorted((members[0].order, key) for key, members in held.items())
    for _, key in firsts:
        addresses = [one.address for one in held[key]]
        if addresses[0] in here:
            named = {"linked": linked[key]} if key in linked else {}
            yield _line("cluster", members=addresses, union=_timeless(unions.get(key)), **named)


def _linked(conn: Connection, held: dict[int, list[RecordState]]) -> dict[int, dict[str, dict[str, str]]]:
    """Cluster → address of a member → control number → the first member of the cluster that it names."""
    found = linking.answers(conn, [one.record_id for members in held.values() for one in members])
    targets = {int(key) for numbers in found.values() for key in numbers.values()}
    firsts = {str(key): members[0].address for key, members in catalogue.members(conn, targets).items()}
    linked: dict[int, dict[str, dict[str, str]]] = {}
    for key, members in held.items():
        for one in members:
            if one.record_id in found:
                numbers = found[one.record_id].items()
                linked.setdefault(key, {})[one.address] = {name: firsts.get(target, "") for name, target in numbers}
    return linked


def _quarantine_lines(conn: Connection) -> Iterator[str]:
    query = select(quarantine, source.c.code.label("source")).join(source, source.c.id == quarantine.c.source_id)
    found = [
        _line(
            "quarantine",
            address=f"{row.source}/{row.identifier}",
            stage=row.stage,
            reason=row.reason,
            state=row.state,
            payload=digest(unpack(bytes(row.payload))).hex(),
        )
        for row in conn.execute(query)
    ]
    yield from sorted(found)


def _link_lines(conn: Connection) -> Iterator[str]:
    found = []
    last = 0
    while batch := links.listed(conn, after=last, limit=BATCH):
        last = batch[-1].id
        found += [
            _line(
                "decision",
                action=one.action,
                link=one.kind,
                sides=[[str(address) for address in side] for side in one.sides],
                author=one.author,
                reason=one.reason,
            )
            for one in batch
        ]
    yield from sorted(found)


def _feed_lines(conn: Connection) -> Iterator[str]:
    """What a consumer that applied every change holds: the clusters, by their members."""
    alive = live_by_feed(conn)
    firsts = []
    for start in range(0, len(alive), BATCH):
        held = catalogue.members(conn, sorted(alive)[start : start + BATCH])
        firsts += [[one.address for one in members] for members in held.values()]
        firsts += [["?"] for key in sorted(alive)[start : start + BATCH] if key not in held]
    for addresses in sorted(firsts):
        yield _line("feed", members=addresses)


def live_by_feed(conn: Connection) -> set[int]:
    """The cluster ids that stand after replaying the whole feed."""
    alive: set[int] = set()
    for row in conn.execute(select(change.c.kind, change.c.cluster_id).order_by(change.c.seq)):
        if row.kind == "upsert":
            alive.add(row.cluster_id)
        else:
            alive.discard(row.cluster_id)
    return alive


def live_by_catalogue(conn: Connection) -> set[int]:
    """The cluster ids that may be seen."""
    query = select(cluster.c.id).where(cluster.c.state == "active", cluster.c.doc_hash != b"")
    return {row[0] for row in conn.execute(query)}


def position(conn: Connection) -> dict[str, Any]:
    """Where the feed stands."""
    return changes.feed_state(conn)
