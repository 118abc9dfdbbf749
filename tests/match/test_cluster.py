"""Grouping: guarded against every member, and a function of the set alone."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.match.cluster import Judgement, Problem, Solution, solve

Pairs = dict[tuple[bytes, bytes], Judgement]


def problem(units: str, pairs: dict[str, float | None], **more: object) -> Problem:
    """Units are letters, `pairs` maps two letters to a score; None is a veto, an absent pair scores -50."""
    judged: Pairs = {
        (name[:1].encode(), name[1:].encode()): Judgement(score or 0.0, score is None) for name, score in pairs.items()
    }
    values = {
        "units": [letter.encode() for letter in units],
        "edges": [(*pair, one.score) for pair, one in judged.items() if not one.forbidden and one.score >= 0],
        "judge": lambda left, right: judged.get((left, right), Judgement(-50.0, False)),
        "merge_at": 0.0,
        "max_component": 50,
    }
    return Problem(**{**values, **more})  # type: ignore[arg-type]


def groups(solution: Solution) -> list[str]:
    return [b"".join(group).decode() for group in solution.groups]


def test_what_agrees_is_one_group() -> None:
    assert groups(solve(problem("abc", {"ab": 5, "bc": 5, "ac": 5}))) == ["abc"]


def test_z132_a_veto_between_two_members_keeps_a_chain_apart() -> None:
    # Z132: a~b, b~c, but a and c are two editions.
    assert groups(solve(problem("abc", {"ab": 9, "bc": 5, "ac": None}))) == ["ab", "c"]


def test_the_mean_over_all_pairs_decides_not_the_best_pair() -> None:
    assert groups(solve(problem("abcd", {"ab": 20, "bc": 20, "ac": 20, "cd": 4}))) == ["abc", "d"]
    assert groups(solve(problem("abcd", {"ab": 20, "bc": 20, "ac": 20, "cd": 30, "bd": -8, "ad": -8}))) == ["abcd"]


def test_the_threshold_is_in_points() -> None:
    near = {"ab": 20.0, "bc": -4.0, "ac": -9.0}
    edges = [(b"a", b"b", 20.0), (b"b", b"c", -4.0)]
    assert groups(solve(problem("abc", near, edges=edges, merge_at=-6.0))) == ["ab", "c"]
    assert groups(solve(problem("abc", near, edges=edges, merge_at=-7.0))) == ["abc"]


def test_ties_go_to_the_smallest_units() -> None:
    assert groups(solve(problem("abc", {"ab": 5, "bc": 5, "ac": None}))) == ["ab", "c"]


def test_a_must_link_joins_against_the_scores_and_tells_of_the_veto() -> None:
    solution = solve(problem("abc", {"ab": None}, must=[(b"b", b"a")]))
    assert groups(solution) == ["ab", "c"]
    assert solution.overridden == ((b"a", b"b"),)


def test_a_cannot_link_parts_two_groups_whoever_joins_them() -> None:
    full = {"ab": 9, "ac": 9, "ad": 9, "bc": 9, "bd": 9, "cd": 9}
    assert groups(solve(problem("abcd", full, cannot=[(b"a", b"d")]))) == ["abc", "d"]


def test_a_contradiction_between_links_is_reported_and_the_must_link_not_applied() -> None:
    solution = solve(problem("abc", {}, must=[(b"a", b"b"), (b"b", b"c")], cannot=[(b"a", b"c")]))
    assert groups(solution) == ["ab", "c"]
    assert [(one.left, one.right, one.against) for one in solution.contradictions] == [(b"b", b"c", (b"a", b"c"))]


def test_must_linked_units_are_compared_as_one_group() -> None:
    pairs = {"ab": -50.0, "bc": 9.0, "ac": None}
    assert groups(solve(problem("abc", pairs, must=[(b"a", b"b")]))) == ["ab", "c"]


def test_links_of_unknown_units_are_dormant() -> None:
    assert groups(solve(problem("ab", {"ab": 5}, cannot=[(b"a", b"z")], must=[(b"b", b"z")]))) == ["ab"]


def test_z138_a_component_over_the_cap_is_cut_at_its_lowest_scores_and_reported() -> None:
    pairs = {"ab": 30, "ac": 30, "bc": 30, "de": 30, "df": 30, "ef": 30, "cd": 1}
    solution = solve(problem("abcdef", pairs, max_component=3))
    assert groups(solution) == ["abc", "def"]
    assert [(b"".join(cut.units), cut.score) for cut in solution.cuts] == [(b"abcdef", 1.0)]


def test_one_new_record_dissolves_no_group_of_equal_scores() -> None:
    letters = "abcdef"
    pairs: dict[str, float | None] = {left + right: 30 for left in letters for right in letters if left < right}
    solution = solve(problem(letters, pairs, max_component=5))
    assert max(map(len, groups(solution))) == 5
    assert len(solution.cuts) == 1


def test_a_best_seller_of_300_records_is_one_group() -> None:
    units = [b"%03d" % number for number in range(300)]
    edges = [(left, right, 12.0) for left in units for right in units if left < right]
    found = solve(Problem(units, edges, lambda left, right: Judgement(12.0, False), 0.0, 400))
    assert found.groups == (tuple(units),)


@st.composite
def worlds(draw: st.DrawFn) -> tuple[str, dict[str, float | None], list[str], list[str]]:
    units = "abcdefgh"[: draw(st.integers(2, 8))]
    names = [left + right for left in units for right in units if left < right]
    pairs = {
        name: score
        for name in names
        if (score := draw(st.sampled_from([None, -50.0, -50.0, -9.5, -0.1, 0.1, 0.3, 3.0, 3.0, 12.0]))) != -50.0
    }
    links = st.lists(st.sampled_from(names), max_size=2)
    return units, pairs, draw(links), draw(links)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.randoms(use_true_random=False), st.integers(2, 8))
def test_grouping_does_not_depend_on_any_order(
    world: tuple[str, dict[str, float | None], list[str], list[str]], chance: random.Random, cap: int
) -> None:
    units, pairs, must, cannot = world

    def shuffled(mixed: bool) -> Solution:
        names, letters, first, second = list(pairs), list(units), list(must), list(cannot)
        if mixed:
            for values in (names, letters, first, second):
                chance.shuffle(values)
        return solve(
            problem(
                "".join(letters),
                {name: pairs[name] for name in names},
                max_component=cap,
                must=[
                    (one[1:].encode(), one[:1].encode()) if mixed else (one[:1].encode(), one[1:].encode())
                    for one in first
                ],
                cannot=[(one[:1].encode(), one[1:].encode()) for one in second],
            )
        )

    assert shuffled(mixed=True) == shuffled(mixed=False)


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_no_group_holds_a_veto_or_a_cannot_link_that_nobody_ordered(
    world: tuple[str, dict[str, float | None], list[str], list[str]],
) -> None:
    units, pairs, _, cannot = world
    links = [(one[:1].encode(), one[1:].encode()) for one in cannot]
    for group in groups(solve(problem(units, pairs, cannot=links))):
        inside = {left + right for left in group for right in group if left < right}
        assert not {name for name in inside if name in pairs and pairs[name] is None}
        assert not inside & set(cannot)
