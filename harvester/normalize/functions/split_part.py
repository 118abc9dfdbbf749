"""split_part."""

from __future__ import annotations

import msgspec

from harvester.model import Title
from harvester.normalize import parts
from harvester.normalize.functions import functions


@functions.register("split_part")
def split_part(title: Title) -> Title:
    """The title with a clear part statement at the end of its proper part or remainder made a part number.

    >>> split_part(Title("Sejarah nasional Indonesia jilid 2")).part_numbers
    ('jilid 2',)
    >>> split_part(Title("Matematika", "untuk SMP. Jil. III")).remainder
    'untuk SMP'
    >>> split_part(Title("Perang Dunia II")).part_numbers
    ()
    """
    proper, number = parts.split_part(title.proper)
    if number and not proper:
        return title
    remainder, other = parts.split_part(title.remainder) if title.remainder else ("", "")
    if not number and not other:
        return title
    found = tuple(one for one in (number, other) if one and one not in title.part_numbers)
    return msgspec.structs.replace(
        title, proper=proper, remainder=remainder, part_numbers=(*title.part_numbers, *found)
    )
