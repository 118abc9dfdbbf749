"""A union record as unqualified Dublin Core (oai_dc)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from harvester.formats.characters import ILLEGAL
from harvester.model import NormalizedRecord

OAI_DC = "http://www.openarchives.org/OAI/2.0/oai_dc/"
SCHEMA = "http://www.openarchives.org/OAI/2.0/oai_dc.xsd"
_HEAD = (
    f'<oai_dc:dc xmlns:oai_dc="{OAI_DC}" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="{OAI_DC} {SCHEMA}">'
)
_CREATORS = frozenset(("creator", "author", "composer", "compiler"))


def write(record: NormalizedRecord) -> str:
    """*record* as one oai_dc:dc element, with its namespaces."""
    elements = "".join(
        f"<dc:{name}>{escape(ILLEGAL.sub('', text))}</dc:{name}>" for name, text in elements_of(record) if text.strip()
    )
    return f"{_HEAD}{elements}</oai_dc:dc>"


def elements_of(record: NormalizedRecord) -> Iterator[tuple[str, str]]:
    """(element, text) in the usual order; empty texts among them."""
    title = record.title
    yield "title", title.whole
    yield "title", title.original
    for variant in record.variant_titles:
        yield "title", variant
    for person in record.contributors:
        yield "creator" if person.main or person.role in _CREATORS else "contributor", person.name
    for subject in record.subjects:
        yield "coverage" if subject.kind in ("place", "period") else "subject", subject.term
    for one in record.classifications:
        yield "subject", one.value
    yield "description", record.abstract
    yield from _publication(record)
    for identifier in record.identifiers:
        if identifier.status == "valid":
            yield "identifier", f"{identifier.kind.upper()}:{identifier.value}"
    for link in record.links:
        yield "identifier", link.url
    for code in record.languages:
        yield "language", code
    for relation in record.relations:
        yield "relation", relation.title


def _publication(record: NormalizedRecord) -> Iterator[tuple[str, str]]:
    for one in record.publications:
        yield "publisher", one.publisher
    yield "date", "" if record.dates.year_from is None else f"{record.dates.year_from:04d}"
    yield "type", record.material
    yield "format", record.extent.text
