"""The review queue: what a cataloguer's minute is worth most on, and what becomes of the verdicts.

Two kinds of things wait: pairs between the thresholds or vetoed although nearly certain, and clusters about which
something is odd. Each carries its reasons and a pair of records to look at; a verdict on that pair is kept as a label
for training, and a pair that was judged does not come back.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec.structs import replace
from sqlalchemy import Connection

from db import catalogue, desk, links, review
from db.catalogue import RecordState
from db.links import Decided
from harvester import deciding, worklist
from harvester.deciding import Result
from harvester.errors import UsageError
from harvester.match.rules import Rules
from harvester.model import Address, Value
from harvester.pipeline import Pipeline
from harvester.reviewing_suspects import Reason, Suspicion

EXAMINED = 1000
TIES = 10
SLICE = 200  # pairs whose records are read together
PAIRS = ("review", "veto")
KINDS = (*PAIRS, "cluster")
Verdict = Literal["same", "different"]


class Item(Value, frozen=True, omit_defaults=False):
    """Something to look at: two records, or a cluster with the two of its members that raise the question.

    `value` orders the queue: how open the question is, times how many records hang on it. `clusters` holds the
    clusters of left and right (one number for a suspect cluster). `why` is `reasons` of a suspect cluster in no
    language; `names` are the titles of other clusters that they name.
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
    why: tuple[Reason, ...] = ()
    names: Mapping[int, str] = {}


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
        if set(PAIRS) & set(kinds):
            found += _pairs(conn, pipeline, kinds, limit, partner)
        if "cluster" in kinds:
            found += _clusters(conn, pipeline, limit, partner)
        chosen = sorted(found, key=lambda one: (-one.value, *map(Address.parse, (one.left, one.right))))[:limit]
        briefs = catalogue.briefs(conn, {key for one in chosen for key in one.clusters})
    return [_titled(one, briefs) for one in chosen]


def waiting(pipeline: Pipeline) -> tuple[int, int]:
    """(how many pairs of clusters wait that nobody has judged, the number of the last verdict that this heeds)."""
    with pipeline.database.read() as conn:
        found = {_clusters_of(one) for one in review.pairs(conn, PAIRS)}
        return len(found - review.judged(conn)), links.newest_label(conn)


def judge(
    pipeline: Pipeline, left: str, right: str, verdict: Verdict, author: str, reason: str = "", *, preview: bool = False
) -> Result:
    """Say whether two records describe the same manifestation: kept as a label, and carried out.

    Same: their clusters are merged. Different: the two are kept apart. Where they stand so already, only the label.
    """
    if verdict not in ("same", "different"):
        raise UsageError(f"{verdict!r} is no verdict", hint="same or different")
    if left == right:
        raise UsageError("that is one record, not two", place=left)
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
    return replace(one, titles=titles)


# ---- pairs ---------------------------------------------------------------------------------------------


def _pairs(conn: Connection, pipeline: Pipeline, kinds: Iterable[str], limit: int, partner: str) -> Iterator[Item]:
    """The *limit* most valuable pairs of records in two clusters, one of each two, that nobody decided."""
    rules = pipeline.match
    horizon, found = EXAMINED, 0
    seen: set[tuple[int, int]] = set()
    while found < limit:
        best = _best(conn, rules, kinds, horizon)
        fresh = [row for row in best if _clusters_of(row[1]) not in seen]
        for start in range(0, len(fresh), SLICE):
            found_here = list(_undecided(*_items(conn, fresh[start : start + SLICE], seen, partner), conn))
            yield from found_here
            found += len(found_here)
            if found >= limit:
                return
        if len(best) < horizon:
            return
        horizon *= 10


def _best(conn: Connection, rules: Rules, kinds: Iterable[str], number: int) -> list[tuple[float, review.Waiting]]:
    """The pairs that are worth most with their worth, *number* of them and of what is worth as much as the last.

    Of equal worth in the order of their addresses: the numbers of nodes follow the order in which records arrived.
    """
    found: list[tuple[float, review.Waiting]] = []
    enough = 4 * number
    for one in review.pairs(conn, kinds):
        found.append((_worth(one, rules), one))
        if len(found) > enough:
            found = _not_worth_less(found, number)
            enough = 4 * max(number, len(found))
    found = _not_worth_less(found, number)
    homes = desk.standing(conn, {node for _, one in found for node in (one.left_node, one.right_node)})

    def rank(row: tuple[float, review.Waiting]) -> tuple[float, list[Address]]:
        ends = (homes[node][0] for node in (row[1].left_node, row[1].right_node) if node in homes)
        return -row[0], sorted(ends)

    return sorted(found, key=rank)


def _not_worth_less(found: list[tuple[float, review.Waiting]], number: int) -> list[tuple[float, review.Waiting]]:
    """Those that are worth as much as the *number*-th best, or more; of equals TIES times *number* at most."""
    if len(found) <= number:
        return found
    least = heapq.nlargest(number, (worth for worth, _ in found))[-1]
    equal = heapq.nsmallest(TIES * number, (row for row in found if row[0] == least), key=lambda row: row[1][:2])
    return [row for row in found if row[0] > least] + equal


