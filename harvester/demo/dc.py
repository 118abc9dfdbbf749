"""A small writer of oai_dc for the sample's records."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from harvester.demo import wording
from harvester.demo.holdings import Copy

OPEN = (
    '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
    'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    'xsi:schemaLocation="http://www.openarchives.org/OAI/2.0/oai_dc/ http://www.openarchives.org/OAI/2.0/oai_dc.xsd">'
)


def write(elements: list[tuple[str, str | None]]) -> bytes:
    """The elements as oai_dc, empty ones left out; a name with a colon is written as it stands, others under dc:."""
    lines = [OPEN]
    for name, text in elements:
        if text:
            tag = name.removeprefix(":") if ":" in name else f"dc:{name}"
            lines.append(f"<{tag}>{escape(text)}</{tag}>")
    return ("\n".join(lines) + "</oai_dc:dc>").encode()


def simple(copy: Copy, constants: Sequence[tuple[str, str]] = (("type", "text"),)) -> bytes:
    """The poor Dublin Core that systems with MARC records give beside them; *constants* stand on every record."""
    this = copy.of
    return write(
        [
            ("title", wording.isbd(this)),
            *(("creator", wording.heading(name)) for name in this.author),
            ("publisher", this.publisher),
            ("date", str(copy.year) if copy.year else None),
            *constants,
            ("language", this.language),
            ("identifier", f"URN:ISBN:{this.isbn}" if this.isbn else None),
        ]
    )
