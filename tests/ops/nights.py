"""Partners whose nights a test decides: what each lists, whether it answers; real database and pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from harvester import notifying, pipeline, reporting, scheduling
from harvester.demo import quirks
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from tests.journey import Consortium

EVENING = datetime(2026, 3, 2, 18, 0, tzinfo=UTC)  # one o'clock in the morning of 3 March in Jakarta


SPOILT = b'<record xmlns="http://www.loc.gov/MARC21/slim"></record>'


def payload(title: str, number: int) -> bytes:
    """A MARCXML record of a book."""
    return (
        '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
        f'<controlfield tag="001">{number}</controlfield>'
        f'<datafield tag="245" ind1="0" ind2="0"><subfield code="a">{title}</subfield></datafield>'
        f'<datafield tag="260" ind1=" " ind2=" "><subfield code="b">Penerbit {number}</subfield>'
        f'<subfield code="c">{1950 + number % 70}</subfield></datafield></record>'
    ).encode()


class Nights:
    """A consortium on loopback: `partners` are codes; each begins with *records* books."""

    def __init__(
        self,
        folder: Path,
        url: str,
        codes: tuple[str, ...],
        *,
        records: int = 12,
        partner: Mapping[str, Mapping[str, Any]] | None = None,
        config: str = "",
        source: Mapping[str, Any] | None = None,
    ) -> None:
        self.clock = SampleClock(EVENING)
        self.stores = {code: Store(self.clock) for code in codes}
        for code in codes:
            for number in range(records):
                self.put(code, number)
        self.simulator = Simulator(self.stores, {code: quirks.variant(quirks.KOHA, page_size=10) for code in codes})
        self.consortium = Consortium(folder, url, clock=self.clock)
        self.consortium.configure(config)
        self._partner = partner or {}
        self._source = source or {}
        self._opened: pipeline.Pipeline | None = None

    def put(self, code: str, number: int, title: str = "") -> None:
        text = title or f"Buku {code} nomor {number} tentang perihal {number * 7919 % 1009}"
        at = self.clock.now() - timedelta(hours=2)
        self.stores[code].put(f"{number:05}", {"marcxml": payload(text, number)}, at=at)

    def spoil(self, code: str, number: int) -> None:
        """The record becomes one that nothing can be made of."""
        at = self.clock.now() - timedelta(hours=2)
        self.stores[code].put(f"{number:05}", {"marcxml": SPOILT}, at=at)

    def __enter__(self) -> Nights:
        self.simulator.__enter__()
        for code in self.stores:
            self.consortium.add(
                code,
                partner=self._partner.get(code),
                protocol="oai-pmh",
                url=self.simulator.url(code),
                preset="koha",
                internal=True,
                **self._source,
            )
        return self

    def __exit__(self, *error: Any) -> None:
        if self._opened is not None:
            self._opened.database.close()
        self.simulator.__exit__(None, None, None)

    @property
    def opened(self) -> pipeline.Pipeline:
        if self._opened is None:
            self._opened = self.consortium.open()
        return self._opened

    def reopen(self) -> None:
        """As the next process would find it."""
        if self._opened is not None:
            self._opened.database.close()
        self._opened = None

    def work(self, *codes: str) -> Any:
        """One night over these sources (none: all); its report, told as `induk nightly` tells it."""
        jobs = scheduling.asked(self.opened, pipeline.active_sources(self.opened, codes))
        night = scheduling.work_night(self.opened, jobs, forced=True, environ={})
        reporting.remember(self.opened, night)
        report = reporting.report(self.opened, night.night)
        self.sent = notifying.tell(self.opened, report, {})
        return report

    def tomorrow(self, days: int = 1) -> None:
        self.clock.sleep(days * 86_400)

    def down(self, code: str) -> None:
        """The server answers nothing but errors until up()."""
        self.simulator.set_faults(code, "any:503*")

    def up(self, code: str) -> None:
        self.simulator.set_faults(code, "")


def state(report: Any, code: str) -> Any:
    """What the report says of one source."""
    return next(one for one in report.sources if one.source == code)


def tasks(report: Any) -> list[str]:
    return [task.key for task in report.tasks]


def each(report: Any) -> Iterator[tuple[str, str]]:
    for one in report.sources:
        yield one.source, one.state


def as_json(report: Any) -> Any:
    return msgspec.to_builtins(report)
