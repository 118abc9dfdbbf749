"""The view of one record: its fields by tag, element or column, only those that the mapping asks for."""

from __future__ import annotations

from harvester.formats.mods import ModsRecord, Node
from harvester.model import MarcRecord, RowRecord, XmlRecord

Record = MarcRecord | XmlRecord | RowRecord
View = dict[str, list[list[str]]]
Attributes = tuple[tuple[str, str], ...]
UNIT = "\x1f"


def view(record: Record, wanted: frozenset[str]) -> View:
    """The fields of *record* by tag or name, only those in *wanted*, each as [indicators or "", code+text, …]."""
    if isinstance(record, MarcRecord):
        return _marc_view(record, wanted)
    found: View = {}
    if isinstance(record, ModsRecord):
        _mods_view(record.tree, "", (), wanted, found)
        return found
    if isinstance(record, XmlRecord):
        for element in record.elements:
            if element.name in wanted and (element.text or element.attributes):
                attributes = [f"@{name}={value}" for name, value in element.attributes]
                found.setdefault(element.name, []).append(["", "." + element.text, *attributes])
        return found
    for name, texts in record.cells:
        key = name.casefold().strip()
        if key in wanted:
            found.setdefault(key, []).extend(["", "." + text] for text in texts)
    return found


def _mods_view(node: Node, path: str, around: Attributes, wanted: frozenset[str], found: View) -> None:
    """Each wanted element with its text, its attributes (and those around it), and all elements below it."""
    for child in node.children:
        here = f"{path}/{child.name}" if path else child.name
        attributes = (*child.attributes, *(pair for pair in around if pair[0] not in dict(child.attributes)))
        if here in wanted:
            parts = ["", "." + child.text, *(f"@{name}={value}" for name, value in attributes)]
            _below(child, "", (), parts)
            found.setdefault(here, []).append(parts)
        _mods_view(child, here, attributes, wanted, found)


def _below(node: Node, path: str, around: Attributes, parts: list[str]) -> None:
    """Add what stands below *node* to *parts* as /path␟@name=value␟…␟text."""
    for child in node.children:
        here = f"{path}/{child.name}" if path else child.name
        attributes = (*child.attributes, *around)
        if child.text:
            parts.append(UNIT.join(["/" + here, *(f"@{name}={value}" for name, value in attributes), child.text]))
        _below(child, here, attributes, parts)


def _marc_view(record: MarcRecord, wanted: frozenset[str]) -> View:
    found: View = {"LDR": [[record.leader]]}
    for tag, body in record.fields:
        if tag in wanted:
            parts = [body] if tag < "010" else body.split("\x1f")
            several = found.get(tag)
            if several is None:
                found[tag] = [parts]
            else:
                several.append(parts)
    return found
