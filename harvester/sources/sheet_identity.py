"""Which rows are the same record tonight and tomorrow: id, inventory number, ISBN, else title, author and year.

The order of the rows never matters, so that a sorted sheet changes nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from harvester.identifiers import isbns
from harvester.model import HarvestedRecord
from harvester.sources.sheet_layout import Layout
from harvester.sources.sheet_messages import flag
from harvester.text import fold

MAX_IDENTIFIER = 120
_KEY_COLUMNS = ("title", "subtitle", "volume", "grade", "author", "year", "edition")

Cells = Mapping[str, tuple[str, ...]]


class Entry(NamedTuple):
    """One read row: its cells, where it stands, its flags, the identities it could have, best first."""

    cells: Cells
    place: str
    flags: tuple[str, ...]
    candidates: tuple[str, ...]

    @property
    def title(self) -> str:
        return fold(" ".join(self.cells.get("title", ())))


def candidates(cells: Cells, layout: Layout) -> tuple[str, ...]:
    """The identities of a row, best first; the last one is always there."""
    found = []
    for name, prefix in (("id", "id"), ("inventory", "inv")):
        values = cells.get(name, ())
        if values and not layout.join:
            found.append(_bounded(prefix, _number(values[0])))
    valid = [one.value for text in cells.get("isbn", ()) for one in isbns(text) if one.status == "valid"]
    if valid and not layout.join:
        found.append(f"isbn:{valid[0]}")
    columns = layout.join or _KEY_COLUMNS
    key = "|".join(fold(" ".join(cells.get(column, ())[:1])) for column in columns)
    found.append(f"key:{hashlib.sha256(key.encode()).hexdigest()[:20]}")
    return tuple(found)


def _number(text: str) -> str:
    """*text* as a number's name: 0012 and 12 are the same, for a spreadsheet drops zeros at will."""
    text = re.sub(r"\s+", " ", text.strip())
    return text.lstrip("0") or "0" if text.isascii() and text.isdigit() else text


def _bounded(prefix: str, text: str) -> str:
    if len(text) <= MAX_IDENTIFIER and text.isprintable():
        return f"{prefix}:{text}"
    return f"{prefix}:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:20]}"


def records(entries: list[Entry], layout: Layout) -> list[HarvestedRecord]:
    """The records that *entries* make, in the order of their first rows."""
    titles: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        for candidate in entry.candidates:
            titles[candidate].add(entry.title)
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        name, flags = _identity(entry, titles, layout)
        groups.setdefault(name, []).append(entry._replace(flags=entry.flags + flags))
    return [_record(name, group, layout) for name, group in groups.items()]


def _identity(entry: Entry, titles: Mapping[str, set[str]], layout: Layout) -> tuple[str, tuple[str, ...]]:
    """The best identity that is not also another book's."""
    flags: tuple[str, ...] = ()
    for candidate in entry.candidates:
        shared = len(titles[candidate]) > 1
        if not shared or candidate.startswith("key:") or (candidate.startswith("id:") and layout.row == "copy"):
            return candidate, flags
        flags += (flag("shared-number", entry.place, candidate.partition(":")[2]),)
    raise AssertionError("the last candidate is always a key")


def _record(name: str, group: list[Entry], layout: Layout) -> HarvestedRecord:
    cells = dict(group[0].cells) if len(group) == 1 else _joined(name, group)
    if len(group) == 1 and layout.join:
        cells.setdefault("copies", ("1",))
    flags = [f"place:{entry.place}" for entry in group[:50]]
    flags += [flag("joined", entry.place) for entry in group[1:50]]
    flags += [text for entry in group for text in entry.flags][:200]
    payload = msgspec.json.encode({"cells": cells}, order="deterministic")
    return HarvestedRecord(identifier=name, format="row", payload=payload, flags=tuple(flags))


def _joined(name: str, group: Iterable[Entry]) -> dict[str, tuple[str, ...]]:
    """The cells of several rows: every value once, in an order that does not depend on that of the rows."""
    values: dict[str, set[str]] = defaultdict(set)
    copies = []
    for entry in group:
        for column, found in entry.cells.items():
            values[column].update(found)
        counted = entry.cells.get("copies", ("1",))[0]
        copies.append(int(counted) if counted.isascii() and counted.isdigit() else 1)
    joined = {column: tuple(sorted(found)) for column, found in values.items()}
    if name.startswith("inv:"):
        joined["copies"] = (str(max(copies)),)
    else:
        joined["copies"] = (str(max(sum(copies), len(joined.get("inventory", ())))),)
    return joined
