"""part_statement."""

from __future__ import annotations

from harvester.normalize.functions import functions
from harvester.normalize.parts import parts_in


@functions.register("part_statement")
def part_statement(value: str) -> list[str]:
    """The part statements in an edition statement or another text.

    >>> part_statement("Ed. 2, jilid 3"), part_statement("Cet. 2")
    (['jilid 3'], [])
    """
    return parts_in(value)
