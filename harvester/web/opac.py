"""The way into a library's own catalogue where its holdings have no address: a link of the record, or what to set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

from sqlalchemy import Connection

from db import catalogue
from harvester.model import NormalizedRecord, Partner
from harvester.web import seeing
from harvester.web.visit import Visit

# preset → the page of a record, beside the address that answers harvesters
PAGES = {
    "slims-oai": "index.php?p=show_detail&id={id}",
    "slims-oai2": "index.php?p=show_detail&id={id}",
    "inlislite": "detail-opac?id={id}",
    "koha": "opac-detail.pl?biblionumber={id}",
}


def links(visit: Visit, conn: Connection, holdings: Mapping[int, Sequence[Mapping[str, Any]]]) -> dict[int, str]:
    """Record id → its own link to a page of its library, for records of which a holding (cluster → rows) is given."""
    wanted = {row["record_id"] for rows in holdings.values() for row in rows}
    members = catalogue.members(conn, [key for key, rows in holdings.items() if rows]) if wanted else {}
    states = [one for several in members.values() for one in several if one.record_id in wanted]
    homes = {one.record_id: hosts(visit.pipeline.partners.get(one.partner)) for one in states}
    found = seeing.records(visit, conn, [one for one in states if homes[one.record_id]])
    return {key: link for key, record in found.items() if (link := own_link(record, homes[key]))}


def hosts(partner: Partner | None) -> frozenset[str]:
    """The machines at which the partner answers."""
    return frozenset(host for one in (partner.sources if partner else ()) if (host := _host(one.url)))


def own_link(record: NormalizedRecord, homes: Iterable[str]) -> str:
    """The record's first link (856, an identifier of Dublin Core) that leads to one of these machines."""
    return next((one.url for one in record.links if _host(one.url) in homes), "")


def pattern(partner: Partner) -> str:
    """What `opac_url` would be by the software of the partner's source; empty where that does not say."""
    known = (one for one in partner.sources if one.preset in PAGES and _host(one.url))
    return next((urljoin(one.url.partition("?")[0].rstrip("/"), PAGES[one.preset]) for one in known), "")


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return (parts.hostname or "").removeprefix("www.") if parts.scheme in ("http", "https") else ""
