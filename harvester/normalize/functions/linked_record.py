"""linked_record."""

from __future__ import annotations

from harvester import identifiers
from harvester.formats.unimarc import embedded
from harvester.model import Relation
from harvester.normalize.field import Field
from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim


@functions.register("linked_record")
def linked_record(field: Field, relation: str) -> Relation | None:
    """The record that a linking field names, by subfields ($t, $x, $0) or by embedded fields ($1) of UNIMARC.

    >>> linked_record(Field.of("461", " 1", "$1001012345$12001 $aKompas"), "host").title
    'Kompas'
    >>> linked_record(Field.of("461", " 0", "$tKompas$x0215-207X$v12"), "host").part
    '12'
    """
    title, part, control = trim(field.first("t")), field.first("v"), field.first("0") or field.first("3")
    numbers = [one for text in field.texts("x") for one in identifiers.issns(text)]
    numbers += [one for text in field.texts("y") for one in identifiers.isbns(text)]
    for tag, body in embedded("\x1f".join(field.parts)):
        inner = Field(tag, body.split("\x1f"))
        if tag == "001":
            control = body.strip()
        elif tag == "200":
            title, part = trim(inner.first("a")) or title, inner.first("v") or inner.first("h") or part
        elif tag == "011":
            numbers += [one for text in inner.texts("a") for one in identifiers.issns(text)]
        elif tag == "010":
            numbers += [one for text in inner.texts("a") for one in identifiers.isbns(text)]
    made = Relation(relation, title, tuple(dict.fromkeys(numbers)), part, control)
    return made if made != Relation(relation) else None
