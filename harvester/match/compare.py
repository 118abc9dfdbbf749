"""Compare two profiles and decide: merge, review, distinct or veto.

`decide` stops as soon as the pair cannot reach the review line any more; `explain` goes on to the end and returns the
evidence. Both walk the same comparisons, so they cannot disagree about an outcome.
"""

from __future__ import annotations

from collections.abc import Hashable

from msgspec.structs import astuple

from harvester.match.comparisons import Compare
from harvester.match.plans import MAX_ENDS, MAX_PLANS, End, Found, Interaction, Plan, Table, When
from harvester.match.rules import Rules
from harvester.model import Decision, Evidence, Profile, Verdict

NEVER = float("-inf")
SLACK = 0.001  # points: what sums in another order may differ by


# What the comparisons found, by stage, the score so far, and whether the walk ended early.
_Walk = tuple[list[Found], float, bool]


def decide(left: Profile, right: Profile, rules: Rules) -> Decision:
    """The verdict on a pair, without evidence; one that was clear early carries the score so far. Symmetric.

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
    plan = _plan(left, right, table)
    walked, score, stopped = _walk(left, right, plan, rules.review_at if stop else NEVER)
    if stopped:
        if early := _early_veto(walked):
            return Decision("veto", score, early)
        return Decision("distinct", score, _reason(walked, worst=True))
    verdict, score, reason, more, outcomes = _end(left.generic or right.generic, rules, table, walked)
    if kept and (not stop or score >= rules.review_at):
        return Decision(verdict, score, reason, _told(left, right, table, outcomes) + more)
    return Decision(verdict, score, reason)


def _plan(left: Profile, right: Profile, table: Table) -> Plan:
    here, there = left.present, right.present
    return table.plan(here & there | (here | there) & table.either)


def self_merges(profile: Profile, rules: Rules) -> bool:
    """Whether two records with this one profile are the same manifestation without a cataloguer saying so."""
    table = rules.table(profile.material, profile.material)
    found = table.alone.get(kind := of_itself(profile))
    if found is None:
        if len(table.alone) >= MAX_PLANS:
            table.alone.clear()
        plan = _plan(profile, profile, table)
        walked, _, stopped = _walk(profile, profile, plan, rules.review_at)
        merges = not stopped and _end(profile.generic, rules, table, walked).verdict == "merge"
        found = table.alone[kind] = merges
    return found


def of_itself(one: Profile) -> tuple[Hashable, ...]:
    """All that the outcomes of comparing a profile with itself depend on: most profiles share it with many others."""
    told = one.material, one.present, one.generic, one.assumed, one.form_assumed
    return (*told, one.language_assumed, one.author_kind, bool(one.series_numbers))


def outcomes(left: Profile, right: Profile, rules: Rules) -> dict[str, str]:
    """The outcome of every comparison of the pair that says something, by its name."""
    table = rules.table(left.material, right.material)
    return _outcomes(_walk(left, right, _plan(left, right, table), NEVER)[0])


def _walk(left: Profile, right: Profile, plan: Plan, line: float) -> _Walk:
    """Ask stage by stage, until the pair cannot reach *line* any more."""
    score = 0.0
    walked: list[Found] = []
    told: dict[Compare, str] = {}
    for stage in plan.stages:
        answers = []
        for compare in stage.compares:
            answers.append(told[compare] if told else compare(left, right))
        asked = tuple(answers)
        found = stage.known.get(asked) or stage.read(asked)
        walked.append(found)
        score += found.points
        if found.vetoes and line > NEVER and len(walked) == 1:
            told, ended = _doubted(left, right, plan, score, line)
            if ended is not None:
                return walked, ended, True
        reach = score + stage.remainder
        if reach < line and (reach + stage.most < line or reach + _hope(stage.bonuses, walked) < line):
            return walked, score, True
    return walked, score, False


def _doubted(
    left: Profile, right: Profile, plan: Plan, score: float, line: float
) -> tuple[dict[Compare, str], float | None]:
    """The later answers of a pair that stage 0 has vetoed, and its score where it ends below *line*.

    Whether it does is all that is left to know of it, so that comparisons are asked one by one, and most never.
    """
    told: dict[Compare, str] = {}
    line -= SLACK
    most = score + plan.most
    if most < line:
        return told, score
    for compare, losses, remainder in plan.doubts:
        told[compare] = outcome = compare(left, right)
        most -= losses[outcome]
        if most < line:
            return told, most - remainder
    return told, None


def _early_veto(walked: list[Found]) -> str:
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


def _end(generic: bool, rules: Rules, table: Table, walked: list[Found]) -> End:
    """What a walk to the end comes to; remembered: most pairs that are kept are answered as others were."""
    key: tuple[bool | Found, ...] = (generic, *walked)
    found = table.ends.get(key)
    if found is None:
        if len(table.ends) >= MAX_ENDS:
            table.ends.clear()
        found = table.ends[key] = _ended(generic, rules, table, walked)
    return found


def _ended(generic: bool, rules: Rules, table: Table, walked: list[Found]) -> End:
    outcomes = _outcomes(walked)
    more = [
        Evidence("interaction", "", "", interaction.name, interaction.points)
        for interaction in _holding(table.interactions, outcomes)
    ]
    score = sum(found.points for found in walked) + sum(item.points for item in more)
    printing = outcomes.get("impression") in ("different", "one_side")
    cap = _cap(generic, rules, walked, printing) if score >= rules.merge_at else ""
    if cap:
        more.append(Evidence(cap, "", "", "below the merge line", rules.merge_at - 1 - score))
        score = rules.merge_at - 1
    veto = _early_veto(walked) or (_late_veto(walked, outcomes) if score >= rules.review_at else "")
    if not veto and printing and rules.impression == "distinct":
        veto = "another printing (policy impression: distinct)"
    verdict = _verdict(veto, score, rules)
    reason = veto or (cap if verdict != "merge" else "") or _reason(walked, worst=verdict != "merge")
    return End(verdict, score, reason, tuple(more), outcomes)


def _verdict(veto: str, score: float, rules: Rules) -> Verdict:
    if veto:
        return "veto"
    if score >= rules.merge_at:
        return "merge"
    return "review" if score >= rules.review_at else "distinct"


def holds(when: When, outcomes: dict[str, str]) -> bool:
    """Whether every feature of *when* has one of its outcomes; a feature that is absent is `missing`."""
    for feature, wanted in when:  # noqa: SIM110 - a loop takes half the time of all()
        if outcomes.get(feature, "missing") not in wanted:
            return False
    return True


def _late_veto(walked: list[Found], outcomes: dict[str, str]) -> str:
    for found in walked[1:]:
        for veto in found.vetoes:
            if not any(holds(unless, outcomes) for unless in veto.unless):
                return veto.why
    return ""


def _cap(generic: bool, rules: Rules, walked: list[Found], printing: bool) -> str:
    """Why a pair with the score of a merge is for review all the same, or ""."""
    if sum([found.support for found in walked]) < (rules.support_generic if generic else rules.support_needed):
        return "too little besides the title agrees"
    if printing and rules.impression == "review":
        return "another printing (policy impression: review)"
    return ""


def _reason(walked: list[Found], *, worst: bool) -> str:
    """The outcome with the fewest (or most) points, as `feature: outcome`; "" when nothing weighs."""
    points, _, told = min([one.worst if worst else one.best for one in walked])
    return told if points < 0 else ""


def _told(left: Profile, right: Profile, table: Table, outcomes: dict[str, str]) -> tuple[Evidence, ...]:
    """The evidence of every feature."""
    here, there = astuple(left), astuple(right)
    told = []
    for name, get, text, points, silent in table.told:
        mine, theirs = get(here), get(there)
        left_text = text(mine) if mine else ""
        right_text = left_text if mine == theirs else text(theirs)
        if left_text or right_text or name in outcomes:
            outcome = outcomes.get(name, "missing")
            told.append(Evidence(name, left_text, right_text, outcome, points[outcome]))
        else:
            told.append(silent)
    return tuple(told)
