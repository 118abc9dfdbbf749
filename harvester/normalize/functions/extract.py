"""extract."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.patterns import Pattern


@functions.register("extract")
def extract(value: str, pattern: Pattern) -> list[str]:
    r"""Every match of the *pattern* in the text: its first group, or all of it when it has no group.

    >>> extract("Kelas VII, semester 2", Pattern(r"semester (\d)"))
    ['2']
    """
    return [text for text in pattern.findall(value) if text]
