"""Pairs of profiles → decisions. Pure, so any process can; profiles come packed, as stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from db.compress import Dictionary, Packed, opener, packer
from harvester.errors import ConfigError
from harvester.match import compare
from harvester.match.rules import Rules
from harvester.model import Profile
from harvester.workers import rules_at

Pair = tuple[int, int]

_decode = msgspec.msgpack.Decoder(Profile).decode


class Judged(NamedTuple):
    """The decision on a pair of nodes; `evidence` is packed JSON, with the id of its dictionary."""

    left: int
    right: int
    verdict: str
    score: float
    reason: str
    evidence: bytes | None
    dictionary: int | None


def compare_all(
    rules: Rules, profiles: Mapping[int, Profile], pairs: Iterable[Pair], dictionary: Dictionary | None
) -> list[Judged]:
    """The decision on each pair, in order, its evidence packed with the *dictionary*.

    Packed it is a fifth: of 20,000 pairs it would be the most that a batch holds.
    """
    pack = packer(dictionary)
    number = dictionary.id if dictionary else None
    made = []
    for left, right in pairs:
        one = compare.judge(profiles[left], profiles[right], rules)
        evidence = pack(msgspec.json.encode(one.evidence)) if one.evidence else None
        made.append(Judged(left, right, one.verdict, one.score, one.reason, evidence, number if evidence else None))
    return made


def compare_packed(
    rules: Rules,
    dictionary: Dictionary | None,
    dictionaries: Mapping[int, bytes],
    packed: Mapping[int, Packed],
    pairs: Sequence[Pair],
) -> list[Judged]:
    """The same, of profiles that are packed with these *dictionaries*."""
    opened = opener(dictionaries)
    return compare_all(rules, {node: _decode(opened(*body)) for node, body in packed.items()}, pairs, dictionary)


def compare_elsewhere(path: Path | None, rules: str, *job: Any) -> list[Judged] | None:
    """In a worker: the same, by the rules of the file; None where it does not hold those *rules* (a hash) any more."""
    try:
        held = rules_at(path)
    except (ConfigError, OSError):  # somebody is writing it just now
        return None
    return compare_packed(held, *job) if held.hash == rules else None
