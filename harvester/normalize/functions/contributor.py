"""contributor."""

from __future__ import annotations

import re

from harvester.model import Contributor
from harvester.normalize.functions import functions
from harvester.normalize.functions.local_numbers import PATTERN
from harvester.normalize.names import is_body, split_name
from harvester.normalize.tables import Table

_DATES = re.compile(r",?\s*\(?((?:1[0-9]{3}|20[0-9]{2})\??\s?-\s?(?:1[0-9]{3}|20[0-9]{2})?\??)\)?\.?$")
_ROLE = re.compile(r"\s*[(\[]([^()\[\]]{3,60})[)\]]\s*$|\s+[-–]\s+([a-z ]{5,30})$|^([^\W\d_]+(?: [^\W\d_]+)?)\s*:\s+")


@functions.register("contributor")
def contributor(value: str, roles: Table, role: str = "creator") -> Contributor | None:
    """A contributor of one text: its role from brackets or a label, dates and titles apart, bodies told by their words.

    >>> roles = Table({"pembimbing": "advisor"})
    >>> contributor("Prof. Dr. Sri Hartati, M.Hum. (Pembimbing)", roles).role
    'advisor'
    >>> contributor("Hirata, Andrea, 1967-", roles).dates, contributor("Universitas Gadjah Mada", roles).kind
    ('1967-', 'body')
    """
    text = (
        " ".join(PATTERN.sub(" ", value).split()).strip(" ;,/()-") if "NI" in value.upper() else " ".join(value.split())
    )
    text = text.strip(" ;,/")
    if match := _ROLE.search(text):
        found = roles.find(next(group for group in match.groups() if group))
        if found is not None:
            role = found
            text = (text[: match.start()] + text[match.end() :]).strip(" ;,/")
    dates = ""
    if match := _DATES.search(text):
        dates, text = match[1].replace(" ", ""), text[: match.start()].strip(" ;,/")
    if not any(c.isalpha() for c in text):
        return None
    if is_body(text):
        return Contributor(text, "body", role, dates)
    name, titles = split_name(text)
    return Contributor(name, "person", role, dates, titles)
