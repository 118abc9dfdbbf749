"""Which sample library holds what on which night: a pure function of the works.

Night 1 is the first harvest. On night 2 some records have come, some were edited, some are gone, and one INLISLite
record came in that is no XML. On night 3 that one is repaired and nothing else has changed.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from harvester.demo.dice import pick, roll
from harvester.demo.works import Manifestation, manifestations

NIGHTS = (1, 2, 3)
BROKEN = "habibie-ainun"  # the & in its title reaches the page unescaped
SHARE = {"K": 5, "S": 5, "I": 4, "C": 7}  # of ten titles that a library could hold, so many it does hold
SOUGHT = 3  # and so many more of theses, serials and titles that all four could hold
ARRIVING = {"K": 6, "S": 5, "I": 4, "C": 3}
EDITED = {"K": 5, "S": 3, "I": 3, "C": 2}
GONE = {"K": 4, "S": 2, "I": 2, "C": 2}
OPENED = datetime(2016, 1, 4, 2, 30, tzinfo=UTC)
ALWAYS = ("video", "online", "map", "score", "recording")


class Copy(msgspec.Struct, frozen=True):
    """One catalogue record of one library. INLISLite makes one for each physical copy: `copy` counts them."""

    library: str
    key: int
    of: Manifestation
    copy: int = 1
    printing: tuple[int, int] | None = None  # number and year
    edited: bool = False
    broken: bool = False

    @property
    def year(self) -> int | None:
        """The year that stands in the book that this library has."""
        return self.printing[1] if self.printing else self.of.year

    @property
    def created(self) -> datetime:
        return OPENED + timedelta(days=11 * self.key, minutes=roll(500, self.library, self.key))


def copies(library: str, night: int) -> list[Copy]:
    """What *library* (K, S, I or C) has on *night*, by key."""
    records = _all_copies(library)
    arriving, edited, gone = _movements(library)
    found = []
    for record in records:
        label = record.of.label
        if (night == 1 and label in arriving) or (night > 1 and label in gone):
            continue
        broken = library == "I" and night == 2 and label == BROKEN and record.copy == 1
        found.append(msgspec.structs.replace(record, edited=night > 1 and label in edited, broken=broken))
    return found


@cache
def _all_copies(library: str) -> list[Copy]:
    held = [one for one in manifestations() if _holds(library, one)]
    records: list[Copy] = []
    for one in held:
        for number in range(1, 1 + (pick((1, 1, 1, 2, 3), "copies", one.label) if library == "I" else 1)):
            key = 1 + len(records)
            records.append(Copy(library, key, one, number, _printing(library, one, number)))
    return records


def _holds(library: str, one: Manifestation) -> bool:
    if library not in one.at:
        return False
    if one.kind in ALWAYS or one.bogus or one.thin or one.label == BROKEN:
        return True
    sought = len(one.at) == 4 or one.kind in ("thesis", "serial")
    return roll(10, "held", one.label, library) < SHARE[library] + (SOUGHT if sought else 0)


def _printing(library: str, one: Manifestation, copy: int) -> tuple[int, int] | None:
    """The printing that the library bought; None is the first one."""
    choices = [None, *((int(number), year) for number, year in (one.printings or {}).items())]
    return pick(choices, "printing", library, one.label, copy)


@cache
def _movements(library: str) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """The labels that come, are edited and go on night 2."""
    labels = {record.of.label for record in _all_copies(library)} - {BROKEN}
    order = sorted(labels, key=lambda label: roll(10**9, "night", library, label))
    come, change = ARRIVING[library], EDITED[library]
    arriving = frozenset(order[:come]) | ({BROKEN} if library == "I" else frozenset())
    gone = frozenset(order[come + change : come + change + GONE[library]])
    return arriving, frozenset(order[come : come + change]), gone