def _worth(one: review.Waiting, rules: Rules) -> float:
    span = max(1.0, rules.merge_at - rules.review_at)
    openness = min(1.0, max(0.0, (one.score - rules.review_at) / span))
    return round(openness * (0.6 if one.verdict == "veto" else 1.0) * (1 + math.log2(max(2, one.records))), 3)


def _clusters_of(one: review.Waiting) -> tuple[int, int]:
    return min(one.left_cluster, one.right_cluster), max(one.left_cluster, one.right_cluster)


def _items(
    conn: Connection, rows: list[tuple[float, review.Waiting]], seen: set[tuple[int, int]], partner: str
) -> tuple[list[Item], dict[int, list[RecordState]]]:
    """The best pair of each two clusters not yet *seen*, with the members of the clusters."""
    fresh = []
    for worth, one in rows:
        if _clusters_of(one) not in seen:
            seen.add(_clusters_of(one))
            fresh.append((worth, one))
    members = catalogue.members(conn, {key for _, one in fresh for key in _clusters_of(one)})
    reasons = review.reasons(conn, {one.left_node for _, one in fresh})
    items = [_pair_item(worth, one, members, reasons) for worth, one in fresh]
    wanted = [item for item in items if item and (not partner or _has(item.clusters, members, partner))]
    return wanted, members


def _pair_item(
    worth: float, row: review.Waiting, members: dict[int, list[RecordState]], reasons: dict[tuple[int, int], str]
) -> Item | None:
    ends = [
        next((one for one in members.get(cluster, ()) if one.node_id == node), None)
        for cluster, node in ((row.left_cluster, row.left_node), (row.right_cluster, row.right_node))
    ]
    if ends[0] is None or ends[1] is None:
        return None
    left, right = sorted((ends[0], ends[1]), key=lambda one: one.order)
    kind: Literal["review", "veto"] = "veto" if row.verdict == "veto" else "review"
    keys = (left.cluster_id or 0, right.cluster_id or 0)
    reason = reasons.get((row.left_node, row.right_node), "")
    return Item(kind, worth, left.address, right.address, keys, row.records, row.score, (reason,))


def _has(keys: Iterable[int], members: dict[int, list[RecordState]], partner: str) -> bool:
    return any(one.partner == partner for key in keys for one in members.get(key, ()))


def _undecided(items: list[Item], members: dict[int, list[RecordState]], conn: Connection) -> Iterator[Item]:
    """The items about which no person has said anything yet."""
    judged = links.labelled(conn, [_ends(one) for one in items])
    sides = {key: {Address(one.source, one.identifier) for one in states} for key, states in members.items()}
    concerned = {address for item in items for key in item.clusters for address in sides[key]}
    said = [one for one in links.concerning(conn, concerned) if one.kind in ("cannot", "split")]
    for item in items:
        left, right = item.clusters
        if _ends(item) not in judged and not any(_parts(one, sides[left], sides[right]) for one in said):
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
    lines = _unanswered(conn, worklist.current(conn, pipeline.match, pipeline.derivation_id).lines)
    judged = links.labelled(conn, [_sorted(one) for one in lines])
    sound = _confirmed(conn, {one.cluster for one in lines})
    mine = (one for one in lines if not partner or partner in one.partners)
    wanted = [one for one in mine if _sorted(one) not in judged and one.cluster not in sound][:limit]
    others = {one.values["cluster"] for line in wanted for one in line.reasons if "cluster" in one.values}
    titles = {key: str(row["title"]) for key, row in catalogue.briefs(conn, others).items()}
    for one in wanted:
        why = tuple(sorted(one.reasons, key=lambda reason: -reason.weight))
        told = tuple(reason.sentence(titles=titles) for reason in why)
        ends, numbers = (one.left, one.right), (one.cluster,)
        yield Item("cluster", one.worth, *ends, numbers, one.records, one.score, told, why=why, names=titles)


def _unanswered(conn: Connection, lines: Iterable[Suspicion]) -> list[Suspicion]:
    """The clusters without what a person has answered: an ISBN called wrong, or one of a cluster that is kept apart."""
    wrong, apart = review.wrong_isbns(conn), review.judged(conn)

    def asks(key: int, reason: Reason) -> bool:
        isbn, other = reason.values.get("isbn"), reason.values.get("cluster", 0)
        answered = not wrong.isdisjoint({(key, isbn), (other, isbn)}) or (min(key, other), max(key, other)) in apart
        return reason.code not in ("isbn_elsewhere", "isbn_everywhere") or not answered

    left = (replace(one, reasons=tuple(reason for reason in one.reasons if asks(one.cluster, reason))) for one in lines)
    return sorted((one for one in left if one.reasons), key=lambda one: -one.worth)


def _confirmed(conn: Connection, clusters: set[int]) -> set[int]:
    """Those of the clusters of which a person said that all their records belong together."""
    sides = {
        key: {Address(one.source, one.identifier) for one in states}
        for key, states in catalogue.members(conn, clusters).items()
    }
    said = links.concerning(conn, {address for side in sides.values() for address in side})
    joined = [set(one.addresses) for one in said if one.action == "confirm"]
    return {key for key, side in sides.items() if any(side <= one for one in joined)}


def _sorted(one: Suspicion) -> tuple[Address, Address]:
    left, right = sorted((Address.parse(one.left), Address.parse(one.right)))
    return left, right
