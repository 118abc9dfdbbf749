"""Web addresses: their queries, where they lead, and whether two are the same host. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

from harvester.errors import ConfigError

_PORTS = {"http": 80, "https": 443}

Arguments = Sequence[tuple[str, str]]
Origin = tuple[str, str, int]


def with_query(url: str, arguments: Arguments) -> str:
    """*url* with *arguments* behind the query that it has."""
    if not arguments:
        return url
    parts = urlsplit(url)
    query = "&".join(part for part in (parts.query, encoded(arguments)) if part)
    return urlunsplit(parts._replace(query=query, fragment=""))


def encoded(arguments: Arguments) -> str:
    """*arguments* percent-encoded; blanks as %20, which every server reads alike."""
    return urlencode(arguments, quote_via=quote, safe="")


def origin(url: str, place: str) -> Origin:
    """Scheme, host and port of *url*.

    Raises:
        ConfigError: it is no http(s) address.
    """
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    except ValueError:
        scheme, host, port = "", "", None
    if scheme not in _PORTS or not host:
        hint = "" if "://" in url else "a folder or a file needs protocol files (`--protocol files`)"
        raise ConfigError("the address of the source is no http or https address", place=place, hint=hint)
    return scheme, host, port or _PORTS[scheme]


def same_host(old: Origin, new: Origin) -> bool:
    """True for the same host and port, or the step from http to https on the standard ports."""
    return old[1] == new[1] and (old[2] == new[2] or (old[2], new[2]) == (80, 443))


def is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
