"""What right merging makes of the sample: the manifestation of every record, and a score for what was merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache

import msgspec

from harvester.demo import holdings
from harvester.demo.partners import Library, inlislite, koha, sheet, slims
from harvester.model import Address

LIBRARIES: tuple[Library, ...] = (koha.LIBRARY, slims.LIBRARY, inlislite.LIBRARY, sheet.LIBRARY)


class Score(msgspec.Struct, frozen=True):
    """Pairs of records: merged, rightly merged, and those that should be merged."""

    merged: int
    right: int
    wanted: int

    @property
    def precision(self) -> float:
        """The share of merged pairs that are one manifestation; 1 when nothing was merged."""
        return self.right / self.merged if self.merged else 1.0

    @property
    def recall(self) -> float:
        """The share of the pairs of one manifestation that were merged; 1 when there are none."""
        return self.right / self.wanted if self.wanted else 1.0


def score(clusters: Iterable[Collection[Address]]) -> Score:
    """How *clusters*, which together name every live record once, agree with the truth."""
    labels = truth()
    merged = right = 0
    totals: Counter[str] = Counter()
    for members in clusters:
        own = Counter(labels[address] for address in members)
        merged += _pairs(len(members))
        right += sum(map(_pairs, own.values()))
        totals += own
    return Score(merged, right, sum(map(_pairs, totals.values())))


@cache
def truth() -> Mapping[Address, str]:
    """Every record that ever appears, by source and identifier → the label of its manifestation.

    The identifier is what the source tells: the OAI identifier, or what the sheet's layout makes of its number.
    """
    labels: dict[Address, str] = {}
    for library in LIBRARIES:
        for night in holdings.NIGHTS:
            for copy in holdings.copies(library.letter, night):
                address = Address(library.code, identifier(library, copy))
                # Nothing but a common title: nobody can say which of these are the same.
                labels[address] = f"{copy.of.label}/{address}" if copy.of.thin else copy.of.label
    return labels


def identifier(library: Library, copy: holdings.Copy) -> str:
    """What the partner calls the record."""
    if library.quirks is None:
        return f"inv:{sheet.number(copy)}"
    return f"{library.quirks.identifier_prefix}{copy.key}"


def _pairs(count: int) -> int:
    return count * (count - 1) // 2
