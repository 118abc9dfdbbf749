"""What a partner sends that no rule reads: the raw material of `induk mapping coverage`."""

from __future__ import annotations

from harvester.model import MarcRecord, XmlRecord
from harvester.normalize.mapping import Mapping
from harvester.normalize.views import Record

SAMPLE = 80  # characters of a sample


def unread(record: Record, mapping: Mapping) -> list[tuple[str, str]]:
    """(tag, element or column, sample) of every field of *record* that no rule of *mapping* looks at, in order."""
    if isinstance(record, MarcRecord):
        pairs = [(tag, body.replace("\x1f", "$")) for tag, body in record.fields]
    elif isinstance(record, XmlRecord):
        pairs = [(element.name, element.text) for element in record.elements]
    else:
        pairs = [(name, cell) for name, cells in record.cells for cell in cells]
    return [(name, text[:SAMPLE]) for name, text in pairs if text.strip() and not _is_read(name, mapping)]


def _is_read(name: str, mapping: Mapping) -> bool:
    if mapping.format_family == "row":
        return name.casefold().strip() in mapping.keys
    if mapping.format_family == "mods":
        # A rule on an element reads what stands below it, too.
        steps = name.split("/")
        return any("/".join(steps[: end + 1]) in mapping.keys for end in range(len(steps)))
    return name in mapping.keys
