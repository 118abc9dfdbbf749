"""The view of one record: its fields by tag, element or column, only those that the mapping asks for."""

from __future__ import annotations

from harvester.formats.light import LightMarc
from harvester.formats.mods import ModsRecord, Node
from harvester.model import MarcRecord, RowRecord, XmlRecord

Record = MarcRecord | XmlRecord | RowRecord
View = dict[str, list[list[str]]]
Attributes = tuple[tuple[str, str], ...]
UNIT = "\x1f"
ORIGINAL = "\x1e"  # no subfield code; stands before the code of a subfield in the original script (880)


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
    whole = record if isinstance(record, LightMarc) else LightMarc(record.leader, record.fields, record.flags)
    found: View = {"LDR": [[record.leader]]}
    for tag, fields in whole.split().items():
        if tag in wanted:
            found[tag] = fields
    if "880" in found:
        found = {tag: [list(field) for field in fields] for tag, fields in found.items()}
        _link_originals(found)
    return found


def _link_originals(found: View) -> None:
    """Add to each field the subfields of the 880 that its $6 links, marked by ORIGINAL in front of their codes."""
    originals: dict[str, list[str]] = {}
    for field in found["880"]:
        link = _linkage(field)
        if link[4:6] not in ("", "00"):
            originals.setdefault(link[:6], [ORIGINAL + part for part in field[1:] if part[:1] not in "68"])
    for tag, fields in found.items():
        for field in fields if originals and tag not in ("880", "LDR") and tag >= "010" else ():
            link = _linkage(field)
            if link.startswith("880-"):
                field += originals.get(f"{tag}-{link[4:6]}", ())


def _linkage(field: list[str]) -> str:
    """The text of $6, which stands first when there is one."""
    return next((part[1:].strip() for part in field[1:3] if part[:1] == "6"), "")
