"""What a source's credentials add to a request.

Names: `username` with `password` (Basic), `bearer`, `query.NAME` (a key in the address, `apikey` is short for
`query.apikey`), `header.NAME`. Values are resolved secrets.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable

import msgspec

from harvester.errors import ConfigError

Pairs = tuple[tuple[str, str], ...]


class Credentials(msgspec.Struct, frozen=True):
    """Headers and query arguments to send to the source's own host, and every text that must never be shown."""

    headers: Pairs = ()
    arguments: Pairs = ()
    secrets: tuple[str, ...] = ()


def read(pairs: Iterable[tuple[str, str]], place: str) -> Credentials:
    """The credentials in *pairs*.

    Raises:
        ConfigError: a name that means nothing here, or a header value with a line break.
    """
    known = dict(pairs)
    secrets = tuple(value for name, value in known.items() if name != "username")
    headers: list[tuple[str, str]] = []
    arguments: list[tuple[str, str]] = []
    username, password = known.pop("username", ""), known.pop("password", "")
    if username or password:
        token = base64.b64encode(f"{username}:{password}".encode()).decode()
        headers.append(("Authorization", f"Basic {token}"))
        secrets += (token,)
    for name, value in known.items():
        kind, _, key = ("query.apikey" if name in ("apikey", "api_key") else name).partition(".")
        if kind == "bearer":
            headers.append(("Authorization", f"Bearer {value}"))
        elif kind == "query" and key:
            arguments.append((key, value))
        elif kind == "header" and key:
            headers.append((key, value))
        else:
            hint = "known: username, password, bearer, apikey, query.NAME, header.NAME"
            raise ConfigError(f"unknown credential {name!r}", place=place, hint=hint)
    if any("\n" in value or "\r" in value for _, value in headers):
        raise ConfigError("a credential contains a line break", place=place)
    return Credentials(tuple(headers), tuple(arguments), secrets)
