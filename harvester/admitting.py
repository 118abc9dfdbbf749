"""Which things on a page may come in at all: nothing that was purged; MARC records that say "deleted" are deletions."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

import msgspec

from db.prepared import digest
from harvester.model import HarvestedRecord, Page, Source

_DELETED = frozenset("dsx")
_LEADER = re.compile(rb"<(?:\w+:)?leader[^>]*>.{5}(.)", re.DOTALL)


class Admitted(NamedTuple):
    """The page without what may not come in, and the digests of the identifiers that were kept out."""

    page: Page
    barred: tuple[bytes, ...] = ()


def admit(page: Page, source: Source, purged: Collection[bytes]) -> Admitted:
    """What of *page* may come in; *purged* are the digests of addresses that had to be forgotten."""
    records = page.records
    if source.options.get("deleted_leader", True):
        records = tuple(_as_it_says(one) for one in records)
    barred: list[bytes] = []
    if purged:
        names = [one.identifier for one in records] + [one.identifier for one in page.damages]
        barred = [_seen(name) for name in names if address(source.code, name) in purged]
        records = tuple(one for one in records if address(source.code, one.identifier) not in purged)
        damages = tuple(one for one in page.damages if address(source.code, one.identifier) not in purged)
        page = msgspec.structs.replace(page, damages=damages)
    return Admitted(msgspec.structs.replace(page, records=records), tuple(barred))


def address(source_code: str, identifier: str) -> bytes:
    """The digest under which a purged address is remembered."""
    return digest(b"purged", source_code.encode(), identifier.encode("utf-8", "replace"))


def _seen(identifier: str) -> bytes:
    return digest(identifier.encode("utf-8", "replace"))


def _as_it_says(record: HarvestedRecord) -> HarvestedRecord:
    """A record whose leader says deleted (FOLIO-FSE#367: told by the leader only) as a deletion."""
    if record.deleted or leader_status(record) not in _DELETED:
        return record
    return msgspec.structs.replace(record, deleted=True, payload=b"", flags=(*record.flags, "deleted-by-leader"))


def leader_status(record: HarvestedRecord) -> str:
    """Position 5 of the MARC leader; empty for other formats."""
    if record.format == "iso2709":
        return record.payload[5:6].decode("ascii", "replace")
    if record.format in ("marcxml", "marc21", "unimarc"):
        found = _LEADER.search(record.payload[:2000])
        return found[1].decode("ascii", "replace") if found else ""
    return ""
