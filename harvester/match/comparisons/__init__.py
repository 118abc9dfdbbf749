"""One function a feature: it names the outcome of comparing two profiles; match.yaml gives the outcome its points.

A comparison is symmetric, sees nothing but the two profiles, and answers `missing` where one side says nothing.
Stage: 0 exact codes and identifiers, 1 numbers, 2 sets, 3 distances. Cheap ones first, so that most pairs end early;
a veto of stage 0 counts at any score, a later one only for pairs that reach the review line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harvester.model import Profile
from harvester.registry import Registry

Compare = Callable[[Profile, Profile], str]
Show = Callable[[Profile], str]


class Comparison(NamedTuple):
    compare: Compare
    outcomes: tuple[str, ...]
    stage: int
    show: Show  # what the evidence prints of one side


comparisons: Registry[Comparison] = Registry("comparison", "harvester.match.comparisons")


def comparison(stage: int, outcomes: str, show: Show) -> Callable[[Compare], Compare]:
    """Decorator: register a function under its own name; *outcomes* are parted by blanks."""

    def keep(compare: Compare) -> Compare:
        comparisons.register(compare.__name__)(Comparison(compare, tuple(outcomes.split()), stage, show))
        return compare

    return keep
