"""keyword."""

from __future__ import annotations

import re

from harvester.model import Subject
from harvester.normalize.functions import functions

_NUMBER = re.compile(r"(?:DDC\s*)?[0-9]{3}(?:\.[0-9]+)?(?:\s+\w{1,3})*|2X[0-9](?:\.[0-9]+)?|https?:\S+", re.IGNORECASE)


@functions.register("keyword")
def keyword(value: str, kind: str = "topic", scheme: str = "") -> Subject | None:
    """A subject term of free text; a class number or an address is none.

    >>> keyword("Tasawuf."), keyword("297.5")
    (Subject(term='Tasawuf', kind='topic', scheme=''), None)
    """
    term = " ".join(value.split()).strip(" ;,.")
    if not term or _NUMBER.fullmatch(term) or not any(c.isalpha() for c in term):
        return None
    return Subject(term, kind, scheme)
