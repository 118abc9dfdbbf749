"""note."""

from __future__ import annotations

from harvester.model import Note
from harvester.normalize.functions import functions


@functions.register("note")
def note(value: str, kind: str = "general") -> Note | None:
    """The text as a note of the *kind* given.

    >>> note("Termasuk bibliografi dan indeks.", "bibliography")
    Note(kind='bibliography', text='Termasuk bibliografi dan indeks.')
    """
    text = " ".join(value.split())
    return Note(kind, text) if text else None
