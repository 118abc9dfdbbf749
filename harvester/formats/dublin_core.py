"""Dublin Core, simple and qualified: the bytes of one record → its elements in order, by local names.

Nothing is dropped: elements that Dublin Core does not know (SLiMS' dc:identifier_isbn, its unprefixed image) are kept
for the mapping to decide.
"""

from __future__ import annotations

from typing import Any

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.characters import clean, flags_of
from harvester.formats.xml_safe import local, parse_mended, text_of
from harvester.model import XmlElement, XmlRecord

MAX_ELEMENTS = 20_000


@formats.register("oai_dc")
def parse(payload: bytes) -> XmlRecord:
    """The light form of one Dublin Core record; envelopes around it do not matter.

    Raises:
        RecordError: broken XML (stage decode); no element at all, or too many (stage parse).
    """
    root, flags = parse_mended(payload)
    done = dict.fromkeys(flags)
    elements: list[XmlElement] = []
    _collect(_container(root), elements, done)
    if not elements:
        raise RecordError("The record is empty: it has no Dublin Core element.", reason="empty")
    return XmlRecord(tuple(elements), tuple(done))


def _container(root: Any) -> Any:
    """The element that holds the metadata elements: below envelopes with a single child (metadata, oai_dc:dc)."""
    children = list(root)
    body = [child for child in children if local(child.tag) == "metadata"]
    if body and len(body[0]):
        return _container(body[0])
    if len(children) == 1 and len(children[0]) and local(children[0].tag) in ("dc", "qualifieddc", "qdc", "metadata"):
        return _container(children[0])
    return root


def _collect(container: Any, elements: list[XmlElement], flags: dict[str, None]) -> None:
    for child in container:
        # An element with children and no text of its own is a group; with text, it holds mark-up such as <i>.
        if len(child) and not (child.text or "").strip():
            _collect(child, elements, flags)
            continue
        if len(elements) >= MAX_ELEMENTS:
            raise RecordError(f"The record has more than {MAX_ELEMENTS:,} elements.", reason="bounds")
        elements.append(_element(child, flags))


def _element(child: Any, flags: dict[str, None]) -> XmlElement:
    name = local(child.tag)
    text = text_of(child).strip()
    if not text.isascii():
        received = text
        text, repairs = clean(received)
        flags.update(dict.fromkeys(flags_of(repairs, name, received, text)))
    attributes = tuple((local(key), value) for key, value in child.attrib.items())
    return XmlElement(name, text, attributes, child.prefix or "")
