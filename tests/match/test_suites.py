"""The librarian's suites: what must stay apart stays apart; what is one is merged or shown to a cataloguer."""

from __future__ import annotations

from collections import Counter

import pytest

from harvester.match.blocking import share_a_key
from harvester.match.compare import decide, explain
from harvester.match.constants import FIELDS
from harvester.match.keys import keys
from harvester.match.profile import profile
from harvester.match.rules import load
from tests.match.cases import Case, cases

RULES = load()
NEGATIVES = cases("negatives")
POSITIVES = cases("positives")
# Of the positives, the share that must at least reach a cataloguer, and the share that nobody need look at.
IN_SIGHT = 0.95
MERGED = 0.70


def _told(case: Case) -> str:
    decision = explain(profile(case.left, RULES), profile(case.right, RULES), RULES)
    lines = [f"{one.feature}: {one.left!r} {one.right!r} {one.outcome} {one.points}" for one in decision.evidence]
    return f"{case.label}: {decision.verdict} {decision.score} {decision.reason}\n" + "\n".join(lines)


# How many pairs of each kind the suites hold at least.
NEGATIVE_KINDS = {"thesis": 25, "school": 20, "part": 20, "edition": 12, "form": 12, "language": 8, "namesake": 3}
POSITIVE_KINDS = {"name": 30, "arabic": 20, "preset": 30, "printing": 15, "spelling": 6}


def test_the_suites_are_large_enough_and_hold_every_kind() -> None:
    assert len(NEGATIVES) >= 200
    assert len(POSITIVES) >= 200
    for suite, wanted in ((NEGATIVES, NEGATIVE_KINDS), (POSITIVES, POSITIVE_KINDS)):
        held = Counter(case.kind for case in suite)
        assert {kind: held[kind] for kind, least in wanted.items() if held[kind] < least} == {}


def test_what_differs_is_never_merged_automatically() -> None:
    merged = [_told(case) for case in NEGATIVES if _verdict(case) == "merge"]
    assert merged == [], "\n\n".join(merged)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_what_differs_is_kept_apart_though_a_source_says_one_thing_of_all_its_records(field: str) -> None:
    torn = []
    for case in NEGATIVES:
        read = FIELDS[field]
        constants = [{field: read(one)} if read(one) else {} for one in (case.left, case.right)]
        for mine, theirs in ((constants[0], {}), ({}, constants[1]), constants):
            decision = decide(profile(case.left, RULES, mine), profile(case.right, RULES, theirs), RULES)
            torn += [case.label] * (decision.verdict == "merge")
    assert torn == []


def test_what_is_one_is_merged_or_shown_to_a_cataloguer() -> None:
    blind = [case for case in POSITIVES if not _in_sight(case)]
    assert len(blind) <= (1 - IN_SIGHT) * len(POSITIVES), "\n\n".join(map(_told, blind))


def test_most_of_what_is_one_is_merged_without_anyone_looking() -> None:
    merged = sum(_verdict(case) == "merge" for case in POSITIVES)
    assert merged >= MERGED * len(POSITIVES), merged


def test_what_is_one_shares_a_blocking_key() -> None:
    assert [case.label for case in POSITIVES if not _share_a_key(case)] == []


def _share_a_key(case: Case) -> bool:
    return share_a_key(*(keys(profile(one, RULES), RULES) for one in (case.left, case.right)))


def _verdict(case: Case) -> str:
    return decide(profile(case.left, RULES), profile(case.right, RULES), RULES).verdict


def _in_sight(case: Case) -> bool:
    decision = decide(profile(case.left, RULES), profile(case.right, RULES), RULES)
    return decision.verdict in ("merge", "review") or (decision.verdict == "veto" and decision.score >= RULES.review_at)
