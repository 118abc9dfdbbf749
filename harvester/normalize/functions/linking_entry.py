"""linking_entry."""

from __future__ import annotations

from harvester import identifiers
from harvester.model import Relation
from harvester.normalize.field import Field
from harvester.normalize.functions import functions
from harvester.normalize.functions.trim import trim


@functions.register("linking_entry")
def linking_entry(field: Field, relation: str, numbers: str = "w") -> Relation | None:
    """The record that a linking field of MARC 21 (76X-78X) names; its control numbers stand in subfields *numbers*.

    A field that tells neither title nor number is nothing: its note says where something is to be had.

    >>> linking_entry(Field.of("775", "08", "$iBraille:$tLaskar pelangi$w(ID-JaBUK)B7"), "other_edition").control_number
    '(ID-JaBUK)B7'
    >>> linking_entry(Field.of("786", "0 ", "$nAvailable via the agency's site"), "data_source") is None
    True
    """
    title = trim(field.first("t")) or trim(field.first("a"))
    part = trim(" ".join(field.all("gq")))
    found = [one for text in field.texts("x") for one in identifiers.issns(text)]
    found += [one for text in field.texts("z") for one in identifiers.isbns(text)]
    control = [one for code in numbers for one in field.texts(code)]
    if not (title or part or found or control):
        return None
    different = tuple(dict.fromkeys(found))
    return Relation(relation, title, different, part, control[0] if control else "", tuple(control[1:]))
