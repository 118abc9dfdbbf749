"""A pair of records explained, as it stands in a terminal: a line and a bar for each piece of evidence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harvester.cli._speech import _, say, value_of
from harvester.cli.common import Shell

BAR = 18


def show_pair(shell: Shell, answer: dict[str, Any]) -> None:
    """The evidence, the verdict, and where the records stand; what had nothing to compare only with -v."""
    today = answer["today"]
    told = [one for one in today["evidence"] if shell.verbose or one["outcome"] != "missing"]
    lines = [(say(one["feature"]), say(one["outcome"], "outcome"), one) for one in told]
    width = max([12, *(len(feature) for feature, _outcome, _one in lines)])
    shell.say(f"{'':{width}}  {answer['left'][:26]:26}  {answer['right'][:26]:26}  {_('evidence')}")
    for feature, outcome, one in lines:
        bar = "█" * min(BAR, max(0, round(abs(one["points"]) / 2)))
        left, right = (value_of(one["feature"], one[side])[:26] or "-" for side in ("left", "right"))
        cells = f"{left:26}  {right:26}  {outcome:24}"
        shell.say(f"{feature:{width}}  {cells} {one['points']:+7.1f}  {bar}")
    limits = _("merge from {merge:+g}, review from {review:+g} (5 points = 1 unit of log-odds)", **answer["thresholds"])
    total = _("total {score:+.1f}", score=today["score"])
    shell.say(f"{total}   {limits}   →  {say(today['verdict']).upper()}  {say(today['reason'])}")
    for sentence in _sentences(answer):
        shell.say(sentence)


def _sentences(answer: dict[str, Any]) -> Iterator[str]:
    """What people said, what was decided then and by which rules, and where the records stand."""
    for number, row in enumerate(answer["links"]):
        waits = f"; {_('the next match carries it out')}" if row["state"] == "pending" else ""
        told = {"decision": row["decision"], "signed": f"{row['author']}, {row['at']}{waits}"}
        together = _("Together, by decision {decision} ({signed})", **told)
        apart = _("Apart, by decision {decision} ({signed})", **told)
        newest = together if row["kind"] == "must" else apart
        said = _("An older one: decision {decision} ({signed})", **told) if number else newest
        yield f"{said}: {row['reason']}" if row["reason"] else said
    then = answer["then"]
    if answer["equal_profiles"]:
        yield _("Both records say the same in everything that is compared.")
    elif then is None:
        yield _("No blocking key proposed this pair; computed now.")
    else:
        told = {"run": then["run_id"], "verdict": say(then["verdict"]), "score": then["score"]}
        yield _("Decided in run {run}: {verdict} at {score:+.1f}.", **told) + " " + _by_rules(answer, then)
        ended = then["verdict"] in ("veto", "distinct") and then["score"] != answer["today"]["score"]
        if ended and then["rules"] == answer["rules"]:
            yield _("Comparing ended there, since the verdict was clear; the total above counts everything.")
    if answer["same_cluster"]:
        yield _("They stand in one cluster ({number}).", number=answer["clusters"][0])
    else:
        one, other = (number or "-" for number in answer["clusters"])
        yield _("They stand in two clusters ({one} and {other}).", one=one, other=other)


def _by_rules(answer: dict[str, Any], then: dict[str, Any]) -> str:
    if then["rules"] == answer["rules"]:
        return _("Those are the rules in force ({rules}).", rules=answer["rules"][:12])
    return _("By rules {then}; in force are {now}.", then=then["rules"][:12], now=answer["rules"][:12])
