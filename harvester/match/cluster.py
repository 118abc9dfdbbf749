"""Group units (nodes) whose pairs were judged: greedy average link under vetoes, cannot-links and must-links.

The result is a function of the sets of units, pairs and links: never of the order in which they came.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from harvester.match.links import Book, Statement

Unit = bytes
Pair = tuple[Unit, Unit]
# Scores are summed as whole thousandths: a sum of floats would depend on its order.
SCALE = 1000
ALL_PAIRS = 40


class Judgement(NamedTuple):
    """What stands between two units: the score, and whether an automatic merge is forbidden (a veto)."""

    score: float
    forbidden: bool


class Contradiction(NamedTuple):
    """A must-link that a cannot-link between `against` forbids: the must-link was not applied."""

    left: Unit
    right: Unit
    against: Pair


class Cut(NamedTuple):
    """A component over the cap: its units, and the highest score at which it had to be cut."""

    units: tuple[Unit, ...]
    score: float


class Solution(NamedTuple):
    """The groups (each sorted, the list sorted), and what a person has to know about them."""

    groups: tuple[tuple[Unit, ...], ...]
    contradictions: tuple[Contradiction, ...] = ()
    overridden: tuple[Pair, ...] = ()  # must-links that break a veto
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What to solve.

    `units` are addresses as bytes: ties go to the smallest. `edges` are the pairs decided `merge`, with their scores;
    every other pair that matters is asked of `judge`, once, the smaller unit first. Links are pairs of units.
    """

    units: Sequence[Unit]
    edges: Iterable[tuple[Unit, Unit, float]]
    judge: Callable[[Unit, Unit], Judgement]
    merge_at: float
    max_component: int
    must: Iterable[Pair] = ()
    cannot: Iterable[Pair] = ()
    statements: Sequence[Statement] = ()  # of people about groups, oldest first: the newest about a pair counts


def solve(problem: Problem) -> Solution:
    """The groups of *problem*: must-links first, then unions by falling mean score while nothing forbids them."""
    return _Solver(problem).solution()


@dataclass
class _Bond:
    """All pairs between two groups: the sum of their scores in thousandths, and whether one of them is forbidden."""

    total: int
    pairs: int
    forbidden: bool

    @property
    def mean(self) -> float:
        """The mean score in points."""
        return self.total / (self.pairs * SCALE)

    def __add__(self, other: _Bond) -> _Bond:
        return _Bond(self.total + other.total, self.pairs + other.pairs, self.forbidden or other.forbidden)


@dataclass
class _Linkage:
    """The state of average link inside one component; groups are named by their smallest unit."""

    members: dict[Unit, list[Unit]]
    bonds: dict[Unit, dict[Unit, _Bond]] = field(default_factory=dict)
    heap: list[tuple[float, Unit, Unit]] = field(default_factory=list)


def _pair(left: Unit, right: Unit) -> Pair:
    return (left, right) if left <= right else (right, left)


def _shown(side: Sequence[Unit]) -> Iterator[Pair]:
    """The pairs of a side that are asked for vetoes: all of a small one, of a large one those with its first unit."""
    units = sorted(side)
    for number, left in enumerate(units if len(units) <= ALL_PAIRS else units[:1]):
        yield from ((left, right) for right in units[number + 1 :])


