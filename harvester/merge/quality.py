"""How good a record is, in points: filled fields count once each, traps subtract."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from harvester.merge.offers import shouting
from harvester.model import NormalizedRecord

EMPTY = NormalizedRecord()
BLANKS = msgspec.structs.asdict(EMPTY)


class Quality(NamedTuple):
    """The part `quality` of survivorship.yaml."""

    points: tuple[tuple[str, float], ...]
    traps: tuple[tuple[str, float], ...]
    stub_fields: int
    signs: tuple[str, ...]


def judge(record: NormalizedRecord, rules: Quality) -> tuple[float, tuple[str, ...]]:
    """The points of *record* (more is better, below zero is possible) and the traps into which it fell."""
    filled = [points for name, points in rules.points if getattr(record, name) != BLANKS[name]]
    traps = _traps(record, len(filled), rules)
    cost = dict(rules.traps)
    return sum(filled) + sum(cost.get(name, 0.0) for name in traps), traps


def _traps(record: NormalizedRecord, filled: int, rules: Quality) -> tuple[str, ...]:
    texts = [record.title.proper, record.title.remainder, *(person.name for person in record.contributors)]
    texts += [note.text for note in record.notes]
    joined = "\n".join(texts).casefold()
    found = {
        "shouting": shouting(record.title.proper + record.title.remainder),
        "stub": filled < rules.stub_fields,
        "machine_made": any(sign in joined for sign in rules.signs),
        "broken": "\ufffd" in joined,
    }
    return tuple(name for name, holds in found.items() if holds)


def share(record: NormalizedRecord, rules: Quality) -> float:
    """The quality of *record* between 0 and 1, as `policy.quality_floor` measures it."""
    most = sum(points for _, points in rules.points if points > 0)
    return min(1.0, max(0.0, judge(record, rules)[0] / most)) if most else 1.0
