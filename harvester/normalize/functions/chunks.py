"""chunks."""

from __future__ import annotations

from harvester.normalize.functions import functions


@functions.register("chunks")
def chunks(value: str, size: int) -> list[str]:
    """The text in pieces of *size* characters, when it is made of whole pieces; otherwise the text.

    >>> chunks("indeng", 3), chunks("Indonesia", 2)
    (['ind', 'eng'], ['Indonesia'])
    """
    if not 0 < size < len(value) or len(value) % size:
        return [value]
    return [value[start : start + size] for start in range(0, len(value), size)]
