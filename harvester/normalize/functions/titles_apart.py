"""titles_apart."""

from __future__ import annotations

from harvester.model import Contributor
from harvester.normalize.functions import functions
from harvester.normalize.names import split_name


@functions.register("titles_apart")
def titles_apart(contributor: Contributor) -> Contributor:
    """A person's name without honorifics and degrees, which go to `titles`; nothing is inverted.

    >>> person = titles_apart(Contributor("Prof. Dr. H. M. Quraish Shihab, M.A."))
    >>> person.name, person.titles
    ('M. Quraish Shihab', 'Prof. Dr. H., M.A.')
    >>> titles_apart(Contributor("Soekarno")).name, titles_apart(Contributor("Fisher, M.A.")).name
    ('Soekarno', 'Fisher, M.A.')
    """
    if contributor.kind != "person":
        return contributor
    name, titles = split_name(contributor.name)
    titles = ", ".join(text for text in (contributor.titles, titles) if text)
    return Contributor(
        name, "person", contributor.role, contributor.dates, titles, contributor.main, contributor.original
    )
