"""What the HTTP API answers, as values: their fields are documented in the OpenAPI description made from them."""

from __future__ import annotations

from harvester.model import Change, NormalizedRecord, Survivor, Value


class MemberLine(Value, frozen=True):
    """A record of a cluster: its address, and whose it is."""

    address: str
    source: str
    identifier: str
    partner: str
    datestamp: str = ""


class ClusterAnswer(Value, frozen=True):
    """A manifestation: the merged record, the donor and rule of each value, its members."""

    id: str
    created: str
    changed: str
    record: NormalizedRecord
    survivors: tuple[Survivor, ...]
    members: tuple[MemberLine, ...]


class RecordAnswer(Value, frozen=True):
    """One partner's record, without what it withholds, and the cluster that it stands in."""

    address: str
    partner: str
    cluster: str
    record: NormalizedRecord
    datestamp: str = ""


class HoldingLine(Value, frozen=True):
    """A holding. `lending`: lent, on site, no, or absent where the partner says nothing; `as_of`: see `note`."""

    partner: str
    name: str
    address: str
    as_of: str = ""
    isil: str = ""
    branch: str = ""
    collection: str = ""
    call_number: str = ""
    copies: int | None = None
    lending: str = ""
    serial_statement: str = ""
    url: str = ""
    access_note: str = ""


class HeldCluster(Value, frozen=True):
    """A manifestation and who holds it."""

    id: str
    title: str
    holdings: tuple[HoldingLine, ...]
    year: int | None = None


class HoldingsAnswer(Value, frozen=True):
    """Who has it. `live` is always false, and in the JSON."""

    asked: str
    note: str
    clusters: tuple[HeldCluster, ...]
    live: bool


class Hit(Value, frozen=True):
    """One line of a search."""

    id: str
    title: str
    author: str = ""
    year: int | None = None
    material: str = ""
    language: str = ""
    members: int = 0
    partners: int = 0


class SearchAnswer(Value, frozen=True):
    """How many clusters there are, and some of them, best first."""

    total: int
    offset: int
    hits: tuple[Hit, ...]


class ChangesAnswer(Value, frozen=True):
    """A page of the feed, which ends with a batch. Ask again with `since` = `next`.

    `documents` holds, when asked for, the present documents of the changed clusters; a cluster without one is gone,
    by this change or by a later one.
    """

    epoch: str
    released: int
    kept_since: int
    next: int
    changes: tuple[Change, ...]
    documents: tuple[ClusterAnswer, ...] = ()


class ResyncAnswer(Value, frozen=True):
    """The position is too old or of another epoch: take /api/snapshot, and go on from its position."""

    error: str
    reason: str
    epoch: str
    released: int
    kept_since: int
    snapshot: str


class SnapshotHead(Value, frozen=True):
    """The first line of a snapshot: the position that it stands for."""

    epoch: str
    position: int


class SnapshotEnd(Value, frozen=True):
    """The last line of a snapshot; without it the snapshot is not whole."""

    end: bool
    clusters: int


class PartnerLine(Value, frozen=True):
    """A library whose records may be seen."""

    code: str
    name: str
    name_en: str = ""
    isil: str = ""
    npp: str = ""
    type: str = ""
    region: str = ""
    group: str = ""
    opac_url: str = ""
    lending: str = ""
    licence: str = ""
