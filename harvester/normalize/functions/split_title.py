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
    statement of responsibility at its end that stands nowhere else (`km / h` is none).

    >>> split_title(Title("Bumi manusia : roman / Pramoedya Ananta Toer")).proper
    'Bumi manusia'
    >>> split_title(Title("Traffic", "km / h in cities")).remainder, split_title(Title("A", "b / C. D.")).responsibility
    ('km / h in cities', 'C. D.')
    """
    proper = title.proper
    remainder, _, responsibility = title.remainder.partition(" / ")
    if _responsible(responsibility) and not title.responsibility:
        return msgspec.structs.replace(title, remainder=remainder.rstrip(), responsibility=trim(responsibility))
    if (" / " not in proper and " : " not in proper) or title.remainder:
        return title
    if " / " in proper and title.responsibility:
        return title
    made = title_area(proper)
    responsibility = title.responsibility or made.responsibility
    return msgspec.structs.replace(title, proper=made.proper, remainder=made.remainder, responsibility=responsibility)


_BEGINS = ("by ", "oleh ", "von ", "par ", "por ", "ed", "hrsg", "penyusun", "disusun", "karya ", "compil", "transl")


def _responsible(text: str) -> bool:
    """Whether a statement of responsibility is likely: a name, a script without capitals, or a word for who did it."""
    first = text.lstrip()[:1]
    return bool(first) and (not first.islower() or text.lstrip().startswith(_BEGINS))
