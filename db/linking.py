"""Which cluster a record names by a control number ($w of MARC 21's linking fields), as of the last match.

What records ask for is kept as they say it, with the cluster that answers: the only one of which a visible record has
the number. When numbers or places of records change, whoever asks for them is looked up again in the same transaction;
the clusters of those that have another answer are announced.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Table, and_, exists, func, or_, select

from db import bulk
from db.engine import within
from db.tables import cluster, control_number, hidden_member, identifier, linking_entry, membership, record, source

IDENTIFIERS = frozenset(("oclc", "lccn", "local"))  # kinds of numbers that are looked for in every source
PAGE = 1000
Key = tuple[int, str]  # of an entry


class Entry(NamedTuple):
    """What a record asks for: see harvester.merge.linking.Asked."""

    record_id: int
    number: str
    kind: str
    scope: str
    value: str


class Number(NamedTuple):
    """A control number of a record, where its identifier is another."""

    record_id: int
    number: str
    source: str


class Supposed(NamedTuple):
    """A grouping that is only foreseen: the clusters of records, and the identifiers of clusters, that it changes."""

    homes: Mapping[int, int] = {}
    identifiers: Mapping[int, Collection[tuple[str, str]]] = {}


NOTHING = Supposed()


# ---- following ---------------------------------------------------------------------------------------


def names(conn: Connection, record_ids: Collection[int], cluster_ids: Collection[int]) -> set[str]:
    """What these records and clusters are called by, as it is stored, beside the records' identifiers."""
    numbered = select(control_number.c.number).where(within(conn, control_number.c.record_id, record_ids))
    columns = (identifier.c.kind, identifier.c.value)
    shared = conn.execute(select(*columns).where(within(conn, identifier.c.cluster_id, cluster_ids)))
    return {row[0] for row in conn.execute(numbered)} | {value for kind, value in shared if kind in IDENTIFIERS}


def any_asked(conn: Connection) -> bool:
    """Whether any record names another."""
    return conn.execute(select(linking_entry.c.record_id).limit(1)).first() is not None


def asking(conn: Connection, named: Collection[str], cluster_ids: Collection[int]) -> set[int]:
    """The records that ask for something of these names, or that one of the clusters answers."""
    entry = linking_entry.c
    queries = [
        select(entry.record_id).where(condition)
        for column, values in ((entry.value, named), (entry.cluster_id, cluster_ids))
        if values
        for condition in [within(conn, column, values)]
    ]
    return {row[0] for query in queries for row in conn.execute(query)}


def write(conn: Connection, known: Collection[int], entries: Sequence[Entry], numbers: Sequence[Number]) -> None:
    """Keep what records ask for and which numbers they have, and nothing else of the records that were *known* before.

    An entry keeps its answer until it is looked up again.
    """
    _keep(conn, linking_entry, Entry._fields, known, entries)
    _keep(conn, control_number, Number._fields, known, numbers)


def _keep(
    conn: Connection, table: Table, columns: tuple[str, ...], known: Collection[int], rows: Iterable[Any]
) -> None:
    """The first two of the columns are the key."""
    stored = select(*(table.c[name] for name in columns)).where(within(conn, table.c.record_id, known))
    held = {tuple(row) for row in conn.execute(stored)} if known else set()
    wanted = set(map(tuple, rows))
    gone = {row[:2] for row in held} - {row[:2] for row in wanted}
    bulk.delete(conn, table, columns[:2], sorted(gone))
    bulk.upsert(conn, table, columns, sorted(wanted - held), columns[:2])


def answer(conn: Connection, record_ids: Collection[int]) -> list[int]:
    """Look up again what these records ask for; the visible clusters of those that have another answer now."""
    changed = _changed(conn, record_ids)
    bulk.upsert(conn, linking_entry, (*Entry._fields, "cluster_id"), sorted(changed), Entry._fields[:2])
    return sorted(set(_visible_homes(conn, {row[0] for row in changed}).values()))


def foresee(conn: Connection, record_ids: Collection[int], supposed: Supposed) -> set[int]:
    """The visible clusters of those of these records that would name others than they do; nothing is stored."""
    changed = {row[0] for row in _changed(conn, record_ids, supposed)}
    return {supposed.homes.get(key, home) for key, home in _visible_homes(conn, changed).items()}


def _visible_homes(conn: Connection, record_ids: Collection[int]) -> dict[int, int]:
    """Record id → its cluster, where that may be seen."""
    if not record_ids:
        return {}
    query = select(membership.c.record_id, cluster.c.id).join(cluster, membership.c.cluster_id == cluster.c.id)
    mine = query.where(within(conn, membership.c.record_id, record_ids), cluster.c.doc_hash != b"")
    return {row[0]: row[1] for row in conn.execute(mine)}


