"""What is asked of two profiles, and in which order: worked out once for all that have the same fields."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from harvester.match.comparisons import Compare, Comparison
from harvester.model import Evidence, Verdict

When = tuple[tuple[str, frozenset[str]], ...]


class Veto(NamedTuple):
    """Why an outcome forbids an automatic merge, and the outcomes that, all of a row together, lift it."""

    why: str
    unless: tuple[When, ...] = ()


class Feature(NamedTuple):
    """One comparison with the points, vetoes and support of each of its outcomes."""

    name: str
    comparison: Comparison
    points: dict[str, float]
    vetoes: dict[str, Veto]
    support: dict[str, int]
    both: int  # bits of the fields that both profiles must have for the comparison to be called
    either: int

    def asked(self, fields: int) -> bool:
        """Whether *fields* are what the comparison needs."""
        return fields & self.both == self.both and bool(not self.either or fields & self.either)


class Interaction(NamedTuple):
    """Points for outcomes that stand together; `when` pairs the name of a feature with its outcomes."""

    name: str
    when: When
    points: float
    fixed: bool = False  # set by hand: training leaves it alone

    def possible(self, known: Set[str]) -> bool:
        """Whether it can hold when only the features *known* have an outcome."""
        return all(feature in known or "missing" in wanted for feature, wanted in self.when)


# Points with the sign that makes the outcome to name the smallest, its feature, and what is said of it.
Weighed = tuple[float, str, str]
NOTHING: Weighed = (0.0, "", "")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the outcomes of one stage come to; those that are `missing` do not count. Each is equal to itself only."""

    points: float
    support: int
    vetoes: tuple[Veto, ...]
    outcomes: dict[str, str]
    worst: Weighed
    best: Weighed


class Stage:
    """The comparisons of one stage of a plan, the most that the later stages can add, and the interactions besides."""

    __slots__ = ("_features", "bonuses", "compares", "known", "most", "remainder")

    def __init__(self, features: Sequence[Feature], remainder: float, bonuses: Sequence[Interaction]) -> None:
        self._features = features
        self.compares = tuple(one.comparison.compare for one in features)
        self.remainder = remainder
        self.bonuses = tuple(bonuses)
        self.most = sum(one.points for one in bonuses)
        self.known: dict[tuple[str, ...], Found] = {}

    def read(self, answers: tuple[str, ...]) -> Found:
        """What the comparisons have answered, in order; remembered: most pairs are answered as others were."""
        if len(self.known) >= MAX_ANSWERS:
            self.known.clear()
        told = [(one, outcome) for one, outcome in zip(self._features, answers, strict=True) if outcome != "missing"]
        found = self.known[answers] = Found(
            sum(one.points[outcome] for one, outcome in told),
            sum(one.support.get(outcome, 0) for one, outcome in told),
            tuple(one.vetoes[outcome] for one, outcome in told if outcome in one.vetoes),
            {one.name: outcome for one, outcome in told},
            min([(one.points[outcome], one.name, f"{one.name}: {outcome}") for one, outcome in told], default=NOTHING),
            min([(-one.points[outcome], one.name, f"{one.name}: {outcome}") for one, outcome in told], default=NOTHING),
        )
        return found


class Doubt(NamedTuple):
    """A comparison behind stage 0, and how much less than the most of it each outcome gives; bonuses are counted in."""

    feature: Feature
    most: float
    losses: dict[str, float]


class Plan(NamedTuple):
    """What to ask of a pair, stage by stage; of one that stage 0 has vetoed, comparison by comparison.

    Each of `doubts` has what its outcomes take away, and the most that those behind it can add.
    """

    stages: tuple[Stage, ...]
    most: float  # that all behind stage 0 can add
    doubts: tuple[tuple[Compare, dict[str, float], float], ...]


class End(NamedTuple):
    """What a walk to the end comes to: final score, evidence beyond single features, and all outcomes."""

    verdict: Verdict
    score: float
    reason: str
    more: tuple[Evidence, ...]
    outcomes: dict[str, str]


