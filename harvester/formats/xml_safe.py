"""XML from partners, parsed strictly and within bounds; what is broken is mended with flags, or refused.

No DOCTYPE, no entities, no network, no recover mode: lxml's recovery ends a cut list as if it were complete. The
parser itself bounds the depth (256 elements) and a text (10 MB).
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any

from lxml import etree

from harvester.errors import RecordError
from harvester.formats.xml_mend import mend, to_utf8

MAX_BYTES = 16_000_000
MAX_TAGS = 2_000_000
MAX_ATTRIBUTES = 256  # of one element
MAX_TAG_BYTES = 65_536
_PROLOG = re.compile(rb"(?:\s+|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_LONG_TAG = re.compile(rb"<[^!?<>][^<>]{%d}" % MAX_TAG_BYTES)


def parse(data: bytes, max_bytes: int = MAX_BYTES) -> Any:
    """The root element of *data*.

    Raises:
        RecordError: empty, not well-formed, with a DOCTYPE, or beyond a bound (stage decode).
    """
    _bounds(data, max_bytes)
    utf8, _ = to_utf8(data)
    _prolog(utf8 if utf8 is not None else data)
    try:
        root = etree.fromstring(data, _parser())
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _refused("xml", f"This is not well-formed XML: {_first_line(error)}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _refused("doctype", _DOCTYPE)
    # Counting is quick, walking the tree is not: only a page with many attributes for its tags is looked through.
    if data.count(b"=") > 6 * data.count(b"<") + MAX_ATTRIBUTES:
        _attributes(root)
    return root


def parse_mended(data: bytes, max_bytes: int = MAX_BYTES) -> tuple[Any, tuple[str, ...]]:
    """The root element of *data*, with flags when its characters had to be mended first.

    Raises:
        RecordError: as parse; the message is that of the strict parse.
    """
    try:
        return parse(data, max_bytes), ()
    except RecordError as error:
        if error.reason != "xml":
            raise
        mended, flags = mend(data)
        if not flags:
            raise
        try:
            return parse(mended, 2 * max_bytes), flags
        except RecordError:
            raise error from None


@lru_cache(maxsize=4096)
def local(tag: Any) -> str:
    """The local name of an lxml tag or attribute name."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def text_of(element: Any) -> str:
    """The text of *element* and of all that stands in it."""
    return "".join(element.itertext()) if len(element) else element.text or ""


_DOCTYPE = "It declares a document type (DOCTYPE), which is refused because entities can be bombs."


@cache
def _parser() -> Any:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
    )


def _bounds(data: bytes, max_bytes: int) -> None:
    if not data.strip():
        raise _refused("empty", "Nothing was sent: the record is empty.")
    if len(data) > max_bytes:
        raise _refused("bounds", f"It is {len(data):,} bytes long; at most {max_bytes:,} are read.")
    if data.count(b"<") > MAX_TAGS:
        raise _refused("bounds", f"It has more than {MAX_TAGS:,} tags.")
    if _may_have_long_tag(data) and _LONG_TAG.search(data):
        raise _refused("bounds", f"A single tag is longer than {MAX_TAG_BYTES:,} bytes.")


def _may_have_long_tag(data: bytes) -> bool:
    """Whether some half of MAX_TAG_BYTES ends no tag: a longer tag has such a half, wherever it begins."""
    half = MAX_TAG_BYTES // 2
    return any(data.find(b">", at, at + half) < 0 for at in range(0, len(data) - half + 1, half))


def _prolog(data: bytes) -> None:
    """Refuse a DOCTYPE before the parser sees it; one in a text (CDATA, comment) is none."""
    match = _PROLOG.match(data.removeprefix(b"\xef\xbb\xbf"))
    rest = data.removeprefix(b"\xef\xbb\xbf")[match.end() if match else 0 :]
    if rest[:9].upper() == b"<!DOCTYPE":
        raise _refused("doctype", _DOCTYPE)


def _attributes(root: Any) -> None:
    for element in root.iter():
        if len(element.attrib) > MAX_ATTRIBUTES:
            raise _refused("bounds", f"An element has {len(element.attrib):,} attributes.")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _refused(reason: str, message: str) -> RecordError:
    return RecordError(message, reason=reason, stage="decode")
