"""split_title."""

from __future__ import annotations

import msgspec

from harvester.model import Title
from harvester.normalize.functions import functions
from harvester.normalize.functions.title_area import title_area


@functions.register("split_title")
def split_title(title: Title) -> Title:
    """The title with what stands behind ` : ` or ` / ` in its proper part moved to where it belongs.

    For records whose cataloguer put the whole area into $a; a title that has a remainder stays as it is.

    >>> split_title(Title("Bumi manusia : roman / Pramoedya Ananta Toer")).proper
    'Bumi manusia'
    """
    proper = title.proper
    if (" / " not in proper and " : " not in proper) or title.remainder:
        return title
    if " / " in proper and title.responsibility:
        return title
    made = title_area(proper)
    responsibility = title.responsibility or made.responsibility
    return msgspec.structs.replace(title, proper=made.proper, remainder=made.remainder, responsibility=responsibility)
