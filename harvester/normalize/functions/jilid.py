"""jilid."""

from __future__ import annotations

from harvester.normalize.functions import functions


@functions.register("jilid")
def jilid(value: str) -> str:
    """A part number with its word: a bare number of a column Jilid becomes `jilid 2`.

    >>> jilid("2"), jilid("Jilid III")
    ('jilid 2', 'Jilid III')
    """
    text = " ".join(value.split())
    return f"jilid {text}" if text[:1].isdigit() or len(text) <= 4 else text
