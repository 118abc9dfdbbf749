"""A survivorship rule decides which values of one field survive; add one file, named like the rule in the YAML.

A rule gets the offers of one field (never empty, best member first) and returns the surviving value with one
line for each distinct value that was offered: who gave it, or why it was dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harvester.merge.offers import Offer, Outcome, Setting
from harvester.registry import Registry

Rule = Callable[[Sequence[Offer], Setting], Outcome]

rules: Registry[Rule] = Registry("survivorship rule", __name__)
