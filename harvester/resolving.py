"""The touched part of the catalogue, grouped again: components, units, human links, and who keeps which id.

Grouping has no memory: it is a function of the active records, the rules and the links. Only ids look back.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, links
from db.catalogue import RecordState
from db.links import Decided
from harvester.heeding import Pinned
from harvester.judging import Judged, Pair
from harvester.match import cluster, compare
from harvester.match.links import Statement
from harvester.match.rules import Rules
from harvester.model import Profile

_decode_profile = msgspec.msgpack.Decoder(Profile).decode


class Proposal(NamedTuple):
    """Which pairs a batch adds and drops, and which keys cross their limit."""

    affected: frozenset[int]
    new: frozenset[Pair]
    gone: frozenset[Pair]
    kept: Mapping[Pair, tuple[str, float]]
    suspend: tuple[dict[str, Any], ...]
    resume: frozenset[int]
    touched: frozenset[int]  # nodes of which every stored decision is in `kept` or `gone`


def read_profiles(conn: Connection, nodes: Iterable[int]) -> dict[int, tuple[Profile, bool]]:
    """Node → (profile, solid)."""
    return {key: (_decode_profile(body), solid) for key, (body, solid) in catalogue.profiles(conn, nodes).items()}


class Overlay(NamedTuple):
    """People's decisions as they would be: some more, and some no longer. Nothing of it is stored."""

    added: tuple[Decided, ...] = ()
    ended: frozenset[int] = frozenset()
    pins: tuple[Pinned, ...] = ()
    profiles: Mapping[int, tuple[Profile, bool]] = {}  # by record id, or by a node below 0


NOTHING = Overlay()


class Grouping(NamedTuple):
    """How the touched records are grouped now, in address order, against how they were."""

    groups: tuple[tuple[RecordState, ...], ...]
    ids: tuple[int | None, ...]  # the old cluster id that each group keeps
    lost: tuple[int, ...]  # old cluster ids that no group keeps
    records: tuple[RecordState, ...]  # every record looked at, deleted ones too
    reasons: Mapping[int, dict[str, Any]]  # record id → the strongest evidence for its place
    trouble: tuple[str, ...]  # links that could not be satisfied


def resolve(field: Field, states: Sequence[RecordState]) -> Grouping:
    """Every component that the batch touches, solved again; the reasons are left to be asked for."""
    records = field.closure(states)
    groups, trouble = solve_field(field, [one for one in records if one.node_id is not None])
    ids, lost = assign_ids(groups, {one.cluster_id for one in records if one.cluster_id is not None})
    homeless = [one.record_id for number, group in enumerate(groups) if ids[number] is None for one in group]
    ids = take_back(groups, ids, catalogue.vacated(field.conn, homeless) if homeless else {})
    return Grouping(tuple(groups), tuple(ids), tuple(lost), tuple(records), {}, tuple(trouble))


