"""A server in memory that cuts searches as Zebra does: a truncated term is expanded to so many terms, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harvester.errors import ProtocolError
from harvester.sources.slicing import NONE, Slice

Entry = Mapping[str, str]


class CuttingServer:
    """Counts slices of *records* (index name → value; no value, no entry); *terms* is where it cuts, None never.

    `searches` counts what was asked. An index that no record has is refused.
    """

    def __init__(self, records: Iterable[Entry], terms: int | None = None, always_matches: bool = True) -> None:
        self.records = list(records)
        self.terms = terms
        self.always_matches = always_matches
        self.searches = 0

    def count(self, one: Slice) -> int:
        """The hits of a slice."""
        return len(self.found(one))

    def found(self, one: Slice) -> set[int]:
        """The numbers of the records that a search for a slice gives."""
        self.searches += 1
        found = set(range(len(self.records)))
        for name, prefix in one.parts:
            found &= self._matching(name, prefix)
        return found

    def _matching(self, name: str, prefix: str) -> set[int]:
        dated = {number for number, entry in enumerate(self.records) if entry.get(name)}
        if not dated:
            raise ProtocolError(f"unsupported index {name}", code="bib-1/114")
        if prefix == NONE:
            if not self.always_matches:
                raise ProtocolError("unsupported relation", code="bib-1/117")
            return set(range(len(self.records))) - dated
        terms = sorted({self.records[number][name] for number in dated})
        kept = {term for term in terms if term.startswith(prefix)}
        if self.terms is not None:
            kept = set(sorted(kept)[: self.terms - 1])
        return {number for number in dated if self.records[number][name] in kept}
