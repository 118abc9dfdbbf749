"""What passes between the driver and an output: a batch of changes with documents, rejections, drift."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import msgspec

from harvester.model import Clock, ClusterDocument, MarcRecord, Partner, UnionRecord, Value

T = TypeVar("T")


class Rejection(Value, frozen=True):
    """A document that the far side refused, why, since which change and how often it was tried."""

    cluster: str
    document: str
    reason: str
    seq: int = 0
    tries: int = 1


class OutputState(Value, frozen=True):
    """Where an output stands, stored after each batch.

    `reached`: the last change read. `position`: the last change up to which everything is delivered; it stays before
    the oldest rejected document until that one is in.
    """

    epoch: str = ""
    position: int = 0
    reached: int = 0
    rejected: tuple[Rejection, ...] = ()


class Batch(NamedTuple):
    """The present documents of the clusters that changed in (since, until]; `gone`: cluster → redirect target or ""."""

    epoch: str
    since: int
    until: int
    at: str
    documents: Mapping[str, ClusterDocument]
    gone: Mapping[str, str]


class Drift(NamedTuple):
    """What verify found: documents missing, different and surplus at the far side, and the counts per partner there.

    `notes` says what else is wrong, such as a file whose checksum does not fit.
    """

    missing: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    counts: tuple[tuple[str, int, int], ...] = ()  # partner, in the catalogue, at the far side
    notes: tuple[str, ...] = ()
    repaired: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.different or self.surplus or self.notes)


class Marc(NamedTuple):
    """What a MARC writer is told beside the union record: institutions per source, the change time, linked clusters."""

    institutions: Mapping[str, str]
    changed: str
    linked: Mapping[str, Mapping[str, str]] = {}


MarcWriter = Callable[[UnionRecord, str, Marc], MarcRecord]


class Opening(NamedTuple):
    """What an output is made of: its entry in induk.yaml, the partners, the clock and the MARC writer of merge."""

    name: str
    url: str
    options: Mapping[str, Any]
    credentials: Mapping[str, str]
    partners: tuple[Partner, ...]
    clock: Clock
    marc: MarcWriter
    log: Callable[..., None] = lambda event, **values: None


def partner_of(partners: Iterable[Partner]) -> dict[str, Partner]:
    """Source code → its partner."""
    return {source.code: partner for partner in partners for source in partner.sources}


def institution(partner: Partner) -> str:
    """The name of a library as users see it."""
    return partner.name_id or partner.name_en or partner.code


def institutions(partners: Iterable[Partner]) -> dict[str, str]:
    """Source code → what stands in 852 $a: the ISIL, else the national number, else our code."""
    return {code: one.isil or one.npp or one.code for code, one in partner_of(partners).items()}


def option(opening: Opening, name: str, default: T) -> T:
    """The option *name* of an output, of the type of *default*.

    Raises:
        msgspec.ValidationError: another type.
    """
    return msgspec.convert(opening.options.get(name, default), type(default), strict=False)
