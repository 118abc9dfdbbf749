"""Search: words and numbers, narrowed by partner, group, class, year, language; who has it, and where to go for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from db import catalogue, desk
from db import search as stored
from harvester.identifiers import standard_number
from harvester.model import Holding
from harvester.web import opac
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SCREEN = 20
COUNTED = 2000  # so many of the best hits are counted for the facets
_holding = msgspec.json.Decoder(Holding).decode
FACETS = ("partner", "group", "material", "language", "year")


@pages.get("/search", needs="read")
def search(visit: Visit) -> View:
    """Hits with their holdings, and what they can be narrowed by."""
    terms = visit.query("q").strip()
    query = stored.Query(
        standard_number(terms) or terms,
        visit.query("material")[:40],
        visit.query("partner")[:100],
        _year(visit.query("year_from")),
        _year(visit.query("year_to")),
    )
    language, group = visit.query("language")[:20], visit.query("group")[:100]
    wanted = [one.code for one in visit.pipeline.settings.partners if one.group == group] if group else None
    offset = visit.number("offset", high=COUNTED)
    with visit.pipeline.database.read() as conn:
        total, ids = stored.find(conn, query, COUNTED)
        if language or wanted is not None:
            ids = desk.narrowed(conn, ids, language, wanted)
            total = len(ids)
        facets = desk.facets(conn, ids)
        shown = ids[offset : offset + SCREEN]
        briefs = catalogue.briefs(conn, shown)
        holdings = {key: [_held(visit, row) for row in rows] for key, rows in desk.holdings(conn, shown).items()}
        lost = {key: [one for one in held if not one["url"]] for key, held in holdings.items()}
        ways = opac.links(visit, conn, lost)
    hits = [_hit(key, briefs[key], holdings.get(key, []), ways) for key in shown if key in briefs]
    data = {
        "terms": terms,
        "total": total,
        "hits": hits,
        "wanted": {name: visit.query(name) for name in (*FACETS, "year_from", "year_to")},
        "facets": {**facets, "group": _groups(visit, facets["partner"])},
        "partners": [one.code for one in visit.pipeline.settings.partners],
        "next": visit.here(offset=offset + SCREEN) if offset + SCREEN < min(total, COUNTED) else "",
    }
    heads = ("cluster", "title", "author", "year", "material", "partners", "copies")
    return View("search.html", data, heads, [[one[name] for name in heads] for one in hits])


def _year(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) == 4 else None


def _groups(visit: Visit, partners: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for code, number in partners:
        known = visit.pipeline.partners.get(code)
        if known and known.group:
            found[known.group] = max(found.get(known.group, 0), number)
    return sorted(found.items())


def _held(visit: Visit, row: dict[str, Any]) -> dict[str, Any]:
    """A holding as it is shown: where, how many, whether it is lent, as of when, and the way there."""
    holding = _holding(row["body"])
    partner = visit.pipeline.partners.get(row["partner"])
    lending = holding.lending or (partner.lending if partner else "")
    told = {name: row[name] for name in ("record_id", "partner", "branch", "call_number", "copies")}
    return {**told, "lending": lending, "as_of": holding.as_of, "url": holding.url}


def _hit(key: int, brief: dict[str, Any], held: Sequence[dict[str, Any]], ways: Mapping[int, str]) -> dict[str, Any]:
    known = [one["copies"] for one in held if one["copies"] is not None]
    names = ("title", "author", "year", "material", "language", "partners")
    shown = [
        {name: value for name, value in one.items() if name != "record_id"}
        | {"url": one["url"] or ways.get(one["record_id"], "")}
        for one in held
    ]
    copies = sum(known) if known else None
    return {"cluster": key, **{name: brief[name] for name in names}, "copies": copies, "holdings": shown}