def _changed(conn: Connection, record_ids: Collection[int], supposed: Supposed = NOTHING) -> list[tuple[Any, ...]]:
    """The entries of these records that have another answer now, or in the grouping that is *supposed*, with it."""
    if not record_ids:
        return []
    columns = [linking_entry.c[name] for name in (*Entry._fields, "cluster_id")]
    stored = conn.execute(select(*columns).where(within(conn, linking_entry.c.record_id, record_ids))).all()
    found = _answers(conn, [Entry(*row[:-1]) for row in stored], supposed)
    return [(*row[:-1], found.get((row[0], row[1]))) for row in stored if found.get((row[0], row[1])) != row[-1]]


def _answers(conn: Connection, asked: Collection[Entry], supposed: Supposed) -> dict[Key, int]:
    """Entry → the only cluster that has the number."""
    values: dict[tuple[str, str], set[str]] = defaultdict(set)
    for one in asked:
        values[one.kind, one.scope].add(one.value)
    found: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    for (kind, scope), wanted in values.items():
        for value, cluster_id in _having(conn, kind, scope, wanted, supposed):
            found[kind, scope, value].add(cluster_id)
    homes = {(one.record_id, one.number): found[one[2:]] for one in asked if one[2:] in found}
    return {key: next(iter(several)) for key, several in homes.items() if len(several) == 1}


def _having(
    conn: Connection, kind: str, scope: str, values: Collection[str], supposed: Supposed
) -> Iterator[tuple[str, int]]:
    """(number, cluster) of everything visible that has one of these numbers."""
    if kind in IDENTIFIERS:
        mine = and_(identifier.c.kind == kind, within(conn, identifier.c.value, values))
        stored = conn.execute(select(identifier.c.value, identifier.c.cluster_id).where(mine))
        yield from ((value, place) for value, place in stored if place not in supposed.identifiers)
        for place, held in supposed.identifiers.items():
            yield from ((value, place) for one, value in held if one == kind and value in values)
        return
    home = source.c.code if kind == "source" else source.c.partner
    seen = ~exists().where(hidden_member.c.record_id == membership.c.record_id)
    for source_id, code in conn.execute(select(source.c.id, source.c.code).where(home == scope)).all():
        called = and_(record.c.source_id == source_id, within(conn, record.c.identifier, values))
        numbered = and_(control_number.c.source == code, within(conn, control_number.c.number, values))
        for name, condition in ((record.c.identifier, called), (control_number.c.number, numbered)):
            placed = select(name, membership.c.cluster_id, membership.c.record_id)
            placed = placed.join(membership, membership.c.record_id == _id_of(name))
            for value, place, record_id in conn.execute(placed.where(condition, seen)):
                yield value, supposed.homes.get(record_id, place)


def _id_of(name: Column[str]) -> Column[int]:
    return record.c.id if name is record.c.identifier else control_number.c.record_id


# ---- reading -----------------------------------------------------------------------------------------


def answers(conn: Connection, record_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """Record id → control number → the cluster that it names, of those that name one."""
    entry = linking_entry.c
    query = select(entry.record_id, entry.number, entry.cluster_id)
    found: dict[int, dict[str, str]] = defaultdict(dict)
    for row in conn.execute(query.where(within(conn, entry.record_id, record_ids), entry.cluster_id.is_not(None))):
        found[row[0]][row[1]] = str(row[2])
    return dict(found)


def by_organization(conn: Connection, codes: Iterable[str]) -> list[int]:
    """The records with an entry that stands behind one of these codes of organizations."""
    starts = [func.lower(linking_entry.c.number).startswith(f"({code.lower()})", autoescape=True) for code in codes]
    if not starts:
        return []
    return [row[0] for row in conn.execute(select(linking_entry.c.record_id).where(or_(*starts)).distinct())]


def wrong(conn: Connection) -> int:
    """How many entries have another answer than the one that is stored."""
    return sum(len(_changed(conn, page)) for page in _pages(conn))


def _pages(conn: Connection) -> Iterator[list[int]]:
    last = 0
    ids = select(linking_entry.c.record_id).distinct().order_by(linking_entry.c.record_id).limit(PAGE)
    while page := [row[0] for row in conn.execute(ids.where(linking_entry.c.record_id > last))]:
        last = page[-1]
        yield page
