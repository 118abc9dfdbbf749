"""What the records became: decisions, clusters, events, union records. Read and written by match only.

The state of matching is a function of the ledger (active records and their nodes), the rules and the links; nothing
here depends on arrival. Node ids are internal: whatever decides is ordered by addresses.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, delete, exists, func, or_, select, update

from db import bulk, dictionaries, terms
from db.engine import within
from db.tables import (
    cluster,
    cluster_brief,
    cluster_event,
    cluster_redirect,
    decision,
    former_membership,
    holding,
    identifier,
    key_stat,
    membership,
    node,
    partner,
    record,
    source,
    term,
    union_record,
)
from db.upsert import Row, insert, upsert


class RecordState(NamedTuple):
    """A record as matching sees it: `node_id` now (None: deleted), `old_node` and `cluster_id` as matched last."""

    record_id: int
    source: str
    identifier: str
    partner: str
    datestamp: str
    node_id: int | None
    old_node: int | None
    cluster_id: int | None

    @property
    def order(self) -> tuple[bytes, bytes]:
        """What decides ties: the bytes of the address."""
        return self.source.encode(), self.identifier.encode("utf-8", "surrogatepass")

    @property
    def address(self) -> str:
        return f"{self.source}/{self.identifier}"


def _states(*, placed: bool = False) -> Any:
    """The states of records; only of those *placed* in a cluster, or of all."""
    return (
        select(
            record.c.id,
            source.c.code,
            record.c.identifier,
            source.c.partner,
            record.c.datestamp,
            record.c.node_id,
            membership.c.node_id.label("old_node"),
            membership.c.cluster_id,
        )
        .join(source, source.c.id == record.c.source_id)
        .join(membership, membership.c.record_id == record.c.id, isouter=not placed)
    )


def states_of_records(conn: Connection, record_ids: Iterable[int]) -> list[RecordState]:
    """The states of these records."""
    return [RecordState(*row) for row in conn.execute(_states().where(within(conn, record.c.id, record_ids))).all()]


def states_of_nodes(conn: Connection, node_ids: Iterable[int]) -> list[RecordState]:
    """Active records of these nodes."""
    return [RecordState(*row) for row in conn.execute(_states().where(within(conn, record.c.node_id, node_ids))).all()]


def states_of_addresses(conn: Connection, addresses: Iterable[tuple[str, str]]) -> list[RecordState]:
    """The states of the records at these addresses, as far as there are any."""
    by_source: dict[str, list[str]] = {}
    for code, name in addresses:
        by_source.setdefault(code, []).append(name)
    found: list[RecordState] = []
    for code, names in by_source.items():
        query = _states().where(source.c.code == code, within(conn, record.c.identifier, names))
        found += [RecordState(*row) for row in conn.execute(query).all()]
    return found


def states_of_clusters(conn: Connection, cluster_ids: Iterable[int]) -> list[RecordState]:
    """Every record (active or just deleted) that is a member of these clusters."""
    # no outer join: SQLite would read every record there is
    query = _states(placed=True).where(within(conn, membership.c.cluster_id, cluster_ids))
    return [RecordState(*row) for row in conn.execute(query).all()]


# ---- profiles ----------------------------------------------------------------------------------------


def profiles(conn: Connection, node_ids: Iterable[int]) -> dict[int, tuple[bytes, bool]]:
    """Node → (profile as msgpack, solid)."""
    columns = (node.c.id, node.c.profile, node.c.dictionary_id, node.c.solid)
    query = select(*columns).where(within(conn, node.c.id, node_ids))
    opened = dictionaries.opener(conn)
    return {row[0]: (opened(row[1], row[2]), bool(row[3])) for row in conn.execute(query).all()}


def packed_profiles(conn: Connection, node_ids: Iterable[int]) -> dict[int, tuple[bytes, int | None]]:
    """Node → its profile as it is stored, and the id of the dictionary."""
    query = select(node.c.id, node.c.profile, node.c.dictionary_id).where(within(conn, node.c.id, node_ids))
    return {row[0]: (row[1], row[2]) for row in conn.execute(query).all()}


def solid(conn: Connection, node_ids: Iterable[int]) -> dict[int, bool]:
    """Node → whether records with its profile merge by themselves."""
    query = select(node.c.id, node.c.solid).where(within(conn, node.c.id, node_ids))
    return {row[0]: bool(row[1]) for row in conn.execute(query).all()}


# ---- decisions ---------------------------------------------------------------------------------------


def decisions_of(conn: Connection, node_ids: Iterable[int]) -> list[tuple[int, int, str, float]]:
    """(left node, right node, verdict, score) of every stored decision that touches these nodes."""
    columns = (decision.c.left_node, decision.c.right_node, decision.c.verdict, decision.c.score)
    ids = list(node_ids)
    query = select(*columns).where(
        or_(within(conn, decision.c.left_node, ids), within(conn, decision.c.right_node, ids))
    )
    return [(row[0], row[1], row[2], row[3]) for row in conn.execute(query).all()]


_DECISION = (
    "left_node", "right_node", "verdict", "score", "reason_id", "evidence", "dictionary_id", "derivation_id", "run_id"
)  # fmt: skip


def write_decisions(conn: Connection, gone: Iterable[tuple[int, int]], new: Sequence[tuple[Any, ...]]) -> None:
    """Drop pairs that are no longer proposed and store the new ones.

    Those are nodes, verdict, score, reason, packed evidence, the id of its dictionary, and of derivation and run.
    """
    pairs = list(gone)
    if pairs:
        by_left: dict[int, list[int]] = {}
        for left, right in pairs:
            by_left.setdefault(left, []).append(right)
        for left, rights in by_left.items():
            conn.execute(
                delete(decision).where(decision.c.left_node == left, within(conn, decision.c.right_node, rights))
            )
    bulk.upsert(conn, decision, _DECISION, with_reasons(conn, new), ["left_node", "right_node"], likely=not pairs)


def with_reasons(conn: Connection, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of decisions with the id of the reason in its place."""
    reasons = terms.numbers(conn, {row[4] for row in rows})
    return [(*row[:4], reasons[row[4]], *row[5:]) for row in rows]


