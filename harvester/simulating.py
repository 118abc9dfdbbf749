"""What other match rules would do to the stored catalogue; putting them in force, and taking them back.

A simulation profiles, blocks, judges and groups everything anew in memory, under people's links, and writes nothing.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, constants, derivations, links, migrate, whole, work
from db.catalogue import RecordState
from db.engine import Database
from harvester import faultpoint, promoted, rebuilding
from harvester.errors import UsageError
from harvester.heeding import without
from harvester.match import blocking, compare
from harvester.match import rules as match_rules
from harvester.match.profile import profile
from harvester.match.rules import Rules
from harvester.model import Clock, Decision, NormalizedRecord, Profile
from harvester.pipeline import Pipeline
from harvester.resolving import Field, solve_field
from harvester.settings import Settings

Group = tuple[RecordState, ...]
_decode = msgspec.json.Decoder(NormalizedRecord).decode


class World(NamedTuple):
    """Every active record with a node by the rules that are tried, and its title."""

    states: list[RecordState]
    profiles: dict[int, tuple[Profile, bool]]  # node → (profile, whether equals merge)
    titles: dict[int, str]  # record id → title


class Everything(Field):
    """The graph of merge decisions over the whole catalogue, in memory."""

    def __init__(self, rules: Rules, world: World, said: Iterable[links.Decided]) -> None:
        self.rules = rules
        self._profiles = dict(world.profiles)
        self.links = {one.id: one for one in said}
        self.edges = defaultdict(set)
        self.scores = {}
        names = {f"{node:012d}": found for node, (found, _) in world.profiles.items()}
        self.candidates = blocking.candidates(names, rules)
        self.verdicts: Counter[str] = Counter()
        for left, right in sorted(self.candidates.pairs):
            pair = (int(left), int(right))
            decision = compare.decide(names[left], names[right], rules)
            self.scores[pair] = (decision.verdict, decision.score)
            self.verdicts[decision.verdict] += 1
            if decision.verdict == "merge":
                self._join(pair)

    def load(self, nodes: Iterable[int]) -> None:
        """Everything is there."""


def simulate(pipeline: Pipeline, rules: Rules, *, samples: int = 20) -> dict[str, Any]:
    """Which clusters *rules* would split and join, by partner and class, with samples and their evidence.

    `waiting` records are queued: their clusters are those of before. A cluster that loses one part to another
    cluster is both split and joined.
    """
    with pipeline.database.read() as conn:
        world = read_world(conn, rules)
        said = _links(conn)
        before = catalogue.funnel(conn)
        waiting = work.queued(conn)
    field = Everything(rules, world, said)
    groups, trouble = solve_field(field, world.states)
    split, joined = _splits(groups), _joins(groups)
    return {
        "rules": rules.hash,
        "in_force": rules.hash == pipeline.match.hash,
        "records": len(world.states),
        "waiting": waiting,
        "before": {"clusters": before["clusters"], "largest_cluster": before["largest_cluster"], **before["pairs"]},
        "after": {
            "clusters": len(groups),
            "largest_cluster": max(map(len, groups), default=0),
            **{name: field.verdicts[name] for name in ("merge", "review", "veto", "distinct")},
        },
        "suspended_keys": {"before": before["suspended_keys"], "after": len(field.candidates.suspended)},
        "split": len(split),
        "joined": len(joined),
        "by_partner": _counted(split, joined, lambda one: one.partner),
        "by_class": _counted(split, joined, lambda one: field.profile(one.node_id or 0)[0].material),
        "samples": {
            "split": [_sample(field, world, parts) | {"cluster": old} for old, parts in list(split.items())[:samples]],
            "joined": [_sample(field, world, parts) for parts in joined[:samples]],
        },
        "trouble": list(trouble),
    }


def groups_by(pipeline: Pipeline, rules: Rules) -> list[tuple[str, ...]]:
    """The clusters that *rules* would make of the stored catalogue, as addresses."""
    with pipeline.database.read() as conn:
        world, said = read_world(conn, rules), _links(conn)
    groups, _ = solve_field(Everything(rules, world, said), world.states)
    return [tuple(one.address for one in group) for group in groups]


def read_world(conn: Connection, rules: Rules) -> World:
    """Every active record, profiled by *rules*; identifiers that people called wrong do not count."""
    wrong = whole.ignored(conn)
    nodes: dict[Profile, int] = {}
    world = World([], {}, {})
    for page in whole.states(conn):
        common = constants.of_records(conn, [state.record_id for state, _ in page])
        for state, body in page:
            record = _decode(body)
            world.titles[state.record_id] = record.title.proper
            right = without(record, wrong[state.record_id]) if state.record_id in wrong else record
            made = profile(right, rules, common[state.record_id])
            node = nodes.setdefault(made, len(nodes) + 1)
            if node not in world.profiles:
                world.profiles[node] = (made, compare.self_merges(made, rules))
            world.states.append(state._replace(node_id=node))
    return world


def _links(conn: Connection) -> list[links.Decided]:
    """Every link of people that is in force, oldest first."""
    found: list[links.Decided] = []
    while batch := links.listed(conn, after=found[-1].id if found else 0, limit=1000, kinds=links.BINDING):
        found += batch
    return found


def _splits(groups: Sequence[Group]) -> dict[int, list[list[RecordState]]]:
    """Cluster id → its members by new group, for clusters that fall apart."""
    parts: dict[int, dict[int, list[RecordState]]] = defaultdict(lambda: defaultdict(list))
    for number, group in enumerate(groups):
        for one in group:
            if one.cluster_id is not None:
                parts[one.cluster_id][number].append(one)
    return {old: list(found.values()) for old, found in sorted(parts.items()) if len(found) > 1}


def _joins(groups: Sequence[Group]) -> list[list[list[RecordState]]]:
    """The members of each new group by old cluster, for groups that take from several."""
    found = []
    for group in groups:
        parts: dict[int, list[RecordState]] = defaultdict(list)
        for one in group:
            if one.cluster_id is not None:
                parts[one.cluster_id].append(one)
        if len(parts) > 1:
            found.append([parts[key] for key in sorted(parts)])
    return found


def _counted(
    split: Mapping[int, list[list[RecordState]]], joined: Sequence[list[list[RecordState]]], name: Any
) -> dict[str, dict[str, int]]:
    """name of a member → how many clusters with such a member are split and joined."""
    found: dict[str, dict[str, int]] = {}
    for kind, cases in (("split", split.values()), ("joined", joined)):
        for parts in cases:
            for key in {name(one) for part in parts for one in part}:
                found.setdefault(key, {"split": 0, "joined": 0})[kind] += 1
    return dict(sorted(found.items()))


def _sample(field: Everything, world: World, parts: Sequence[Sequence[RecordState]]) -> dict[str, Any]:
    """The parts with titles, and the strongest pair across the first two of them with its evidence."""
    left, right = _strongest(field, parts[0][:10], parts[1][:10])
    said = _explained(field, left, right)
    return {
        "parts": [[{"address": one.address, "title": world.titles[one.record_id]} for one in part] for part in parts],
        "pair": [left.address, right.address],
        "decision": msgspec.to_builtins(said),
    }


def _strongest(
    field: Everything, left: Sequence[RecordState], right: Sequence[RecordState]
) -> tuple[RecordState, RecordState]:
    pairs = [(one, other) for one in left for other in right]
    return max(pairs, key=lambda pair: _explained(field, *pair).score)


def _explained(field: Everything, left: RecordState, right: RecordState) -> Decision:
    return compare.explain(field.profile(left.node_id or 0)[0], field.profile(right.node_id or 0)[0], field.rules)


# ---- putting in force --------------------------------------------------------------------------------


class Promoted(NamedTuple):
    """The rules that are in force now, those of before, where the file stands, and the funnel of the match."""

    rules: str
    before: str
    file: str
    funnel: Mapping[str, Any]


def promote(settings: Settings, environ: Mapping[str, str], clock: Clock, path: Path) -> Promoted:
    """Put the rules at *path* in force: every record profiled and matched by them, then swapped in at once.

    Until the swap everybody sees, and works on, the clusters of before; killed anywhere, it is they or the new ones.

    Raises:
        ConfigError: the file has mistakes; UsageError: these rules are in force.
        Locked: a match or a harvest is at work.
    """
    return _enforce(settings, environ, clock, match_rules.load(path))


def rollback(settings: Settings, environ: Mapping[str, str], clock: Clock) -> Promoted:
    """Put the match rules that were in force before the present ones back, in the same way.

    Raises:
        UsageError: there were none.
    """
    database = Database(settings.database_url(environ))
    with closing(database):
        promoted.settle(settings, database)
    return _enforce(settings, environ, clock, earlier(settings, environ))


def earlier(settings: Settings, environ: Mapping[str, str]) -> Rules:
    """The match rules that were in force before the present ones; raises as `rollback` does."""
    database = Database(settings.database_url(environ))
    with closing(database), database.read() as conn:
        row = derivations.earlier_match_rules(conn)
    if row is None:
        raise UsageError("no other match rules were in force before", hint="`induk derivation list`")
    return match_rules.parse(row["text"])


def _enforce(settings: Settings, environ: Mapping[str, str], clock: Clock, rules: Rules) -> Promoted:
    database = Database(settings.database_url(environ))
    with closing(database):
        migrate.require(database)
        promoted.settle(settings, database)
        with database.read() as conn:
            row = derivations.current(conn)
    before = bytes(row["match_hash"]).hex() if row else ""
    target = promoted.in_force(settings)
    if before == rules.hash == match_rules.load(target if target.is_file() else None).hash:
        raise UsageError("these match rules are in force already")
    with rebuilding.alone(settings, environ, clock) as locked:
        promoted.offer(settings, rules)
        try:
            funnel = rebuilding.swap(locked, settings, clock, rules)
        except BaseException:
            promoted.withdraw(settings)
            raise
        faultpoint.reach("promote.swapped")
        promoted.take(settings)
    rebuilding.follow(settings, environ, clock)
    return Promoted(rules.hash, before, str(target) if target.is_file() else "", funnel)
