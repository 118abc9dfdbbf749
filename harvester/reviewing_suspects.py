"""What is odd about a cluster: a weak link, a bridge, members that disagree, sudden growth, an ISBN elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, ledger
from db.catalogue import RecordState
from harvester.match import compare
from harvester.model import NormalizedRecord, Profile
from harvester.pipeline import Pipeline
from harvester.resolving import read_profiles

_decode = msgspec.json.Decoder(NormalizedRecord).decode
WEAK_POINTS = 5.0  # a link so near to the threshold is weak: one unit of log-odds
MANY = 60  # nodes of a cluster that are compared pair by pair
PAGES_PERCENT = 15
Reason = tuple[float, str]


class Suspicion(NamedTuple):
    """A cluster, what is odd about it (weight, sentence), and the two members that show it best."""

    cluster: int
    left: str
    right: str
    score: float
    records: int
    partners: frozenset[str]
    reasons: tuple[Reason, ...]


class _View(NamedTuple):
    """A cluster with what is needed to look at it: a first record, profile and class number of each node."""

    cluster: int
    members: Sequence[RecordState]
    firsts: Mapping[int, RecordState]
    profiles: Mapping[int, Profile]
    classes: Mapping[int, str]


def suspicions(
    conn: Connection,
    pipeline: Pipeline,
    keys: Sequence[int],
    grown: Mapping[int, int],
    shared: Iterable[tuple[str, Sequence[int]]],
) -> list[Suspicion]:
    """The clusters among *keys* about which something is odd."""
    elsewhere: dict[int, list[tuple[str, int]]] = {}
    for value, several in shared:
        for key in several:
            elsewhere.setdefault(key, []).extend((value, other) for other in several if other != key)
    titles = {key: row["title"] for key, row in catalogue.briefs(conn, elsewhere).items()}
    found = []
    for view in _views(conn, keys):
        reasons = list(_disagreements(view))
        left, right, score, weak = _weakest(pipeline, view)
        reasons += weak
        number = grown.get(view.cluster, 0)
        if number * 2 > len(view.members) and number < len(view.members):
            reasons.append((1.0, f"{number} of {len(view.members)} records came with the last match"))
        reasons += _isbn_elsewhere(elsewhere.get(view.cluster, ()), titles, view.cluster)
        if reasons:
            partners = frozenset(one.partner for one in view.members)
            found.append(
                Suspicion(view.cluster, left, right, score, len(view.members), partners, tuple(dict.fromkeys(reasons)))
            )
    return found


def _views(conn: Connection, keys: Sequence[int]) -> Iterator[_View]:
    held = catalogue.members(conn, keys)
    firsts: dict[int, dict[int, RecordState]] = {}
    for key, members in held.items():
        for one in reversed(members):
            if one.node_id is not None:
                firsts.setdefault(key, {})[one.node_id] = one
    nodes = {node for by_node in firsts.values() for node in by_node}
    profiles = {key: found for key, (found, _) in read_profiles(conn, nodes).items()}
    bodies = ledger.normalized_bodies(conn, [one.record_id for by_node in firsts.values() for one in by_node.values()])
    for key in keys:
        mine = firsts.get(key, {})
        if not mine:
            continue
        classes = {node: _class(bodies.get(one.record_id)) for node, one in mine.items()}
        yield _View(key, held[key], dict(sorted(mine.items(), key=lambda pair: pair[1].order)), profiles, classes)


def _class(body: bytes | None) -> str:
    """The first three digits of the Dewey number, or ""."""
    if body is None:
        return ""
    values = (one.value for one in _decode(body).classifications if one.scheme == "ddc")
    return next((value[:3] for value in values if value[:3].isdigit()), "")


def _disagreements(view: _View) -> Iterator[Reason]:
    profiles = [view.profiles[node] for node in view.firsts]
    years = sorted({one.year for one in profiles if one.year})
    if years and years[-1] - years[0] > 1:
        yield 1.0, f"years from {years[0]} to {years[-1]}"
    editions = sorted({one.edition for one in profiles if one.edition})
    if len(editions) > 1:
        yield 2.0, f"editions {', '.join(map(str, editions))}"
    pages = sorted({one.pages for one in profiles if one.pages})
    if pages and (pages[-1] - pages[0]) * 100 > PAGES_PERCENT * pages[-1]:
        yield 1.0, f"from {pages[0]} to {pages[-1]} pages"
    classes = sorted({one[:1] for one in view.classes.values() if one})
    if len(classes) > 1:
        yield 1.0, f"Dewey numbers {', '.join(sorted({one for one in view.classes.values() if one}))}"
    by_isbn: dict[str, list[Profile]] = {}
    for one in profiles:
        for value in one.isbns:
            by_isbn.setdefault(value, []).append(one)
    for value, carriers in sorted(by_isbn.items()):
        words = [set(one.words) for one in carriers if one.words]
        if len(words) > 1 and not set.intersection(*words):
            yield 2.0, f"ISBN {value} stands on titles without a common word"


def _weakest(pipeline: Pipeline, view: _View) -> tuple[str, str, float, list[Reason]]:
    """(left, right, score, reasons): the lowest link of the strongest tree through the cluster."""
    nodes = list(view.firsts)[:MANY]
    addresses = [view.firsts[node].address for node in nodes]
    if len(nodes) < 2:
        left, right = view.members[0].address, view.members[-1].address
        return left, right, 0.0, []
    scores = {
        (one, other): compare.explain(view.profiles[nodes[one]], view.profiles[nodes[other]], pipeline.match).score
        for one in range(len(nodes))
        for other in range(one + 1, len(nodes))
    }
    ends, parts = _last_union(len(nodes), scores)
    low = scores[ends]
    reasons: list[Reason] = []
    merge_at = pipeline.match.merge_at
    pair = f"{addresses[ends[0]]} and {addresses[ends[1]]}"
    if low < merge_at:
        reasons.append((3.0, f"no link that the rules would make joins {pair} ({low:+.1f})"))
    elif low < merge_at + WEAK_POINTS:
        reasons.append((1.0, f"the weakest link, {pair}, is just above the threshold ({low:+.1f})"))
    crossing = sum(1 for one in parts[0] for other in parts[1] if scores[min(one, other), max(one, other)] >= merge_at)
    if crossing == 1 and min(len(parts[0]), len(parts[1])) > 1:
        sizes = f"{len(parts[0])} and {len(parts[1])} others"
        reasons.append((2.0, f"a single link, {pair}, is the bridge between {sizes}"))
    return addresses[ends[0]], addresses[ends[1]], low, reasons


def _last_union(
    number: int, scores: Mapping[tuple[int, int], float]
) -> tuple[tuple[int, int], tuple[list[int], list[int]]]:
    """The lowest edge of the strongest tree through 0 … number-1, and the two parts that it joins."""
    part = {one: [one] for one in range(number)}
    ends, parts = (0, 1), (part[0], part[1])
    for (one, other), _ in sorted(scores.items(), key=lambda pair: (-pair[1], pair[0])):
        if part[one] is not part[other]:
            ends, parts = (one, other), (part[one], part[other])
            union = part[one] + part[other]
            for end in union:
                part[end] = union
    return ends, parts


def _isbn_elsewhere(found: Iterable[tuple[str, int]], titles: Mapping[int, str], key: int) -> Iterator[Reason]:
    mine = set(titles.get(key, "").lower().split())
    for value, other in found:
        if mine.isdisjoint(titles.get(other, "").lower().split()):
            yield 1.0, f"ISBN {value} stands also on cluster {other}: {titles.get(other, '')}"
