"""Short identifiers for servers whose OAI identifiers change with their host name, alias or port (INLISLite)."""

from __future__ import annotations

import re

RULES = ("header-number", "header-tail")


class LocalKeys:
    """Identifiers as the catalogue keeps them, and as the server wants them back.

    header-number keeps the last number, header-tail what stands behind the last colon; `prefix` is what was cut off
    last. An identifier that does not end so stays whole.
    """

    def __init__(self, rule: str, prefix: str = "") -> None:
        self._rule = rule if rule in RULES else ""
        self.prefix = prefix

    def kept(self, sent: str) -> str:
        """*sent* as the catalogue keeps it."""
        if not self._rule:
            return sent
        found = re.search(r"[0-9]+$" if self._rule == "header-number" else r"[^:]+$", sent)
        if found is None:
            return sent
        self.prefix = sent[: found.start()]
        return found.group()

    def sent(self, kept: str) -> str:
        """*kept* as the server knows it, by the prefix that it wrote last."""
        return self.prefix + kept if self._rule and ":" not in kept else kept
