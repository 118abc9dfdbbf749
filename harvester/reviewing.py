"""The review queue: what a cataloguer's minute is worth most on, and what becomes of the verdicts.

Two kinds of things wait: pairs between the thresholds or vetoed although nearly certain, and clusters about which
something is odd. Each carries its reasons and a pair of records to look at; a verdict on that pair is kept as a label
for training, and a pair that was judged does not come back.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from sqlalchemy import Connection

from db import catalogue, links, review
from db.catalogue import RecordState
from db.links import Decided
from harvester import deciding
from harvester.deciding import Result
from harvester.errors import UsageError
from harvester.model import Address, Value
from harvester.pipeline import Pipeline
from harvester.reviewing_suspects import Suspicion, suspicions

POOL = 10  # so many times the limit are looked at, to choose by value
EXAMINED = 1000
KINDS = ("review", "veto", "cluster")
Verdict = Literal["same", "different"]


class Item(Value, frozen=True, omit_defaults=False):
    """Something to look at: two records, or a cluster with the two of its members that raise the question.

    `value` orders the queue: how open the question is, times how many records hang on it. `clusters` holds the
    clusters of left and right (one number for a suspect cluster).
    """

    kind: Literal["review", "veto", "cluster"]
    value: float
    left: str
    right: str
    clusters: tuple[int, ...]
    records: int
    score: float
    reasons: tuple[str, ...]
    titles: tuple[str, ...] = ()


def queue(pipeline: Pipeline, limit: int = 50, *, kinds: Sequence[str] = KINDS, partner: str = "") -> list[Item]:
    """The *limit* most valuable things to look at, of these kinds; of one *partner* only, when named.

    Raises:
        UsageError: there is no such kind.
    """
    for one in kinds:
        if one not in KINDS:
            raise UsageError(f"nothing of kind {one!r} waits", hint=f"known: {', '.join(KINDS)}")
    found: list[Item] = []
    with pipeline.database.read() as conn:
        if {"review", "veto"} & set(kinds):
            found += _pairs(conn, pipeline, kinds, limit, partner)
        if "cluster" in kinds:
            found += _clusters(conn, pipeline, limit, partner)
        chosen = sorted(found, key=lambda one: (-one.value, one.left, one.right))[:limit]
        briefs = catalogue.briefs(conn, {key for one in chosen for key in one.clusters})
    return [_titled(one, briefs) for one in chosen]


def waiting(pipeline: Pipeline) -> dict[str, int]:
    """How many pairs wait, by kind; those already judged or settled by a link are still counted."""
    with pipeline.database.read() as conn:
        return review.waiting(conn)


def judge(
    pipeline: Pipeline, left: str, right: str, verdict: Verdict, author: str, reason: str = "", *, preview: bool = False
) -> Result:
    """Say whether two records describe the same manifestation: kept as a label, and carried out.

    Same: their clusters are merged. Different: the two are kept apart. Where they stand so already, only the label.
    """
    if verdict not in ("same", "different"):
        raise UsageError(f"{verdict!r} is no verdict", hint="same or different")
    with pipeline.database.read() as conn:
        states = {one.address: one for one in catalogue.states_of_addresses(conn, map(Address.parse, (left, right)))}
    for one in (left, right):
        if one not in states:
            raise UsageError("no such record", place=one, hint="an address is source/identifier")
    together = states[left].cluster_id is not None and states[left].cluster_id == states[right].cluster_id
    result = Result(preview=preview)
    if verdict == "same" and not together:
        result = deciding.merge(pipeline, [left, right], author, reason, preview=preview)
    elif verdict == "different":
        result = deciding.never(pipeline, left, right, author, reason, preview=preview)
    if not preview:
        with pipeline.database.write(durable=True) as conn:
            pair = Address.parse(left), Address.parse(right)
            links.add_label(conn, *pair, verdict == "same", author, pipeline.now())
    return result


def _titled(one: Item, briefs: dict[int, dict[str, Any]]) -> Item:
    titles = tuple(str(briefs[key]["title"]) if key in briefs else "" for key in one.clusters)
    return Item(one.kind, one.value, one.left, one.right, one.clusters, one.records, one.score, one.reasons, titles)


# ---- pairs ---------------------------------------------------------------------------------------------


def _pairs(conn: Connection, pipeline: Pipeline, kinds: Iterable[str], limit: int, partner: str) -> Iterator[Item]:
    """Pairs of records in two clusters, the best pair of each two clusters, that nobody has decided."""
    found: dict[tuple[int, int], Item] = {}
    members: dict[int, list[RecordState]] = {}
    size, offset = limit * POOL, 0
    while len(found) < limit * 2 and (rows := review.pairs(conn, kinds, size, offset)):
        offset += size
        nodes = {node for row in rows for node in (row["left_node"], row["right_node"])}
        firsts = _first_of_each(catalogue.states_of_nodes(conn, nodes))
        keys = {one.cluster_id for one in firsts.values() if one.cluster_id is not None}
        members |= catalogue.members(conn, keys - members.keys())
        for row in rows:
            item = _pair_item(pipeline, row, firsts, members)
            if item and item.clusters not in found and (not partner or _has(item.clusters, members, partner)):
                found[item.clusters[0], item.clusters[1]] = item
    yield from _undecided(conn, found, members)


def _first_of_each(states: Iterable[RecordState]) -> dict[int, RecordState]:
    """Node → its first matched record, by address."""
    found: dict[int, RecordState] = {}
    for one in sorted(states, key=lambda state: state.order, reverse=True):
        if one.node_id is not None and one.cluster_id is not None:
            found[one.node_id] = one
    return found


def _pair_item(
    pipeline: Pipeline, row: dict[str, Any], firsts: dict[int, RecordState], members: dict[int, list[RecordState]]
) -> Item | None:
    ends = [firsts.get(row["left_node"]), firsts.get(row["right_node"])]
    if ends[0] is None or ends[1] is None or ends[0].cluster_id == ends[1].cluster_id:
        return None
    left, right = sorted((ends[0], ends[1]), key=lambda one: one.order)
    keys = (left.cluster_id or 0, right.cluster_id or 0)
    records = sum(len(members.get(key, ())) for key in keys)
    rules = pipeline.match
    span = max(1.0, rules.merge_at - rules.review_at)
    openness = min(1.0, max(0.0, (row["score"] - rules.review_at) / span))
    worth = openness * (0.6 if row["verdict"] == "veto" else 1.0) * (1 + math.log2(max(2, records)))
    kind: Literal["review", "veto"] = "veto" if row["verdict"] == "veto" else "review"
    return Item(kind, round(worth, 3), left.address, right.address, keys, records, row["score"], (row["reason"],))


def _has(keys: Iterable[int], members: dict[int, list[RecordState]], partner: str) -> bool:
    return any(one.partner == partner for key in keys for one in members.get(key, ()))


def _undecided(
    conn: Connection, found: dict[tuple[int, int], Item], members: dict[int, list[RecordState]]
) -> Iterator[Item]:
    """The items about which no person has said anything yet."""
    judged = links.labelled(conn, [_ends(one) for one in found.values()])
    addresses = {Address(one.source, one.identifier) for keys in found for key in keys for one in members.get(key, ())}
    said = [one for one in links.concerning(conn, addresses) if one.kind in ("cannot", "split")]
    for keys, item in found.items():
        sides = [{Address(one.source, one.identifier) for one in members.get(key, ())} for key in keys]
        if _ends(item) not in judged and not any(_parts(one, *sides) for one in said):
            yield item


def _ends(item: Item) -> tuple[Address, Address]:
    left, right = sorted((Address.parse(item.left), Address.parse(item.right)))
    return left, right


def _parts(one: Decided, left: set[Address], right: set[Address]) -> bool:
    """Whether a decision keeps a record of the one cluster from one of the other."""
    mine = {number for number, side in enumerate(one.sides) if not left.isdisjoint(side)}
    theirs = {number for number, side in enumerate(one.sides) if not right.isdisjoint(side)}
    return any(number != other for number in mine for other in theirs)


# ---- clusters ------------------------------------------------------------------------------------------


def _clusters(conn: Connection, pipeline: Pipeline, limit: int, partner: str) -> Iterator[Item]:
    grown = review.grown(conn, 3, EXAMINED)
    shared = review.shared_isbns(conn, EXAMINED)
    keys = dict.fromkeys(
        [
            *review.torn(conn, limit * POOL),
            *grown,
            *(key for _, several in shared for key in several),
            *review.lately_changed(conn, EXAMINED),
        ]
    )
    found = suspicions(conn, pipeline, list(keys)[: EXAMINED * 2], grown, shared)
    judged = links.labelled(conn, [_sorted(one) for one in found])
    for one in found:
        if _sorted(one) in judged or (partner and partner not in one.partners):
            continue
        worth = sum(weight for weight, _ in one.reasons) * (1 + math.log2(max(2, one.records)))
        texts = tuple(text for _, text in sorted(one.reasons, reverse=True))
        yield Item("cluster", round(worth, 3), one.left, one.right, (one.cluster,), one.records, one.score, texts)


def _sorted(one: Suspicion) -> tuple[Address, Address]:
    left, right = sorted((Address.parse(one.left), Address.parse(one.right)))
    return left, right
