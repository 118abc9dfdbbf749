"""What may be seen of a cluster, kept beside its document: whose records it holds, which are hidden, its words.

Written in the match transaction, from what policy and value filters leave over.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, select, update

from db import search
from db.engine import within
from db.tables import (
    cluster,
    cluster_brief,
    cluster_partner,
    hidden_member,
    holding,
    identifier,
    membership,
    record,
    source,
)
from db.upsert import insert_new, upsert


class Shown(NamedTuple):
    """A cluster as it may be seen. *partners* have a visible record in it; *title* and *words* by search.words_of."""

    cluster_id: int
    partners: tuple[str, ...]
    title: str
    words: str


def write(conn: Connection, clusters: Sequence[Shown], new: Collection[int]) -> None:
    """Store what may be seen of these clusters, instead of what was; of the clusters *new* there is nothing yet."""
    _leave(conn, [one.cluster_id for one in clusters if one.cluster_id not in new])
    rows = [{"cluster_id": one.cluster_id, "partner": code, "here": True} for one in clusters for code in one.partners]
    upsert(conn, cluster_partner, rows, ["cluster_id", "partner"])
    seen = [search.Entry(one.cluster_id, one.title, one.words) for one in clusters if one.partners]
    search.write(conn, seen)


def retire(conn: Connection, cluster_ids: Iterable[int]) -> None:
    """These clusters are gone; which partners they once held stays known."""
    _leave(conn, list(cluster_ids))


def withdraw(conn: Connection, partner: str, *, wholly: bool) -> None:
    """Take away what is shown of every cluster with a record of *partner*, until it is merged again.

    *wholly*: not even the addresses of its records may be seen.
    """
    own = select(record.c.id).join(source, source.c.id == record.c.source_id).where(source.c.partner == partner)
    homes = select(membership.c.cluster_id).where(membership.c.record_id.in_(own)).distinct()
    search.clear(conn, [row[0] for row in conn.execute(homes)])
    for table in (identifier, holding):
        conn.execute(delete(table).where(table.c.cluster_id.in_(homes)))
    blank = {"title": "", "author": "", "language": "", "year": None, "members": 0, "partners": 0}
    conn.execute(update(cluster_brief).where(cluster_brief.c.cluster_id.in_(homes)).values(blank))
    # no document has this hash: merged again, the cluster is written and told even if it comes out as it was
    seen = and_(cluster.c.id.in_(homes), cluster.c.doc_hash != b"")
    conn.execute(update(cluster).where(seen).values(doc_hash=b"withdrawn"))
    if wholly:
        insert_new(conn, hidden_member, [{"record_id": row[0]} for row in conn.execute(own)])


def hide(conn: Connection, members: Iterable[int], hidden: Iterable[int]) -> None:
    """Of the records *members*, those in *hidden* may not be seen, and the others may."""
    ids = list(members)
    if ids:
        conn.execute(delete(hidden_member).where(within(conn, hidden_member.c.record_id, ids)))
        insert_new(conn, hidden_member, [{"record_id": one} for one in hidden])


def _leave(conn: Connection, ids: Sequence[int]) -> None:
    """No partner is in these clusters now, and no word finds them."""
    if ids:
        conn.execute(
            update(cluster_partner)
            .where(within(conn, cluster_partner.c.cluster_id, ids), cluster_partner.c.here)
            .values(here=False)
        )
        search.clear(conn, ids)
