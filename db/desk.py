"""What cataloguers look at: the merge log, suspect clusters, verdicts, a partner's ledger. Reads only.

Lists come newest or worst first, a page at a time behind a key, never by OFFSET over the whole table.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select

from db import catalogue
from db.engine import within
from db.tables import (
    change,
    cluster,
    cluster_brief,
    cluster_event,
    cluster_partner,
    derivation,
    feed_counter,
    holding,
    human_decision,
    label,
    membership,
    node,
    output_cursor,
    quarantine,
    record,
    record_version,
    run,
    source,
    warning,
)
from db.upsert import Row
from harvester.model import Address

KINDS = (
    "joined", "merged", "left", "split", "gone", "returned", "linked", "undone", "pinned", "unpinned", "pin_changed"
)  # fmt: skip
LAST = "\U0010ffff"  # sorts behind every other character


class LogFilter(NamedTuple):
    """Which lines of the merge log: times are ISO 8601 or days; `below` is the id to go on under (0: from the end)."""

    since: str = ""
    until: str = ""
    sources: tuple[str, ...] | None = None
    rule: str = ""
    actor: str = ""
    kind: str = ""
    low: float | None = None
    high: float | None = None
    below: int = 0
    cluster: int = 0


def merge_log(conn: Connection, wanted: LogFilter, limit: int) -> list[Row]:
    """Lines of the merge log, the newest first, with their bodies as plain data."""
    column = cluster_event.c
    conditions = [
        (bool(wanted.since), column.at >= wanted.since),
        (bool(wanted.until), column.at <= _end(wanted.until)),
        (bool(wanted.rule), column.rule == wanted.rule),
        (wanted.actor == "people", column.actor.in_(select(human_decision.c.author))),
        (wanted.actor not in ("", "people"), column.actor == wanted.actor),
        (bool(wanted.kind), column.kind == wanted.kind),
        (wanted.low is not None, column.score >= (wanted.low or 0.0)),
        (wanted.high is not None, column.score <= (wanted.high or 0.0)),
        (bool(wanted.below), column.id < wanted.below),
        (bool(wanted.cluster), column.cluster_id == wanted.cluster),
    ]
    query = select(cluster_event).where(*(condition for used, condition in conditions if used))
    if wanted.sources is not None:
        query = query.where(column.source.in_(wanted.sources))
    rows = catalogue.opened_events(conn, query.order_by(column.id.desc()).limit(limit))
    return [{**row, "body": json.loads(row["body"])} for row in rows]


def _end(day: str) -> str:
    """The last moment of a day; a time stays as it is."""
    return f"{day}T23:59:59Z" if len(day) == 10 else day


def actors(conn: Connection) -> list[str]:
    """Who may have written into the merge log: the rules, and everybody who has decided something."""
    query = select(human_decision.c.author).distinct().order_by(human_decision.c.author)
    return ["match", *(row[0] for row in conn.execute(query))]


# ---- suspect clusters --------------------------------------------------------------------------------


def clock_of_changes(conn: Connection) -> tuple[Any, ...]:
    """Numbers of which one grows whenever the catalogue, a decision, a label or a run changes."""
    seq = select(feed_counter.c.seq)
    numbers = [conn.execute(one).scalar_one() or 0 for one in (seq, *map(_newest, (human_decision, label)))]
    return (*map(int, numbers), clock_of_runs(conn))


def clock_of_runs(conn: Connection) -> str:
    """A text that changes whenever a run other than a person's decision starts or ends."""
    query = select(func.max(run.c.id), func.max(run.c.ended_at)).where(run.c.kind != "decide")
    return str(tuple(conn.execute(query).one()))


def clock_of_matches(conn: Connection) -> str:
    """A text that changes whenever a match, or what decides like one, ends."""
    query = select(func.max(run.c.ended_at)).where(run.c.kind.not_in(("decide", "harvest", "import", "publish")))
    return str(conn.execute(query).scalar_one())


def _newest(table: Any) -> Any:
    return select(func.max(table.c.id))


def living(conn: Connection, cluster_ids: Iterable[int]) -> set[int]:
    """Those of the clusters that hold two members or more."""
    query = select(cluster.c.id).where(within(conn, cluster.c.id, cluster_ids), cluster.c.size > 1)
    return {row[0] for row in conn.execute(query)}