class Field:
    """The graph of merge decisions as it will be after this batch, read as far as it is needed, under the stored
    links or those of the overlay."""

    def __init__(
        self,
        conn: Connection,
        rules: Rules,
        proposal: Proposal,
        judged: Iterable[Judged],
        overlay: Overlay,
    ) -> None:
        self.conn = conn
        self.rules = rules
        self.overlay = overlay
        self.proposal = proposal
        self.scores: dict[Pair, tuple[str, float]] = {
            **proposal.kept,
            **{(one.left, one.right): (one.verdict, one.score) for one in judged},
        }
        self.edges: dict[int, set[int]] = defaultdict(set)
        self._known = set(proposal.touched)
        self.links: dict[int, Decided] = {}
        self._profiles: dict[int, tuple[Profile, bool]] = dict(overlay.profiles)
        self._solid: dict[int, bool] = {}
        for pair, (verdict, _) in self.scores.items():
            if verdict == "merge":
                self._join(pair)

    def _join(self, pair: Pair) -> None:
        self.edges[pair[0]].add(pair[1])
        self.edges[pair[1]].add(pair[0])

    def closure(self, states: Sequence[RecordState]) -> list[RecordState]:
        """Every record that hangs together with the batch: by merges, clusters or human links."""
        fresh = set(self.proposal.affected) | {node for pair in self.proposal.gone for node in pair}
        clusters: set[int] = set()
        found = list(states)
        nodes: set[int] = set()
        seen: set[int] = set()
        records: dict[int, RecordState] = {}
        while fresh or found:
            new = [state for state in found if state.record_id not in records]
            records.update((state.record_id, state) for state in new)
            clusters = {one.cluster_id for one in new if one.cluster_id is not None} - seen
            seen |= clusters
            fresh |= {one.node_id for one in new if one.node_id is not None}
            fresh -= nodes
            nodes |= fresh
            self._read(fresh)
            found = self._linked(new)
            found += catalogue.states_of_nodes(self.conn, fresh) if fresh else []
            found += catalogue.states_of_clusters(self.conn, clusters) if clusters else []
            found = [state for state in found if state.record_id not in records]
            fresh = {reached for node in fresh for reached in self.edges[node]} - nodes
        return sorted(records.values(), key=lambda one: one.order)

    def _read(self, nodes: set[int]) -> None:
        unread = nodes - self._known
        self._known |= unread
        if not unread:
            return
        for left, right, verdict, score in catalogue.decisions_of(self.conn, unread):
            pair = (left, right)
            if pair in self.proposal.gone or pair in self.scores:
                continue
            self.scores[pair] = (verdict, score)
            if verdict == "merge":
                self._join(pair)

    def _linked(self, states: Sequence[RecordState]) -> list[RecordState]:
        """The records that human links tie to *states*; notes the links."""
        here = {(one.source, one.identifier) for one in states}
        found = links.concerning(self.conn, here)
        found += [one for one in self.overlay.added if one.kind and not here.isdisjoint(one.addresses)]
        fresh = {one.id: one for one in found if one.id not in self.links and one.id not in self.overlay.ended}
        self.links |= fresh
        wanted = {address for one in fresh.values() for address in one.addresses} - here
        return catalogue.states_of_addresses(self.conn, wanted) if wanted else []

    def profile(self, node: int) -> tuple[Profile, bool]:
        """(profile, solid) of a node."""
        if node not in self._profiles:
            self._profiles.update(read_profiles(self.conn, [node]))
        return self._profiles[node]

    def solid(self, node: int) -> bool:
        """Whether records with this node's profile merge by themselves."""
        return self._profiles[node][1] if node in self._profiles else self._solid[node]

    def load(self, nodes: Sequence[int]) -> None:
        """Read in one query what will be asked of these nodes (one comes once for each of its records).

        Most stand alone, and nobody asks for their profiles.
        """
        wanted = {one for one, number in Counter(nodes).items() if number > 1 or self.edges.get(one)}
        self._solid.update(catalogue.solid(self.conn, set(nodes) - wanted - self._profiles.keys()))
        self._profiles.update(read_profiles(self.conn, wanted - self._profiles.keys()))

    def judge(self, left: int, right: int) -> tuple[str, float]:
        """(verdict, score) of a pair of nodes; compared on demand when no key proposed it."""
        pair = (min(left, right), max(left, right))
        if pair not in self.scores:
            decision = compare.decide(self.profile(left)[0], self.profile(right)[0], self.rules)
            self.scores[pair] = (decision.verdict, decision.score)
        return self.scores[pair]

    def reasons(self, groups: Sequence[Sequence[RecordState]]) -> dict[int, dict[str, Any]]:
        """Record id → the strongest pair that ties a record to its group, with the evidence, for records that move."""
        found: dict[int, dict[str, Any]] = {}
        for group in groups:
            if len(group) < 2 or (len({one.cluster_id for one in group}) < 2 and group[0].cluster_id is not None):
                continue
            for one in group:
                found[one.record_id] = self._reason(one, group)
        return found

    def _reason(self, one: RecordState, group: Sequence[RecordState]) -> dict[str, Any]:
        best: tuple[float, RecordState] | None = None
        for other in group:
            if other is one or one.node_id is None or other.node_id is None:
                continue
            score = 999.0 if other.node_id == one.node_id else self.judge(one.node_id, other.node_id)[1]
            if best is None or score > best[0]:
                best = (score, other)
        if best is None or one.node_id is None or best[1].node_id is None:
            return {}
        left, right = self.profile(one.node_id)[0], self.profile(best[1].node_id)[0]
        decision = compare.explain(left, right, self.rules)
        # what neither record says would be two fifths of the merge log
        told = [one for one in decision.evidence if one.left or one.right or one.points]
        return {
            "with": best[1].address,
            "verdict": decision.verdict,
            "score": decision.score,
            "reason": decision.reason,
            "evidence": msgspec.to_builtins(told),
        }


def solve_field(field: Field, active: Sequence[RecordState]) -> tuple[list[tuple[RecordState, ...]], list[str]]:
    """Groups of records, in address order, and what could not be satisfied."""
    field.load([one.node_id for one in active if one.node_id is not None])
    units = _units(field, active)
    node_of = {key: unit[0].node_id or 0 for key, unit in units.items()}
    solution = cluster.solve(
        cluster.Problem(
            units=sorted(units),
            edges=_edges(field, node_of),
            judge=lambda left, right: _judgement(field, node_of[left], node_of[right]),
            merge_at=field.rules.merge_at,
            max_component=field.rules.max_component,
            statements=_statements(field, units),
        )
    )
    groups = [
        tuple(sorted((one for key in group for one in units[key]), key=lambda state: state.order))
        for group in solution.groups
    ]
    return sorted(groups, key=lambda group: group[0].order), list(_trouble(solution))


