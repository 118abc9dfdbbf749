"""drop."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.patterns import Pattern


@functions.register("drop")
def drop(value: str, pattern: Pattern) -> str:
    """Nothing when the *pattern* is found in the text, otherwise the text.

    >>> drop("application/pdf", Pattern("^application/")), drop("297.5", Pattern("^application/"))
    ('', '297.5')
    """
    return "" if pattern.search(value) else value
