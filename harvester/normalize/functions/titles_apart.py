"""titles_apart."""

from __future__ import annotations

from harvester.model import Contributor
from harvester.normalize.functions import functions
from harvester.normalize.names import split_name


@functions.register("titles_apart")
def titles_apart(contributor: Contributor) -> Contributor:
    """A person's name without honorifics and degrees, which go to `titles`; nothing is inverted.

    >>> titles_apart(Contributor("Prof. Dr. H. M. Quraish Shihab, M.A."))
    Contributor(name='M. Quraish Shihab', kind='person', role='creator', dates='', titles='Prof. Dr. H., M.A.', main=False, original='')
    >>> titles_apart(Contributor("Soekarno")).name, titles_apart(Contributor("Fisher, M.A.")).name
    ('Soekarno', 'Fisher, M.A.')
    """
    if contributor.kind != "person":
        return contributor
    name, titles = split_name(contributor.name)
    if titles:
        titles = f"{contributor.titles}, {titles}" if contributor.titles else titles
    else:
        titles = contributor.titles
    return Contributor(
        name, "person", contributor.role, contributor.dates, titles, contributor.main, contributor.original
    )