def decision_between(conn: Connection, left: int, right: int) -> Row | None:
    """The stored decision on a pair of nodes, or None."""
    low, high = min(left, right), max(left, right)
    query = select(decision, term.c.word.label("reason")).join(term, term.c.id == decision.c.reason_id)
    query = query.where(decision.c.left_node == low, decision.c.right_node == high)
    found = conn.execute(query).mappings().first()
    if not found:
        return None
    evidence = dictionaries.opener(conn)(found["evidence"] or b"", found["dictionary_id"])
    return {**found, "evidence": evidence}


# ---- clusters ----------------------------------------------------------------------------------------


def clusters(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, Row]:
    """Cluster id → its row."""
    query = select(cluster).where(within(conn, cluster.c.id, cluster_ids))
    return {row["id"]: dict(row) for row in conn.execute(query).mappings().all()}


class Head(NamedTuple):
    """What is stored of a cluster's content."""

    doc_hash: bytes = b""
    size: int = 0
    version: int = 0


def heads(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, Head]:
    """Cluster id → its content as it is stored."""
    columns = (cluster.c.id, cluster.c.doc_hash, cluster.c.size, cluster.c.version)
    query = select(*columns).where(within(conn, cluster.c.id, cluster_ids))
    return {row[0]: Head(bytes(row[1]), row[2], row[3]) for row in conn.execute(query).all()}


def new_clusters(conn: Connection, contents: Sequence[tuple[bytes, int]], now: str) -> list[int]:
    """Ids for new clusters with these hashes and sizes, ascending. The caller holds the match lock: nobody else counts.

    Their documents are written next.
    """
    if not contents:
        return []
    first = (conn.execute(select(func.max(cluster.c.id))).scalar_one() or 0) + 1
    columns = ("id", "state", "size", "version", "doc_hash", "created_at", "changed_at")
    rows = [(first + number, "active", size, 1, found, now, now) for number, (found, size) in enumerate(contents)]
    bulk.insert(conn, cluster, columns, rows)
    return [row[0] for row in rows]