# ---- verdicts ----------------------------------------------------------------------------------------


def standing(conn: Connection, node_ids: Iterable[int]) -> dict[int, tuple[Address, int, str]]:
    """Node → (its smallest address, the cluster of that record, the partner), for nodes with a member."""
    query = (
        select(membership.c.node_id, source.c.code, record.c.identifier, membership.c.cluster_id, source.c.partner)
        .join(record, record.c.id == membership.c.record_id)
        .join(source, source.c.id == record.c.source_id)
        .where(within(conn, membership.c.node_id, node_ids))
    )
    found: dict[int, tuple[Address, int, str]] = {}
    for node_id, code, name, cluster_id, partner in conn.execute(query):
        here = (Address(code, name), cluster_id, partner)
        if node_id not in found or here < found[node_id]:
            found[node_id] = here
    return found


def forget_label(conn: Connection, left: Address, right: Address, author: str) -> bool:
    """Take back this person's newest verdict on a pair; whether there was one."""
    first, second = sorted((left, right))
    query = select(func.max(label.c.id)).where(
        label.c.left_source == first.source,
        label.c.left_identifier == first.identifier,
        label.c.right_source == second.source,
        label.c.right_identifier == second.identifier,
        label.c.author == author,
    )
    newest = conn.execute(query).scalar_one_or_none()
    if newest is None:
        return False
    conn.execute(delete(label).where(label.c.id == newest))
    return True


# ---- what downstream has -----------------------------------------------------------------------------


def last_changes(conn: Connection, cluster_id: int, limit: int = 5) -> list[Row]:
    """The last lines of the feed about a cluster, the newest first."""
    query = select(change).where(change.c.cluster_id == cluster_id).order_by(change.c.seq.desc()).limit(limit)
    return [dict(row) for row in conn.execute(query).mappings()]


def cursors(conn: Connection) -> list[Row]:
    """The position of every output."""
    query = select(output_cursor.c.name, output_cursor.c.seq, output_cursor.c.at).order_by(output_cursor.c.name)
    return [dict(row) for row in conn.execute(query).mappings()]


def feed(conn: Connection, below: int, limit: int) -> list[Row]:
    """Lines of the feed, the newest first."""
    query = select(change).order_by(change.c.seq.desc()).limit(limit)
    if below:
        query = query.where(change.c.seq < below)
    return [dict(row) for row in conn.execute(query).mappings()]


# ---- a partner's ledger ------------------------------------------------------------------------------


def ledger(
    conn: Connection, sources: Sequence[str], after: tuple[str, str], limit: int, only: Iterable[int] | None = None
) -> list[Row]:
    """Records of these sources with their state, cluster and number of warnings, by address behind *after*.

    Of all of them, or *only* of those with these ids.
    """
    warnings = select(func.count()).select_from(warning).where(warning.c.record_id == record.c.id).scalar_subquery()
    query = (
        select(
            record.c.id,
            source.c.code.label("source"),
            record.c.identifier,
            record.c.state,
            record.c.version,
            record.c.datestamp,
            membership.c.cluster_id,
            warnings.label("warnings"),
        )
        .join(source, source.c.id == record.c.source_id)
        .join(membership, membership.c.record_id == record.c.id, isouter=True)
        .order_by(record.c.identifier)
    )
    if only is not None:
        query = query.where(within(conn, record.c.id, only))
    found: list[Row] = []
    for code in sorted(set(sources)):  # one after the other: a page begins in the index, wherever that is
        if code >= after[0] and len(found) < limit:
            mine = select(source.c.id).where(source.c.code == code).scalar_subquery()
            here = query.where(record.c.source_id == mine, record.c.identifier > (after[1] if code == after[0] else ""))
            found += [dict(row) for row in conn.execute(here.limit(limit - len(found))).mappings()]
    return found


def in_clusters(conn: Connection, sources: Sequence[str], cluster_ids: Iterable[int]) -> set[int]:
    """The records of these sources that stand in these clusters."""
    query = (
        select(record.c.id)
        .join(source, source.c.id == record.c.source_id)
        .join(membership, membership.c.record_id == record.c.id)
        .where(source.c.code.in_(sources), within(conn, membership.c.cluster_id, cluster_ids))
    )
    return {row[0] for row in conn.execute(query)}


