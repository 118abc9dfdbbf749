"""Partners: policy, sources, coverage; the ledger of each of their records; what could not be read."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.responses import Response

from db import catalogue, desk, ledger
from db import search as stored
from db.catalogue import RecordState
from harvester import inspecting
from harvester.errors import ConfigError
from harvester.identifiers import standard_number
from harvester.model import NormalizedRecord, Title, UnionRecord
from harvester.web import opac
from harvester.web.kept import kept
from harvester.web.pages.records import download
from harvester.web.views import Pages, View
from harvester.web.visit import Gone, Visit

pages = Pages()
SCREEN = 50
SHEET = 2000
SAMPLE = 300
COVERED = ("identifiers", "title", "contributors", "publications", "dates", "extent", "languages", "subjects",
           "classifications", "holdings")  # fmt: skip
_decode = msgspec.json.Decoder(NormalizedRecord).decode


class _Titled(msgspec.Struct):
    """What the ledger shows of a record."""

    title: Title = Title()


_decode_title = msgspec.json.Decoder(_Titled).decode


@pages.get("/partners", needs="read")
def partners(visit: Visit) -> View:
    """Every partner with its last run."""
    lines = kept(visit, "partners", lambda: inspecting.partners(visit.pipeline))
    heads = ("code", "status", "records", "clusters", "quarantined", "last_run", "verdict")
    return View("partners.html", {"partners": lines}, heads, [[line[name] for name in heads] for line in lines])


def known(visit: Visit) -> str:
    """The partner in the path."""
    try:
        return visit.pipeline.settings.partner(visit.path("code")).code
    except ConfigError as error:
        raise Gone(f"no partner {visit.path('code')}") from error


@pages.get("/partners/{code}", needs="read")
def partner(visit: Visit) -> View:
    """One partner; addresses of its servers and its warnings only for those who care for it."""
    code = known(visit)
    told = kept(visit, f"partner {code}", lambda: inspecting.partner(visit.pipeline, code), until="runs")
    whole = visit.may("ledger", [code])
    names = tuple(one.code for one in visit.pipeline.settings.partner(code).sources)
    warnings, covered = kept(visit, f"quality {code}", lambda: _quality(visit, names), until="runs")
    if not whole:
        told = {**told, "sources": [{**one, "url": ""} for one in told["sources"]]}
    data = {"partner": told, "whole": whole, "warnings": warnings[:50] if whole else [], "covered": covered}
    known_partner = visit.pipeline.settings.partner(code)
    data["opac"] = {"set": bool(known_partner.opac_url), "example": opac.pattern(known_partner) if whole else ""}
    return View("partner.html", data, ("field", "percent"), [[one["field"], one["percent"]] for one in covered])


def _quality(visit: Visit, sources: tuple[str, ...]) -> tuple[list[tuple[str, int]], list[dict[str, Any]]]:
    """The warnings of these sources, and how full their records are."""
    with visit.pipeline.database.read() as conn:
        return desk.warning_totals(conn, sources), _coverage(conn, sources)


def _coverage(conn: Connection, sources: tuple[str, ...]) -> list[dict[str, Any]]:
    """How many of a sample of the partner's records have each of the main fields, in percent."""
    rows = [row for row in desk.ledger(conn, sources, ("", ""), SAMPLE) if row["state"] == "active"]
    records = [_decode(body) for body in ledger.normalized_bodies(conn, [row["id"] for row in rows]).values()]
    blank = NormalizedRecord()
    return [
        {
            "field": name,
            "percent": round(100 * sum(getattr(one, name) != getattr(blank, name) for one in records) / len(records)),
        }
        for name in COVERED
        if records
    ]


# ---- the ledger --------------------------------------------------------------------------------------


@pages.get("/partners/{code}/ledger", needs="ledger")
def own_ledger(visit: Visit) -> View:
    """What became of each of a partner's records: accepted, repaired, set aside, merged with whom, won and lost."""
    code = known(visit)
    visit.need("ledger", [code])
    sources = tuple(one.code for one in visit.pipeline.settings.partner(code).sources)
    limit = SHEET if visit.suffix else SCREEN
    after, terms = visit.query("after").partition("/"), visit.query("q").strip()
    with visit.pipeline.database.read() as conn:
        only = _found(conn, code, sources, terms) if terms else None
        rows = desk.ledger(conn, sources, (after[0], after[2]), limit, only)
        homes = {row["cluster_id"] for row in rows if row["cluster_id"]}
        members = catalogue.members(conn, homes)
        unions = {key: msgspec.convert(body, UnionRecord) for key, body in catalogue.union_bodies(conn, homes).items()}
        aside = desk.quarantined(conn, sources, "open", 0, SCREEN) if not visit.query("after") else []
        bodies = ledger.normalized_bodies(conn, [row["id"] for row in rows])
    titles = {key: _decode_title(body).title.whole for key, body in bodies.items()}
    lines = [
        {
            **_line(row, members.get(row["cluster_id"], []), unions.get(row["cluster_id"])),
            "title": titles.get(row["id"], ""),
        }
        for row in rows
    ]
    data = {
        "code": code,
        "lines": lines,
        "terms": terms,
        "aside": [one for one in aside if terms.casefold() in one["identifier"].casefold()],
        "next": visit.here(after=lines[-1]["address"]) if len(lines) == limit else "",
    }
    return View("ledger.html", data, LEDGER, [[_cell(line[name]) for name in LEDGER] for line in lines])


