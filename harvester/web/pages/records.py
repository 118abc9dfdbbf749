"""A record: as received, normalized, traced, its versions and their differences; explained against any other."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import Response

from db import catalogue, ledger
from harvester import explaining, inspecting
from harvester.errors import IndukError, UsageError
from harvester.model import Address, NormalizedRecord
from harvester.web import seeing
from harvester.web.difference import pieces
from harvester.web.views import Pages, View
from harvester.web.visit import Gone, Visit

pages = Pages()
SHOWN_BYTES = 200_000


@pages.get("/records/{source}/{identifier:path}", needs="read")
def record(visit: Visit) -> View:
    """One record as this person may see it."""
    address = asked(visit)
    told = inspecting.record(visit.pipeline, address)
    whole = visit.may("raw", [told["partner"]])
    with visit.pipeline.database.read() as conn:
        state = catalogue.states_of_addresses(conn, [Address.parse(address)])[0]
        shown = seeing.record(visit, conn, state)
    if not whole and shown is None:
        raise Gone("no such record")
    fields = _fields(shown) if shown else []
    data: dict[str, Any] = {
        "address": address,
        "partner": told["partner"],
        "state": told["state"],
        "version": told["version"],
        "format": told["format"],
        "datestamp": told["datestamp"],
        "cluster": told["cluster"],
        "fields": fields,
        "whole": whole,
        "warnings": told["warnings"] if whole else [],
        "versions": [_version(row) for row in told["versions"]] if whole else [],
        "trace": _trace(visit, address) if whole and visit.query("trace") else None,
        "compared": _compared(visit, address) if whole and visit.query("before") else None,
    }
    return View("record.html", data, ("field", "value"), [[one["field"], one["value"]] for one in fields])


def asked(visit: Visit) -> str:
    """The address in the path; an identifier may end in what looks like a suffix."""
    source, identifier = visit.path("source"), visit.path("identifier")
    if visit.suffix:
        with visit.pipeline.database.read() as conn:
            if ledger.find(conn, source, identifier + visit.suffix):
                visit.suffix, identifier = "", identifier + visit.suffix
    with visit.pipeline.database.read() as conn:
        if ledger.find(conn, source, identifier) is None:
            raise Gone("no such record")
    return f"{source}/{identifier}"


def _fields(record: NormalizedRecord) -> list[dict[str, str]]:
    return [{"field": name, "value": value} for name in seeing.FIELDS for value in seeing.values_of(record, name)]


def _version(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in ("version", "state", "datestamp", "run_id", "at")}


def _trace(visit: Visit, address: str) -> list[dict[str, Any]]:
    try:
        return inspecting.trace(visit.pipeline, address)
    except IndukError as error:
        return [{"field": "", "rule": "", "function": "", "input": "", "output": str(error)}]


def _compared(visit: Visit, address: str) -> list[Any]:
    """The bytes of two versions, line by line, marked where the later one differs."""
    first, second = visit.number("before"), visit.number("after")
    texts = []
    for number in (first, second):
        body = inspecting.raw(visit.pipeline, address, number)[:SHOWN_BYTES]
        texts.append(_lines(body))
    length = max(map(len, texts))
    left, right = (one + [""] * (length - len(one)) for one in texts)
    return [(pieces(one, other), pieces(other, one)) for one, other in zip(left, right, strict=True) if one != other][
        :200
    ]


def _lines(body: bytes) -> list[str]:
    text = body.decode("utf-8", "replace").replace("\x1e", "\n").replace("\x1f", " $")
    return text.replace("><", ">\n<").splitlines()


@pages.get("/raw/{source}/{identifier:path}", needs="raw", forms=("",))
def raw(visit: Visit) -> Response:
    """The bytes as received: a download that no browser shows or runs."""
    address = asked(visit)
    visit.need("raw", [seeing.partner_of_address(visit, address)])
    version = visit.number("version") or None
    body = inspecting.raw(visit.pipeline, address, version)
    return download(body, f"{visit.path('source')}.raw")


def download(body: bytes, name: str) -> Response:
    """*body* as a file to keep."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "x-content-type-options": "nosniff"}
    return Response(body, 200, headers, "application/octet-stream")


@pages.get("/explain", needs="read")
def explain(visit: Visit) -> View:
    """Why two records are, or are not, one manifestation: what was decided then, what today's rules say."""
    left, right = visit.query("left").strip(), visit.query("right").strip()
    if not left or not right:
        return View("explain.html", {"left": left, "right": right, "told": None, "trouble": ""})
    try:
        told = explaining.explain(visit.pipeline, left, right)
    except UsageError as error:
        trouble = visit.sentence(str(error))
        return View("explain.html", {"left": left, "right": right, "told": None, "trouble": trouble}, status=404)
    with visit.pipeline.database.read() as conn:
        states = {
            one.address: one for one in catalogue.states_of_addresses(conn, [Address.parse(left), Address.parse(right)])
        }
        records = [seeing.record(visit, conn, states[one]) for one in (left, right)]
    told["today"]["evidence"] = seeing.evidence(visit, told["today"]["evidence"], (left, right))
    if told["then"]:
        told["then"]["evidence"] = seeing.evidence(visit, told["then"]["evidence"], (left, right))
    heads = [one for one, shown in zip((left, right), records, strict=True) if shown]
    sides = seeing.side_by_side([one for one in records if one])
    data = {"left": left, "right": right, "told": told, "heads": heads, "sides": sides, "trouble": ""}
    data["marc"] = seeing.marc_side_by_side([one for one in records if one])
    columns = ("feature", "left", "right", "outcome", "points")
    return View("explain.html", data, columns, [[one[name] for name in columns] for one in told["today"]["evidence"]])


@pages.get("/normalized/{source}/{identifier:path}", needs="raw", forms=("",))
def normalized(visit: Visit) -> Response:
    """The normalized record as JSON, whole."""
    address = asked(visit)
    visit.need("raw", [seeing.partner_of_address(visit, address)])
    body = inspecting.record(visit.pipeline, address)["normalized"]
    return Response(json.dumps(body, ensure_ascii=False), media_type="application/json")