def write_memberships(conn: Connection, rows: Sequence[Row], gone: Iterable[int]) -> None:
    """Place records in clusters; *gone* are records that belong nowhere any more: where they stood is kept."""
    upsert(conn, membership, rows, ["record_id"])
    lost = list(gone)
    if lost:
        stood = select(membership.c.record_id, membership.c.cluster_id).where(
            within(conn, membership.c.record_id, lost)
        )
        upsert(conn, former_membership, [dict(row) for row in conn.execute(stood).mappings()], ["record_id"])
        conn.execute(delete(membership).where(within(conn, membership.c.record_id, lost)))
        conn.execute(delete(holding).where(within(conn, holding.c.record_id, lost)))


class Document(NamedTuple):
    """A cluster as it is to be stored: brief columns, identifiers, holdings; `body` only for two members or more."""

    cluster_id: int
    doc_hash: bytes
    size: int
    body: bytes | None
    brief: Row
    identifiers: tuple[tuple[str, str], ...]
    holdings: tuple[Row, ...]


def write_documents(conn: Connection, documents: Sequence[Document], new: Collection[int], now: str) -> None:
    """Store the documents of clusters, replacing what was there; of the clusters *new* there is nothing yet."""
    if not documents:
        return
    changed = [one for one in documents if one.cluster_id not in new]
    _replace(conn, changed, now)
    records = [row["record_id"] for one in documents for row in one.holdings]
    if records:
        conn.execute(delete(holding).where(within(conn, holding.c.record_id, records)))
    pack, number = dictionaries.packing(conn, "union")
    unions = [(one.cluster_id, pack(one.body), number) for one in documents if one.body is not None]
    bulk.insert(conn, union_record, ("cluster_id", "body", "dictionary_id"), unions)
    briefs = [{"cluster_id": one.cluster_id, **one.brief} for one in documents]
    insert(conn, cluster_brief, [row for row in briefs if row["cluster_id"] in new])
    upsert(conn, cluster_brief, [row for row in briefs if row["cluster_id"] not in new], ["cluster_id"])
    insert(
        conn,
        identifier,
        [
            {"kind": kind, "value": value, "cluster_id": one.cluster_id}
            for one in documents
            for kind, value in one.identifiers
        ],
    )
    insert(conn, holding, [{**row, "cluster_id": one.cluster_id} for one in documents for row in one.holdings])


def _replace(conn: Connection, documents: Sequence[Document], now: str) -> None:
    """Take away what was stored for these clusters, and note that they change."""
    ids = [one.cluster_id for one in documents]
    if not ids:
        return
    for table in (union_record, identifier, holding):
        conn.execute(delete(table).where(within(conn, table.c.cluster_id, ids)))
    bulk.update(
        conn, cluster, ("id", "doc_hash", "size"), [(one.cluster_id, one.doc_hash, one.size) for one in documents]
    )
    written = {"state": "active", "changed_at": now, "version": cluster.c.version + 1}
    conn.execute(update(cluster).where(within(conn, cluster.c.id, ids)).values(written))


def retire_clusters(conn: Connection, cluster_ids: Iterable[int], redirects: Mapping[int, int], now: str) -> None:
    """Clusters without members: their documents go, their ids stay; those in *redirects* lead on for ever."""
    ids = list(cluster_ids)
    if not ids:
        return
    for table in (union_record, identifier, holding, cluster_brief):
        conn.execute(delete(table).where(within(conn, table.c.cluster_id, ids)))
    gone = {"state": "gone", "size": 0, "doc_hash": b"", "changed_at": now}
    conn.execute(update(cluster).where(within(conn, cluster.c.id, ids)).values(**gone, version=cluster.c.version + 1))
    rows = [{"old_id": old, "new_id": new, "at": now} for old, new in sorted(redirects.items())]
    upsert(conn, cluster_redirect, rows, ["old_id"])
    for old, new in redirects.items():  # chains stay one step long
        conn.execute(update(cluster_redirect).where(cluster_redirect.c.new_id == old).values(new_id=new))


