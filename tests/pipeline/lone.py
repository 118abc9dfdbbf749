"""One partner on a simulated server and a consortium around it, for tests of what operators do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select

from db.tables import cluster, membership, record, run, source
from harvester.demo import quirks
from harvester.demo.quirks import Quirks
from harvester.demo.sample import EVENING
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from tests.journey import Consortium

WORDS = (
    *("Laut", "Gunung", "Sawah", "Kota", "Desa", "Hutan", "Sungai", "Pasar", "Pelabuhan", "Benteng"),
    *("Keraton", "Candi", "Kebun", "Jalan", "Jembatan", "Sekolah", "Rumah", "Kapal", "Layar", "Angin"),
    *("Hujan", "Kemarau", "Padi", "Kopi", "Rempah", "Batik", "Gamelan", "Wayang", "Tari", "Ukir"),
)


def dublin_core(key: int, title: str = "") -> bytes:
    """A book of its own: title, author, publisher and year follow from *key*."""
    one, two, three = WORDS[key % 30], WORDS[key // 30 % 30], WORDS[(key * 7 + 3) % 30]
    return (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<dc:title>{title or f'{one} {two} nusantara jilid {key}'}</dc:title><dc:creator>{three}, {two}</dc:creator>"
        f"<dc:publisher>Penerbit {one}</dc:publisher><dc:date>{1950 + key % 70}</dc:date><dc:type>Text</dc:type>"
        f"<dc:language>id</dc:language></oai_dc:dc>"
    ).encode()


class Lone:
    """The partner `kampus`: its store, its server, and what the catalogue holds of it."""

    def __init__(self, folder: Path, size: int, habits: Quirks, database: str, **source: Any) -> None:
        self.clock = SampleClock(EVENING)
        self.store = Store(self.clock)
        for key in range(1, size + 1):
            self.store.put(str(key), {"oai_dc": dublin_core(key)})
        self.server = Simulator({"kampus": self.store}, quirks={"kampus": habits})
        self.folder = folder
        self.database = database or f"sqlite:///{folder / 'induk.db'}"
        self.source = {"preset": "generic", "internal": True, "metadata_prefix": "oai_dc", **source}

    def start(self) -> None:
        self.consortium = Consortium(self.folder / "union", self.database, clock=self.clock)
        self.consortium.add("kampus", protocol="oai-pmh", url=self.server.url("kampus"), **self.source)

    def change(self, **source: Any) -> None:
        """Rewrite the partner's file."""
        (self.folder / "union" / "partners.d" / "kampus.yaml").unlink()
        self.source |= source
        self.consortium.add("kampus", protocol="oai-pmh", **{"url": self.server.url("kampus"), **self.source})

    def sleep(self, days: float = 1) -> None:
        self.clock.sleep(timedelta(days=days).total_seconds())

    def night(self, **order: Any) -> Any:
        """A day passes; the outcome of the harvest, then everything is matched."""
        self.sleep()
        outcome = self.consortium.harvest("kampus", **order)["kampus"]
        self.consortium.match()
        return outcome

    def opened(self) -> Any:
        return self.consortium.opened()

    def active(self) -> set[str]:
        """The local keys of the active records."""
        query = select(record.c.identifier).where(record.c.state == "active")
        return self.consortium.ask(lambda conn: {row[0].rpartition(":")[2] for row in conn.execute(query)})

    def oracle(self) -> set[str]:
        return set(self.store.live())

    def cluster_of(self, key: str) -> int | None:
        """The cluster of a record, by local key."""
        query = (
            select(membership.c.cluster_id)
            .join(record, record.c.id == membership.c.record_id)
            .where(record.c.identifier.endswith(f":{key}"))
        )
        return self.consortium.ask(lambda conn: conn.execute(query).scalar())

    def clusters(self) -> set[int]:
        """The living cluster ids."""
        query = select(cluster.c.id).where(cluster.c.state == "active")
        return self.consortium.ask(lambda conn: {row[0] for row in conn.execute(query)})

    def run(self, number: int) -> dict[str, Any]:
        query = select(run, source.c.code).join(source, source.c.id == run.c.source_id, isouter=True)
        return self.consortium.ask(lambda conn: dict(conn.execute(query.where(run.c.id == number)).mappings().one()))

    def delete(self, keys: Iterable[int | str]) -> None:
        for key in keys:
            self.store.delete(str(key))


@contextmanager
def lone(
    folder: Path,
    size: int = 60,
    habits: Quirks = quirks.KOHA,
    *,
    database: str = "",
    page_size: int = 20,
    **given: Any,
) -> Iterator[Lone]:
    """A consortium with one partner of *size* records."""
    made = Lone(folder, size, quirks.variant(habits, page_size=page_size), database, **given)
    with made.server:
        made.start()
        yield made
