"""The last nights of every source, a sign a night: what went well, what did not, where nothing happened."""

from __future__ import annotations

from datetime import date, timedelta

import msgspec

from harvester.reports import reports

SIGNS = {"complete": "■", "partial": "◧", "halted": "!", "failed": "×", "running": "…", "": "·"}
_WORST = ("failed", "halted", "partial", "running", "complete")


class Calendar(msgspec.Struct, frozen=True):
    """nights: ISO dates, oldest first; rows: source → a verdict a night, empty where there was no run."""

    nights: tuple[str, ...]
    rows: dict[str, tuple[str, ...]]


def calendar(runs: list[tuple[str, str, str]], last: date, days: int) -> Calendar:
    """The *days* nights up to *last* of (source, night, verdict); of several runs a night a complete one counts."""
    nights = tuple((last - timedelta(days=back)).isoformat() for back in reversed(range(days)))
    found: dict[str, dict[str, str]] = {}
    for source, night, verdict in runs:
        kept = found.setdefault(source, {})
        if night not in kept or _WORST.index(verdict) > _WORST.index(kept[night]):
            kept[night] = verdict
    rows = {source: tuple(kept.get(night, "") for night in nights) for source, kept in sorted(found.items())}
    return Calendar(nights, rows)


@reports.register("calendar")
def lines(found: Calendar, language: str) -> list[str]:
    """A row a source."""
    width = max((len(source) for source in found.rows), default=0)
    months = f"{found.nights[0]} … {found.nights[-1]}" if found.nights else ""
    rows = [f"{source:<{width}}  {''.join(SIGNS[one] for one in verdicts)}" for source, verdicts in found.rows.items()]
    return [f"{'':<{width}}  {months}", *rows]
