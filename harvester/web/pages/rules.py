"""The rules in force: what they say, how they do on the judged pairs, and what a changed file would do."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from sqlalchemy import Connection

from db import catalogue, desk, links
from harvester.errors import ConfigError
from harvester.match import compare
from harvester.match import rules as match_rules
from harvester.match.rules import Rules
from harvester.model import Address, Profile
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
COMPARED = 2000
SHOWN = 50
LONGEST_FILE = 200_000
_decode = msgspec.msgpack.Decoder(Profile).decode


@pages.get("/rules", needs="read")
def rules(visit: Visit) -> View:
    return _page(visit, visit.pipeline.match.text, None, "")


@pages.post("/rules/try", needs="promote")
def what_if(visit: Visit) -> View:
    """Compare the judged pairs, and the newest scored ones, by another rule file; nothing is stored."""
    sent = visit.form.get("text", "")
    text = sent[:LONGEST_FILE] if isinstance(sent, str) else ""
    try:
        other = match_rules.parse(text)
    except ConfigError as error:
        return _page(visit, text, None, "\n".join(error.problems))
    return _page(visit, text, _compared(visit, other), "")


def _page(visit: Visit, text: str, tried: dict[str, Any] | None, problem: str) -> View:
    present = visit.pipeline.match
    with visit.pipeline.database.read() as conn:
        figures = measure(conn, present)
        history = desk.derivations(conn, 20)
    data = {
        "text": text,
        "merge_at": present.merge_at,
        "review_at": present.review_at,
        "hash": present.hash,
        "figures": figures,
        "history": history,
        "tried": tried,
        "problem": problem,
    }
    return View("rules.html", data, ("figure", "value"), [[name, value] for name, value in figures.items()])


def measure(conn: Connection, rules: Rules) -> dict[str, Any]:
    """Precision and recall of merging on the pairs that people have judged; None where there is nothing to divide."""
    judged = links.labels(conn)
    pairs = [(_address(row, "left"), _address(row, "right"), bool(row["duplicate"])) for row in judged]
    nodes = desk.node_of(conn, {one for left, right, _ in pairs for one in (left, right)})
    profiles = _profiles(conn, nodes.values())
    counted: Counter[tuple[bool, str]] = Counter()
    for left, right, same in pairs:
        if left in nodes and right in nodes:
            verdict = compare.decide(profiles[nodes[left]], profiles[nodes[right]], rules).verdict
            counted[same, verdict if verdict in ("merge", "review") else "apart"] += 1
    hit, wrong = counted[True, "merge"], counted[False, "merge"]
    missed = counted[True, "apart"] + counted[True, "review"]
    return {
        "pairs": sum(counted.values()),
        "precision": hit / (hit + wrong) if hit + wrong else None,
        "recall": hit / (hit + missed) if hit + missed else None,
        "wrong_merges": wrong,
        "left_to_people": counted[True, "review"] + counted[False, "review"],
    }


def _address(row: dict[str, Any], side: str) -> Address:
    return Address(row[f"{side}_source"], row[f"{side}_identifier"])


def _profiles(conn: Connection, nodes: Any) -> dict[int, Profile]:
    return {key: _decode(body) for key, (body, _) in catalogue.profiles(conn, set(nodes)).items()}


def _compared(visit: Visit, other: Rules) -> dict[str, Any]:
    """What the other rules would say of the pairs that were scored last: how many verdicts change, and which."""
    with visit.pipeline.database.read() as conn:
        figures = measure(conn, other)
        rows = desk.judged_pairs(conn, COMPARED)
        nodes = {row[name] for row in rows for name in ("left_node", "right_node")}
        profiles = _profiles(conn, nodes)
        changed = []
        for row in rows:
            made = compare.decide(profiles[row["left_node"]], profiles[row["right_node"]], other)
            if made.verdict != row["verdict"]:
                changed.append((row, made))
        places = desk.standing(conn, {row[name] for row, _ in changed[:SHOWN] for name in ("left_node", "right_node")})
    moved = Counter((row["verdict"], made.verdict) for row, made in changed)
    shown = [
        {
            "left": str(places[row["left_node"]][0]),
            "right": str(places[row["right_node"]][0]),
            "before": row["verdict"],
            "after": made.verdict,
            "score": made.score,
        }
        for row, made in changed[:SHOWN]
        if row["left_node"] in places and row["right_node"] in places
    ]
    return {"figures": figures, "compared": len(rows), "moved": dict(moved), "pairs": shown}
