"""The merge log: what came together or apart, why, by whom; a line in full; a selection undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import RedirectResponse, Response

from db import catalogue, desk
from db.desk import LogFilter
from harvester import deciding
from harvester.errors import UsageError
from harvester.model import Address
from harvester.web import seeing
from harvester.web.pinning import Shown
from harvester.web.views import Pages, View
from harvester.web.visit import Gone, Visit

pages = Pages()
SCREEN = 50
SHEET = 5000
SELECTED = 500
REMEMBERED = 1000  # clusters of a preview
HEADS = ("id", "at", "kind", "cluster", "record", "with", "rule", "score", "actor", "run", "reason")


@pages.get("/merges", needs="read")
def log(visit: Visit) -> View:
    """The log, filtered; as a sheet up to SHEET lines, `below` goes on behind them."""
    wanted = wanted_lines(visit)
    limit = SHEET if visit.suffix else SCREEN
    with visit.pipeline.database.read() as conn:
        rows = desk.merge_log(conn, wanted, limit)
        actors = desk.actors(conn)
        briefs = catalogue.briefs(conn, {row["cluster_id"] for row in rows})
    lines = [_line(row, briefs) for row in rows]
    data = {
        "lines": lines,
        "wanted": {name: visit.query(name) for name in FILTERS},
        "kinds": desk.KINDS,
        "actors": actors,
        "rules": _rules(visit),
        "next": visit.here(below=rows[-1]["id"]) if len(rows) == limit else "",
        "partners": [one.code for one in visit.pipeline.settings.partners],
    }
    return View("merges.html", data, HEADS, [[line[name] for name in HEADS] for line in lines])


FILTERS = ("since", "until", "partner", "rule", "by", "kind", "low", "high", "cluster")


def wanted_lines(visit: Visit) -> LogFilter:
    """The filter in the query; what cannot be meant is left out."""
    partner = visit.pipeline.partners.get(visit.query("partner"))
    return LogFilter(
        since=visit.query("since")[:20],
        until=visit.query("until")[:20],
        sources=tuple(one.code for one in partner.sources) if partner else None,
        rule=visit.query("rule")[:60],
        actor=visit.query("by")[:64],
        kind=visit.query("kind") if visit.query("kind") in desk.KINDS else "",
        low=_points(visit.query("low")),
        high=_points(visit.query("high")),
        below=visit.number("below"),
        cluster=visit.number("cluster"),
    )


def _points(text: str) -> float | None:
    try:
        number = float(text[:20])
    except ValueError:
        return None
    return number if -1e6 < number < 1e6 else None


def _rules(visit: Visit) -> list[str]:
    """The features that can speak, for the choice."""
    from harvester.match.comparisons import comparisons

    return sorted(comparisons.names())


def _line(row: Mapping[str, Any], briefs: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    body = row["body"]
    brief = briefs.get(row["cluster_id"], {})
    return {
        "id": row["id"],
        "at": row["at"],
        "kind": row["kind"],
        "cluster": row["cluster_id"],
        "title": brief.get("title", ""),
        "record": body.get("record", ""),
        "with": body.get("with", ""),
        "rule": row["rule"],
        "score": row["score"],
        "actor": row["actor"],
        "run": row["run_id"],
        "reason": body.get("why") or body.get("reason", ""),
        "decision": body.get("decision"),
    }


# ---- one line ----------------------------------------------------------------------------------------


@pages.get("/merges/{number:int}", needs="read")
def line(visit: Visit) -> View:
    """One line: the evidence, both records side by side, who and why."""
    with visit.pipeline.database.read() as conn:
        rows = catalogue.events_by_id(conn, [visit.path("number")])
        if not rows:
            raise Gone("no such line in the merge log")
        briefs = catalogue.briefs(conn, [rows[0]["cluster_id"]])
        found = desk.merge_log(conn, LogFilter(below=rows[0]["id"] + 1), 1)[0]
        told = _line(found, briefs)
        addresses = [one for one in (told["record"], told["with"]) if one]
        states = catalogue.states_of_addresses(conn, [Address.parse(one) for one in addresses])
        by_address = {one.address: one for one in states}
        records = [seeing.record(visit, conn, by_address[one]) if one in by_address else None for one in addresses]
    shown = [one for one, record in zip(addresses, records, strict=True) if record]
    evidence = seeing.evidence(visit, found["body"].get("evidence", ()), addresses)
    limits = {"merge": visit.pipeline.match.merge_at, "review": visit.pipeline.match.review_at}
    data = {
        "line": told,
        "evidence": evidence,
        "limits": limits,
        "heads": shown,
        "sides": seeing.side_by_side([one for one in records if one]),
        "marc": seeing.marc_side_by_side([one for one in records if one]),
    }
    heads = ("feature", "left", "right", "outcome", "points")
    return View("merge.html", data, heads, [[one.get(name, "") for name in heads] for one in evidence])


# ---- reverting ---------------------------------------------------------------------------------------


@pages.post("/merges/revert", needs="decide")
def revert(visit: Visit) -> View | Response:
    """Foresee, then undo, the lines that were ticked."""
    ids = sorted({int(one) for one in visit.fields("event") if one.isdecimal() and len(one) < 19})[:SELECTED]
    if not ids:
        raise UsageError("nothing was selected")
    may_undo(visit, ids)
    reason = visit.field("reason").strip()
    if visit.field("step") != "do":
        result = deciding.undo_events(visit.pipeline, ids, visit.person.name, reason, preview=True)
        hidden = [("event", str(one)) for one in ids]
        title = visit.gettext("Undo these lines of the merge log")
        return confirm(visit, "/merges/revert", title, hidden, reason, result)
    said(reason)
    unchanged(visit)
    result = deciding.undo_events(visit.pipeline, ids, visit.person.name, reason)
    visit.note("undo_events", ", ".join(map(str, ids))[:900], _groups(result.before), _groups(result.after))
    return RedirectResponse(f"/decisions/{result.decision}", 303)


def may_undo(visit: Visit, ids: Sequence[int]) -> None:
    """Every line must concern a record of theirs, or a cluster that holds one."""
    with visit.pipeline.database.read() as conn:
        clusters = {row["cluster_id"] for row in catalogue.events_by_id(conn, ids)}
        living = {one: catalogue.resolve(conn, one) for one in clusters}
        members = catalogue.members(conn, living.values())
    for one in clusters:
        visit.need("decide", {state.partner for state in members.get(living[one], ())})


def said(reason: str) -> None:
    """A decision wants a reason."""
    if not reason:
        raise UsageError("say why: a decision without a reason helps nobody later")


def confirm(
    visit: Visit,
    path: str,
    title: str,
    hidden: Sequence[tuple[str, str]],
    reason: str,
    result: deciding.Result,
    values: Sequence[Shown] = (),
) -> View:
    """The page between asking and doing: every effect, and the button; it remembers which clusters were looked at."""
    seen = [(f"version-{one.cluster}", str(one.version)) for one in result.before if one.cluster][:REMEMBERED]
    hidden = [*(pair for pair in hidden if not pair[0].startswith("version-")), *seen]
    data = {"path": path, "title": title, "hidden": hidden, "reason": reason, "result": result}
    data["values"] = values
    return View("confirm.html", data)


def unchanged(visit: Visit) -> None:
    """Refuse when a cluster that the preview showed is another one by now."""
    seen = {name[8:]: value for name, value in visit.form.items() if name.startswith("version-")}
    with visit.pipeline.database.read() as conn:
        rows = catalogue.clusters(conn, [int(key) for key in seen if key.isdecimal() and len(key) < 19])
    now = {str(key): str(row["version"]) for key, row in rows.items()}
    for key, version in seen.items():
        if now.get(key) != version:
            raise deciding.StaleCluster(f"cluster {key} has changed since you looked")


def _groups(groups: Sequence[deciding.Group]) -> str:
    return "; ".join(f"{one.cluster or 'new'}: {', '.join(one.members)}" for one in groups)


# ---- decisions of people -----------------------------------------------------------------------------


@pages.get("/decisions/{number:int}", needs="read")
def decision(visit: Visit) -> View:
    """One decision: who, why, whom it concerns, and what undid it."""
    try:
        told = deciding.decision(visit.pipeline, visit.path("number"))
    except UsageError as error:
        raise Gone(error.message) from error
    addresses = [one for side in told["sides"] for one in side]
    with visit.pipeline.database.read() as conn:
        states = catalogue.states_of_addresses(conn, [Address.parse(one) for one in addresses])
    homes = {one.address: one.cluster_id for one in states}
    mine = visit.may("decide", {one.partner for one in states})
    data = {"decision": told, "homes": homes, "may": mine}
    rows = [[told["id"], number, address] for number, side in enumerate(told["sides"], 1) for address in side]
    return View("decision.html", data, ("decision", "group", "record"), rows)


@pages.get("/decisions", needs="read")
def decisions(visit: Visit) -> View:
    """Every decision, the oldest first."""
    found = deciding.decisions(visit.pipeline, after=visit.number("after"), limit=200, undone=True)
    heads = ("id", "at", "author", "action", "state", "reason", "undone_by")
    following = visit.here(after=found[-1]["id"]) if len(found) == 200 else ""
    data = {"decisions": found, "next": following}
    return View("decisions.html", data, heads, [[one[name] for name in heads] for one in found])


@pages.post("/decisions/{number:int}/undo", needs="decide")
def undo(visit: Visit) -> View | Response:
    """Take a decision back, after a look at what that does."""
    number, reason = visit.path("number"), visit.field("reason").strip()
    told = deciding.decision(visit.pipeline, number)
    with visit.pipeline.database.read() as conn:
        addresses = [Address.parse(one) for side in told["sides"] for one in side]
        states = catalogue.states_of_addresses(conn, addresses)
    visit.need("decide", {one.partner for one in states} if states else None)
    if visit.field("step") != "do":
        result = deciding.undo(visit.pipeline, number, visit.person.name, reason, preview=True)
        title = visit.gettext("Undo decision %(n)s") % {"n": number}
        return confirm(visit, f"/decisions/{number}/undo", title, [], reason, result)
    said(reason)
    unchanged(visit)
    result = deciding.undo(visit.pipeline, number, visit.person.name, reason)
    visit.note("undo", f"decision {number}", _groups(result.before), _groups(result.after))
    return RedirectResponse(f"/decisions/{result.decision}", 303)
