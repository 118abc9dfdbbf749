"""Candidates of a whole set at once: the bulk form of what the database does with stored keys."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from harvester.match.keys import plain_keys
from harvester.match.rules import Rules
from harvester.model import BlockingKey, Profile


class Candidates(NamedTuple):
    """The pairs that a live key proposes (smaller name first), and the suspended keys with their unlike titles."""

    pairs: frozenset[tuple[str, str]]
    suspended: Mapping[tuple[str, int], int]


def candidates(profiles: Mapping[str, Profile], rules: Rules) -> Candidates:
    """Block *profiles* (by name); a key that too many unlike titles carry proposes nothing."""
    carriers: dict[int, list[tuple[str, int]]] = defaultdict(list)
    kinds: dict[int, str] = {}
    for name in sorted(profiles):
        for kind, key, like in plain_keys(profiles[name]):
            carriers[key].append((name, like))
            kinds[key] = kind
    pairs: set[tuple[str, str]] = set()
    suspended: dict[tuple[str, int], int] = {}
    for key, found in carriers.items():
        limit = rules.suspend_at[kinds[key]]
        unlike = len({like for _, like in found}) if len(found) > limit else 0
        if unlike > limit:
            suspended[kinds[key], key] = unlike
        elif len(found) > 1:
            pairs.update(combinations([name for name, _ in found], 2))
    return Candidates(frozenset(pairs), suspended)


BITS = 32  # of the larger node of a pair
MANY = 8  # from so many nodes on pairs are made row by row: half the time


class Proposed(NamedTuple):
    """The pairs of nodes that a live key proposes, and suspended key → (kind, unlike carriers).

    A pair is one number, for `unpacked`: millions of tuples take twice as long.
    """

    pairs: set[int]
    suspended: dict[int, tuple[str, int]]


def join(
    lists: Iterable[Sequence[int]],
    crowded: Iterable[tuple[int, str, Sequence[int], Sequence[int]]],
    alive: set[int],
    limits: Mapping[str, int],
) -> Proposed:
    """The pairs of *alive* nodes that share a key.

    *lists* are the nodes of keys that have no more than any limit; *crowded* (key, kind, nodes, their likenesses) are
    the other keys, each once.
    """
    pairs: set[int] = set()
    for nodes in lists:
        _add(pairs, nodes, alive)
    suspended: dict[int, tuple[str, int]] = {}
    done: set[tuple[int, ...]] = set()
    for key, kind, nodes, likenesses in crowded:
        unlike = len({like for node, like in zip(nodes, likenesses, strict=True) if node in alive})
        if unlike > limits[kind]:
            suspended[key] = (kind, unlike)
        elif (found := tuple(nodes)) not in done:
            done.add(found)
            _add(pairs, nodes, alive)
    return Proposed(pairs, suspended)


def _add(pairs: set[int], nodes: Sequence[int], alive: set[int]) -> None:
    """Add the pairs of those of *nodes* that are *alive*."""
    if not alive.issuperset(nodes):
        nodes = [node for node in nodes if node in alive]
    ascending = sorted(nodes)
    if len(nodes) < MANY:
        pairs.update([left << BITS | right for left, right in combinations(ascending, 2)])
        return
    for place, left in enumerate(ascending, start=1):
        pairs.update(map((left << BITS).__or__, ascending[place:]))


def unpacked(pair: int) -> tuple[int, int]:
    """The two nodes of a pair, the smaller first."""
    return pair >> BITS, pair & (1 << BITS) - 1


def share_a_key(left: Sequence[BlockingKey], right: Sequence[BlockingKey]) -> bool:
    """Whether any key proposes the pair, suspended or not."""
    return not {key[:2] for key in left}.isdisjoint(key[:2] for key in right)
