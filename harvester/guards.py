"""When a harvest must stop and ask: deletions beyond what an ordinary night brings. Pure arithmetic."""

from __future__ import annotations

from typing import NamedTuple

from harvester.model import Value


class DeletionLimits(Value, frozen=True):
    """In percent of the source's active records, and in records (see docs/settings.md, `guards`)."""

    percent: float = 2
    records: int = 20
    records_cap_percent: float = 10
    month_percent: float = 10


class Ruling(NamedTuple):
    """Whether the deletions may be applied, and the sentence that says why not."""

    allowed: bool
    reason: str = ""


def rule_on_deletions(proposed: int, active: int, deleted_this_month: int, limits: DeletionLimits) -> Ruling:
    """May *proposed* of *active* records go, after *deleted_this_month* in the last 30 days?

    A run may delete max(percent, min(records, records_cap_percent)); a month month_percent, but always as much as
    one run: a school of 20 records may still weed two books.
    """
    if not proposed:
        return Ruling(True)
    small = min(limits.records, int(active * limits.records_cap_percent / 100))
    per_run = max(int(active * limits.percent / 100), small)
    if proposed > per_run:
        return Ruling(False, f"{proposed} of {active} records would be deleted; at most {per_run} go without approval")
    base = active + deleted_this_month
    month = max(int(base * limits.month_percent / 100), per_run)
    total = proposed + deleted_this_month
    if total > month:
        return Ruling(False, f"{total} of {base} records deleted within 30 days; at most {month} go without approval")
    return Ruling(True)