def vacated(conn: Connection, record_ids: Iterable[int]) -> dict[int, int]:
    """Record id → the cluster in which it stood alone or last when it was deleted, if that id is still free."""
    query = (
        select(former_membership.c.record_id, former_membership.c.cluster_id)
        .join(cluster, cluster.c.id == former_membership.c.cluster_id)
        .where(
            within(conn, former_membership.c.record_id, record_ids),
            cluster.c.state == "gone",
            ~exists().where(cluster_redirect.c.old_id == cluster.c.id),
        )
    )
    return {row[0]: row[1] for row in conn.execute(query).all()}


def stood(conn: Connection, record_ids: Iterable[int]) -> dict[int, int]:
    """Record id → the cluster in which it stood when it was deleted, of those that ever were."""
    columns = (former_membership.c.record_id, former_membership.c.cluster_id)
    query = select(*columns).where(within(conn, former_membership.c.record_id, record_ids))
    return {row[0]: row[1] for row in conn.execute(query).all()}


def write_events(conn: Connection, rows: Sequence[Row]) -> None:
    """Append to the log of what happened to clusters."""
    pack, number = dictionaries.packing(conn, "event")
    packed = [{**row, **_filters(row["body"]), "dictionary_id": number} for row in rows]
    insert(conn, cluster_event, [{**row, "body": pack(row["body"].encode())} for row in packed])


class _Told(msgspec.Struct):
    """Of an event's body, what the merge log is filtered by."""

    record: str = ""
    with_: str = msgspec.field(default="", name="with")
    action: str = ""
    reason: str = ""
    score: float | None = None


_told = msgspec.json.Decoder(_Told).decode


def _filters(body: str) -> Row:
    told = _told(body)
    rule = told.action or told.reason.partition(":")[0][:60]
    source = told.record.partition("/")[0]
    return {"source": source, "record": told.record, "other": told.with_, "rule": rule, "score": told.score}


# ---- reading for people and outputs ------------------------------------------------------------------


def resolve(conn: Connection, cluster_id: int) -> int:
    """The living id behind *cluster_id*, following a redirect."""
    row = conn.execute(select(cluster_redirect.c.new_id).where(cluster_redirect.c.old_id == cluster_id)).first()
    return int(row[0]) if row else cluster_id


def members(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, list[RecordState]]:
    """Cluster id → its members, ordered by address."""
    found: dict[int, list[RecordState]] = {}
    for state in states_of_clusters(conn, cluster_ids):
        if state.cluster_id is not None:
            found.setdefault(state.cluster_id, []).append(state)
    return {key: sorted(value, key=lambda one: one.order) for key, value in found.items()}


def union_bodies(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, Any]:
    """Cluster id → union record as plain data; only clusters of two or more have one."""
    return {key: json.loads(body) for key, body in union_texts(conn, cluster_ids).items()}


def union_texts(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, bytes]:
    """The same as JSON."""
    query = select(union_record).where(within(conn, union_record.c.cluster_id, cluster_ids))
    opened = dictionaries.opener(conn)
    return {row.cluster_id: opened(row.body, row.dictionary_id) for row in conn.execute(query)}


def events(conn: Connection, cluster_id: int) -> list[Row]:
    """The history of a cluster, oldest first."""
    query = select(cluster_event).where(cluster_event.c.cluster_id == cluster_id).order_by(cluster_event.c.id)
    return opened_events(conn, query)


def events_by_id(conn: Connection, ids: Iterable[int]) -> list[Row]:
    """These lines of the merge log, oldest first."""
    query = select(cluster_event).where(within(conn, cluster_event.c.id, ids)).order_by(cluster_event.c.id)
    return opened_events(conn, query)


def events_of_run(conn: Connection, run_id: int) -> list[Row]:
    """What a run wrote into the merge log, oldest first."""
    query = select(cluster_event).where(cluster_event.c.run_id == run_id).order_by(cluster_event.c.id)
    return opened_events(conn, query)


