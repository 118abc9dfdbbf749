"""journal_source."""

from __future__ import annotations

import re

from harvester import identifiers
from harvester.model import Identifier, Relation
from harvester.normalize.functions import functions

_SHAPE = re.compile(r"(?P<title>[^;]+?)\s*;\s*(?P<part>.*(?:vol|no|edisi|tahun|[0-9]{4}).*)", re.IGNORECASE)


@functions.register("journal_source")
def journal_source(values: list[str]) -> Relation | None:
    """The journal of an OJS article out of its dc:source texts: title, volume and pages, and ISSN.

    >>> host = journal_source(["Jurnal Kedokteran; Vol 1 No 2 (2020): Juni; 12-30", "1234-5679"])
    >>> host.title, host.part, host.identifiers[0].value
    ('Jurnal Kedokteran', 'Vol 1 No 2 (2020): Juni; 12-30', '1234-5679')
    """
    title, part = "", ""
    numbers: list[Identifier] = []
    for value in values:
        text = " ".join(value.split())
        found = identifiers.issns(text) if len(text) < 30 else ()
        if found:
            numbers += [one for one in found if one.status == "valid"]
        elif not title:
            match = _SHAPE.fullmatch(text)
            title, part = (match["title"], match["part"]) if match else (text, "")
    made = Relation("host", title, tuple(dict.fromkeys(numbers)), part)
    return made if made != Relation("host") else None
