"""standard_number."""

from __future__ import annotations

from harvester import identifiers
from harvester.model import Identifier
from harvester.normalize.field import Field
from harvester.normalize.functions import functions

_BY_INDICATOR = {"0": "isrc", "1": "upc", "2": "ismn", "3": "ean", "4": "sici"}
_BY_SOURCE = {"doi": "doi", "hdl": "handle", "uri": "uri", "urn": "urn", "isrc": "isrc", "ark": "ark", "istc": "istc"}


@functions.register("standard_number")
def standard_number(field: Field) -> list[Identifier]:
    """The number of a field 024 under the kind that its first indicator or $2 names.

    >>> standard_number(Field.of("024", "7 ", "$a10.1000/182$2doi"))[0].kind
    'doi'
    >>> standard_number(Field.of("024", "3 ", "$a9789793062792"))[0].kind
    'isbn'
    """
    found = []
    for value in field.texts("a"):
        found += _read(value, field)
    for value in field.texts("z"):
        found += [Identifier(one.kind, one.value, one.qualifier, "cancelled") for one in _read(value, field)]
    return found


def _read(value: str, field: Field) -> list[Identifier]:
    kind = _BY_INDICATOR.get(field.indicators[:1]) or _BY_SOURCE.get(field.first("2").casefold(), "local")
    if kind == "ismn":
        return list(identifiers.ismns(value))
    if kind == "ean" and value.replace("-", "").startswith(("978", "979")):
        return list(identifiers.isbns(value))
    if kind in ("doi", "handle"):
        one = identifiers.doi(value) if kind == "doi" else identifiers.handle("hdl:" + value.removeprefix("hdl:"))
        return [one] if one else []
    return [Identifier(kind, "".join(value.split()) if kind != "local" else value.strip(), field.first("q"))]