def numbered(conn: Connection, sources: Sequence[str], beginning: str, limit: int) -> set[int]:
    """Records of these sources whose identifier begins so, with or without what all of the source begin with."""
    found: set[int] = set()
    name = record.c.identifier
    for code in sources:
        mine = select(source.c.id).where(source.c.code == code).scalar_subquery()
        # one by one: SQLite would read the whole source for the two together
        ends = [
            conn.execute(select(end(name)).where(record.c.source_id == mine)).scalar() for end in (func.min, func.max)
        ]
        heads = {"", *(one[: one.rfind(":") + 1] for one in ends if one)}
        for head in sorted(heads):
            first = head + beginning
            query = select(record.c.id).where(record.c.source_id == mine, name >= first, name < first + LAST)
            found |= {row[0] for row in conn.execute(query.order_by(name).limit(limit))}
    return found


def quarantined(conn: Connection, sources: Sequence[str] | None, state: str, below: int, limit: int) -> list[Row]:
    """What could not be read, the newest first, without its bytes; of these sources, or of all (None)."""
    columns = [column for column in quarantine.c if column.name not in ("payload", "digest")]
    query = select(*columns, source.c.code.label("source")).join(source, source.c.id == quarantine.c.source_id)
    if sources is not None:
        query = query.where(source.c.code.in_(sources))
    if state:
        query = query.where(quarantine.c.state == state)
    if below:
        query = query.where(quarantine.c.id < below)
    return [dict(row) for row in conn.execute(query.order_by(quarantine.c.id.desc()).limit(limit)).mappings()]


