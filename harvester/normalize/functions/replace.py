"""replace."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.patterns import Pattern


@functions.register("replace")
def replace(value: str, pattern: Pattern, by: str = "") -> str:
    r"""The text with every match of the *pattern* replaced *by* another text (\1 stands for the first group).

    >>> replace("DDC 297.5", Pattern("^DDC +"))
    '297.5'
    """
    return pattern.sub(by, value).strip()
