"""web_address."""

from __future__ import annotations

from harvester.model import Link
from harvester.normalize.functions import functions
from harvester.normalize.functions.link import http_address


@functions.register("web_address")
def web_address(value: str, label: str = "", access: str = "unknown") -> Link | None:
    """The text as a link when it is an http or https address.

    >>> web_address("https://example.org/1.pdf"), web_address("ftp://example.org"), web_address("javascript:alert(1)")
    (Link(url='https://example.org/1.pdf', label='', access='unknown'), None, None)
    """
    address = http_address(value)
    return Link(address, label, access) if address else None