def _trouble(solution: cluster.Solution) -> Iterator[str]:
    """What a person has to know, as sentences."""
    for one in solution.contradictions:
        near, far = (_address(unit) for unit in one.against)
        yield (
            f"{_address(one.left)} and {_address(one.right)} should stand together, "
            f"but {near} and {far} must stay apart: they stay apart"
        )
    for left, right in solution.overridden:
        yield f"{_address(left)} and {_address(right)} stand together because a person said so, against a veto"
    for cut in solution.cuts:
        yield f"{len(cut.units)} records hung together from {_address(cut.units[0])} on; cut at {cut.score}"


def _address(unit: bytes) -> str:
    return unit.replace(b"\0", b"/", 1).decode("utf-8", "replace")


def _units(field: Field, active: Sequence[RecordState]) -> dict[bytes, tuple[RecordState, ...]]:
    """Records that stand or fall together: those of one solid node of which people said the same.

    A unit is named by the first of its addresses, source and identifier joined by a zero byte.
    """
    said: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for number, decided in sorted(field.links.items()):
        for side, members in enumerate(decided.sides):
            for address in members:
                said[address].append((number, side))
    heaps: dict[tuple[int, int, tuple[tuple[int, int], ...]], list[RecordState]] = defaultdict(list)
    for one in active:
        assert one.node_id is not None
        alone = 0 if field.solid(one.node_id) else one.record_id
        heaps[(one.node_id, alone, tuple(said.get((one.source, one.identifier), ())))].append(one)
    named = (tuple(sorted(heap, key=lambda state: state.order)) for heap in heaps.values())
    return {b"\0".join(heap[0].order): heap for heap in named}


def _statements(field: Field, units: Mapping[bytes, Sequence[RecordState]]) -> list[Statement]:
    """What people said of the units, oldest first; of deleted records nothing is said: there the link sleeps."""
    home = {(one.source, one.identifier): key for key, unit in units.items() for one in unit}
    found = []
    for _, one in sorted(field.links.items()):
        sides = tuple(tuple(sorted({home[address] for address in side if address in home})) for side in one.sides)
        found.append(Statement(sides, binds=one.kind in ("must", "split"), parts=one.kind in ("cannot", "split")))
    return found


def _judgement(field: Field, left: int, right: int) -> cluster.Judgement:
    """What stands between two nodes; equal profiles that may not merge by themselves forbid each other."""
    if left != right:
        verdict, score = field.judge(left, right)
        return cluster.Judgement(score, verdict == "veto")
    profile, solid = field.profile(left)
    return cluster.Judgement(compare.decide(profile, profile, field.rules).score, not solid)


def _edges(field: Field, node_of: Mapping[bytes, int]) -> list[tuple[bytes, bytes, float]]:
    """The merges between units: those between their nodes, and between the parts of one solid node."""
    of_node: dict[int, list[bytes]] = defaultdict(list)
    for key, node in node_of.items():
        of_node[node].append(key)
    edges: list[tuple[bytes, bytes, float]] = []
    for node, keys in of_node.items():
        if len(keys) > 1 and field.solid(node):
            own = _judgement(field, node, node).score
            edges += [(left, right, own) for left in keys for right in keys if left < right]
        for other in field.edges.get(node, ()):
            if node < other and other in of_node:
                points = field.scores[(node, other)][1]
                edges += [(left, right, points) for left in keys for right in of_node[other]]
    return edges


def assign_ids(groups: Sequence[Sequence[RecordState]], involved: Iterable[int]) -> tuple[list[int | None], list[int]]:
    """Which old id each group keeps (None: a new one), and the ids that nobody keeps.

    Greatest overlap first, then the oldest id, then the group whose first address comes first.
    """
    overlaps = []
    for number, group in enumerate(groups):
        counts: dict[int, int] = defaultdict(int)
        for one in group:
            if one.cluster_id is not None:
                counts[one.cluster_id] += 1
        overlaps += [(-count, old, number) for old, count in counts.items()]
    kept: dict[int, int] = {}
    taken: set[int] = set()
    for _, old, number in sorted(overlaps):
        if number not in kept and old not in taken:
            kept[number] = old
            taken.add(old)
    return [kept.get(number) for number in range(len(groups))], sorted(set(involved) - taken)


def take_back(
    groups: Sequence[Sequence[RecordState]], ids: Sequence[int | None], vacated: Mapping[int, int]
) -> list[int | None]:
    """*ids*, where groups without one get the id under which their records were deleted (record id → cluster id).

    Of several groups the one with most of its records gets it, then the one whose first address comes first.
    """
    claims = []
    for number, group in enumerate(groups):
        if ids[number] is None:
            homes = [vacated[one.record_id] for one in group if one.record_id in vacated]
            claims += [(-homes.count(old), old, number) for old in set(homes)]
    found = list(ids)
    taken: set[int] = set()
    for _, old, number in sorted(claims):
        if found[number] is None and old not in taken:
            found[number] = old
            taken.add(old)
    return found