class _Solver:
    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.units = sorted(set(problem.units))
        known = set(self.units)
        self.cannot = {_pair(*pair) for pair in problem.cannot if known.issuperset(pair)}
        self.must = sorted({_pair(*pair) for pair in problem.must if known.issuperset(pair) and pair[0] != pair[1]})
        self.book = Book(problem.statements, self.units)
        self.edges = self._edges(known)
        self.group: dict[Unit, list[Unit]] = {unit: [unit] for unit in self.units}

    def solution(self) -> Solution:
        contradictions = tuple(self._link())
        overridden = tuple(self._overridden())
        cuts: list[Cut] = []
        for component in self._components(list(self.edges)):
            parts = self._fitting(component)
            if len(parts) != 1 or len(parts[0]) != len(component):
                dropped = set(component).difference(*parts)
                cuts.append(Cut(self._units(component), max(self.edges[pair] for pair in dropped)))
            for part in parts:
                self._average_link(part)
        groups = {id(members): tuple(sorted(members)) for members in self.group.values()}
        return Solution(tuple(sorted(groups.values())), contradictions, overridden, tuple(cuts))

    def _edges(self, known: set[Unit]) -> dict[Pair, float]:
        """Each edge that can carry a union, once; of two scores for a pair the lower."""
        edges: dict[Pair, float] = {}
        for left, right, score in self.problem.edges:
            pair = _pair(left, right)
            if score >= self.problem.merge_at and left != right and known.issuperset(pair):
                edges[pair] = min(score, edges.get(pair, score))
        return edges

    # ---- links of people ----

    def _link(self) -> Iterator[Contradiction]:
        """Apply the must-links in order; one that would join two units of a cannot-link is reported instead."""
        for left, right in self.must:
            against = self._cannot_between(self.group[left], self.group[right])
            if against is None:
                self._unite(left, right)
            else:
                yield Contradiction(left, right, against)
        for statement in reversed(self.problem.statements):
            if statement.binds:
                for side in statement.sides:
                    yield from self._bind(sorted(unit for unit in side if unit in self.group))

    def _bind(self, side: list[Unit]) -> Iterator[Contradiction]:
        """Unite the units of one side of a statement, as far as nobody else keeps them apart."""
        heads: list[Unit] = []
        for unit in side:
            against = None
            for head in heads:
                against = self._cannot_between(self.group[head], self.group[unit])
                if against is None:
                    self._unite(head, unit)
                    break
            else:
                if against is not None:
                    yield Contradiction(heads[0], unit, against)
                heads.append(unit)

    def _overridden(self) -> Iterator[Pair]:
        for pair in self.must:
            together = self.group[pair[0]] is self.group[pair[1]]
            if together and pair not in self.edges and self.problem.judge(*pair).forbidden:
                yield pair
        bound = {pair for one in self.problem.statements if one.binds for side in one.sides for pair in _shown(side)}
        for pair in sorted(pair for pair in bound if self.group.keys() >= set(pair)):
            together = self.group[pair[0]] is self.group[pair[1]]
            if together and pair not in self.edges and self.problem.judge(*pair).forbidden:
                yield pair

    def _cannot_between(self, left: list[Unit], right: list[Unit]) -> Pair | None:
        if left is right:
            return None
        if not self.cannot:
            return self.book.against(left, right)
        pairs = {_pair(one, other) for one in left for other in right}
        return min(pairs & self.cannot, default=None) or self.book.against(left, right)

    def _unite(self, left: Unit, right: Unit) -> None:
        target, source = self.group[left], self.group[right]
        if target is source:
            return
        target.extend(source)
        for unit in source:
            self.group[unit] = target

    # ---- components and the cap ----

    def _components(self, edges: list[Pair]) -> list[list[Pair]]:
        """The edges of each connected component, must-linked groups counted as one unit; everything sorted."""
        parent: dict[Unit, Unit] = {}

        def root(unit: Unit) -> Unit:
            unit = min(self.group[unit])
            while parent.setdefault(unit, unit) != unit:
                parent[unit] = parent[parent[unit]]
                unit = parent[unit]
            return unit

        for left, right in edges:
            first, second = _pair(root(left), root(right))
            parent[second] = first
        components: dict[Unit, list[Pair]] = {}
        for pair in sorted(edges):
            components.setdefault(root(pair[0]), []).append(pair)
        return [components[unit] for unit in sorted(components)]

    def _units(self, component: list[Pair]) -> tuple[Unit, ...]:
        return tuple(sorted({unit for pair in component for end in pair for unit in self.group[end]}))

    def _fitting(self, component: list[Pair]) -> list[list[Pair]]:
        """Parts of *component* within the cap: the lowest edges of a part that is too large go first."""
        if len(self._units(component)) <= self.problem.max_component:
            return [component]
        levels = sorted({self.edges[pair] for pair in component})
        if len(levels) == 1:
            return self._grown(component)
        kept = [pair for pair in component if self.edges[pair] > levels[0]]
        return [part for larger in self._components(kept) for part in self._fitting(larger)]

    def _grown(self, component: list[Pair]) -> list[list[Pair]]:
        """Edges of one score that join too much: parts grow in the order of their units while they fit."""
        part: dict[Unit, set[Unit]] = {unit: {unit} for unit in self._units(component)}
        kept = []
        for left, right in component:
            if part[left] is not part[right]:
                if len(part[left]) + len(part[right]) > self.problem.max_component:
                    continue
                part[left] |= part[right]
                for unit in part[right]:
                    part[unit] = part[left]
            kept.append((left, right))
        return self._components(kept)

    # ---- average link ----

    def _average_link(self, component: list[Pair]) -> None:
        """Unite the groups with the highest mean until none reaches the threshold; ties go to the smallest units."""
        state = _Linkage({min(self.group[unit]): self.group[unit] for pair in component for unit in pair})
        for left, right in component:
            first, second = _pair(min(self.group[left]), min(self.group[right]))
            if first != second and second not in state.bonds.get(first, {}):
                self._propose(state, first, second, self._bond(state, first, second))
        while state.heap:
            mean, left, right = heapq.heappop(state.heap)
            bond = state.bonds.get(left, {}).get(right)
            # A stale entry: the pair was united, or changed by another union (its mean may be the same by chance).
            if bond is None or bond.forbidden or -bond.mean != mean:
                continue
            self._merge(state, left, right)

    def _propose(self, state: _Linkage, left: Unit, right: Unit, bond: _Bond) -> None:
        left, right = _pair(left, right)
        state.bonds.setdefault(left, {})[right] = bond
        state.bonds.setdefault(right, {})[left] = bond
        if not bond.forbidden and bond.mean >= self.problem.merge_at:
            heapq.heappush(state.heap, (-bond.mean, left, right))

    def _bond(self, state: _Linkage, left: Unit, right: Unit) -> _Bond:
        """All pairs between the groups *left* and *right*, those that no key proposed compared now."""
        total, forbidden = 0, False
        for one in state.members[left]:
            for other in state.members[right]:
                pair = _pair(one, other)
                judgement = self._judge(pair)
                total += round(judgement.score * SCALE)
                forbidden = forbidden or judgement.forbidden
        return _Bond(total, len(state.members[left]) * len(state.members[right]), forbidden)

    def _judge(self, pair: Pair) -> Judgement:
        if pair in self.cannot or self.book.forbids(*pair):
            return Judgement(0.0, True)
        score = self.edges.get(pair)
        return self.problem.judge(*pair) if score is None else Judgement(score, False)

    def _merge(self, state: _Linkage, left: Unit, right: Unit) -> None:
        """Put *right* (the larger name) into *left* and work out the bonds of the union."""
        mine, theirs = state.bonds.pop(left), state.bonds.pop(right)
        for other in sorted((mine.keys() | theirs.keys()) - {left, right}):
            first = mine.get(other) or self._bond(state, left, other)
            second = theirs.get(other) or self._bond(state, right, other)
            state.bonds[other].pop(left, None)
            state.bonds[other].pop(right, None)
            self._propose(state, left, other, first + second)
        self._unite(left, right)
        state.members[left] = self.group[left]
        del state.members[right]
