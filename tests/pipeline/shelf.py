"""Partners whose records stand in a dictionary: a test writes books, edits and deletes them, and runs nights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from db import catalogue, verify
from harvester import pipeline
from harvester.clock import SystemClock
from harvester.model import Clock, HarvestedRecord, Page, Window
from tests.journey import Consortium


class Written(Protocol):
    """What a partner's record is made of."""

    def payload(self, identifier: str) -> bytes: ...


class Book(NamedTuple):
    """What is written into a MARC 21 record; an empty value leaves its field out."""

    title: str
    author: str = "Hirata, Andrea"
    isbn: str = ""
    year: str = "2005"
    pages: str = "534"
    publisher: str = "Bentang"
    edition: str = ""
    note: str = ""

    def payload(self, identifier: str) -> bytes:
        fields = [
            ("020", "a", self.isbn),
            ("100", "a", self.author),
            ("245", "a", self.title),
            ("250", "a", self.edition),
            ("300", "a", self.pages and f"{self.pages} hlm."),
            ("500", "a", self.note),
        ]
        made = "".join(
            f'<datafield tag="{tag}" ind1="{1 if tag == "100" else 0}" ind2=" ">'
            f'<subfield code="{code}">{escape(text)}</subfield></datafield>'
            for tag, code, text in fields
            if text
        )
        issued = f'<subfield code="b">{escape(self.publisher)}</subfield>' if self.publisher else ""
        issued += f'<subfield code="c">{escape(self.year)}</subfield>' if self.year else ""
        return (
            '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
            f'<controlfield tag="001">{escape(identifier)}</controlfield>{made}'
            f'<datafield tag="260" ind1=" " ind2=" ">{issued}</datafield></record>'
        ).encode()


class Shelf:
    """A source that lists what it is told to, told deletions included."""

    def __init__(self, records: list[HarvestedRecord]) -> None:
        self._records = records

    def pages(self, window: Window) -> Iterator[Page]:
        yield Page(records=tuple(self._records), list_size=len(self._records), server_time="2026-03-02T18:00:00Z")


class Union:
    """A consortium of such partners. Addresses are `code/number`."""

    def __init__(self, folder: Path, url: str, codes: tuple[str, ...] = ("alun", "bukit"), clock: Clock | None = None):
        self.books: dict[str, Any] = {}
        self._gone: set[str] = set()
        self._new: set[str] = set()
        self.codes = codes
        self.consortium = Consortium(folder, url, clock=clock or SystemClock())
        config = folder / "induk.yaml"
        guards = "guards: {delete_percent: 100, delete_records: 1000, delete_cap_percent: 100, month_percent: 100}\n"
        config.write_text(config.read_text(encoding="utf-8") + guards, encoding="utf-8")
        for code in codes:
            self.consortium.add(code, protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="koha", internal=True)
        self.pipeline = self.consortium.open()

    def restart(self) -> None:
        """As another process would find it."""
        self.pipeline.database.close()
        self.pipeline = self.consortium.open()

    def close(self) -> None:
        self.pipeline.database.close()

    # ---- what partners do ------------------------------------------------------------------------------

    def put(self, address: str, book: Written) -> None:
        self.books[address] = book
        self._new.add(address)
        self._gone.discard(address)

    def delete(self, address: str) -> None:
        del self.books[address]
        self._gone.add(address)
        self._new.discard(address)

    def harvest(self) -> None:
        """Harvest what changed since the last time."""
        for code in self.codes:
            touched = sorted(one for one in self._new | self._gone if one.startswith(f"{code}/"))
            if touched:
                listed = [self._record(one) for one in touched]
                outcome = pipeline.harvest_one(self.pipeline, code, open_harvester=lambda listed=listed: Shelf(listed))
                assert outcome.verdict == "complete", outcome
        self._new.clear()
        self._gone.clear()

    def _record(self, address: str) -> HarvestedRecord:
        name = address.partition("/")[2]
        if address in self._gone:
            return HarvestedRecord(name, "marcxml", deleted=True)
        return HarvestedRecord(name, "marcxml", self.books[address].payload(name))

    def match(self) -> dict[str, Any]:
        return pipeline.match(self.pipeline)

    def night(self, books: Mapping[str, Written] | None = None) -> None:
        """Partners change *books*; then everything is harvested and matched."""
        for address, book in (books or {}).items():
            self.put(address, book)
        self.harvest()
        self.match()

    def faults(self) -> list[str]:
        """What `induk db verify` finds wrong."""
        with self.pipeline.database.read() as conn:
            return [f"{one.name}: {one.bad}" for one in verify.verify(conn) if one.bad]

    # ---- what stands in the catalogue ------------------------------------------------------------------

    def groups(self) -> set[frozenset[str]]:
        """The clusters, by their members' addresses."""
        return {frozenset(members) for members in self.clusters().values()}

    def clusters(self) -> dict[int, list[str]]:
        with self.pipeline.database.read() as conn:
            held = catalogue.members(conn, catalogue.active_ids(conn, 0, 100_000))
        return {key: [one.address for one in members] for key, members in held.items()}

    def cluster_of(self, address: str) -> int:
        return next(key for key, members in self.clusters().items() if address in members)

    def together(self, *addresses: str) -> bool:
        return len({self.cluster_of(one) for one in addresses}) == 1

    def events(self, cluster: int) -> list[dict[str, Any]]:
        from harvester import inspecting

        return inspecting.history(self.pipeline, cluster)
