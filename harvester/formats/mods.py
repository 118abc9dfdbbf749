"""MODS: the bytes of one record → a bounded tree of named tuples, and the same as flat elements with their paths.

The path of an element is what a mapping asks for: `titleInfo/title`, `relatedItem/titleInfo/title`. Its attributes are
its own and those of the elements around it, the nearest first, so that `titleInfo/title[@type=uniform]` can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.characters import clean, flags_of
from harvester.formats.xml_safe import local, parse_mended
from harvester.model import XmlElement, XmlRecord

MAX_ELEMENTS = 20_000
_STEP = re.compile(r"(?P<name>\*|[A-Za-z_][\w.-]*)(?P<tests>(?:\[[^\[\]]*\])*)")
_TEST = re.compile(r"\[(?P<no>not\()?@(?P<name>[\w:.-]+)\)?(?:\s*=\s*(?P<quote>['\"])(?P<value>.*?)(?P=quote))?\]")


class Node(NamedTuple):
    """One element: local name, own text, attributes by local name, child elements in order."""

    name: str
    text: str = ""
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Node, ...] = ()

    def get(self, name: str) -> str | None:
        """The value of attribute *name*; None when absent."""
        return dict(self.attributes).get(name)


class ModsRecord(XmlRecord, frozen=True):
    """The light form of MODS: flat `elements` named by their paths, and the whole `tree`."""

    tree: Node = Node("mods")

    def nodes(self, path: str) -> list[Node]:
        """The nodes at *path*, in record order: steps of local names or *, with tests [@a], [not(@a)], [@a='v'].

        Raises:
            ValueError: no such path.
        """
        found = [self.tree]
        for step in _steps(path):
            found = [child for node in found for child in node.children if _matches(child, step)]
        return found

    def values(self, path: str) -> list[str]:
        """The texts at *path*; a last step `@name` gives the attribute's values."""
        head, slash, last = path.rpartition("/")
        if last.startswith("@"):
            values = [node.get(last[1:]) for node in (self.nodes(head) if slash else [self.tree])]
            return [value for value in values if value is not None]
        return [node.text for node in self.nodes(path)]


@formats.register("mods")
def parse(payload: bytes) -> ModsRecord:
    """The light form of one MODS record; an envelope around it does not matter.

    Raises:
        RecordError: broken XML (stage decode); no mods element, several, or too large (stage parse).
    """
    root, flags = parse_mended(payload)
    # Within a record, in an extension, stand the records that it was merged from.
    records = [each for each in root.iter() if local(each.tag) == "mods" and not _within_mods(each)]
    if len(records) != 1:
        raise RecordError(f"{len(records)} MODS records came where one was expected.", reason="no-record")
    if sum(1 for _ in records[0].iter()) > MAX_ELEMENTS:
        raise RecordError(f"The record has more than {MAX_ELEMENTS:,} elements.", reason="bounds")
    done = dict.fromkeys(flags)
    tree = _node(records[0], done)
    elements = tuple(_flat(tree, (), ()))
    if not elements:
        raise RecordError("The record is empty: it has no MODS element.", reason="empty")
    return ModsRecord(elements, tuple(done), tree)


def _within_mods(element: Any) -> bool:
    return any(local(around.tag) == "mods" for around in element.iterancestors())


def _node(element: Any, flags: dict[str, None]) -> Node:
    name = local(element.tag)
    # Text after a child belongs to mark-up in the middle of a sentence; it is kept with its parent.
    text = ((element.text or "") + "".join(child.tail or "" for child in element)).strip()
    if not text.isascii():
        received = text
        text, repairs = clean(received)
        flags.update(dict.fromkeys(flags_of(repairs, name, received, text)))
    attributes = tuple((local(key), value) for key, value in element.attrib.items())
    return Node(name, text, attributes, tuple(_node(child, flags) for child in element))


def _flat(node: Node, path: tuple[str, ...], inherited: tuple[tuple[str, str], ...]) -> Iterator[XmlElement]:
    for child in node.children:
        own = {name for name, _ in child.attributes}
        attributes = (*child.attributes, *(pair for pair in inherited if pair[0] not in own))
        names = (*path, child.name)
        if child.text or not child.children:
            yield XmlElement("/".join(names), child.text, attributes)
        yield from _flat(child, names, attributes)


def _steps(path: str) -> list[tuple[str, tuple[tuple[str, str | None, bool], ...]]]:
    """The steps of *path*, each with its tests (attribute, wanted value or None, wanted)."""
    steps = []
    for part in re.split(r"/(?![^\[]*\])", path):
        match = _STEP.fullmatch(part)
        if not match:
            raise ValueError(f"{part!r} is no step of a MODS path; write titleInfo[@type='uniform']/title")
        tests = match["tests"]
        found = list(_TEST.finditer(tests))
        if "".join(test.group() for test in found) != tests:
            raise ValueError(f"{tests!r} is no test; write [@type], [not(@type)] or [@type='uniform']")
        steps.append((match["name"], tuple((test["name"], test["value"], not test["no"]) for test in found)))
    return steps


def _matches(node: Node, step: tuple[str, tuple[tuple[str, str | None, bool], ...]]) -> bool:
    name, tests = step
    if name not in ("*", node.name):
        return False
    for attribute, wanted, positive in tests:
        value = node.get(attribute)
        if (value is not None and (wanted is None or value == wanted)) != positive:
            return False
    return True
