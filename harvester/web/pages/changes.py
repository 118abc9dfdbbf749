"""The feed as people read it, and the audit: who did what."""

from __future__ import annotations

from db import accounts as stored
from db import catalogue, desk
from db import changes as feed
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SCREEN = 100
SHEET = 5000


@pages.get("/changes", needs="read")
def changes(visit: Visit) -> View:
    """Changes, the newest first, and how far each output is."""
    limit = SHEET if visit.suffix else SCREEN
    with visit.pipeline.database.read() as conn:
        rows = desk.feed(conn, visit.number("below"), limit)
        briefs = catalogue.briefs(conn, {row["target_id"] or row["cluster_id"] for row in rows})
        state = feed.feed_state(conn)
        cursors = desk.cursors(conn)
    lines = [{**row, "title": briefs.get(row["target_id"] or row["cluster_id"], {}).get("title", "")} for row in rows]
    following = visit.here(below=rows[-1]["seq"]) if len(rows) == limit else ""
    data = {"changes": lines, "state": state, "cursors": cursors, "next": following}
    heads = ("seq", "at", "kind", "cluster_id", "target_id", "run_id")
    return View("changes.html", data, heads, [[line[name] for name in heads] for line in lines])


@pages.get("/audit", needs="audit")
def audit(visit: Visit) -> View:
    """Everything that people did here, the newest first."""
    limit = SHEET if visit.suffix else SCREEN
    with visit.pipeline.database.read() as conn:
        rows = stored.noted(conn, who=visit.query("who")[:64], below=visit.number("below"), limit=limit)
    following = visit.here(below=rows[-1]["id"]) if len(rows) == limit else ""
    heads = ("id", "at", "account", "action", "target", "before", "after")
    data = {"rows": rows, "who": visit.query("who"), "next": following}
    return View("audit.html", data, heads, [[row[name] for name in heads] for row in rows])
