"""Plans: what is asked of a pair, and the most that it can still reach."""

from __future__ import annotations

import random

import pytest

from harvester.match.compare import holds
from harvester.match.plans import Table
from harvester.match.rules import load

RULES = load()
TRIES = 3000


def told(draw: random.Random, table: Table, fields: int) -> dict[str, str]:
    """Any outcomes of what is asked where these *fields* are there; of some comparisons their best."""
    asked = [feature for stage in table.stages for feature in stage if feature.asked(fields)]
    best = {one.name: max(one.points, key=lambda outcome: (one.points[outcome], outcome != "missing")) for one in asked}
    return {one.name: best[one.name] if draw.random() < 0.5 else draw.choice([*one.points]) for one in asked}


@pytest.mark.parametrize("material", ["book", "serial", "map"])
def test_no_pair_gains_more_than_its_plan_says(material: str) -> None:
    table = RULES.tables[material]
    bonuses = [one for one in table.interactions if one.points > 0]
    draw = random.Random(8)
    with_bonus = 0
    for number in range(TRIES):
        fields = draw.getrandbits(40) if number % 2 else -1
        plan = table.plan(fields)
        outcomes = told(draw, table, fields)
        wanted = draw.choice([None, *bonuses])
        if wanted and wanted.possible(outcomes.keys()):
            outcomes |= {name: min(ways) for name, ways in wanted.when if name in outcomes}
        holding = sum(one.points for one in bonuses if holds(one.when, outcomes))
        with_bonus += holding > 0
        later = [feature for stage in table.stages[1:] for feature in stage if feature.asked(fields)]
        reached = holding + sum(feature.points[outcomes[feature.name]] for feature in later)
        at_most = plan.most
        for compare, losses, _ in plan.doubts:
            at_most -= losses[outcomes[compare.__name__]]
        assert reached <= at_most
    assert with_bonus > 100
