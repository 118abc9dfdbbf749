"""Tonight: a light for each partner and what waits for a person; runs with their funnel; halted ones decided."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from starlette.responses import RedirectResponse, Response

from db import accounts as stored
from db import control, desk, ledger, work
from harvester import controlling, deciding, inspecting
from harvester.errors import UsageError
from harvester.web import seeing
from harvester.web.kept import kept
from harvester.web.pages.merges import _groups as told_groups
from harvester.web.pages.merges import confirm, said
from harvester.web.pages.review import doubtful
from harvester.web.views import Pages, View
from harvester.web.visit import Gone, Visit

pages = Pages()
NIGHTS = 14
SCREEN = 50
WORST = ("failed", "halted", "partial", "running", "complete")


@pages.get("/", needs="read", forms=("",))
@pages.get("/tonight", needs="read")
def tonight(visit: Visit) -> View:
    """The first page."""
    lines = kept(visit, "partners", lambda: inspecting.partners(visit.pipeline))
    days = _days(visit)
    with visit.pipeline.database.read() as conn:
        halted = control.halted(conn)
        nights = desk.nights(conn, days[0])
        last = desk.counts_since(conn, _ago(visit, 1))
        reports = stored.open_reports(conn)
        queued = work.queued(conn)
    totals = kept(visit, "totals", lambda: _totals(visit))
    data = {
        "partners": lines,
        "halted": [_told(row) for row in halted],
        "totals": totals,
        "lately": last,
        "reports": reports,
        "queued": queued,
        "waiting": doubtful(visit),
        "days": days,
        "nights": _calendar(visit, nights, days),
    }
    heads = ("code", "status", "records", "clusters", "quarantined", "last_run", "verdict")
    return View("tonight.html", data, heads, [[line[name] for name in heads] for line in lines])


def _totals(visit: Visit) -> dict[str, int]:
    with visit.pipeline.database.read() as conn:
        return desk.totals(conn)


def _ago(visit: Visit, days: int) -> str:
    return (visit.pipeline.clock.now() - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _days(visit: Visit) -> list[str]:
    """The last NIGHTS days, the oldest first."""
    now = visit.pipeline.clock.now()
    return [(now - timedelta(days=ago)).strftime("%Y-%m-%d") for ago in reversed(range(NIGHTS))]


def _calendar(visit: Visit, nights: Sequence[tuple[str, str, str]], days: Sequence[str]) -> list[dict[str, Any]]:
    """A line a partner: for each day the worst verdict of its harvests, "" for none."""
    owner = {source.code: one.code for one in visit.pipeline.settings.partners for source in one.sources}
    found: dict[tuple[str, str], str] = {}
    for code, day, verdict in nights:
        key = owner.get(code, ""), day
        found[key] = min((found.get(key, "complete"), verdict), key=WORST.index)
    return [
        {"code": one.code, "verdicts": [found.get((one.code, day), "") for day in days]}
        for one in visit.pipeline.settings.partners
    ]


# ---- runs --------------------------------------------------------------------------------------------


@pages.get("/runs", needs="read")
def runs(visit: Visit) -> View:
    """Runs, the newest first."""
    with visit.pipeline.database.read() as conn:
        rows = desk.runs(conn, visit.query("source")[:100], visit.query("kind")[:20], visit.number("below"), SCREEN)
    lines = [_told(row) for row in rows]
    data = {
        "runs": lines,
        "source": visit.query("source"),
        "kind": visit.query("kind"),
        "sources": [one.code for one in visit.pipeline.settings.sources],
        "kinds": ("harvest", "import", "match", "decide", "publish", "normalize", "audit"),
        "next": visit.here(below=rows[-1]["id"]) if len(rows) == SCREEN else "",
    }
    heads = ("id", "kind", "source", "started_at", "ended_at", "verdict", "proof", *work.COUNTERS, "reason")
    return View("runs.html", data, heads, [[line[name] for name in heads] for line in lines])


def _told(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "body": json.loads(row["body"])}


def _events(visit: Visit, number: int) -> dict[str, int]:
    with visit.pipeline.database.read() as conn:
        return desk.events_of_run(conn, number)


SET_ASIDE = ("id", "identifier", "stage", "reason", "message")
FUNNEL = ("received", "created", "updated", "unchanged", "deleted", "quarantined", "excluded")


@pages.get("/runs/{number:int}", needs="read")
def run(visit: Visit) -> View:
    """One run: its funnel beside the last good one, what it set aside, what may be done about it."""
    number = visit.path("number")
    with visit.pipeline.database.read() as conn:
        row = work.get_run(conn, number)
        if row is None:
            raise Gone(f"no run {number}")
        good = work.last_good(conn, row)
        partner = seeing.partner_of_address(visit, row["source"] or "")
        shown = ledger.quarantine_of_run(conn, number) if visit.may("quarantine", [partner]) else []
    events = kept(visit, f"events of run {number}", lambda: _events(visit, number), until="runs")
    most = max((row[name] for name in FUNNEL), default=0) or 1
    funnel = [
        {"name": name, "now": row[name], "good": good[name] if good else None, "width": round(300 * row[name] / most)}
        for name in FUNNEL
    ]
    data = {
        "run": _told(row),
        "partner": partner,
        "funnel": funnel if row["kind"] in ("harvest", "import") else [],
        "quarantine": [{name: one[name] for name in SET_ASIDE} for one in shown],
        "events": events,
        "may_settle": row["verdict"] == "halted" and visit.may("approve", [partner]),
        "may_revert": row["kind"] in ("match", "decide") and visit.may("users"),
    }
    return View(
        "run.html", data, ("count", "run", "last good"), [[one["name"], one["now"], one["good"]] for one in funnel]
    )


@pages.post("/runs/{number:int}/settle", needs="approve")
def settle(visit: Visit) -> View | Response:
    """Approve or reject what a halted run stopped at: asked twice, with the reason."""
    number, answer = visit.path("number"), visit.field("answer")
    if answer not in ("approve", "reject"):
        raise UsageError("no such action")
    with visit.pipeline.database.read() as conn:
        row = work.get_run(conn, number)
    if row is None or row["verdict"] != "halted":
        raise UsageError(f"run {number} waits for no decision")
    visit.need("approve", [seeing.partner_of_address(visit, row["source"] or "")])
    reason = visit.field("reason").strip()
    if visit.field("step") != "do":
        return View("settle.html", {"run": _told(row), "answer": answer, "reason": reason})
    said(reason)
    act = controlling.approve if answer == "approve" else controlling.reject
    settled = act(visit.pipeline, number, visit.person.name, reason)
    visit.note(f"run {answer}d", str(number), row["reason"], f"{settled.records} records; {reason}")
    return RedirectResponse(f"/runs/{settled.run or number}", 303)


@pages.post("/runs/{number:int}/revert", needs="users")
def revert(visit: Visit) -> View | Response:
    """Take back everything that a match run joined; first every effect is shown."""
    number, reason = visit.path("number"), visit.field("reason").strip()
    if visit.field("step") != "do":
        result = deciding.undo_run(visit.pipeline, number, visit.person.name, reason, preview=True)
        title = visit.gettext("Undo run %(n)s") % {"n": number}
        return confirm(visit, f"/runs/{number}/revert", title, [], reason, result)
    said(reason)
    result = deciding.undo_run(visit.pipeline, number, visit.person.name, reason)
    visit.note("undo_run", str(number), told_groups(result.before), told_groups(result.after))
    return RedirectResponse(f"/decisions/{result.decision}", 303)
