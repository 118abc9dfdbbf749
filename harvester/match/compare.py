"""Compare two profiles and decide: merge, review, distinct or veto.

`decide` stops as soon as the pair cannot reach the review line any more; `explain` goes on to the end and returns the
evidence. Both walk the same comparisons, so they cannot disagree about an outcome.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from harvester.match.rules import MAX_PLANS, Found, Interaction, Rules, Table, When
from harvester.model import Decision, Evidence, Profile, Verdict

NEVER = float("-inf")


class _Walk(NamedTuple):
    """What the comparisons found, by stage, and whether the walk ended early."""

    found: list[Found]
    score: float
    early_veto: str
    stopped: bool


def decide(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The verdict on a pair, without evidence; a `distinct` that was clear early carries the score so far. Symmetric.

    A veto of stage 0 (codes and identifiers) counts at any score, one found later only from the review line up.
    """
    return _decision(left, right, rules, stop=True, kept=False)


def judge(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The same as it is kept: with all the evidence where a person may want to look at it."""
    return _decision(left, right, rules, stop=True, kept=True)


def explain(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The same verdict as `decide` with all the evidence, whose points add up to the score."""
    return _decision(left, right, rules, stop=False, kept=True)


def _decision(left: Profile, right: Profile, rules: Rules, *, stop: bool, kept: bool) -> Decision:
    """What follows from a walk, with its evidence where that is *kept*; one that was stopped ends below review."""
    table = rules.table(left.material, right.material)
    walk = _walk(left, right, rules, table, stop=stop)
    if walk.stopped:
        if walk.early_veto:
            return Decision("veto", walk.score, walk.early_veto)
        return Decision("distinct", walk.score, _reason(table, _outcomes(walk.found), worst=True))
    outcomes = _outcomes(walk.found)
    verdict, score, cause, more = _judge(left, right, rules, table, walk, outcomes)
    reason = cause or _reason(table, outcomes, worst=verdict != "merge")
    if kept and (not stop or score >= rules.review_at):
        return Decision(verdict, score, reason, _told(left, right, table, outcomes) + more)
    return Decision(verdict, score, reason)


def self_merges(profile: Profile, rules: Rules) -> bool:
    """Whether two records with this one profile are the same manifestation without a cataloguer saying so."""
    table = rules.table(profile.material, profile.material)
    found = table.alone.get(kind := of_itself(profile))
    if found is None:
        if len(table.alone) >= MAX_PLANS:
            table.alone.clear()
        walk = _walk(profile, profile, rules, table, stop=True)
        merges = _judge(profile, profile, rules, table, walk, _outcomes(walk.found))[0] == "merge"
        found = table.alone[kind] = merges and not walk.stopped
    return found


def of_itself(one: Profile) -> tuple[Hashable, ...]:
    """All that the outcomes of comparing a profile with itself depend on: most profiles share it with many others."""
    told = one.material, one.present, one.generic, one.assumed, one.form_assumed
    return (*told, one.language_assumed, one.author_kind, bool(one.series_numbers))


def outcomes(left: Profile, right: Profile, rules: Rules) -> dict[str, str]:
    """The outcome of every comparison of the pair that says something, by its name."""
    table = rules.table(left.material, right.material)
    return _outcomes(_walk(left, right, rules, table, stop=False).found)


def _walk(left: Profile, right: Profile, rules: Rules, table: Table, *, stop: bool) -> _Walk:
    line = rules.review_at if stop else NEVER
    here, there = left.present, right.present
    score = 0.0
    walked: list[Found] = []
    for stage in table.plan(here & there, here | there):
        answers = []
        for compare in stage.compares:
            answers.append(compare(left, right))
        asked = tuple(answers)
        found = stage.known.get(asked) or stage.read(asked)
        walked.append(found)
        score += found.points
        reach = score + stage.remainder
        if reach < line and (reach + stage.most < line or reach + _hope(stage.bonuses, walked) < line):
            return _Walk(walked, score, _early(walked), True)
    return _Walk(walked, score, _early(walked), False)


def _early(walked: list[Found]) -> str:
    """Why codes or identifiers forbid a merge, or ""."""
    vetoes = walked[0].vetoes
    return vetoes[0].why if vetoes else ""


def _hope(bonuses: tuple[Interaction, ...], walked: list[Found]) -> float:
    """The most that interactions can still add: those that nothing found so far speaks against."""
    return sum([bonus.points for bonus in _holding(bonuses, _outcomes(walked))])


def _outcomes(walked: list[Found]) -> dict[str, str]:
    """The outcomes but for `missing`, by feature."""
    outcomes: dict[str, str] = {}
    for found in walked:
        outcomes |= found.outcomes
    return outcomes


def _holding(interactions: tuple[Interaction, ...], outcomes: dict[str, str]) -> list[Interaction]:
    """Those of *interactions* that hold; a call of `holds` for each would take twice the time."""
    found = []
    for one in interactions:
        for feature, wanted in one.when:
            if outcomes.get(feature, "missing") not in wanted:
                break
        else:
            found.append(one)
    return found


def _judge(
    left: Profile, right: Profile, rules: Rules, table: Table, walk: _Walk, outcomes: dict[str, str]
) -> tuple[Verdict, float, str, tuple[Evidence, ...]]:
    """Verdict, final score, what forced it ("" : points alone) and the evidence beyond single features."""
    more = [
        Evidence("interaction", "", "", interaction.name, interaction.points)
        for interaction in _holding(table.interactions, outcomes)
    ]
    score = walk.score + sum([item.points for item in more])
    cap = _cap(left, right, rules, walk, outcomes) if score >= rules.merge_at else ""
    if cap:
        more.append(Evidence(cap, "", "", "below the merge line", rules.merge_at - 1 - score))
        score = rules.merge_at - 1
    veto = walk.early_veto or (_late_veto(walk, outcomes) if score >= rules.review_at else "")
    if not veto and rules.impression == "distinct" and outcomes.get("impression") in ("different", "one_side"):
        veto = "another printing (policy impression: distinct)"
    if veto:
        return "veto", score, veto, tuple(more)
    if score >= rules.merge_at:
        return "merge", score, "", tuple(more)
    return ("review" if score >= rules.review_at else "distinct"), score, cap, tuple(more)


def holds(when: When, outcomes: dict[str, str]) -> bool:
    """Whether every feature of *when* has one of its outcomes; a feature that is absent is `missing`."""
    for feature, wanted in when:  # noqa: SIM110 - a loop takes half the time of all()
        if outcomes.get(feature, "missing") not in wanted:
            return False
    return True


def _late_veto(walk: _Walk, outcomes: dict[str, str]) -> str:
    for found in walk.found[1:]:
        for veto in found.vetoes:
            if not any(holds(unless, outcomes) for unless in veto.unless):
                return veto.why
    return ""


def _cap(left: Profile, right: Profile, rules: Rules, walk: _Walk, outcomes: dict[str, str]) -> str:
    """Why a pair with the score of a merge is for review all the same, or ""."""
    needed = rules.support_generic if left.generic or right.generic else rules.support_needed
    if sum([found.support for found in walk.found]) < needed:
        return "too little besides the title agrees"
    if rules.impression == "review" and outcomes.get("impression") in ("different", "one_side"):
        return "another printing (policy impression: review)"
    return ""


def _reason(table: Table, walked: dict[str, str], *, worst: bool) -> str:
    """The outcome with the fewest (or most) points, as `feature: outcome`; "" when nothing weighs."""
    sign = 1 if worst else -1
    weighed = [(sign * table.weights[name][outcome], name) for name, outcome in walked.items()]
    points, name = min(weighed, default=(0.0, ""))
    return f"{name}: {walked[name]}" if points < 0 else ""


def _told(left: Profile, right: Profile, table: Table, outcomes: dict[str, str]) -> tuple[Evidence, ...]:
    """The evidence of every feature."""
    here, there = table.shown.of(left), table.shown.of(right)
    told = []
    for name, place, points, silent in table.told:
        mine, theirs = here[place], there[place]
        outcome = outcomes.get(name, "missing")
        if mine or theirs or outcome != "missing":
            told.append(Evidence(name, mine, theirs, outcome, points[outcome]))
        else:
            told.append(silent)
    return tuple(told)
