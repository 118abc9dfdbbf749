"""The sample consortium: three libraries on loopback and one sheet, on any of its nights.

with Sample(folder) as sample:
    for partner in sample.partners():
        partner.code, partner.source          # what stands in partners.d/<code>.yaml
    …harvest, match…
    sample.night(2)
    …harvest, match…
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from harvester.demo import holdings
from harvester.demo.partners import Library, inlislite, sheet
from harvester.demo.quirks import Quirks
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from harvester.demo.truth import LIBRARIES
from harvester.demo.truth import truth as truth

BREAKING = inlislite.LIBRARY.code
BROKEN_PAGE = "verb=ListRecords:truncate@0.6*, verb=ListIdentifiers:truncate@0.6*"
EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # one o'clock in the morning in Jakarta


class SamplePartner(msgspec.Struct, frozen=True):
    """One partner as its file in partners.d says it: the keys of `source` are those of the setting of that name."""

    code: str
    name_id: str
    name_en: str
    type: str
    source: Mapping[str, Any]


def sheet_text(night: int) -> str:
    """The school's sheet as it was sent on *night*."""
    rows = [sheet.COLUMNS, *(sheet.cells(copy) for copy in holdings.copies("C", night))]
    return "".join(sheet.line(row) for row in rows)


def fill(store: Store, library: Library, night: int, at: datetime) -> None:
    """Bring *store* to the state of *night*: only what differs is changed, and at the time *at*."""
    wanted = {str(copy.key): copy for copy in holdings.copies(library.letter, night)}
    for key in store.live().keys() - wanted.keys():
        store.delete(key, at=at)
    for key, copy in wanted.items():
        row, payloads = store.row(key), dict(library.render(copy))
        if row is None or row.deleted or row.payloads != payloads:
            store.put(key, payloads, sets=library.sets(copy), at=copy.created if night == 1 else at)


class Sample:
    """A context manager: the partners' servers run inside, the sheet lies in *folder*."""

    def __init__(self, folder: Path, clock: SampleClock | None = None) -> None:
        self.clock = clock or SampleClock(EVENING)
        self.sheet = folder / "smpn1.csv"
        self.served = {library.code: library for library in LIBRARIES if library.quirks}
        quirks = {code: library.quirks or Quirks() for code, library in self.served.items()}
        self.simulator = Simulator({code: Store(self.clock) for code in self.served}, quirks)
        self._fill(1)

    def __enter__(self) -> Self:
        self.simulator.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.simulator.__exit__(kind, error, trace)

    def night(self, number: int, *, broken_page: bool = False) -> None:
        """Move the clock on by a day and every partner to its state of that night (2, then 3).

        *broken_page*: all that night the lists of INLISLite break off, with status 200 and in the middle of a record.
        """
        self.clock.sleep(timedelta(days=1).total_seconds())
        self.simulator.set_faults(BREAKING, BROKEN_PAGE if broken_page else "")
        self._fill(number)

    def heal(self) -> None:
        """The page that broke off is whole again."""
        self.simulator.set_faults(BREAKING, "")

    def partners(self) -> list[SamplePartner]:
        """The four partners, with the addresses of this run."""
        return [
            SamplePartner(library.code, library.name_id, library.name_en, library.type, self._source(library))
            for library in LIBRARIES
        ]

    def oracle(self, code: str) -> dict[str, bytes]:
        """Identifier → payload of what the partner holds now."""
        return self.simulator.oracle(code, self.served[code].metadata_prefix)

    def serve_forever(self) -> None:
        """Block until the process is interrupted: `make demo KEEP=1`."""
        self.simulator.serve_forever()

    def _fill(self, night: int) -> None:
        for code, library in self.served.items():
            fill(self.simulator.stores[code], library, night, self.clock.now() - timedelta(hours=15))
        self.sheet.parent.mkdir(parents=True, exist_ok=True)
        self.sheet.write_text(sheet_text(night), encoding="utf-8", newline="")

    def _source(self, library: Library) -> dict[str, Any]:
        if library.code not in self.served:
            return {"protocol": "files", "url": str(self.sheet), "options": {"layout": library.preset}}
        return {
            "protocol": "oai-pmh",
            "url": self.simulator.url(library.code),
            "preset": library.preset,
            "metadata_prefix": library.metadata_prefix,
            "internal": True,
        }
