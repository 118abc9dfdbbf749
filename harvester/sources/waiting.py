"""How long to wait before another try: Retry-After, or exponential back-off with full jitter. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from harvester.sources.environment import Limits

_SECONDS = re.compile(r"\s*([0-9]{1,12})(?:\.[0-9]*)?\s*")


def retry_after(text: str, now: datetime) -> float | None:
    """The seconds that a Retry-After header (number or HTTP date) asks for; None when it says nothing readable."""
    match = _SECONDS.fullmatch(text)
    if match:
        return float(match[1])
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def pause(attempt: int, asked: float | None, limits: Limits, jitter: float) -> float:
    """Seconds to wait after try number *attempt* (from 0); *jitter* is in [0, 1).

    What the server asked for is kept to, up to a cap: Retry-After values of years exist.
    """
    if asked is not None:
        return min(asked, limits.retry_after_seconds)
    longest: float = min(limits.backoff_cap_seconds, limits.backoff_seconds * 2 ** min(attempt, 30))
    return longest * jitter
