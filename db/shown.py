"""What may be seen of a cluster, kept beside its document: whose records it holds, which are hidden, its words.

Written in the match transaction, from what policy and value filters leave over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, delete, update

from db import search
from db.engine import within
from db.tables import cluster_partner, hidden_member
from db.upsert import insert_new, upsert


class Shown(NamedTuple):
    """A cluster as it may be seen. *partners* have a visible record in it; *title* and *words* by search.words_of."""

    cluster_id: int
    partners: tuple[str, ...]
    title: str
    words: str


def write(conn: Connection, clusters: Sequence[Shown]) -> None:
    """Store what may be seen of these clusters, instead of what was."""
    ids = [one.cluster_id for one in clusters]
    if not ids:
        return
    _leave(conn, ids)
    rows = [{"cluster_id": one.cluster_id, "partner": code, "here": True} for one in clusters for code in one.partners]
    upsert(conn, cluster_partner, rows, ["cluster_id", "partner"])
    seen = [search.Entry(one.cluster_id, one.title, one.words) for one in clusters if one.partners]
    search.write(conn, seen, [one.cluster_id for one in clusters if not one.partners])


def retire(conn: Connection, cluster_ids: Iterable[int]) -> None:
    """These clusters are gone; which partners they once held stays known."""
    ids = list(cluster_ids)
    if ids:
        _leave(conn, ids)
        search.write(conn, [], ids)


def hide(conn: Connection, members: Iterable[int], hidden: Iterable[int]) -> None:
    """Of the records *members*, those in *hidden* may not be seen, and the others may."""
    ids = list(members)
    if ids:
        conn.execute(delete(hidden_member).where(within(conn, hidden_member.c.record_id, ids)))
        insert_new(conn, hidden_member, [{"record_id": one} for one in hidden])


def _leave(conn: Connection, ids: Sequence[int]) -> None:
    conn.execute(
        update(cluster_partner)
        .where(within(conn, cluster_partner.c.cluster_id, ids), cluster_partner.c.here)
        .values(here=False)
    )
