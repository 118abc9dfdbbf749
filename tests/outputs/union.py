"""A small union catalogue in memory, made by the real merge: what a database would answer to outputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from harvester.merge.marc import Wording, to_marc
from harvester.merge.survivorship import load, merge
from harvester.model import (
    Address,
    Change,
    ClusterDocument,
    Contributor,
    Dates,
    Holding,
    Identifier,
    Link,
    MarcRecord,
    Member,
    NormalizedRecord,
    Partner,
    Policy,
    Publication,
    Source,
    Subject,
    Title,
    Touch,
    UnionRecord,
)
from harvester.outputs.batch import Marc, Opening

RULES = load()
START = datetime(2026, 11, 21, 18, 0, 0, tzinfo=UTC)
PARTNERS = (
    Partner("ugm", "Perpustakaan UGM", "UGM Library", (Source("ugm", "oai-pmh", options={"local_prefix": "oai:ugm:"}),),
            isil="ID-YoUGM", group="Yogya", policy=Policy(priority=2)),
    Partner("ui", "Perpustakaan UI", "UI Library", (Source("ui", "oai-pmh"), Source("ui-etd", "oai-pmh")),
            group="Jakarta"),
    Partner("inlis", "Perpustakaan \"Kota\" / Pusat", "", (Source("inlis", "oai-pmh"),), group="Yogya"),
)  # fmt: skip


class Clock:
    """A clock that a test moves; sleeping moves it too."""

    def __init__(self) -> None:
        self.time = START
        self.slept: list[float] = []

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)


def write_marc(union: UnionRecord, cluster: str, marc: Marc) -> MarcRecord:
    """The MARC writer as pipeline passes it to outputs."""
    return to_marc(union, cluster, Wording(marc.institutions, marc.changed, "INDUK"))


def opening(url: str, clock: Clock | None = None, partners: Sequence[Partner] = PARTNERS, **options: Any) -> Opening:
    return Opening("test", url, options, {}, tuple(partners), clock or Clock(), write_marc)


def book(title: str = "Laskar pelangi", branch: str = "Pusat", **fields: Any) -> NormalizedRecord:
    given: dict[str, Any] = {
        "title": Title(title, responsibility="Andrea Hirata"),
        "contributors": (Contributor("Hirata, Andrea", role="author", main=True),),
        "identifiers": (Identifier("isbn", "9789793062792"),),
        "publications": (Publication("Yogyakarta", "Bentang"),),
        "dates": Dates(2005, text="2005"),
        "languages": ("ind",),
        "subjects": (Subject("Novel Indonesia"),),
        "links": (Link("https://example.org/teks"),),
        "holdings": (Holding(branch, call_number="899 HIR", copies=1),),
    }
    return NormalizedRecord(**(given | fields))


class Union:
    """Clusters by id; `put`, `drop` and `redirect` are committed, numbered and dated by `commit`."""

    def __init__(self, partners: Sequence[Partner] = PARTNERS) -> None:
        self.epoch = "e1"
        self.released = 0
        self.kept_since = 1
        self.clock = Clock()
        self._partners = list(partners)
        self.clusters: dict[str, ClusterDocument] = {}
        self.feed: list[Change] = []
        self._last: dict[str, Touch] = {}
        self._once: dict[str, set[str]] = {}

    # ---- writing

    def commit(self, upsert: Mapping[str, Iterable[Member]], gone: Mapping[str, str] | None = None) -> None:
        """One batch of the feed: *upsert* clusters with their members, *gone* cluster → target."""
        self.clock.time += timedelta(seconds=10)
        at = self.clock.time.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = [("upsert", cluster, "") for cluster in upsert]
        rows += [("redirect" if target else "delete", cluster, target) for cluster, target in (gone or {}).items()]
        batch = self.released + len(rows)
        for number, (kind, cluster, target) in enumerate(rows, start=self.released + 1):
            self.feed.append(msgspec.convert([number, batch, kind, cluster, target, at], _Row).change())
            if kind == "upsert":
                self._store(cluster, list(upsert[cluster]), at, number)
            else:
                self.clusters.pop(cluster, None)
                once = tuple(sorted(self._once.get(cluster, ())))
                self._last[cluster] = Touch(cluster, number, at, True, (), once)
        self.released = batch

    def _store(self, cluster: str, members: list[Member], at: str, number: int) -> None:
        members.sort(key=lambda member: member.address)
        union = merge(members, RULES)
        before = self.clusters.get(cluster)
        created = before.created if before else at
        self.clusters[cluster] = ClusterDocument(cluster, union, tuple(members), created, at)
        owner = {source.code: partner.code for partner in self._partners for source in partner.sources}
        now = tuple(sorted({owner[member.address.source] for member in members if member.visible}))
        self._once.setdefault(cluster, set()).update(now)
        once = tuple(sorted(self._once[cluster]))
        self._last[cluster] = Touch(cluster, number, at, False, now, once, union.record.material)

    # ---- harvester.model.Catalogue

    def changes(self, since: int, limit: int = 1000) -> Sequence[Change]:
        found = [one for one in self.feed if since < one.seq <= self.released]
        end = found[limit - 1].batch if len(found) > limit else self.released
        return [one for one in found if one.seq <= end]

    def documents(self, clusters: Sequence[str]) -> dict[str, ClusterDocument]:
        return {cluster: self.clusters[cluster] for cluster in clusters if cluster in self.clusters}

    def pages(self, size: int = 500) -> Iterator[Sequence[ClusterDocument]]:
        ids = sorted(self.clusters, key=int)
        for start in range(0, len(ids), size):
            yield [self.clusters[one] for one in ids[start : start + size]]

    def touched(self, since: str, until: str, partner: str, material: str, after: int, limit: int) -> Sequence[Touch]:
        found = [
            one
            for one in sorted(self._last.values(), key=lambda touch: touch.seq)
            if one.seq > after
            and since <= one.at <= (until or "9")
            and (not partner or partner in one.once or partner in one.partners)
            and (not material or one.deleted or one.material == material)
        ]
        return found[:limit]

    def touch(self, cluster: str) -> Touch | None:
        return self._last.get(cluster)

    def partners(self) -> Sequence[Partner]:
        return self._partners


class _Row(msgspec.Struct, array_like=True):
    seq: int
    batch: int
    kind: str
    cluster: str
    target: str
    at: str

    def change(self) -> Change:
        return msgspec.convert(msgspec.structs.asdict(self), Change)


def held_by(address: str, record: NormalizedRecord | None = None, **policy: Any) -> Member:
    return Member(Address.parse(address), record or book(), **policy)