def warning_totals(conn: Connection, sources: Sequence[str]) -> list[tuple[str, int]]:
    """(warning code, how many records) of these sources, the most frequent first; places and values apart."""
    query = (
        select(warning.c.code, func.count())
        .join(record, record.c.id == warning.c.record_id)
        .join(source, source.c.id == record.c.source_id)
        .where(source.c.code.in_(sources))
        .group_by(warning.c.code)
        .order_by(func.count().desc(), warning.c.code)
        .limit(200)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def warnings_of_run(conn: Connection, run_id: int) -> list[tuple[str, int]]:
    """(warning code, how many records) of the records that a run created or updated, as they are now."""
    brought = select(record_version.c.record_id).where(record_version.c.run_id == run_id)
    counted = func.count(warning.c.record_id.distinct())
    query = (
        select(warning.c.code, counted)
        .where(warning.c.record_id.in_(brought))
        .group_by(warning.c.code)
        .order_by(counted.desc(), warning.c.code)
        .limit(200)
    )
    return [(row[0], row[1]) for row in conn.execute(query)]


def totals(conn: Connection) -> dict[str, int]:
    """The size of the catalogue, in one look."""
    counted: dict[str, Any] = {
        "records": select(func.count()).select_from(record).where(record.c.state == "active"),
        "clusters": select(func.count()).select_from(cluster).where(cluster.c.state == "active"),
        "merged": select(func.count()).select_from(cluster).where(cluster.c.size > 1),
        "nodes": select(func.count()).select_from(node),
    }
    return {name: int(conn.execute(query).scalar_one()) for name, query in counted.items()}


# ---- runs --------------------------------------------------------------------------------------------


def runs(conn: Connection, source_code: str, kind: str, below: int, limit: int) -> list[Row]:
    """Runs, the newest first; of one source or kind, when named."""
    query = select(run, source.c.code.label("source")).join(source, source.c.id == run.c.source_id, isouter=True)
    conditions = [(source_code, source.c.code == source_code), (kind, run.c.kind == kind), (below, run.c.id < below)]
    query = query.where(*(condition for used, condition in conditions if used))
    return [dict(row) for row in conn.execute(query.order_by(run.c.id.desc()).limit(limit)).mappings()]


def nights(conn: Connection, since: str) -> list[tuple[str, str, str]]:
    """(source, day, verdict) of every harvest that started at *since* or later."""
    day = func.substr(run.c.started_at, 1, 10)
    query = select(source.c.code, day, run.c.verdict).join(source, source.c.id == run.c.source_id)
    query = query.where(run.c.kind.in_(("harvest", "import")), run.c.started_at >= since)
    return [(row[0], row[1], row[2]) for row in conn.execute(query)]


def counts_since(conn: Connection, since: str) -> dict[str, int]:
    """What harvests that started at *since* or later received, created, updated, deleted and set aside."""
    names = ("received", "created", "updated", "deleted", "quarantined")
    sums = [func.coalesce(func.sum(run.c[name]), 0) for name in names]
    row = conn.execute(select(*sums).where(run.c.started_at >= since)).one()
    return dict(zip(names, map(int, row), strict=True))


def events_of_run(conn: Connection, run_id: int) -> dict[str, int]:
    """Kind of line → how many a run wrote into the merge log."""
    column = cluster_event.c
    query = select(column.kind, func.count()).where(column.run_id == run_id).group_by(column.kind)
    return {row[0]: row[1] for row in conn.execute(query.order_by(column.kind))}


# ---- search ------------------------------------------------------------------------------------------


def narrowed(conn: Connection, ids: Sequence[int], language: str, partners: Sequence[str] | None) -> list[int]:
    """Those of the clusters, in their order, in this language ("" any), held by one of these partners (None: any)."""
    query = select(cluster_brief.c.cluster_id).where(within(conn, cluster_brief.c.cluster_id, ids))
    if language:
        query = query.where(cluster_brief.c.language == language)
    if partners is not None:
        held = cluster_partner.c
        mine = select(held.cluster_id).where(held.partner.in_(list(partners)), held.here)
        query = query.where(cluster_brief.c.cluster_id.in_(mine))
    kept = {row[0] for row in conn.execute(query)}
    return [one for one in ids if one in kept]


def facets(conn: Connection, ids: Sequence[int]) -> dict[str, list[tuple[str, int]]]:
    """partner, material, language, year → (value, how many of these clusters), the most frequent first."""
    brief = cluster_brief.c
    found: dict[str, list[tuple[str, int]]] = {}
    for name in ("material", "language", "year"):
        query = select(brief[name], func.count()).where(within(conn, brief.cluster_id, ids)).group_by(brief[name])
        found[name] = _counted(conn, query)
    held = cluster_partner.c
    query = select(held.partner, func.count()).where(within(conn, held.cluster_id, ids), held.here)
    found["partner"] = _counted(conn, query.group_by(held.partner))
    return found


def _counted(conn: Connection, query: Any) -> list[tuple[str, int]]:
    rows = [(str(row[0]), int(row[1])) for row in conn.execute(query) if row[0] not in (None, "")]
    return sorted(rows, key=lambda row: (-row[1], row[0]))[:30]


def holdings(conn: Connection, ids: Sequence[int]) -> dict[int, list[Row]]:
    """Cluster → its holdings that may be seen, by partner."""
    query = select(holding).where(within(conn, holding.c.cluster_id, ids)).order_by(holding.c.partner, holding.c.number)
    found: dict[int, list[Row]] = {}
    for row in conn.execute(query).mappings():
        found.setdefault(row["cluster_id"], []).append(dict(row))
    return found


# ---- rules -------------------------------------------------------------------------------------------


def derivations(conn: Connection, limit: int) -> list[Row]:
    """The rule sets that were, are or will be in force, the newest first."""
    query = select(derivation.c.id, derivation.c.state, derivation.c.made_at).order_by(derivation.c.id.desc())
    return [dict(row) for row in conn.execute(query.limit(limit)).mappings()]


def node_of(conn: Connection, addresses: Iterable[Address]) -> dict[Address, int]:
    """Address → node, of records that have one."""
    by_source: dict[str, list[str]] = {}
    for one in addresses:
        by_source.setdefault(one.source, []).append(one.identifier)
    found: dict[Address, int] = {}
    for code, names in by_source.items():
        query = select(record.c.identifier, record.c.node_id).join(source, source.c.id == record.c.source_id)
        query = query.where(source.c.code == code, within(conn, record.c.identifier, names))
        found |= {Address(code, row[0]): row[1] for row in conn.execute(query) if row[1] is not None}
    return found
