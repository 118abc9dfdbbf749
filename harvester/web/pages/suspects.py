"""The worklist of suspect clusters: reported, contradicting themselves, hardly joined, crowded by one partner."""

from __future__ import annotations

from typing import Any

from db import accounts as stored
from db import catalogue, desk, links
from harvester.model import Address
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
LIMIT = 300
SHOWN = 100
MARGIN = 5.0  # points above the threshold under which a join counts as weak: one unit of log-odds
REPORTED, CONTRADICTING, WEAK, CROWDED = "reported", "contradicting", "weak", "crowded"
WEIGHT = {REPORTED: 1000, CONTRADICTING: 100, WEAK: 10, CROWDED: 1}


@pages.get("/suspects", needs="read")
def suspects(visit: Visit) -> View:
    """Clusters that are worth a look, the most suspect first; those that a person has judged are left out."""
    with visit.pipeline.database.read() as conn:
        reports = stored.reports(conn)
        reasons: dict[int, list[dict[str, Any]]] = {}
        for row in reports:
            key = catalogue.resolve(conn, row["cluster_id"])
            reasons.setdefault(key, []).append(
                {"why": REPORTED, "text": row["remark"], "by": row["account"], "id": row["id"]}
            )
        for key, text in desk.contradicting(conn, LIMIT):
            reasons.setdefault(key, []).append({"why": CONTRADICTING, "text": text})
        for key, score, rule in desk.weak_joins(conn, visit.pipeline.match.merge_at + MARGIN, LIMIT):
            if all(one["why"] != WEAK for one in reasons.get(key, ())):
                reasons.setdefault(key, []).append({"why": WEAK, "text": rule, "score": score})
        for key, members, partners in desk.crowded(conn, LIMIT):
            reasons.setdefault(key, []).append({"why": CROWDED, "members": members, "partners": partners})
        living = desk.living(conn, reasons)
        ranked = sorted(living, key=lambda key: (-_weight(reasons[key]), key))[:LIMIT]
        members = catalogue.members(conn, ranked)
        judged = _judged(conn, members)
        briefs = catalogue.briefs(conn, ranked)
    lines = [
        {
            "cluster": key,
            "title": briefs.get(key, {}).get("title", ""),
            "author": briefs.get(key, {}).get("author", ""),
            "members": len(members.get(key, ())),
            "reasons": reasons[key],
        }
        for key in ranked
        if key not in judged or any(one["why"] == REPORTED for one in reasons[key])
    ][:SHOWN]
    gone = [row for row in reports if row["cluster_id"] not in living]
    heads = ("cluster", "title", "members", "why")
    rows = [
        [one["cluster"], one["title"], one["members"], ", ".join(why["why"] for why in one["reasons"])] for one in lines
    ]
    return View("suspects.html", {"lines": lines, "gone": gone}, heads, rows)


def _weight(reasons: list[dict[str, Any]]) -> int:
    return sum(WEIGHT[one["why"]] for one in reasons)


def _judged(conn: Any, members: dict[int, list[Any]]) -> set[int]:
    """The clusters about all of whose members a person has said that they belong together."""
    homes = {Address(one.source, one.identifier): key for key, states in members.items() for one in states}
    found: set[int] = set()
    for decided in links.concerning(conn, homes):
        for side in decided.sides:
            keys = {homes[one] for one in side if one in homes}
            if decided.kind != "cannot" and len(keys) == 1:
                key = next(iter(keys))
                here = {one for one in side if homes.get(one) == key}
                found |= {key} if len(here) == len(members[key]) else set()
    return found
