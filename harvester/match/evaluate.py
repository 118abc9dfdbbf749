"""What rules are worth on labelled pairs and clusters: precision, recall, blocking, clusters, with intervals.

The caller reads and normalizes the records; the core and the rules are those of the pipeline.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, combinations

import msgspec

from harvester.errors import ConfigError
from harvester.match import blocking
from harvester.match.cluster import Judgement, Problem, solve
from harvester.match.compare import decide, explain
from harvester.match.rules import Rules
from harvester.model import Decision, Profile

PRECISIONS = (0.99, 0.995)
_YES = frozenset(("1", "true", "yes", "y"))
_NO = frozenset(("0", "false", "no", "n"))


class LabelledPair(msgspec.Struct, frozen=True):
    left: str
    right: str
    duplicate: bool


class Interval(msgspec.Struct, frozen=True):
    """A figure with the 2.5 and 97.5 percentiles of its cluster bootstrap."""

    value: float
    low: float
    high: float


class Disagreement(msgspec.Struct, frozen=True):
    """A labelled pair that the rules judge otherwise."""

    left: str
    right: str
    duplicate: bool
    decision: Decision


class Population(msgspec.Struct, frozen=True):
    """Blocked, judged and clustered: all pairs that the labelled clusters and the found groups imply."""

    precision: Interval
    recall: Interval
    f1: float
    pair_completeness: float
    candidates_per_record: float
    b_cubed_precision: float
    b_cubed_recall: float
    b_cubed_f1: float
    largest_cluster: int
    suspended_keys: int


class Curve(msgspec.Struct, frozen=True):
    """The whole curve: the best F1 of any threshold, and the recall that is left at a precision."""

    f1: float
    recall_at_precision: dict[str, Interval]
    points: tuple[tuple[float, float, float], ...]  # threshold, precision, recall


class Evaluation(msgspec.Struct, frozen=True):
    """What `induk match evaluate --json` prints.

    `precision`, `recall`, `f1` are those of the shipped threshold. A veto is no merge at any threshold;
    `without_vetoes` is the same curve by points alone, for label sets that join what we keep apart (microforms
    and print in Goldfinch) and for comparison with systems that have no vetoes.
    """

    pairs: int
    duplicates: int
    precision: Interval
    recall: Interval
    f1: float
    best_f1: float
    recall_at_precision: dict[str, Interval]
    without_vetoes: Curve
    review_share: float  # of all labelled pairs
    review_catches: float  # of the duplicates that are not merged
    pair_completeness: float
    population: Population | None
    curve: tuple[tuple[float, float, float], ...]  # threshold, precision, recall
    disagreements: tuple[Disagreement, ...]
    f1_interval: Interval = Interval(0.0, 0.0, 0.0)


def read_pairs(lines: Iterable[str], place: str = "pairs") -> list[LabelledPair]:
    """The rows of a CSV `left,right,duplicate`.

    Raises:
        ConfigError: a column is missing or a label is neither yes nor no.
    """
    pairs = []
    for where, row in _rows(lines, ("left", "right", "duplicate"), place):
        label = row["duplicate"].strip().lower()
        if label not in _YES | _NO:
            raise ConfigError(f"duplicate must be 1 or 0, not {label!r}", place=where)
        pairs.append(LabelledPair(row["left"], row["right"], label in _YES))
    return pairs


def read_clusters(lines: Iterable[str], place: str = "clusters") -> dict[str, str]:
    """record → cluster, from a CSV `record,cluster`; raises like `read_pairs`, also for a record in two clusters."""
    found: dict[str, str] = {}
    for where, row in _rows(lines, ("record", "cluster"), place):
        if found.setdefault(row["record"], row["cluster"]) != row["cluster"]:
            raise ConfigError(f"{row['record']} stands in two clusters", place=where)
    return found


def _rows(lines: Iterable[str], columns: Sequence[str], place: str) -> Iterator[tuple[str, dict[str, str]]]:
    """(file:line, row) of a CSV whose columns are parted by commas, or by semicolons or tabs as spreadsheets do."""
    rest = iter(lines)
    head = next(rest, "")
    parted = max(",;\t", key=head.count)
    reader = csv.DictReader(chain([head], rest), delimiter=parted, skipinitialspace=True)
    named = list(reader.fieldnames or ())
    missing = [column for column in columns if column not in named]
    if missing:
        told = f"the first line is: {head.strip()[:60]}" if head.strip() else "the file is empty"
        raise ConfigError(f"column {', '.join(missing)} is missing; {told}", place=f"{place}:1")
    for row in reader:
        where = f"{place}:{reader.line_num}"
        empty = [column for column in columns if not row[column]]
        if empty:
            raise ConfigError(f"{', '.join(empty)} is empty", place=where)
        yield where, row


def evaluate(
    profiles: Mapping[str, Profile],
    pairs: Sequence[LabelledPair],
    clusters: Mapping[str, str],
    rules: Rules,
    *,
    samples: int = 200,
) -> Evaluation:
    """Judge every labelled pair and, when *clusters* are given, block and group all of *profiles*.

    *samples* is the number of bootstrap samples (drawn with a fixed seed). Pairs of unknown records are an error.

    Raises:
        ConfigError: a pair names a record that is not there.
    """
    unknown = sorted({name for pair in pairs for name in (pair.left, pair.right) if name not in profiles})
    if unknown:
        raise ConfigError(f"{len(unknown)} records of the pairs are not in the records file, {unknown[0]} first")
    judged = [(pair, explain(profiles[pair.left], profiles[pair.right], rules)) for pair in pairs]
    scored = [(merge_score(decision), pair.duplicate) for pair, decision in judged]
    groups = strata(pairs, clusters)
    found_curve = whole_curve(scored, groups, samples)
    found = blocking.candidates(profiles, rules)
    at = rules.merge_at
    return Evaluation(
        pairs=len(pairs),
        duplicates=sum(pair.duplicate for pair in pairs),
        precision=_interval(scored, groups, lambda rows: precision_recall(rows, at)[0], samples),
        recall=_interval(scored, groups, lambda rows: precision_recall(rows, at)[1], samples),
        f1=f1(*precision_recall(scored, at)),
        best_f1=found_curve.f1,
        recall_at_precision=found_curve.recall_at_precision,
        without_vetoes=whole_curve([(decision.score, pair.duplicate) for pair, decision in judged], groups, samples),
        review_share=_share(_reviewed(decision, rules) for _, decision in judged),
        review_catches=_share(
            _reviewed(decision, rules) for pair, decision in judged if pair.duplicate and decision.verdict != "merge"
        ),
        pair_completeness=_completeness(_true_pairs(pairs, clusters), found),
        population=_population(profiles, clusters, found, rules, samples) if clusters else None,
        curve=found_curve.points,
        disagreements=tuple(
            Disagreement(pair.left, pair.right, pair.duplicate, decision)
            for pair, decision in judged
            if (decision.verdict == "merge") != pair.duplicate
        ),
        f1_interval=_interval(scored, groups, lambda rows: f1(*precision_recall(rows, at)), samples),
    )


def whole_curve(rows: Sequence[tuple[float, bool]], strata: Sequence[str], samples: int) -> Curve:
    """The curve of (score, duplicate) with intervals of the recall at each of `PRECISIONS`."""
    points = curve(rows)
    at = {str(wanted): _interval(rows, strata, partial(recall_at, wanted=wanted), samples) for wanted in PRECISIONS}
    return Curve(max((f1(precision, recall) for _, precision, recall in points), default=0.0), at, points)


def merge_score(decision: Decision) -> float:
    """The score as far as an automatic merge goes: a veto stands below every threshold."""
    return decision.score if decision.verdict != "veto" else -1000.0


def precision_recall(rows: Sequence[tuple[float, bool]], at: float) -> tuple[float, float]:
    """Precision and recall of merging what scores at least *at*; without any merge precision is 1."""
    merged = [duplicate for score, duplicate in rows if score >= at]
    right = sum(merged)
    duplicates = sum(duplicate for _, duplicate in rows)
    return right / len(merged) if merged else 1.0, right / duplicates if duplicates else 0.0


def f1(precision: float, recall: float) -> float:
    """The harmonic mean."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def recall_at(rows: Sequence[tuple[float, bool]], wanted: float) -> float:
    """The greatest recall of any threshold whose precision is at least *wanted*; 0 when there is none."""
    return max((recall for _, precision, recall in curve(rows) if precision >= wanted), default=0.0)


