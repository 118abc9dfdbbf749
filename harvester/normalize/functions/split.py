"""split."""

from __future__ import annotations

from harvester.normalize.functions import functions


@functions.register("split")
def split(value: str, at: str) -> list[str]:
    """The pieces of the text between the marks *at*, without outer blanks; empty pieces are left out.

    >>> split("Islam; Tasawuf;", ";")
    ['Islam', 'Tasawuf']
    """
    return [piece for part in value.split(at) if (piece := part.strip())]
