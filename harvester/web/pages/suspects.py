"""The worklist of suspect clusters: those reported as wrong, then those about which something is odd."""

from __future__ import annotations

from typing import Any

from db import accounts as stored
from db import catalogue, desk
from harvester import reviewing
from harvester.reviewing import Item
from harvester.web.kept import kept
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SHOWN = 100
REASONS = 10  # of a cluster: one whose ISBN stands in thousands of others says so thousands of times


@pages.get("/suspects", needs="read")
def suspects(visit: Visit) -> View:
    """Clusters that are worth a look, the most suspect first; what a person has judged is left out."""
    with visit.pipeline.database.read() as conn:
        reports = [{**row, "now": catalogue.resolve(conn, row["cluster_id"])} for row in stored.reports(conn)]
        living = desk.living(conn, [row["now"] for row in reports])
        briefs = catalogue.briefs(conn, living)
    lines: dict[int, dict[str, Any]] = {}
    for row in reports:
        if row["now"] in living:
            line = lines.setdefault(row["now"], _line(row["now"], briefs.get(row["now"], {})))
            line["reports"].append(row)
    for one in odd(visit):
        line = lines.setdefault(
            one.clusters[0], _line(one.clusters[0], {"title": one.titles[0], "members": one.records})
        )
        told = [reason.sentence(visit.gettext, one.names) for reason in one.why[:REASONS]]
        line |= {"reasons": told, "left": one.left, "right": one.right}
    shown = list(lines.values())[:SHOWN]
    heads = ("cluster", "title", "members", "why")
    data = {"lines": shown, "gone": [row for row in reports if row["now"] not in living]}
    return View("suspects.html", data, heads, [_row(one) for one in shown])


def _line(key: int, brief: Any) -> dict[str, Any]:
    told = {"cluster": key, "title": brief.get("title", ""), "members": brief.get("members", 0)}
    return {**told, "reports": [], "reasons": (), "left": "", "right": ""}


def _row(line: dict[str, Any]) -> list[Any]:
    why = [*(one["remark"] for one in line["reports"]), *line["reasons"]]
    return [line["cluster"], line["title"], line["members"], "; ".join(why)]


def odd(visit: Visit) -> list[Item]:
    """The suspect clusters; looked for again only when the catalogue or a person's verdict has changed."""
    return kept(visit, "odd", lambda: reviewing.queue(visit.pipeline, SHOWN, kinds=("cluster",)))
