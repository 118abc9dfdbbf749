"""Compare two profiles and decide: merge, review, distinct or veto.

`decide` stops as soon as the pair cannot reach the review line any more; `explain` goes on to the end and returns the
evidence. Both walk the same comparisons, so they cannot disagree about an outcome.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from harvester.match.rules import MAX_PLANS, Interaction, Rules, Table, Veto, When
from harvester.model import Decision, Evidence, Profile, Verdict

NEVER = float("-inf")


class _Walk(NamedTuple):
    """What the comparisons found: outcomes but for `missing`, and whether the walk ended early."""

    outcomes: dict[str, str]
    score: float
    early_veto: str
    late_vetoes: tuple[Veto, ...]
    support: int
    stopped: bool


def decide(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The verdict on a pair, without evidence; a `distinct` that was clear early carries the score so far. Symmetric.

    A veto of stage 0 (codes and identifiers) counts at any score, one found later only from the review line up.
    """
    table = rules.table(left.material, right.material)
    return _decision(left, right, rules, table, _walk(left, right, rules, table, stop=True))[0]


def judge(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The same as it is kept: with all the evidence where a person may want to look at it."""
    table = rules.table(left.material, right.material)
    walk = _walk(left, right, rules, table, stop=True)
    made, more = _decision(left, right, rules, table, walk)
    near = made.verdict == "veto" and made.score >= rules.review_at
    if not near and made.verdict not in ("merge", "review"):
        return made
    return Decision(made.verdict, made.score, made.reason, _told(left, right, table, walk.outcomes) + more)


def explain(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The same verdict as `decide` with all the evidence, whose points add up to the score."""
    table = rules.table(left.material, right.material)
    walk = _walk(left, right, rules, table, stop=False)
    made, more = _decision(left, right, rules, table, walk)
    return Decision(made.verdict, made.score, made.reason, _told(left, right, table, walk.outcomes) + more)


def _decision(
    left: Profile, right: Profile, rules: Rules, table: Table, walk: _Walk
) -> tuple[Decision, tuple[Evidence, ...]]:
    """What follows from a walk, and the evidence beyond single features; one that was stopped ends below review."""
    if walk.stopped:
        reason = walk.early_veto or _reason(table, walk.outcomes, worst=True)
        return Decision("veto" if walk.early_veto else "distinct", walk.score, reason), ()
    verdict, score, cause, more = _judge(left, right, rules, table, walk)
    return Decision(verdict, score, cause or _reason(table, walk.outcomes, worst=verdict != "merge")), more


def self_merges(profile: Profile, rules: Rules) -> bool:
    """Whether two records with this one profile are the same manifestation without a cataloguer saying so."""
    table = rules.table(profile.material, profile.material)
    found = table.alone.get(kind := of_itself(profile))
    if found is None:
        if len(table.alone) >= MAX_PLANS:
            table.alone.clear()
        walk = _walk(profile, profile, rules, table, stop=True)
        merges = _judge(profile, profile, rules, table, walk)[0] == "merge"
        found = table.alone[kind] = merges and not walk.stopped
    return found


def of_itself(one: Profile) -> tuple[Hashable, ...]:
    """All that the outcomes of comparing a profile with itself depend on: most profiles share it with many others."""
    told = one.material, one.present, one.generic, one.assumed, one.form_assumed
    return (*told, one.language_assumed, one.author_kind, bool(one.series_numbers))


def outcomes(left: Profile, right: Profile, rules: Rules) -> dict[str, str]:
    """The outcome of every comparison of the pair that says something, by its name."""
    table = rules.table(left.material, right.material)
    return _walk(left, right, rules, table, stop=False).outcomes


def _walk(left: Profile, right: Profile, rules: Rules, table: Table, *, stop: bool) -> _Walk:
    outcomes: dict[str, str] = {}
    score = 0.0
    support = 0
    early = ""
    late: list[Veto] = []
    line = rules.review_at if stop else NEVER
    here, there = left.present, right.present
    for number, stage in enumerate(table.plan(here & there, here | there)):
        asked, remainder, bonuses = stage
        for name, compare, results in asked:
            outcome = compare(left, right)
            if outcome == "missing":
                continue
            outcomes[name] = outcome
            points, veto, counts = results[outcome]
            score += points
            support += counts
            if veto is not None:
                if number:
                    late.append(veto)
                else:
                    early = early or veto.why
        reach = score + remainder
        if reach < line and (not bonuses or reach + _hope(bonuses, outcomes) < line):
            return _Walk(outcomes, score, early, tuple(late), support, True)
    return _Walk(outcomes, score, early, tuple(late), support, False)


def _hope(bonuses: tuple[Interaction, ...], outcomes: dict[str, str]) -> float:
    """The most that interactions can still add: those that nothing found so far speaks against."""
    return sum([bonus.points for bonus in _holding(bonuses, outcomes)])


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
    left: Profile, right: Profile, rules: Rules, table: Table, walk: _Walk
) -> tuple[Verdict, float, str, tuple[Evidence, ...]]:
    """Verdict, final score, what forced it ("" : points alone) and the evidence beyond single features."""
    more = [
        Evidence("interaction", "", "", interaction.name, interaction.points)
        for interaction in _holding(table.interactions, walk.outcomes)
    ]
    score = walk.score + sum([item.points for item in more])
    cap = _cap(left, right, rules, walk) if score >= rules.merge_at else ""
    if cap:
        more.append(Evidence(cap, "", "", "below the merge line", rules.merge_at - 1 - score))
        score = rules.merge_at - 1
    veto = walk.early_veto or (_late_veto(walk) if score >= rules.review_at else "")
    if not veto and rules.impression == "distinct" and walk.outcomes.get("impression") in ("different", "one_side"):
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


def _late_veto(walk: _Walk) -> str:
    for veto in walk.late_vetoes:
        if not any(holds(unless, walk.outcomes) for unless in veto.unless):
            return veto.why
    return ""


def _cap(left: Profile, right: Profile, rules: Rules, walk: _Walk) -> str:
    """Why a pair with the score of a merge is for review all the same, or ""."""
    needed = rules.support_generic if left.generic or right.generic else rules.support_needed
    if walk.support < needed:
        return "too little besides the title agrees"
    if rules.impression == "review" and walk.outcomes.get("impression") in ("different", "one_side"):
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
