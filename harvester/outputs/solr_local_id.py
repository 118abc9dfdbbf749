"""VuFind ids of members: `<source>.<local key>`, injective and free of characters that VuFind or a URL would split.

VuFind reads the source in front of the first dot; source codes hold none.
"""

from __future__ import annotations

from harvester.model import Address

_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def member_id(address: Address, prefix: str = "") -> str:
    """The id of the member at *address*; *prefix* is what all identifiers of the source begin with (KOHA-OAI:).

    >>> member_id(Address("ugm", "KOHA-OAI:12"), "KOHA-OAI:")
    'ugm.12'
    >>> member_id(Address("ugm", "12"), "KOHA-OAI:")
    'ugm.~~12'
    """
    return f"{address.source}.{local_key(address.identifier, prefix)}"


def local_key(identifier: str, prefix: str = "") -> str:
    """*identifier* without *prefix*, other characters as ~XX of their UTF-8 bytes.

    An identifier without the prefix is marked by ~~, which nothing else begins with: 12 and KOHA-OAI:12 stay two.
    """
    if not prefix:
        return _escape(identifier)
    if identifier.startswith(prefix) and len(identifier) > len(prefix):
        return _escape(identifier[len(prefix) :])
    return "~~" + _escape(identifier)


def _escape(text: str) -> str:
    return "".join(
        character
        if character in _PLAIN
        else "".join(f"~{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
