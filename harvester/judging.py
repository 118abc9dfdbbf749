"""Pairs of profiles → decisions. Pure, so any process can; profiles come packed, as stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from db.compress import opener
from harvester.errors import ConfigError
from harvester.match import compare
from harvester.match.rules import Rules
from harvester.model import Decision, Profile
from harvester.workers import rules_at

Pair = tuple[int, int]
Packed = tuple[bytes, int | None]  # and the id of the dictionary with which it was packed

_decode = msgspec.msgpack.Decoder(Profile).decode


class Judged(NamedTuple):
    """The decision on a pair of nodes; `evidence` as JSON, not packed."""

    left: int
    right: int
    verdict: str
    score: float
    reason: str
    evidence: bytes | None


def compare_all(rules: Rules, profiles: Mapping[int, Profile], pairs: Iterable[Pair]) -> list[Judged]:
    """The decision on each pair, in order."""
    return [_judged((left, right), compare.judge(profiles[left], profiles[right], rules)) for left, right in pairs]


def compare_packed(
    rules: Rules, dictionaries: Mapping[int, bytes], packed: Mapping[int, Packed], pairs: Sequence[Pair]
) -> list[Judged]:
    """The same, of packed profiles."""
    opened = opener(dictionaries)
    return compare_all(rules, {node: _decode(opened(*body)) for node, body in packed.items()}, pairs)


def compare_elsewhere(path: Path | None, rules: str, *job: Any) -> list[Judged] | None:
    """In a worker: the same, by the rules of the file; None where it does not hold those *rules* (a hash) any more."""
    try:
        held = rules_at(path)
    except (ConfigError, OSError):  # somebody is writing it just now
        return None
    return compare_packed(held, *job) if held.hash == rules else None


def plain_evidence(decision: Decision) -> bytes | None:
    """The evidence as JSON."""
    return msgspec.json.encode(decision.evidence) if decision.evidence else None


def _judged(pair: Pair, made: Decision) -> Judged:
    return Judged(*pair, made.verdict, made.score, made.reason, plain_evidence(made))
