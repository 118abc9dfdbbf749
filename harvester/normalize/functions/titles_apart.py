"""titles_apart."""

from __future__ import annotations

import re

from harvester.model import Contributor
from harvester.normalize.functions import functions
from harvester.normalize.names import split_name

_DATES = re.compile(r",\s*((?:1[0-9]|20)[0-9]{2}\s?-\s?(?:(?:1[0-9]|20)[0-9]{2})?)\.?$")  # "$aKeene, Dennis, 1934-"


@functions.register("titles_apart")
def titles_apart(contributor: Contributor) -> Contributor:
    """A person's name without honorifics and degrees (to `titles`) and years (to `dates`); nothing is inverted.

    >>> person = titles_apart(Contributor("Prof. Dr. H. M. Quraish Shihab, M.A."))
    >>> person.name, person.titles
    ('M. Quraish Shihab', 'Prof. Dr. H., M.A.')
    >>> titles_apart(Contributor("Soekarno")).name, titles_apart(Contributor("Fisher, M.A.")).name
    ('Soekarno', 'Fisher, M.A.')
    >>> titles_apart(Contributor("Keene, Dennis, 1934-")).dates
    '1934-'
    """
    if contributor.kind != "person":
        return contributor
    name, dates = contributor.name, contributor.dates
    if not dates and (found := _DATES.search(name)):
        name, dates = name[: found.start()], found[1]
    name, titles = split_name(name)
    titles = ", ".join(text for text in (contributor.titles, titles) if text)
    return Contributor(name, "person", contributor.role, dates, titles, contributor.main, contributor.original)
