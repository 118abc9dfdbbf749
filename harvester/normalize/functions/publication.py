"""publication."""

from __future__ import annotations

from harvester.model import Publication
from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim
from harvester.normalize.functions.unbracket import unbracket


@functions.register("publication")
def publication(*, publishers: list[str], places: list[str] | None = None) -> list[Publication]:
    """Publisher and place side by side; `Jakarta : Gramedia, 2005` in one text is taken apart.

    >>> publication(publishers=["Bandung : Mizan, 1992"], places=[])
    [Publication(place='Bandung', publisher='Mizan')]
    >>> publication(publishers=["Bentang"], places=["Yogyakarta"])
    [Publication(place='Yogyakarta', publisher='Bentang')]
    """
    found = []
    for index, text in enumerate(publishers or [""]):
        place, mark, name = text.partition(" : ")
        if not mark:
            place, name = "", text
        head, _, tail = name.rpartition(",")
        if head and any(c.isdigit() for c in tail):
            name = head
        if not place and places:
            place = places[min(index, len(places) - 1)]
        made = Publication(unbracket(trim(place)), unbracket(trim(name)))
        if made != Publication():
            found.append(made)
    return found