def _found(conn: Connection, code: str, sources: tuple[str, ...], terms: str) -> set[int]:
    """The partner's records in clusters that hold these words or this number, and those with such an identifier."""
    query = stored.Query(standard_number(terms) or terms, partner=code)
    _, clusters = stored.find(conn, query, SHEET)
    return desk.in_clusters(conn, sources, clusters) | desk.numbered(conn, sources, terms, SHEET)


LEDGER = ("address", "title", "fate", "version", "datestamp", "warnings", "cluster", "with", "won", "lost")


def _cell(value: Any) -> Any:
    return " | ".join(value) if isinstance(value, list) else value


def _line(row: dict[str, Any], members: list[RecordState], union: UnionRecord | None) -> dict[str, Any]:
    address = f"{row['source']}/{row['identifier']}"
    mine = [one for one in union.survivors if one.donor == address] if union else []
    lost = [one for one in mine if one.rule.startswith("dropped") and one.rule != "dropped:withheld"]
    fate = "deleted" if row["state"] == "deleted" else "repaired" if row["warnings"] else "accepted"
    return {
        "address": address,
        "fate": fate,
        "version": row["version"],
        "datestamp": row["datestamp"],
        "warnings": row["warnings"],
        "cluster": row["cluster_id"],
        "with": [one.address for one in members if one.address != address],
        "won": sorted({one.field for one in mine if not one.rule.startswith(("dropped", "variant"))}),
        "lost": [f"{one.field}: {one.value}" for one in lost],
    }


# ---- quarantine --------------------------------------------------------------------------------------


@pages.get("/quarantine", needs="quarantine")
def quarantine(visit: Visit) -> View:
    """What could not be read or mapped, of the partners that this person cares for."""
    mine = [one for one in visit.pipeline.settings.partners if visit.may("quarantine", [one.code])]
    wanted = visit.query("partner")
    sources = [source.code for one in mine if wanted in ("", one.code) for source in one.sources]
    state = visit.query("state", "open")
    with visit.pipeline.database.read() as conn:
        rows = desk.quarantined(conn, sources, state if state in STATES else "", visit.number("below"), SCREEN)
    data = {
        "rows": rows,
        "partner": wanted,
        "state": state,
        "states": STATES,
        "partners": [one.code for one in mine],
        "next": visit.here(below=rows[-1]["id"]) if len(rows) == SCREEN else "",
    }
    heads = ("id", "source", "identifier", "stage", "reason", "message", "place", "tries", "state")
    return View("quarantine.html", data, heads, [[row[name] for name in heads] for row in rows])


STATES = ("open", "resolved", "ignored")


@pages.get("/quarantine/{number:int}", needs="quarantine")
def quarantined(visit: Visit) -> View:
    """One thing that was set aside, with its reason and a harmless look at its bytes."""
    row, body = _held(visit)
    shown = body[:4000].decode("utf-8", "replace")
    text = "".join(char if char.isprintable() or char in "\n\t" else "·" for char in shown)
    data = {"row": row, "shown": text, "size": len(body)}
    return View("quarantined.html", data, tuple(row), [list(row.values())])


@pages.get("/quarantine/{number:int}/raw", needs="quarantine", forms=("",))
def quarantined_raw(visit: Visit) -> Response:
    """The bytes as received, as a download."""
    row, body = _held(visit)
    return download(body, f"quarantine-{row['id']}.raw")


def _held(visit: Visit) -> tuple[dict[str, Any], bytes]:
    with visit.pipeline.database.read() as conn:
        row = ledger.quarantined(conn, visit.path("number"))
        if row is None:
            raise Gone("nothing in quarantine under this number")
        codes = {key: code for code, key in visit.pipeline.source_ids.items()}
        source = codes.get(row["source_id"], "")
        owner = next(
            (one.code for one in visit.pipeline.settings.partners for s in one.sources if s.code == source), ""
        )
        visit.need("quarantine", [owner])
        body = bytes(row["payload"])
    told = {name: value for name, value in row.items() if not isinstance(value, bytes) and name != "source_id"}
    return {**told, "source": source}, body