def curve(rows: Sequence[tuple[float, bool]]) -> tuple[tuple[float, float, float], ...]:
    """(threshold, precision, recall) at every score that occurs, falling."""
    duplicates = sum(duplicate for _, duplicate in rows) or 1
    by_score: dict[float, list[int]] = defaultdict(lambda: [0, 0])
    for score, duplicate in rows:
        by_score[score][duplicate] += 1
    wrong = right = 0
    curve = []
    for score in sorted(by_score, reverse=True):
        wrong, right = wrong + by_score[score][0], right + by_score[score][1]
        curve.append((score, right / (right + wrong), right / duplicates))
    return tuple(curve)


def _reviewed(decision: Decision, rules: Rules) -> bool:
    return decision.verdict == "review" or (decision.verdict == "veto" and decision.score >= rules.review_at)


def _share(flags: Iterable[bool]) -> float:
    values = list(flags)
    return sum(values) / len(values) if values else 0.0


def strata(pairs: Sequence[LabelledPair], clusters: Mapping[str, str]) -> list[str]:
    """What is drawn together in the bootstrap: the cluster of the left record, or what duplicates tie together."""
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        while parent.setdefault(name, name) != name:
            name = parent[name]
        return name

    for pair in pairs:
        if pair.duplicate:
            parent[root(pair.left)] = root(pair.right)
    return [clusters.get(pair.left) or root(pair.left) for pair in pairs]


