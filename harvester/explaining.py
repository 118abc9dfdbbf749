"""Why two records were merged, or why not: what was decided then, and what today's rules say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from db import catalogue, ledger
from db import links as links_of
from harvester.errors import UsageError
from harvester.match import compare
from harvester.model import Address, Decision, Profile
from harvester.pipeline import Pipeline

_decode = msgspec.msgpack.Decoder(Profile).decode
BAR = 18


def explain(pipeline: Pipeline, left: str, right: str) -> dict[str, Any]:
    """The evidence on a pair of records, merged or not.

    `then` is the stored decision (None: no blocking key ever proposed the pair), `today` what the rules say now.
    """
    with pipeline.database.read() as conn:
        nodes = [_node(conn, address) for address in (left, right)]
        stored = None
        if nodes[0][0] != nodes[1][0]:
            stored = catalogue.decision_between(conn, nodes[0][0], nodes[1][0])
        states = [catalogue.states_of_records(conn, [record_id])[0] for _, _, record_id in nodes]
        links = _links(conn, Address.parse(left), Address.parse(right))
    today = compare.explain(nodes[0][1], nodes[1][1], pipeline.match)
    return {
        "left": left,
        "right": right,
        "same_cluster": states[0].cluster_id is not None and states[0].cluster_id == states[1].cluster_id,
        "clusters": [one.cluster_id for one in states],
        "equal_profiles": nodes[0][0] == nodes[1][0],
        "then": _then(stored),
        "today": _plain(today),
        "links": links,
        "thresholds": {"merge": pipeline.match.merge_at, "review": pipeline.match.review_at},
    }


def _node(conn: Any, address: str) -> tuple[int, Profile, int]:
    wanted = Address.parse(address)
    held = ledger.find(conn, wanted.source, wanted.identifier)
    if held is None:
        raise UsageError("no such record", place=address, hint="an address is source/identifier")
    found = ledger.profile_of(conn, held["id"])
    if found is None:
        raise UsageError("the record is deleted", place=address)
    return found[0], _decode(found[1]), held["id"]


def _links(conn: Any, left: Address, right: Address) -> list[dict[str, Any]]:
    """What people said about the pair, the newest first: that one counts."""
    found = []
    for one in reversed(links_of.concerning(conn, [left])):
        mine, theirs = ([number for number, side in enumerate(one.sides) if end in side] for end in (left, right))
        if not mine or not theirs or (mine == theirs and one.kind == "cannot"):
            continue
        kind = "must" if mine == theirs else "cannot"
        said = {"kind": kind, "author": one.author, "reason": one.reason, "at": one.at}
        found.append({"decision": one.id, "action": one.action, **said})
    return found


def _then(stored: dict[str, Any] | None) -> dict[str, Any] | None:
    if stored is None:
        return None
    evidence = json.loads(stored["evidence"] or b"[]")
    names = ("verdict", "score", "reason", "run_id")
    return {**{name: stored[name] for name in names}, "evidence": evidence}


def _plain(decision: Decision) -> dict[str, Any]:
    return {
        "verdict": decision.verdict,
        "score": decision.score,
        "reason": decision.reason,
        "evidence": [
            {"feature": one.feature, "left": one.left, "right": one.right, "outcome": one.outcome, "points": one.points}
            for one in decision.evidence
        ],
    }


def show(answer: dict[str, Any], say: Callable[[str], None]) -> None:
    """The answer as a table with a bar a line, as it stands in a terminal."""
    today = answer["today"]
    width = max([12, *(len(one["feature"]) for one in today["evidence"])])
    say(f"{'':{width}}  {answer['left'][:26]:26}  {answer['right'][:26]:26}  evidence")
    for one in today["evidence"]:
        bar = "█" * min(BAR, max(0, round(abs(one["points"]) / 2)))
        cells = f"{one['left'][:26] or '-':26}  {one['right'][:26] or '-':26}  {one['outcome']:24}"
        say(f"{one['feature']:{width}}  {cells} {one['points']:+7.1f}  {bar}")
    limits = answer["thresholds"]
    say(
        f"total {today['score']:+.1f}   merge from {limits['merge']:+g}, review from {limits['review']:+g} "
        f"(5 points = 1 unit of log-odds)   →  {today['verdict'].upper()}  {today['reason']}"
    )
    say(_sentence(answer))


def _sentence(answer: dict[str, Any]) -> str:
    for row in answer["links"]:
        return f"A person said {row['kind']}-link: {row['reason']} ({row['author']}, {row['at']})."
    if answer["equal_profiles"]:
        return "Both records say the same in everything that is compared."
    then = answer["then"]
    where = f"one cluster ({answer['clusters'][0]})" if answer["same_cluster"] else "two clusters"
    if then is None:
        return f"No blocking key proposed this pair; computed now. They stand in {where}."
    return f"Decided in run {then['run_id']}: {then['verdict']} at {then['score']:+.1f}. They stand in {where}."
