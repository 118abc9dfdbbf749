"""A small writer of MARCXML for the sample's records: fields in, the bytes under <metadata> out."""

from __future__ import annotations

from xml.sax.saxutils import escape

import msgspec

MARC_NS = "http://www.loc.gov/MARC21/slim"


class Field(msgspec.Struct, frozen=True):
    """A data field; `subfields` are (code, text) pairs in order."""

    tag: str
    indicators: str
    subfields: tuple[tuple[str, str], ...]


def field(tag: str, indicators: str, *subfields: tuple[str, str | None]) -> list[Field]:
    """One data field without its empty subfields; none at all when nothing is left."""
    kept = tuple((code, text) for code, text in subfields if text)
    return [Field(tag, indicators, kept)] if kept else []


def write(leader: str, controls: list[tuple[str, str]], fields: list[Field], *, raw: bool = False) -> bytes:
    """The record as MARCXML; *raw* leaves the texts unescaped, as INLISLite does with what it stored."""
    clean = str if raw else escape
    lines = [f'<record xmlns="{MARC_NS}"><leader>{leader}</leader>']
    lines += [f'<controlfield tag="{tag}">{clean(text)}</controlfield>' for tag, text in controls]
    for one in fields:
        subfields = "".join(f'<subfield code="{code}">{clean(text)}</subfield>' for code, text in one.subfields)
        indicators = f'ind1="{one.indicators[0]}" ind2="{one.indicators[1]}"'
        lines.append(f'<datafield tag="{one.tag}" {indicators}>{subfields}</datafield>')
    return ("\n".join(lines) + "</record>").encode()
