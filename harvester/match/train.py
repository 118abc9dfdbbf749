"""Fit the points of match.yaml to labelled pairs, and write them back into that readable file.

A logistic regression in points (5 points = 1 log-odds) whose prior is the table as it stands: what the pairs say
little about keeps its hand-set value. Plain Python: a few seconds for ten thousand pairs.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import msgspec

from harvester.match.compare import holds, outcomes
from harvester.match.evaluate import LabelledPair, curve
from harvester.match.rules import Rules, parse
from harvester.model import Profile

POINTS_PER_LOGIT = 5.0
ROUNDS = 30
REFITS = 3
# Outcomes seen less often than this keep their points.
SEEN = 5

Row = tuple[tuple[int, ...], bool, float]  # active parameters, duplicate, points that training leaves alone
Name = tuple[str, str]  # feature and outcome; ("interaction", name) for an interaction


class Fit(NamedTuple):
    """Fitted points by feature and outcome, and the score at which duplicate and not are equally likely."""

    points: Mapping[Name, float]
    even: float


class Training(msgspec.Struct, frozen=True):
    """Labelled pairs as active parameters; made once, used for every fold."""

    names: tuple[Name, ...]
    prior: tuple[float, ...]
    rows: tuple[Row, ...]
    chains: tuple[tuple[int, ...], ...]  # parameters of one feature, best first
    counts: tuple[int, ...]


def training(profiles: Mapping[str, Profile], pairs: Sequence[LabelledPair], rules: Rules) -> Training:
    """The parameters that occur in *pairs* often enough, and which of them each pair has (books' table)."""
    table = _table(rules)
    active = [_names(profiles[pair.left], profiles[pair.right], rules) for pair in pairs]
    seen = Counter(name for names in active for name in names)
    free = _free(rules)
    kept = tuple(sorted(name for name, count in seen.items() if count >= SEEN and name in free))
    number = {name: index for index, name in enumerate(kept)}
    rows = tuple(
        (
            tuple(number[name] for name in names if name in number),
            pair.duplicate,
            sum(table[name] for name in names if name not in number),
        )
        for names, pair in zip(active, pairs, strict=True)
    )
    chains: dict[str, list[int]] = {}
    for name in table:
        if name in number and name[0] != "interaction":
            chains.setdefault(name[0], []).append(number[name])
    prior = tuple(table[name] for name in kept)
    return Training(kept, prior, rows, tuple(map(tuple, chains.values())), tuple(seen[name] for name in kept))


def _names(left: Profile, right: Profile, rules: Rules) -> list[Name]:
    found = outcomes(left, right, rules)
    return list(found.items()) + [
        ("interaction", one.name) for one in rules.tables["book"].interactions if holds(one.when, found)
    ]


def _free(rules: Rules) -> set[Name]:
    """What training may change. Codes and identifiers keep their points: one set of labels says too little about
    them, and vetoes do the work. So do the rows under training.keep and the interactions marked `fixed`.
    """
    book = rules.tables["book"]
    features = [feature for stage in book.stages for feature in stage]
    free = {
        (feature.name, outcome)
        for feature in features
        if (feature.comparison.stage > 0 or feature.name == "edition") and feature.name not in rules.kept
        for outcome in feature.points
    }
    return free | {("interaction", one.name) for one in book.interactions if not one.fixed}


def _table(rules: Rules) -> dict[Name, float]:
    book = rules.tables["book"]
    points = {
        (feature.name, outcome): value
        for stage in book.stages
        for feature in stage
        for outcome, value in sorted(feature.points.items(), key=lambda item: _place(rules, feature.name, item[0]))
    }
    return points | {("interaction", one.name): one.points for one in book.interactions}


def _place(rules: Rules, feature: str, outcome: str) -> int:
    """Where *outcome* stands in its row of the file."""
    row = re.search(rf"(?m)^  {feature}: \{{([^}}]*)\}}", _split(rules.text)[1])
    names = [item.partition(":")[0].strip() for item in row[1].split(",")] if row else []
    return names.index(outcome) if outcome in names else len(names)


def fit(training: Training, rows: Sequence[Row] | None = None, *, spread: float = 2.0) -> Fit:
    """Points that make the labels of *rows* (all by default) likeliest.

    *spread* is how far, in points, they may ordinarily stray from the table as it stands. Rows keep their order and
    their signs: "publisher missing" would else earn more than "publisher shared", an artefact of the labels.
    """
    chosen = training.rows if rows is None else rows
    prior = [value / POINTS_PER_LOGIT for value in training.prior]
    penalty = (POINTS_PER_LOGIT / spread) ** 2
    weights, bias = _optimum(chosen, prior, penalty)
    for _ in range(REFITS):
        weights = _in_order(training, weights, prior)
        weights, bias = _optimum(chosen, weights, penalty * 16)
    weights = _in_order(training, weights, prior)
    points = {name: weight * POINTS_PER_LOGIT for name, weight in zip(training.names, weights, strict=True)}
    return Fit(points, -bias * POINTS_PER_LOGIT)


def _optimum(rows: Sequence[Row], prior: Sequence[float], penalty: float) -> tuple[list[float], float]:
    """Weights and bias with the greatest posterior, by Newton's method."""
    weights = list(prior)
    bias = 0.0
    for _ in range(ROUNDS):
        gradient, hessian = _derivatives(rows, weights, bias)
        for index, weight in enumerate(weights):
            gradient[index] += penalty * (weight - prior[index])
            hessian[index][index] += penalty
        hessian[-1][-1] += 1e-6
        step = _solved(hessian, gradient)
        # No step of more than two units of log-odds: far from the optimum a full Newton step overshoots.
        length = min(1.0, 2.0 / max(map(abs, step)))
        weights = [weight - length * move for weight, move in zip(weights, step, strict=False)]
        bias -= length * step[-1]
        if max(map(abs, step)) < 1e-4:
            break
    return weights, bias


def _in_order(training: Training, weights: Sequence[float], prior: Sequence[float]) -> list[float]:
    """*weights* with the sign of *prior*, and falling along each chain (neighbours that do not are pooled)."""
    signed = [
        max(weight, 0.0) if hand > 0 else min(weight, 0.0) if hand < 0 else 0.0
        for weight, hand in zip(weights, prior, strict=True)
    ]
    for chain in training.chains:
        pools: list[list[float]] = []  # mean, count, length
        for index in chain:
            pools.append([signed[index], float(training.counts[index]), 1.0])
            while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
                value, count, length = pools.pop()
                last = pools[-1]
                last[0] = (last[0] * last[1] + value * count) / (last[1] + count)
                last[1] += count
                last[2] += length
        flat = [value for value, _, length in pools for _ in range(int(length))]
        for index, value in zip(chain, flat, strict=True):
            signed[index] = value
    return signed


def _derivatives(rows: Sequence[Row], weights: list[float], bias: float) -> tuple[list[float], list[list[float]]]:
    """Gradient and Hessian of the negative log-likelihood; the bias stands last."""
    size = len(weights) + 1
    gradient = [0.0] * size
    hessian = [[0.0] * size for _ in range(size)]
    for active, duplicate, offset in rows:
        logit = bias + offset / POINTS_PER_LOGIT + sum(weights[index] for index in active)
        chance = 1 / (1 + math.exp(-max(-40.0, min(40.0, logit))))
        error = chance - duplicate
        slope = chance * (1 - chance)
        whole = (*active, size - 1)
        for index in whole:
            gradient[index] += error
            if slope > 1e-9:
                line = hessian[index]
                for other in whole:
                    line[other] += slope
    return gradient, hessian


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """x of matrix · x = right, by Cholesky; the matrix is symmetric and positive definite."""
    size = len(right)
    lower: list[list[float]] = []
    for row in range(size):
        line: list[float] = []
        for column in range(row):
            above = lower[column]
            line.append((matrix[row][column] - sum(map(_times, line, above))) / above[column])
        line.append(math.sqrt(matrix[row][row] - sum(value * value for value in line)))
        lower.append(line)
    forward: list[float] = []
    for row in range(size):
        forward.append((right[row] - sum(map(_times, lower[row], forward))) / lower[row][row])
    result = [0.0] * size
    for row in reversed(range(size)):
        known = sum(lower[below][row] * result[below] for below in range(row + 1, size))
        result[row] = (forward[row] - known) / lower[row][row]
    return result


def _times(left: float, right: float) -> float:
    return left * right


def score(training: Training, row: Row, fit: Fit) -> float:
    """The score of one pair under *fit*, vetoes and caps apart."""
    return sum(fit.points[training.names[index]] for index in row[0]) + row[2]


def out_of_fold(training: Training, strata: Sequence[str], *, folds: int = 5, spread: float = 2.0) -> list[float]:
    """Each pair's score, relative to even odds, by a fit that saw no pair of its stratum (cluster)."""
    number = [_fold(stratum, folds) for stratum in strata]
    scores = [0.0] * len(training.rows)
    for fold in range(folds):
        rows = [row for row, own in zip(training.rows, number, strict=True) if own != fold]
        found = fit(training, rows, spread=spread)
        for index, row in enumerate(training.rows):
            if number[index] == fold:
                scores[index] = score(training, row, found) - found.even
    return scores


def _fold(stratum: str, folds: int) -> int:
    return hashlib.sha256(stratum.encode()).digest()[0] % folds


class Thresholds(NamedTuple):
    merge: float
    review: float


def thresholds(
    training: Training, scores: Sequence[float], even: float, *, precision: float = 0.9965, caught: float = 0.85
) -> Thresholds:
    """Where to merge and where to ask, from out-of-fold *scores*: the lowest score whose merges reach *precision*,
    and the highest that leaves *caught* of the remaining duplicates to a cataloguer.

    The precision of labelled pairs is higher than that of a whole catalogue (about .003 on Goldfinch), where far
    more pairs that are no duplicates are met.
    """
    rows = [(score, duplicate) for score, (_, duplicate, _) in zip(scores, training.rows, strict=True)]
    merge = min((at for at, reached, _ in curve(rows) if reached >= precision), default=0.0)
    rest = sorted((score for score, duplicate in rows if duplicate and score < merge), reverse=True)
    review = rest[min(len(rest) - 1, round(len(rest) * caught))] if rest else merge
    return Thresholds(float(round(merge + even)), float(round(review + even)))


def written(rules: Rules, found: Fit, new: Thresholds | None = None) -> str:
    """The text of *rules* with the fitted points (and thresholds) in it, rounded; comments and order stay.

    The points of outcomes that the pairs did not show stay as they are.
    """
    text = rules.text
    if new is not None:
        text = re.sub(r"(?m)^(  merge: )-?[0-9.]+$", rf"\g<1>{_rounded(new.merge)}", text, count=1)
        text = re.sub(r"(?m)^(  review: )-?[0-9.]+$", rf"\g<1>{_rounded(new.review)}", text, count=1)
    head, points, tail = _split(text)
    for feature in sorted({name[0] for name in found.points if name[0] != "interaction"}):
        row = {name[1]: value for name, value in found.points.items() if name[0] == feature}
        points = re.sub(rf"(?m)^(  {feature}: )\{{([^}}]*)\}}", partial(_row, fitted=row), points)
    for kind, name in found.points:
        if kind == "interaction":
            pattern = rf"(- name: {re.escape(name)}\n(?:    .*\n)*?    points: )(-?[0-9.]+)"
            value = _rounded(found.points[kind, name])
            tail = re.sub(pattern, rf"\g<1>{value}", tail)
    result = head + points + tail
    parse(result)
    return result


def _split(text: str) -> tuple[str, str, str]:
    """*text* before, in and behind its section `points`."""
    start = text.index("\npoints:\n") + 1
    end = start + len("points:\n")
    following = re.compile(r"(?m)^\S").search(text, end)
    while following and text[following.start()] == "#":
        following = re.compile(r"(?m)^\S").search(text, following.end())
    stop = following.start() if following else len(text)
    return text[:start], text[start:stop], text[stop:]


def _row(match: re.Match[str], fitted: Mapping[str, float]) -> str:
    values = dict(item.split(":") for item in match[2].replace(" ", "").split(",") if item)
    values.update({outcome: _rounded(value) for outcome, value in fitted.items()})
    inner = ", ".join(f"{outcome}: {value}" for outcome, value in values.items())
    return f"{match[1]}{{{inner}}}"


def _rounded(value: float) -> str:
    return f"{round(value):d}"
