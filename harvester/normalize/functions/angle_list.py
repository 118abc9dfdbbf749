"""angle_list."""

from __future__ import annotations

import re

from harvester.normalize.functions import functions

_PIECE = re.compile(r"<([^<>]*)>")


@functions.register("angle_list")
def angle_list(value: str) -> list[str]:
    """The pieces of a SLiMS export list `<a><b>`; any other text is one piece.

    >>> angle_list("<Andrea Hirata><Imam Risdiyanto>"), angle_list("Andrea Hirata")
    (['Andrea Hirata', 'Imam Risdiyanto'], ['Andrea Hirata'])
    """
    if not value.startswith("<"):
        return [value]
    return [piece.strip() for piece in _PIECE.findall(value) if piece.strip()]
