"""Why two records were merged, or why not: what was decided then, and what today's rules say."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from db import catalogue, derivations, ledger
from db import links as links_of
from harvester.errors import UsageError
from harvester.match import compare
from harvester.model import Address, Decision, Profile
from harvester.pipeline import Pipeline

_decode = msgspec.msgpack.Decoder(Profile).decode


def explain(pipeline: Pipeline, left: str, right: str) -> dict[str, Any]:
    """The evidence on a pair of records, merged or not.

    `then` is the stored decision (None: no blocking key ever proposed the pair) with the hash of its rules, `today`
    what the `rules` in force say now.
    """
    if left == right:
        raise UsageError("that is one record, not two", place=left)
    with pipeline.database.read() as conn:
        nodes = [_node(conn, address) for address in (left, right)]
        stored = None
        if nodes[0][0] != nodes[1][0]:
            stored = catalogue.decision_between(conn, nodes[0][0], nodes[1][0])
        made = derivations.get(conn, stored["derivation_id"]) if stored else None
        states = [catalogue.states_of_records(conn, [record_id])[0] for _, _, record_id in nodes]
        links = _links(conn, Address.parse(left), Address.parse(right))
    today = compare.explain(nodes[0][1], nodes[1][1], pipeline.match)
    return {
        "left": left,
        "right": right,
        "same_cluster": states[0].cluster_id is not None and states[0].cluster_id == states[1].cluster_id,
        "clusters": [one.cluster_id for one in states],
        "equal_profiles": nodes[0][0] == nodes[1][0],
        "then": _then(stored, made["match_hash"] if made else ""),
        "rules": pipeline.match.hash,
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
        said = {"kind": kind, "author": one.author, "reason": one.reason, "at": one.at, "state": one.state}
        found.append({"decision": one.id, "action": one.action, **said})
    return found


def _then(stored: dict[str, Any] | None, rules: str) -> dict[str, Any] | None:
    if stored is None:
        return None
    evidence = json.loads(stored["evidence"] or b"[]")
    names = ("verdict", "score", "reason", "run_id")
    return {**{name: stored[name] for name in names}, "rules": rules, "evidence": evidence}


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
