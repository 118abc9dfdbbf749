"""link."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import urlsplit

from harvester.model import Link
from harvester.normalize.field import Field
from harvester.normalize.functions import functions

_SHAPE = re.compile(r"https?://[^\s<>\"'`{}|\\^]+", re.IGNORECASE)
_PLAIN = re.compile(r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(?:[/?#]|$)")  # a host, no user name, no port: no need to ask
_LICENSED = ("proxy", "login", "subscri", "langganan", "khusus anggota", "authorized", "restricted")


def http_address(text: str) -> str:
    """The http(s) address in *text*, or "": no other scheme, no user name, at most 2,000 characters."""
    match = _SHAPE.match(text.strip())
    if match is None or len(match.group()) > 2000:
        return ""
    address = match.group().rstrip(".,;)")
    if _PLAIN.match(address):
        return address
    try:
        parts = urlsplit(address)
        known = bool(parts.hostname) and parts.username is None and (parts.port or 80) > 0
    except ValueError:
        return ""
    return address if known else ""


@functions.register("link")
def link(field: Field) -> list[Link]:
    """The web addresses of a field 856 ($u) with label ($3, $y, $z) and access; other schemes are left out.

    >>> link(Field.of("856", "40", "$uhttps://etd.example.ac.id/1$yTeks penuh"))
    [Link(url='https://etd.example.ac.id/1', label='Teks penuh', access='unknown')]
    >>> link(Field.of("856", "40", "$ujavascript:alert(1)"))
    []
    """
    addresses = [address for text in field.texts("u") if (address := http_address(text))]
    if not addresses:
        return []
    if field.shape == "u" and len(addresses) == 1 and not _says_licensed(addresses[0].lower()):
        return [Link(addresses[0])]
    label, note, code = field.first("3"), field.first("z"), field.first("7")
    label = label or field.first("y") or note
    access: Literal["open", "licensed", "unknown"] = "unknown"
    if code == "0":
        access = "open"
    elif code == "1" or _says_licensed(f"{addresses[0]} {note}".lower()):
        access = "licensed"
    return [Link(address, label.rstrip(" :."), access) for address in addresses]


def _says_licensed(low: str) -> bool:
    for word in _LICENSED:  # noqa: SIM110 - a loop takes half the time of any()
        if word in low:
            return True
    return False
