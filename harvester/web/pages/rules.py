"""The rules in force: what they say, how they do on the judged pairs, and what a changed file would do."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.responses import RedirectResponse, Response

from db import catalogue, desk, links
from harvester import simulating
from harvester.errors import ConfigError
from harvester.match import compare
from harvester.match import rules as match_rules
from harvester.match.rules import Rules
from harvester.model import Address, Profile
from harvester.web.pages.merges import said
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()
SAMPLES = 20
LONGEST_FILE = 200_000
_decode = msgspec.msgpack.Decoder(Profile).decode


@pages.get("/rules", needs="read")
def rules(visit: Visit) -> View:
    return _page(visit, visit.pipeline.match.text, None, "")


@pages.post("/rules/try", needs="promote", long=True)
def what_if(visit: Visit) -> View:
    """What another rule file would make of the stored catalogue: clusters split and joined; nothing is stored."""
    text = _sent(visit)
    try:
        other = match_rules.parse(text)
    except ConfigError as error:
        return _page(visit, text, None, "\n".join(error.problems))
    with visit.pipeline.database.read() as conn:
        figures = measure(conn, other)
    told = simulating.simulate(visit.pipeline, other, samples=SAMPLES)
    return _page(visit, text, {"figures": figures, **told}, "")


@pages.post("/rules/promote", needs="promote", long=True)
def promote(visit: Visit) -> View | Response:
    """Put a rule file in force that was tried before: asked again, with its effects and a reason."""
    text = _sent(visit)
    reason = visit.field("reason").strip()
    other = match_rules.parse(text)
    if visit.field("sure") != "yes" or not reason:
        told = simulating.simulate(visit.pipeline, other, samples=0)
        return View("promote.html", {"text": text, "told": told, "reason": reason})
    said(reason)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "match.yaml"
        path.write_text(text, encoding="utf-8")
        made = simulating.promote(visit.pipeline.settings, os.environ, visit.pipeline.clock, path)
    return _reopened(visit, "rules promoted", made, reason)


@pages.post("/rules/rollback", needs="promote")
def rollback(visit: Visit) -> Response:
    """Put the rules of before back in force."""
    reason = visit.field("reason").strip()
    said(reason)
    made = simulating.rollback(visit.pipeline.settings, os.environ, visit.pipeline.clock)
    return _reopened(visit, "rules rolled back", made, reason)


def _reopened(visit: Visit, action: str, made: simulating.Promoted, reason: str) -> Response:
    """Note it; the next request finds the rules now in force."""
    visit.note(action, made.rules, made.before, reason)
    return RedirectResponse("/rules?promoted=1", 303)


def _sent(visit: Visit) -> str:
    sent = visit.form.get("text", "")
    return sent[:LONGEST_FILE].replace("\r\n", "\n") if isinstance(sent, str) else ""


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
