"""One function a feature: it names the outcome of comparing two profiles; match.yaml gives the outcome its points.

A comparison is symmetric, sees nothing but the two profiles, and answers `missing` (no points) where nothing can be
said. It is called only when its fields are there, on `both` sides or on `either`. Stage: 0 codes and identifiers,
1 numbers, 2 sets, 3 distances: cheap ones first, so that most pairs end early. A veto of stage 0 counts at any score,
a later one only for pairs that reach the review line. Between equal profiles the outcome follows from what
compare.of_itself names.
"""

from collections.abc import Callable
from typing import NamedTuple

from harvester.model import Profile
from harvester.registry import Registry

Compare = Callable[[Profile, Profile], str]


class Comparison(NamedTuple):
    compare: Compare
    outcomes: tuple[str, ...]
    stage: int
    both: tuple[str, ...]
    either: tuple[str, ...]
    shows: tuple[str, ...]
    dear: bool


comparisons: Registry[Comparison] = Registry("comparison", "harvester.match.comparisons")
