"""split_title."""

from __future__ import annotations

import msgspec

from harvester.model import Title
from harvester.normalize.functions import functions
from harvester.normalize.functions.title_area import title_area
from harvester.normalize.functions.trim import trim


@functions.register("split_title")
def split_title(title: Title) -> Title:
    """The title with what stands behind ` : ` or ` / ` in its proper part moved to where it belongs.

    For records whose cataloguer put the whole area into $a; a title that has a remainder stays as it is, but for a
    statement of responsibility at its end that stands nowhere else.

    >>> split_title(Title("Bumi manusia : roman / Pramoedya Ananta Toer")).proper
    'Bumi manusia'
    """
    proper = title.proper
    if " / " in title.remainder and not title.responsibility:
        remainder, _, responsibility = title.remainder.partition(" / ")
        return msgspec.structs.replace(title, remainder=remainder.rstrip(), responsibility=trim(responsibility))
    if (" / " not in proper and " : " not in proper) or title.remainder:
        return title
    if " / " in proper and title.responsibility:
        return title
    made = title_area(proper)
    responsibility = title.responsibility or made.responsibility
    return msgspec.structs.replace(title, proper=made.proper, remainder=made.remainder, responsibility=responsibility)
