"""keep."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.patterns import Pattern


@functions.register("keep")
def keep(value: str, pattern: Pattern) -> str:
    """The text when the *pattern* is found in it, otherwise nothing.

    >>> keep("https://example.org/1", Pattern("^https?:")), keep("297.5", Pattern("^https?:"))
    ('https://example.org/1', '')
    """
    return value if pattern.search(value) else ""
