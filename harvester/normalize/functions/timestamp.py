"""timestamp."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

_DIGITS = re.compile(r"([12][0-9]{3})([01][0-9])([0-3][0-9])(?:([0-2][0-9])([0-5][0-9])([0-5][0-9]))?(?:\.[0-9])?")
_ISO = re.compile(r"[12][0-9]{3}-[01][0-9]-[0-3][0-9](?:[T ][0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?)?")


@functions.register("timestamp")
def timestamp(value: str) -> str:
    """A date of change as ISO 8601; nothing when it is no date.

    >>> timestamp("20240115093000.0"), timestamp("2024-01-15 09:30:00"), timestamp("kemarin")
    ('2024-01-15T09:30:00', '2024-01-15T09:30:00', '')
    """
    if match := _DIGITS.match(value):
        year, month, day, hour, minute, second = match.groups()
        return f"{year}-{month}-{day}" + (f"T{hour}:{minute}:{second}" if hour else "")
    found = _ISO.match(value)
    return found.group().replace(" ", "T") if found else ""
