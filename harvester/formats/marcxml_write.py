"""The light MARC record → MARCXML (MARC21slim), one record element or a collection, in UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape, quoteattr

from harvester.formats.characters import ILLEGAL
from harvester.formats.light import indicators, is_control, normal_leader, subfields
from harvester.model import MarcRecord

NAMESPACE = "http://www.loc.gov/MARC21/slim"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="{NAMESPACE}">\n'
TAIL = "</collection>\n"


def write(record: MarcRecord, *, namespace: bool = True) -> str:
    """*record* as one record element; without its own *namespace* when it stands in a collection."""
    name = f' xmlns="{NAMESPACE}"' if namespace else ""
    lines = [f"<record{name}>", f"<leader>{_text(normal_leader(record.leader))}</leader>"]
    for tag, body in record.fields:
        if is_control(tag):
            lines.append(f"<controlfield tag={quoteattr(_legal(tag))}>{_text(body)}</controlfield>")
            continue
        pair = [quoteattr(_legal(mark) or " ") for mark in indicators(body)]
        lines.append(f"<datafield tag={quoteattr(_legal(tag))} ind1={pair[0]} ind2={pair[1]}>")
        for code, text in subfields(body):
            lines.append(f"<subfield code={quoteattr(_legal(code))}>{_text(text)}</subfield>")
        lines.append("</datafield>")
    return "\n".join([*lines, "</record>"])


def collection(records: Iterable[MarcRecord]) -> Iterator[str]:
    """The parts of a collection document, one record at a time."""
    yield HEAD
    for record in records:
        yield write(record, namespace=False) + "\n"
    yield TAIL


def _text(text: str) -> str:
    return escape(_legal(text))


def _legal(text: str) -> str:
    return ILLEGAL.sub("", text).replace("\x1f", "")
