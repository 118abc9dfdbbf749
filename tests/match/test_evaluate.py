"""Evaluation and training on labelled pairs that we made ourselves."""

from __future__ import annotations

import io
import json
import re

import msgspec
import pytest

from harvester.errors import ConfigError
from harvester.match import train
from harvester.match.evaluate import (
    LabelledPair,
    b_cubed,
    evaluate,
    f1,
    precision_recall,
    read_clusters,
    read_pairs,
    recall_at,
)
from harvester.match.profile import profile
from harvester.match.rules import load, parse
from harvester.model import Profile
from tests.match.cases import cases

RULES = load()


def labelled() -> tuple[dict[str, Profile], list[LabelledPair]]:
    profiles: dict[str, Profile] = {}
    pairs = []
    for name, duplicate in (("negatives", False), ("positives", True)):
        for number, case in enumerate(cases(name)):
            left, right = f"{name}-{number}-l", f"{name}-{number}-r"
            profiles[left], profiles[right] = profile(case.left, RULES), profile(case.right, RULES)
            pairs.append(LabelledPair(left, right, duplicate))
    return profiles, pairs


def test_precision_recall_and_recall_at_a_precision() -> None:
    rows = [(9.0, True), (8.0, True), (7.0, False), (6.0, True), (1.0, False)]
    assert precision_recall(rows, 7.0) == (2 / 3, 2 / 3)
    assert recall_at(rows, 0.99) == 2 / 3
    assert recall_at(rows, 0.75) == 1.0
    assert f1(0.5, 0.5) == 0.5


def test_b_cubed_of_a_split_and_of_a_lump() -> None:
    truth = {"a": "x", "b": "x", "c": "y"}
    assert b_cubed([("a", "b"), ("c",)], truth) == (1.0, 1.0)
    assert b_cubed([("a",), ("b",), ("c",)], truth) == (1.0, pytest.approx(2 / 3))
    assert b_cubed([("a", "b", "c")], truth) == (pytest.approx(5 / 9), 1.0)


def test_csv_mistakes_name_their_line() -> None:
    with pytest.raises(ConfigError, match="pairs:1: column duplicate is missing"):
        read_pairs(["left,right\n", "a,b\n"])
    with pytest.raises(ConfigError, match="pairs:3: duplicate must be 1 or 0, not 'maybe'"):
        read_pairs(["left,right,duplicate\n", "a,b,1\n", "c,d,maybe\n"])
    assert read_clusters(["record,cluster\n", "a,1\n"]) == {"a": "1"}


def test_a_pair_of_unknown_records_is_refused() -> None:
    with pytest.raises(ConfigError, match="not in the records file"):
        evaluate({}, [LabelledPair("a", "b", True)], {}, RULES)


def test_an_evaluation_says_what_the_rules_are_worth_and_where_they_disagree() -> None:
    profiles, pairs = labelled()
    clusters = {name: name.rpartition("-")[0] if name.startswith("positives") else name for name in profiles}
    found = evaluate(profiles, pairs, clusters, RULES, samples=20)
    assert found.precision.value == 1.0
    assert found.recall.low <= found.recall.value <= found.recall.high
    assert set(found.recall_at_precision) == {"0.99", "0.995"}
    assert found.population is not None
    assert found.population.largest_cluster >= 2
    missed = [one for one in found.disagreements if one.duplicate]
    assert len(missed) == round((1 - found.recall.value) * found.duplicates)
    assert all(one.decision.evidence for one in found.disagreements)
    assert json.loads(msgspec.json.encode(found))["f1"] == found.f1


def test_the_same_pairs_give_the_same_intervals() -> None:
    profiles, pairs = labelled()
    assert evaluate(profiles, pairs, {}, RULES, samples=10) == evaluate(profiles, pairs, {}, RULES, samples=10)


def test_training_writes_a_readable_file_that_still_loads() -> None:
    profiles, pairs = labelled()
    made = train.training(profiles, pairs, RULES)
    fitted = train.fit(made)
    text = train.written(RULES, fitted, train.Thresholds(-6.0, -20.0))
    rules = parse(text)
    assert (rules.merge_at, rules.review_at) == (-6.0, -20.0)
    assert text.count("#") == RULES.text.count("#")
    assert len(text.splitlines()) == len(RULES.text.splitlines())


def test_training_keeps_every_row_in_its_order_and_good_evidence_good() -> None:
    profiles, pairs = labelled()
    made = train.training(profiles, pairs, RULES)
    fitted = train.fit(made, spread=20.0)
    for chain in made.chains:
        values = [fitted.points[made.names[index]] for index in chain]
        assert values == sorted(values, reverse=True)
    for name, prior in zip(made.names, made.prior, strict=True):
        assert fitted.points[name] * prior >= 0


def test_training_does_not_touch_codes_and_identifiers() -> None:
    profiles, pairs = labelled()
    names = {name for name, _ in train.training(profiles, pairs, RULES).names}
    assert not names & {"isbn", "form", "language", "material", "level", "document_number"}


def test_a_fold_is_scored_by_a_fit_that_did_not_see_it() -> None:
    profiles, pairs = labelled()
    made = train.training(profiles, pairs, RULES)
    scores = train.out_of_fold(made, [pair.left for pair in pairs], folds=3)
    found = train.thresholds(made, scores, 0.0, precision=0.9)
    assert found.review <= found.merge


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "pairs:1: column left, right, duplicate is missing; the file is empty"),
        ("a,b,1\nc,d,0\n", "pairs:1: column left, right, duplicate is missing; the first line is: a,b,1"),
        ("left,right,duplicate\na,b\n", "pairs:2: duplicate is empty"),
        ("left,right,duplicate\na,b,1\n\nc,,0\n", "pairs:4: right is empty"),
        ("left,right,duplicate\na,b,maybe\n", "pairs:2: duplicate must be 1 or 0, not 'maybe'"),
    ],
)
def test_a_file_of_pairs_that_cannot_be_read_says_where_and_why(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(told)):
        read_pairs(io.StringIO(text))


def test_a_record_in_two_clusters_is_a_mistake_of_the_file() -> None:
    with pytest.raises(ConfigError, match="clusters:3: r1 stands in two clusters"):
        read_clusters(io.StringIO("record,cluster\nr1,A\nr1,B\n"))


@pytest.mark.parametrize("parted", [",", ";", "\t", ", "])
def test_spreadsheets_part_columns_their_own_way(parted: str) -> None:
    rows = [("duplicate", "left", "right"), ("1", "a", "b"), ("FALSE", "c", "d")]
    text = "".join(parted.join(row) + "\r\n" for row in rows)
    found = read_pairs(io.StringIO(text, newline=""))
    assert [tuple(msgspec.structs.astuple(one)) for one in found] == [("a", "b", True), ("c", "d", False)]
