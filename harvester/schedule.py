"""Which work is due when: pure functions of the time, the plan and what was done. The clock is somebody else's."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta


def sweep_due(code: str, now: datetime, last: str, days: int) -> bool:
    """Whether a full sweep of the source *code* is due: every *days* days, on a day of its own.

    The day comes from the name, so that the sweeps of many partners spread over the nights; one that was missed is
    made up for at once. *last* is when the last full list was closed (ISO 8601, "" never).
    """
    if not last:
        return True
    age = now - datetime.fromisoformat(last)
    if age < timedelta(hours=20):
        return False
    own_day = int.from_bytes(hashlib.blake2b(code.encode(), digest_size=4).digest(), "big") % days
    today = now.astimezone(UTC).date().toordinal() % days
    return age >= timedelta(days=days) or (today == own_day and age >= timedelta(days=days / 2))