# How the evidence of a feature is told: name, what is shown and how, points by outcome, and what tells of nothing.
Told = tuple[str, Callable[[Sequence[Any]], Any], Callable[[Any], str], dict[str, float], Evidence]
MAX_PLANS = 20_000
MAX_ANSWERS = 1_000  # of a stage of a plan
MAX_ENDS = 2_000


class Table(NamedTuple):
    """What one material class compares: the features of each stage, and the most that the later stages can add."""

    stages: tuple[tuple[Feature, ...], ...]
    remainders: tuple[float, ...]
    interactions: tuple[Interaction, ...]
    bonuses: tuple[tuple[Interaction, ...], ...]  # by stage: what adds points, as far as it can be judged by then
    told: tuple[Told, ...]
    either: int  # bits of the fields that one profile having them is enough for
    doubts: dict[tuple[Interaction, ...], tuple[float, tuple[Doubt, ...]]]  # with these bonuses; remembered
    plans: dict[int, Plan]
    parts: dict[tuple[int, tuple[str, ...], tuple[str, ...]], Stage]  # of plans, by stage, features and interactions
    ends: dict[tuple[bool | Found, ...], End]  # by a generic title, and what each stage has found; remembered
    alone: dict[tuple[Hashable, ...], bool]  # whether profiles like this one merge with their equals; remembered

    def plan(self, fields: int) -> Plan:
        """What to ask of two profiles with these *fields*: both have them, or one where that is enough; remembered."""
        found = self.plans.get(fields)
        if found is None:
            if len(self.plans) >= MAX_PLANS:
                self.plans.clear()
            found = self.plans[fields] = self._planned(fields)
        return found

    def _planned(self, fields: int) -> Plan:
        known: set[str] = set()
        stages = []
        for number, stage in enumerate(self.stages):
            features = [one for one in stage if one.asked(fields)]
            known.update(one.name for one in features)
            stages.append(self._part(number, features, [one for one in self.bonuses[number] if one.possible(known)]))
        bonuses = stages[-1].bonuses
        if bonuses not in self.doubts:
            self.doubts[bonuses] = _doubts([one for stage in self.stages for one in stage], bonuses)
        most, told = self.doubts[bonuses]
        doubts: list[tuple[Compare, dict[str, float], float]] = []
        for doubt in reversed([one for one in told if one.feature.asked(fields)]):
            doubts.append((doubt.feature.comparison.compare, doubt.losses, most))
            most += doubt.most
        return Plan(tuple(stages), most, tuple(reversed(doubts)))

    def _part(self, number: int, features: list[Feature], bonuses: list[Interaction]) -> Stage:
        """A stage of a plan, made once for all that ask these *features* then: thousands of plans share hundreds."""
        names = number, tuple(one.name for one in features), tuple(one.name for one in bonuses)
        if names not in self.parts:
            self.parts[names] = Stage(features, self.remainders[number], bonuses)
        return self.parts[names]


def _doubts(features: Sequence[Feature], bonuses: Sequence[Interaction]) -> tuple[float, tuple[Doubt, ...]]:
    """The *features* behind stage 0: what takes long last, of the others what can take the most away first.

    The points of a bonus count with the outcomes that it needs of one of them: where the most rises least by it.
    """
    later = sorted([one for one in features if one.comparison.stage], key=_turn)
    gains = {one.name: dict(one.points) for one in later}
    given = 0.0
    for bonus in bonuses:
        ways = [(feature, wanted) for feature, wanted in bonus.when if feature in gains and "missing" not in wanted]
        raised = {name: gains[name] | {one: gains[name][one] + bonus.points for one in wanted} for name, wanted in ways}
        if raised:
            name = min(raised, key=lambda name: _most(raised[name]) - _most(gains[name]))
            gains[name] = raised[name]
        else:
            given += bonus.points
    made = []
    for one in later:
        most = _most(gains[one.name])
        made.append(Doubt(one, most, {outcome: most - points for outcome, points in gains[one.name].items()}))
    return given, tuple(made)


def _turn(one: Feature) -> tuple[int, bool, float]:
    return one.comparison.stage, one.comparison.dear, min(one.points.values()) - _most(one.points)


def _most(points: dict[str, float]) -> float:
    return max(points.values())