def _interval(
    rows: Sequence[tuple[float, bool]],
    strata: Sequence[str],
    figure: Callable[[Sequence[tuple[float, bool]]], float],
    samples: int,
) -> Interval:
    """*figure* of *rows*, with its interval when whole strata are drawn again and again (seed 1)."""
    by_stratum: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for row, stratum in zip(rows, strata, strict=True):
        by_stratum[stratum].append(row)
    names = sorted(by_stratum)
    chance = random.Random(1)  # noqa: S311 - no secret: the same interval on every run
    drawn = sorted(
        figure([row for name in chance.choices(names, k=len(names)) for row in by_stratum[name]])
        for _ in range(samples if names else 0)
    )
    value = figure(rows)
    return Interval(value, *_percentiles(drawn, value))


def _percentiles(drawn: list[float], value: float) -> tuple[float, float]:
    if not drawn:
        return value, value
    last = len(drawn) - 1
    return drawn[round(0.025 * last)], drawn[round(0.975 * last)]


def _true_pairs(pairs: Sequence[LabelledPair], clusters: Mapping[str, str]) -> set[tuple[str, str]]:
    true = {(min(pair.left, pair.right), max(pair.left, pair.right)) for pair in pairs if pair.duplicate}
    return true | _implied(clusters)


def _implied(clusters: Mapping[str, str]) -> set[tuple[str, str]]:
    """Every pair of records inside one cluster, smaller name first."""
    members: dict[str, list[str]] = defaultdict(list)
    for record, cluster in clusters.items():
        members[cluster].append(record)
    return {pair for names in members.values() for pair in combinations(sorted(names), 2)}


def _completeness(true: set[tuple[str, str]], found: blocking.Candidates) -> float:
    return len(true & found.pairs) / len(true) if true else 1.0


# ---- the whole set -------------------------------------------------------------------------------------


def _population(
    profiles: Mapping[str, Profile],
    clusters: Mapping[str, str],
    found: blocking.Candidates,
    rules: Rules,
    samples: int,
) -> Population:
    groups = grouped(profiles, found, rules)
    labelled = {name: clusters.get(name, name) for name in profiles}
    true = _implied(labelled)
    merged = {pair for group in groups for pair in combinations(group, 2)}
    # One row for each pair that is true or merged; a merged pair scores 1, so a threshold of 1 counts the merges.
    rows = [(1.0 if pair in merged else 0.0, pair in true) for pair in sorted(true | merged)]
    strata = [labelled[left] for left, _ in sorted(true | merged)]
    precision = _interval(rows, strata, lambda drawn: precision_recall(drawn, 1.0)[0], samples)
    recall = _interval(rows, strata, lambda drawn: precision_recall(drawn, 1.0)[1], samples)
    cubed_precision, cubed_recall = b_cubed(groups, labelled)
    return Population(
        precision=precision,
        recall=recall,
        f1=f1(precision.value, recall.value),
        pair_completeness=_completeness(true, found),
        candidates_per_record=_compared(profiles, found) / len(profiles) if profiles else 0.0,
        b_cubed_precision=cubed_precision,
        b_cubed_recall=cubed_recall,
        b_cubed_f1=f1(cubed_precision, cubed_recall),
        largest_cluster=max(map(len, groups), default=0),
        suspended_keys=len(found.suspended),
    )


def _compared(profiles: Mapping[str, Profile], found: blocking.Candidates) -> int:
    """How many pairs of unlike nodes are compared; records with equal profiles are one node."""
    node = {profile: name for name, profile in sorted(profiles.items(), reverse=True)}
    ends = ((node[profiles[left]], node[profiles[right]]) for left, right in found.pairs)
    return len({(min(one, other), max(one, other)) for one, other in ends if one != other})


def grouped(profiles: Mapping[str, Profile], found: blocking.Candidates, rules: Rules) -> list[tuple[str, ...]]:
    """The groups of *profiles* that the pipeline would make: candidates judged, average link, sorted."""
    names = {name.encode(): name for name in profiles}
    edges = []
    for left, right in sorted(found.pairs):
        decision = decide(profiles[left], profiles[right], rules)
        if decision.verdict == "merge":
            edges.append((left.encode(), right.encode(), decision.score))

    def judge(left: bytes, right: bytes) -> Judgement:
        decision = decide(profiles[names[left]], profiles[names[right]], rules)
        return Judgement(decision.score, decision.verdict == "veto")

    solution = solve(Problem(list(names), edges, judge, rules.merge_at, rules.max_component))
    return [tuple(names[unit] for unit in group) for group in solution.groups]


def b_cubed(groups: Iterable[Sequence[str]], labelled: Mapping[str, str]) -> tuple[float, float]:
    """B-cubed precision and recall: the means over records of how pure and how complete their group is."""
    sizes = Counter(labelled.values())
    precision = recall = 0.0
    for group in groups:
        counts = Counter(labelled[name] for name in group)
        for cluster, count in counts.items():
            precision += count * count / len(group)
            recall += count * count / sizes[cluster]
    total = len(labelled) or 1
    return precision / total, recall / total
