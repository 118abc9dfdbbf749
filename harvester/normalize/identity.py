"""The identifier of a record within its source, as the mapping's identifier rule reads it."""

from __future__ import annotations

import re
from functools import lru_cache

from harvester.normalize.paths import Path, compile_path
from harvester.normalize.views import Record, view

IDENTIFIER_RULES = ("header", "header-number", "header-tail", "place")
"""Rules about what the protocol sent; every other rule is a path into the record, such as 001 or a column name."""


def record_identifier(record: Record, family: str, rule: str, sent: str) -> str:
    """The identifier of *record* by *rule*; *sent* is the identifier of the protocol's header, "" where there is none.

    header: as sent; header-number: its last number (INLISLite changes host and prefix at will); header-tail: what
    stands behind its last colon; place: file and line. Without a header, a MARC record falls back to 001.
    An empty result means that the record cannot be addressed and must be quarantined.
    """
    found = ""
    if rule == "header":
        found = sent
    elif rule == "header-number":
        numbers = re.findall(r"[0-9]+", sent)
        found = numbers[-1] if numbers else ""
    elif rule == "header-tail":
        found = sent.rpartition(":")[2]
    elif rule == "place":
        found = getattr(record, "place", "") or sent
    else:
        found = _read(record, rule, family)
    if not found and not sent and family == "marc" and rule != "001":
        found = _read(record, "001", family)
    # Control characters and outer blanks come with real 001 fields; they would make two addresses of one record.
    return " ".join("".join(c if c.isprintable() else " " for c in found).split())


def _read(record: Record, rule: str, family: str) -> str:
    path = _path(rule, family)
    return next(iter(path.read(view(record, frozenset(path.keys)))), "")


@lru_cache(maxsize=256)
def _path(rule: str, family: str) -> Path:
    return compile_path(rule, family)