_PACKED = frozenset(("dictionary_id", "record", "other"))  # what nobody wants to see beside the body


def opened_events(conn: Connection, query: Select[Any]) -> list[Row]:
    """The lines of the merge log that *query* selects, with their bodies as JSON."""
    opened = dictionaries.opener(conn)
    return [
        {name: value for name, value in row.items() if name not in _PACKED}
        | {"body": opened(row["body"], row["dictionary_id"]).decode()}
        for row in conn.execute(query).mappings()
    ]


def briefs(conn: Connection, cluster_ids: Iterable[int]) -> dict[int, Row]:
    """Cluster id → the columns for lists."""
    query = select(cluster_brief).where(within(conn, cluster_brief.c.cluster_id, cluster_ids))
    return {row["cluster_id"]: dict(row) for row in conn.execute(query).mappings()}


def by_identifier(conn: Connection, kind: str, value: str) -> list[int]:
    """The clusters that carry an identifier."""
    query = select(identifier.c.cluster_id).where(identifier.c.kind == kind, identifier.c.value == value)
    return sorted(row[0] for row in conn.execute(query))


def active_ids(conn: Connection, after: int = 0, limit: int = 1000) -> list[int]:
    """Ids of living clusters above *after*, ascending."""
    query = (
        select(cluster.c.id)
        .where(cluster.c.state == "active", cluster.c.id > after)
        .order_by(cluster.c.id)
        .limit(limit)
    )
    return [row[0] for row in conn.execute(query).all()]


def funnel(conn: Connection) -> Row:
    """How many records, clusters, merged clusters, suspended keys and pairs by verdict there are."""
    by_verdict = select(decision.c.verdict, func.count()).group_by(decision.c.verdict)
    verdicts: dict[str, int] = {row[0]: row[1] for row in conn.execute(by_verdict)}
    alive = cluster.c.state == "active"
    return {
        "records": conn.execute(select(func.count()).where(record.c.state == "active")).scalar_one(),
        "deleted": conn.execute(select(func.count()).where(record.c.state == "deleted")).scalar_one(),
        "clusters": conn.execute(select(func.count()).where(alive)).scalar_one(),
        "merged_clusters": conn.execute(select(func.count()).where(alive, cluster.c.size > 1)).scalar_one(),
        "largest_cluster": conn.execute(select(func.max(cluster.c.size)).where(alive)).scalar_one() or 0,
        "suspended_keys": conn.execute(select(func.count()).select_from(key_stat)).scalar_one(),
        "pairs": {name: int(verdicts.get(name, 0)) for name in ("merge", "review", "veto", "distinct")},
    }


def by_partner(conn: Connection) -> list[Row]:
    """Active records and clusters per partner."""
    query = (
        select(
            partner.c.code,
            func.count(record.c.id).label("records"),
            func.count(membership.c.cluster_id.distinct()).label("clusters"),
        )
        .select_from(
            partner.join(source, source.c.partner == partner.c.code)
            .join(record, (record.c.source_id == source.c.id) & (record.c.state == "active"), isouter=True)
            .join(membership, membership.c.record_id == record.c.id, isouter=True)
        )
        .group_by(partner.c.code)
        .order_by(partner.c.code)
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def strongest_pair(conn: Connection, verdict: str) -> tuple[str, str]:
    """The addresses of the highest-scored pair with *verdict* between records of two sources."""
    query = select(decision.c.left_node, decision.c.right_node).where(decision.c.verdict == verdict)
    for left, right in conn.execute(query.order_by(decision.c.score.desc(), decision.c.left_node)):
        firsts = sorted(states_of_nodes(conn, [left]), key=lambda one: one.order)
        seconds = sorted(states_of_nodes(conn, [right]), key=lambda one: one.order)
        for one in firsts:
            for other in seconds:
                if one.source != other.source:
                    return one.address, other.address
    raise LookupError(f"no pair with verdict {verdict}")
