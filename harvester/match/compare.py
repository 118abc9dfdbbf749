"""Compare two profiles and decide: merge, review, distinct or veto.

`decide` stops as soon as the pair cannot reach the review line any more; `explain` goes on to the end and returns the
evidence. Both walk the same comparisons, so they cannot disagree about an outcome.
"""

from __future__ import annotations

from typing import NamedTuple

from harvester.match.rules import Feature, Rules, Table, Veto, When
from harvester.model import Decision, Evidence, Profile, Verdict


class _Walk(NamedTuple):
    """What the comparisons found: outcomes in the order of the stages, and whether the walk ended early."""

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
    walk = _walk(left, right, rules, table, stop=True)
    if walk.stopped:
        reason = walk.early_veto or _reason(table, walk.outcomes, worst=True)
        return Decision("veto" if walk.early_veto else "distinct", walk.score, reason)
    verdict, score, reason, _ = _judge(left, right, rules, table, walk)
    return Decision(verdict, score, reason)


def explain(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The same verdict as `decide` with all the evidence, whose points add up to the score."""
    table = rules.table(left.material, right.material)
    walk = _walk(left, right, rules, table, stop=False)
    verdict, score, reason, more = _judge(left, right, rules, table, walk)
    evidence = tuple(
        _evidence(feature, left, right, walk.outcomes[feature.name]) for stage in table.stages for feature in stage
    )
    return Decision(verdict, score, reason, evidence + more)


def outcomes(left: Profile, right: Profile, rules: Rules) -> dict[str, str]:
    """The outcome of every comparison of the pair, by its name."""
    table = rules.table(left.material, right.material)
    return _walk(left, right, rules, table, stop=False).outcomes


def _walk(left: Profile, right: Profile, rules: Rules, table: Table, *, stop: bool) -> _Walk:
    outcomes: dict[str, str] = {}
    score = 0.0
    support = 0
    early = ""
    late: list[Veto] = []
    for stage, features in enumerate(table.stages):
        for name, comparison, points, veto, counts in features:
            outcome = comparison.compare(left, right)
            outcomes[name] = outcome
            score += points[outcome]
            if outcome in veto:
                if stage:
                    late.append(veto[outcome])
                else:
                    early = early or veto[outcome].why
            if outcome in counts:
                support += counts[outcome]
        if stop and score + table.remainders[stage] < rules.review_at:
            return _Walk(outcomes, score, early, tuple(late), support, True)
    return _Walk(outcomes, score, early, tuple(late), support, False)


def _judge(
    left: Profile, right: Profile, rules: Rules, table: Table, walk: _Walk
) -> tuple[Verdict, float, str, tuple[Evidence, ...]]:
    """Verdict, final score, reason and the evidence beyond single features: interactions, support, policy."""
    more = [
        Evidence("interaction", "", "", interaction.name, interaction.points)
        for interaction in table.interactions
        if _holds(interaction.when, walk.outcomes)
    ]
    score = walk.score + sum(item.points for item in more)
    cap = _cap(left, right, rules, walk) if score >= rules.merge_at else ""
    if cap:
        more.append(Evidence(cap, "", "", "below the merge line", rules.merge_at - 1 - score))
        score = rules.merge_at - 1
    veto = walk.early_veto or (_late_veto(walk) if score >= rules.review_at else "")
    if not veto and rules.impression == "distinct" and walk.outcomes["impression"] in ("different", "one_side"):
        veto = "another printing (policy impression: distinct)"
    if veto:
        return "veto", score, veto, tuple(more)
    if score >= rules.merge_at:
        return "merge", score, _reason(table, walk.outcomes, worst=False), tuple(more)
    reason = cap or _reason(table, walk.outcomes, worst=True)
    return ("review" if score >= rules.review_at else "distinct"), score, reason, tuple(more)


def _holds(when: When, outcomes: dict[str, str]) -> bool:
    return all(outcomes[feature] in wanted for feature, wanted in when)


def _late_veto(walk: _Walk) -> str:
    standing = (veto.why for veto in walk.late_vetoes if not (veto.unless and _holds(veto.unless, walk.outcomes)))
    return next(standing, "")


def _cap(left: Profile, right: Profile, rules: Rules, walk: _Walk) -> str:
    """Why a pair with the score of a merge is for review all the same, or ""."""
    needed = rules.support_generic if left.generic or right.generic else rules.support_needed
    if walk.support < needed:
        return "too little besides the title agrees"
    if rules.impression == "review" and walk.outcomes["impression"] in ("different", "one_side"):
        return "another printing (policy impression: review)"
    return ""


def _reason(table: Table, outcomes: dict[str, str], *, worst: bool) -> str:
    """The outcome with the fewest (or most) points, as `feature: outcome`; "" when nothing weighs."""
    best_name, best_points = "", 0.0
    for stage in table.stages:
        for feature in stage:
            points = feature.points[outcomes[feature.name]] if feature.name in outcomes else 0.0
            if points < best_points if worst else points > best_points:
                best_name, best_points = feature.name, points
    return f"{best_name}: {outcomes[best_name]}" if best_name else ""


def _evidence(feature: Feature, left: Profile, right: Profile, outcome: str) -> Evidence:
    show = feature.comparison.show
    return Evidence(feature.name, show(left), show(right), outcome, feature.points[outcome])
