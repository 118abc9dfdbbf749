"""system_number."""

from __future__ import annotations

import re
from typing import Literal

from harvester import identifiers
from harvester.model import Identifier
from harvester.normalize.functions import functions

_PREFIX = re.compile(r"\(([^()]{1,30})\)\s*(\S.*)")


@functions.register("system_number")
def system_number(value: str, status: Literal["valid", "cancelled"] = "valid") -> Identifier | None:
    """A number of 035: OCLC's as oclc, any other with its agency as local; one without agency is nothing.

    >>> system_number("(OCoLC)ocm00012345").value, system_number("ocm00012345").kind
    ('12345', 'oclc')
    >>> system_number("(DE-599)BVB014"), system_number("12345")
    (Identifier(kind='local', value='(DE-599)BVB014', qualifier='', status='valid'), None)
    """
    match = _PREFIX.match(value)
    if match is None:
        return identifiers.oclc(value, status) if value[:2].lower() in ("oc", "on") else None
    agency, number = match.groups()
    if agency.casefold() == "ocolc":
        return identifiers.oclc(number, status) or Identifier("oclc", number.strip(), "", "invalid")
    return Identifier("local", f"({agency}){number.strip()}", "", status)
