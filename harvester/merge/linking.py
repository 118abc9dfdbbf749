"""Which record a linking field of MARC 21 (76X-78X) names: what is asked for by its control number.

A number in $w stands alone, or behind the code of the organization whose control number it is: `(ID-YoUGM)B7731`.
OCLC's and the Library of Congress' numbers are looked for among the identifiers of all records, those of the record's
own source (its 003, or what its library is called) among the control numbers there, those of another library among
its own. Any other organization's are those that a 035 repeats.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from harvester import identifiers
from harvester.model import NormalizedRecord, Partner

_PREFIXED = re.compile(r"\(([^()]+)\)\s*(\S.*)", re.DOTALL)
_GLOBAL = {"ocolc": ("oclc", identifiers.oclc), "dlc": ("lccn", identifiers.lccn)}

MOST = 200  # characters of a control number
Codes = Mapping[str, tuple[str, str]]  # folded code of an organization → (kind, scope) of its numbers


class Asked(NamedTuple):
    """A control number as it is written, and what it asks for.

    kind: `source` (scope is its code), `partner` (likewise), else the kind of an identifier: oclc, lccn, local.
    """

    number: str
    kind: str
    scope: str
    value: str


def usable(number: str) -> str:
    """*number*, or "" where it is too long to be one."""
    return number if len(number) <= MOST else ""


def numbers_of(record: NormalizedRecord) -> tuple[str, ...]:
    """By what others may name *record*: its control number, and another one that its library says of it."""
    found = (record.control_number, *(value for name, value in record.local if name == "control_number"))
    return tuple(dict.fromkeys(one for one in found if usable(one)))


def codes_of(partners: Iterable[Partner]) -> Codes:
    """Whose numbers stand behind which code: a library's ISIL and national number, the code of a source."""
    known = list(partners)
    found = {code.casefold(): ("partner", one.code) for one in known for code in (one.npp, one.isil) if code}
    return found | {source.code: ("source", source.code) for one in known for source in one.sources}


def asked(record: NormalizedRecord, source: str, partner: str, codes: Codes) -> tuple[Asked, ...]:
    """What the relations of *record* ask for, each number once; *partner* is the library to which *source* belongs."""
    numbers = dict.fromkeys(number for one in record.relations for number in one.numbers if usable(number))
    own = {"", record.control_agency.strip().casefold()}
    return tuple(_asked(number, source, partner, own, codes) for number in numbers)


def _asked(number: str, source: str, partner: str, own: set[str], codes: Codes) -> Asked:
    found = _PREFIXED.fullmatch(number)
    organization, value = (found[1].strip(), found[2].strip()) if found else ("", number)
    code = organization.casefold()
    if code in _GLOBAL:
        kind, read = _GLOBAL[code]
        made = read(value)
        return Asked(number, kind, "", made.value if made else value)
    kind, scope = codes.get(code, ("", ""))
    if code in own or (kind, scope) == ("partner", partner):
        return Asked(number, "source", source, value)
    if kind:
        return Asked(number, kind, scope, value)
    return Asked(number, "local", "", f"({organization}){value}")
