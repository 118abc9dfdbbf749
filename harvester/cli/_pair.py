"""A pair of records explained, as it stands in a terminal: a line and a bar for each piece of evidence."""

from __future__ import annotations

from typing import Any

from harvester.cli._speech import _, say
from harvester.cli.common import Shell

BAR = 18


def show_pair(shell: Shell, answer: dict[str, Any]) -> None:
    """The evidence, the verdict, and where the records stand."""
    today = answer["today"]
    lines = [(say(one["feature"]), say(one["outcome"]), one) for one in today["evidence"]]
    width = max([12, *(len(feature) for feature, _outcome, _one in lines)])
    shell.say(f"{'':{width}}  {answer['left'][:26]:26}  {answer['right'][:26]:26}  {_('evidence')}")
    for feature, outcome, one in lines:
        bar = "█" * min(BAR, max(0, round(abs(one["points"]) / 2)))
        cells = f"{one['left'][:26] or '-':26}  {one['right'][:26] or '-':26}  {outcome:24}"
        shell.say(f"{feature:{width}}  {cells} {one['points']:+7.1f}  {bar}")
    limits = _("merge from {merge:+g}, review from {review:+g} (5 points = 1 unit of log-odds)", **answer["thresholds"])
    total = _("total {score:+.1f}", score=today["score"])
    shell.say(f"{total}   {limits}   →  {say(today['verdict']).upper()}  {say(today['reason'])}")
    shell.say(_sentence(answer))


def _sentence(answer: dict[str, Any]) -> str:
    for row in answer["links"]:
        return _("A person said {kind}-link: {reason} ({author}, {at}).", **row)
    if answer["equal_profiles"]:
        return _("Both records say the same in everything that is compared.")
    where = _("They stand in two clusters.")
    if answer["same_cluster"]:
        where = _("They stand in one cluster ({number}).", number=answer["clusters"][0])
    then = answer["then"]
    if then is None:
        return f"{_('No blocking key proposed this pair; computed now.')} {where}"
    verdict = say(then["verdict"])
    decided = _(
        "Decided in run {run}: {verdict} at {score:+.1f}.", run=then["run_id"], verdict=verdict, score=then["score"]
    )
    return f"{decided} {where}"
