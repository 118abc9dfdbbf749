"""What people said of units, as the solver asks it: two units apart, together, or nothing said.

The newest statement about the same two units counts. Statements bind groups, so their pairs are never written out:
units of which people said the same are alike here, and an answer is kept for two kinds of units.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

Unit = bytes
Sign = tuple[tuple[int, int], ...]


class Statement(NamedTuple):
    """What one person said: units of a side belong together (`binds`), units of two sides do not (`parts`)."""

    sides: tuple[tuple[Unit, ...], ...]
    binds: bool
    parts: bool


class Book:
    """The statements about some units, oldest first."""

    def __init__(self, statements: Sequence[Statement], units: Iterable[Unit]) -> None:
        self.statements = statements
        self.parted = any(one.parts and len(one.sides) > 1 for one in statements)
        said: dict[Unit, list[tuple[int, int]]] = {unit: [] for unit in units}
        for number, statement in enumerate(statements):
            for side, members in enumerate(statement.sides):
                for unit in members:
                    if unit in said:
                        said[unit].append((number, side))
        self._signs: dict[Unit, Sign] = {unit: tuple(found) for unit, found in said.items()}
        self._answers: dict[tuple[Sign, Sign], bool] = {}

    def forbids(self, left: Unit, right: Unit) -> bool:
        """Whether the newest statement about the two keeps them apart."""
        return self.parted and self._apart(self._signs[left], self._signs[right])

    def against(self, left: Sequence[Unit], right: Sequence[Unit]) -> tuple[Unit, Unit] | None:
        """The smallest pair between two groups that a person keeps apart, or None."""
        if not self.parted:
            return None
        mine, theirs = ({self._signs[unit] for unit in group} for group in (left, right))
        if not any(self._apart(one, other) for one in mine for other in theirs):
            return None
        pairs = (_pair(one, other) for one in left for other in right if self.forbids(one, other))
        return min(pairs, default=None)

    def _apart(self, left: Sign, right: Sign) -> bool:
        if not left or not right:
            return False
        if (left, right) not in self._answers:
            self._answers[left, right] = self._answers[right, left] = self._newest(left, right)
        return self._answers[left, right]

    def _newest(self, left: Sign, right: Sign) -> bool:
        mine = dict(left)
        for number, side in reversed(right):
            if number not in mine:
                continue
            if mine[number] != side and self.statements[number].parts:
                return True
            if mine[number] == side and self.statements[number].binds:
                return False
        return False


def _pair(left: Unit, right: Unit) -> tuple[Unit, Unit]:
    return (left, right) if left <= right else (right, left)
