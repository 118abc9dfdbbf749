"""Dirty records → clusters, union records and numbered changes: one batch, one transaction.

What is read comes from one snapshot; comparison and merging happen with no transaction open; the write re-checks
the marks: a record that changed meanwhile keeps its mark and is matched again. The result is a function of the
stored records, the rules and the links, so neither batch size nor arrival shows in it.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import combinations
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, changes, ledger, links, shown, work
from db.catalogue import Document, RecordState
from db.compress import pack
from db.engine import Database
from db.upsert import Row
from harvester import announcing, faultpoint
from harvester.heeding import People, Pinned, changed_pins, deciders, hide_identifiers, pins_of, warning
from harvester.match import compare
from harvester.match.keys import keys
from harvester.match.rules import Rules as MatchRules
from harvester.merge import survivorship
from harvester.merge.quality import share
from harvester.merge.survivorship import Rules as MergeRules
from harvester.merge_log import Log, events
from harvester.model import (
    Address,
    Decision,
    Member,
    NormalizedRecord,
    Partner,
    Profile,
    UnionRecord,
    Value,
)
from harvester.resolving import NOTHING, Grouping, Overlay, Pair, Proposal, read_profiles, resolve
from harvester.showing import Cluster, document, document_hash, policy_of

MOST_PAIRS = 5_000  # a batch: its memory must not follow how alike its records happen to be

_decode_record = msgspec.json.Decoder(NormalizedRecord).decode


class Desk(Value, frozen=True):
    """What every batch of a match run shares."""

    database: Database
    match_rules: MatchRules
    merge_rules: MergeRules
    partners: Mapping[str, Partner]
    run_id: int
    derivation_id: int
    now: Callable[[], str]
    actor: str = "match"  # whom the events name, where no person's decision stands behind them
    durable: bool = False  # a human decision survives a power cut


class Batch(NamedTuple):
    """What one batch did, for the funnel."""

    records: int
    pairs: int
    merges: int
    changes: int
    trouble: tuple[str, ...] = ()


class Solved(NamedTuple):
    """What a batch found out, before it is written."""

    proposal: Proposal
    judged: Mapping[Pair, Decision]
    grouping: Grouping
    sheets: Sequence[Sheet]
    people: People


def match_batch(desk: Desk, limit: int, only: Sequence[int] | None = None) -> Batch | None:
    """Match up to *limit* dirty records, or those among *only*; None when none is left.

    The caller holds the match lock. When the database goes away the batch is read and solved anew: what a COMMIT
    without an answer did is then seen in the marks.
    """
    return desk.database.persist(lambda: _match_batch(desk, limit, only))


def _match_batch(desk: Desk, limit: int, only: Sequence[int] | None) -> Batch | None:
    hide_identifiers(desk.database, desk.match_rules)
    with desk.database.read() as conn:
        marks = work.dirty(conn, limit) if only is None else work.dirty_among(conn, only)
    if not marks:
        return None
    while (solved := solve(desk, [record_id for record_id, _ in marks], most=_most(marks, only))) is None:
        marks = marks[: len(marks) // 2]
    drawn = _drawn(desk, solved)
    faultpoint.reach("match.batch.compared")
    # to the disk before consumers read it: numbers that a power cut takes back would be given to other changes
    with desk.database.write(durable=True) as conn:
        written = _write(conn, desk, solved, marks, drawn)
    faultpoint.reach("match.batch.committed")
    merges = sum(1 for decision in solved.judged.values() if decision.verdict == "merge")
    return Batch(len(marks), len(solved.judged), merges, written, solved.grouping.trouble)


def judge_again(desk: Desk, now: AbstractSet[int], before: AbstractSet[int]) -> int:
    """Decide the pairs of the nodes *now* anew and drop those of *before*; the groups are left alone.

    For who puts other decisions in force: groups are looked at when all pairs are known, or they would fall apart for
    a while and lose their ids. Returns how many pairs were compared.
    """
    with desk.database.write() as conn:
        proposal = propose(conn, desk, now, before)
        profiles = read_profiles(conn, {node for pair in proposal.new for node in pair})
        rows = [_decision_row(desk, pair, _judge(desk, profiles, pair)) for pair in sorted(proposal.new)]
        catalogue.set_suspended(conn, proposal.suspend, proposal.resume)
        catalogue.write_decisions(conn, proposal.gone, rows)
    return len(rows)


def _most(marks: Sequence[tuple[int, int]], only: Sequence[int] | None) -> int:
    """How many pairs a batch may compare; what a person waits for, and a single record, is done whole."""
    return MOST_PAIRS if only is None and len(marks) > 1 else sys.maxsize


def solve(desk: Desk, record_ids: Sequence[int], overlay: Overlay = NOTHING, most: int = sys.maxsize) -> Solved | None:
    """What matching these records again gives; *overlay* holds links that are not stored (a preview).

    None: more than *most* pairs would have to be compared.
    """
    with desk.database.read() as conn:
        states = catalogue.states_of_records(conn, record_ids)
        states, supposed, proposal = suppose(conn, desk, states, overlay.profiles)
        if len(proposal.new) > most:
            return None
        profiles = read_profiles(conn, {node for pair in proposal.new for node in pair}) | supposed
    faultpoint.reach("match.batch.read")
    judged = {pair: _judge(desk, profiles, pair) for pair in sorted(proposal.new)}
    with desk.database.read() as conn:
        grouping = resolve(conn, desk.match_rules, states, proposal, judged, overlay._replace(profiles=supposed))
        sheets = documents(conn, desk, grouping, {state.record_id for state in states}, overlay)
        people = deciders(conn, grouping.records)
    return Solved(proposal, judged, grouping, sheets, people)


def suppose(
    conn: Connection, desk: Desk, states: Sequence[RecordState], profiles: Mapping[int, tuple[Profile, bool]]
) -> tuple[list[RecordState], dict[int, tuple[Profile, bool]], Proposal]:
    """The states, with a node of its own (below 0) for each record that is to have another profile, and the pairs.

    For a preview: which keys would cross their limit is not worked out.
    """
    moved = {one.record_id: -one.record_id for one in states if one.record_id in profiles}
    changed = [one._replace(node_id=moved.get(one.record_id, one.node_id)) for one in states]
    proposal = propose(conn, desk, *_nodes_of([one for one in states if one.record_id not in moved]))
    supposed = {moved[key]: profiles[key] for key in moved}
    olds = {one.node_id for one in states if one.record_id in moved and one.node_id is not None}
    staying = {one.node_id for one in catalogue.states_of_nodes(conn, olds) if one.record_id not in moved}
    dead = olds - staying
    gone = {(pair[0], pair[1]) for pair in catalogue.decisions_of(conn, dead)}
    new = {(node, other) for node in supposed for other in _sharing(conn, desk, supposed[node][0]) - dead}
    proposal = proposal._replace(
        affected=proposal.affected | supposed.keys(), new=proposal.new | new, gone=proposal.gone | gone
    )
    return changed, supposed, proposal


def _sharing(conn: Connection, desk: Desk, profile: Profile) -> set[int]:
    """The nodes that share a live key with *profile*."""
    hashes = {key.hash for key in keys(profile, desk.match_rules)}
    return catalogue.nodes_of_keys(conn, hashes - catalogue.suspended(conn, hashes))


class Foreseen(NamedTuple):
    """What a batch would do: the grouping, the changes it would announce (new clusters get ids below 0)."""

    grouping: Grouping
    feed: list[tuple[str, int, int | None]]
    versions: Mapping[int, int]
    trouble: tuple[str, ...]


def foresee(desk: Desk, record_ids: Sequence[int], overlay: Overlay) -> Foreseen:
    """What matching these records again would do under the links, pins and profiles of *overlay*; nothing is stored."""
    solved = solve(desk, record_ids, overlay)
    assert solved is not None  # without a limit
    grouping = solved.grouping
    ids = [-1 - number if one is None else one for number, one in enumerate(grouping.ids)]
    involved = {one.cluster_id for one in grouping.records if one.cluster_id is not None}
    involved |= {one for one in grouping.ids if one is not None}
    with desk.database.read() as conn:
        old = catalogue.clusters(conn, involved)
    versions = {key: int(row["version"]) for key, row in old.items()}
    old |= {one: _NEW for one in ids if one < 0}
    fresh = [sheet for sheet in solved.sheets if _differs(sheet, old[ids[sheet.number]])]
    hash_of = {ids[sheet.number]: sheet.hash for sheet in fresh}
    feed = announcing.feed_rows(grouping, hash_of, old, announcing.redirects(grouping, ids), frozenset())
    return Foreseen(grouping, feed, versions, grouping.trouble)


# ---- which pairs -------------------------------------------------------------------------------------


def _nodes_of(states: Iterable[RecordState]) -> tuple[set[int], set[int]]:
    """The nodes of *states* now, and as they were matched last."""
    now = {state.node_id for state in states if state.node_id is not None}
    return now, {state.old_node for state in states if state.old_node is not None}


def propose(conn: Connection, desk: Desk, now: AbstractSet[int], before: AbstractSet[int]) -> Proposal:
    """The pairs that share a live key with a touched node, against those that are stored.

    Touched are the nodes *now* and those that records have left. Only their keys are weighed: a key that crosses its
    limit withdraws the pairs that rest on it alone, or adds the pairs of its carriers; nothing else is compared again.
    """
    dead = before - {state.node_id for state in catalogue.states_of_nodes(conn, before)}
    limits = desk.match_rules.suspend_at
    crowded = catalogue.crowded_keys(conn, now | before, min(limits.values()))
    over = {key for key, (kind, unlike) in crowded.items() if unlike > limits[kind]}
    stored = catalogue.suspended_of(conn, now | before)
    resumed = _pairs(conn, stored - over)
    wanted = catalogue.sharing(conn, now, over) | resumed
    touched = now | dead
    joined = {node for pair in resumed for node in pair}
    stored_pairs = catalogue.decisions_of(conn, touched | joined)
    held = {(left, right): (verdict, score) for left, right, verdict, score in stored_pairs}
    gone = {pair for pair in held.keys() - wanted if not touched.isdisjoint(pair)}
    gone |= _orphaned(conn, over - stored, over, stored - over) - wanted
    return Proposal(
        frozenset(now | joined),
        frozenset(wanted - held.keys()),
        frozenset(gone),
        {pair: held[pair] for pair in wanted & held.keys()},
        tuple(
            {"hash": key, "kind": crowded[key][0], "unlike": crowded[key][1], "at": desk.now()} for key in sorted(over)
        ),
        frozenset(stored - over),
    )


def _pairs(conn: Connection, keys: set[int]) -> set[Pair]:
    """The pairs of nodes that share one of *keys*."""
    by_key: dict[int, list[int]] = defaultdict(list)
    for key, node in catalogue.carriers_of_keys(conn, keys) if keys else ():
        by_key[key].append(node)
    return {pair for carriers in by_key.values() for pair in combinations(sorted(carriers), 2)}


def _orphaned(conn: Connection, suspend: set[int], over: set[int], resume: set[int]) -> set[Pair]:
    """Stored pairs that rested on the keys of *suspend* and share no other live key."""
    if not suspend:
        return set()
    carriers = catalogue.nodes_of_keys(conn, suspend)
    pairs = [
        (left, right)
        for left, right, _, _ in catalogue.decisions_of(conn, carriers)
        if left in carriers and right in carriers
    ]
    by_node: dict[int, set[int]] = defaultdict(set)
    for key, node in catalogue.keys_by_node(conn, {node for pair in pairs for node in pair}):
        by_node[node].add(key)
    asleep = (catalogue.suspended(conn, set().union(*by_node.values())) - resume) | over
    return {(left, right) for left, right in pairs if not (by_node[left] & by_node[right]) - asleep}


def _judge(desk: Desk, profiles: Mapping[int, tuple[Profile, bool]], pair: Pair) -> Decision:
    return judged(profiles[pair[0]][0], profiles[pair[1]][0], desk.match_rules)


def judged(left: Profile, right: Profile, rules: MatchRules) -> Decision:
    """The decision on a pair as it is stored: with evidence where a person may want to look at it."""
    decision = compare.decide(left, right, rules)
    near = decision.verdict == "veto" and decision.score >= rules.review_at
    if decision.verdict in ("merge", "review") or near:
        return compare.explain(left, right, rules)
    return decision


# ---- what they become --------------------------------------------------------------------------------


class Sheet(NamedTuple):
    """A group whose members or content changed, and the union record that it makes now."""

    number: int
    union: UnionRecord
    members: tuple[Member, ...]
    hash: bytes  # empty: nothing of it may be seen
    pins: tuple[Pinned, ...]


def documents(
    conn: Connection, desk: Desk, grouping: Grouping, dirty: set[int], overlay: Overlay = NOTHING
) -> list[Sheet]:
    """The union records that must be made again."""
    old = catalogue.clusters(conn, [one for one in grouping.ids if one is not None])
    changed = [
        number for number, group in enumerate(grouping.groups) if _changed(group, grouping.ids[number], dirty, old)
    ]
    wanted = [one.record_id for number in changed for one in grouping.groups[number]]
    bodies = {key: _decode_record(body) for key, body in ledger.normalized_bodies(conn, wanted).items()}
    pins = pins_of(conn, {number: grouping.groups[number] for number in changed}, overlay.pins, overlay.ended)
    return [_sheet(desk, number, grouping.groups[number], bodies, pins.get(number, ())) for number in changed]


def _changed(group: Sequence[RecordState], kept: int | None, dirty: set[int], old: Mapping[int, Row]) -> bool:
    if kept is None or any(one.cluster_id != kept or one.record_id in dirty for one in group):
        return True
    return bool(old[kept]["size"] != len(group))


def _sheet(
    desk: Desk,
    number: int,
    group: Sequence[RecordState],
    bodies: Mapping[int, NormalizedRecord],
    pins: tuple[Pinned, ...],
) -> Sheet:
    members = tuple(member(desk.partners, one, bodies[one.record_id], desk.merge_rules) for one in group)
    if len(members) == 1 and not pins:  # its document is its own record: nobody stores who gave what
        union = survivorship.alone(members[0])
    else:
        union = survivorship.merge(members, desk.merge_rules, [one.pin for one in pins])
    filtered = [policy_of(desk.partners, one.partner).value_filters for one in group]
    return Sheet(number, union, members, document_hash(union, members, filtered), pins)


def member(
    partners: Mapping[str, Partner],
    one: RecordState,
    record: NormalizedRecord,
    rules: MergeRules | None = None,
    *,
    inside: bool = False,
) -> Member:
    """The record as merge and outputs see it: under its partner's policy; *rules* measure its quality.

    *inside* is for people of the consortium: they see what is for members, too.
    """
    policy = policy_of(partners, one.partner)
    open_to = ("public", "members") if inside else ("public",)
    good = not policy.quality_floor or rules is None or share(record, rules.quality) >= policy.quality_floor
    return Member(
        Address(one.source, one.identifier),
        record,
        priority=policy.priority,
        datestamp=one.datestamp,
        visible=policy.visibility in open_to and not record.suppressed and good,
        withheld=policy.withheld,
    )


Drawn = Mapping[int, tuple[Document, shown.Shown]]


def _drawn(desk: Desk, solved: Solved) -> Drawn:
    """Number of a group → its document as it will be stored, made before anybody has to wait for the write.

    The id is not final. What comes to differ only until the write is drawn there.
    """
    grouping = solved.grouping
    with desk.database.read() as conn:
        old = catalogue.clusters(conn, [one for one in grouping.ids if one is not None])
    fresh = [one for one in solved.sheets if _differs(one, old.get(grouping.ids[one.number] or 0, _NEW))]
    return {one.number: _document(desk, one, grouping, 0) for one in fresh}


_NEW: Row = {"doc_hash": b"", "size": 0}


# ---- writing -----------------------------------------------------------------------------------------


def _write(
    conn: Connection,
    desk: Desk,
    solved: Solved,
    marks: Sequence[tuple[int, int]],
    drawn: Drawn,
) -> int:
    """Everything the batch found out, in one transaction; the feed is numbered last. Returns the changes."""
    now = desk.now()
    proposal, judged, grouping, sheets, people = solved
    catalogue.set_suspended(conn, proposal.suspend, proposal.resume)
    catalogue.write_decisions(conn, proposal.gone, [_decision_row(desk, p, d) for p, d in sorted(judged.items())])
    ids = _ids(conn, grouping, now)
    old = catalogue.clusters(conn, [*grouping.lost, *ids])
    _place(conn, grouping, ids)
    fresh = [sheet for sheet in sheets if _differs(sheet, old[ids[sheet.number]])]
    made = [_numbered(drawn.get(one.number) or _document(desk, one, grouping, 0), ids[one.number]) for one in fresh]
    catalogue.write_documents(conn, [one for one, _ in made], now)
    shown.write(conn, [one for _, one in made])
    shown.hide(conn, *_hidden(grouping, sheets))
    redirects = announcing.redirects(grouping, ids)
    catalogue.retire_clusters(conn, grouping.lost, redirects, now)
    shown.retire(conn, grouping.lost)
    log = Log(desk.actor, desk.run_id, now, people)
    catalogue.write_events(conn, list(events(grouping, ids, redirects, log)))
    _warn(conn, sheets, ids, log)
    work.clear_dirty(conn, marks)
    if people.waiting:
        links.settle(conn, people.waiting)
    hash_of = {ids[sheet.number]: sheet.hash for sheet in fresh}
    rows = announcing.feed_rows(grouping, hash_of, old, redirects, announcing.unsettled(grouping, ids, marks))
    rows = announcing.left_before(conn, grouping, ids, rows) + rows
    changes.announce(conn, rows, desk.run_id, now)
    return len(rows)


def _differs(sheet: Sheet, old: Row) -> bool:
    """Whether the stored cluster is another than the sheet; hidden members change its size only."""
    return bool(old["doc_hash"] != sheet.hash or old["size"] != len(sheet.members))


def packed_evidence(decision: Decision) -> bytes | None:
    """The evidence as it is stored."""
    return pack(msgspec.json.encode(decision.evidence)) if decision.evidence else None


def _decision_row(desk: Desk, pair: Pair, decision: Decision) -> Row:
    return {
        "left_node": pair[0],
        "right_node": pair[1],
        "verdict": decision.verdict,
        "score": decision.score,
        "reason": decision.reason,
        "evidence": packed_evidence(decision),
        "derivation_id": desk.derivation_id,
        "run_id": desk.run_id,
    }


def _ids(conn: Connection, grouping: Grouping, now: str) -> list[int]:
    """The cluster id of each group: the one it keeps, or a new one."""
    fresh = iter(catalogue.new_clusters(conn, sum(1 for one in grouping.ids if one is None), now))
    return [next(fresh) if one is None else one for one in grouping.ids]


def _place(conn: Connection, grouping: Grouping, ids: Sequence[int]) -> None:
    rows = [
        {"record_id": one.record_id, "cluster_id": ids[number], "node_id": one.node_id}
        for number, group in enumerate(grouping.groups)
        for one in group
        if one.cluster_id != ids[number] or one.old_node != one.node_id
    ]
    gone = [one.record_id for one in grouping.records if one.node_id is None and one.cluster_id is not None]
    catalogue.write_memberships(conn, rows, gone)


def _document(desk: Desk, sheet: Sheet, grouping: Grouping, cluster_id: int) -> tuple[Document, shown.Shown]:
    made = Cluster(cluster_id, grouping.groups[sheet.number], sheet.members, sheet.union, bool(sheet.pins))
    return document(made, desk.partners, sheet.hash)


def _numbered(made: tuple[Document, shown.Shown], cluster_id: int) -> tuple[Document, shown.Shown]:
    return made[0]._replace(cluster_id=cluster_id), made[1]._replace(cluster_id=cluster_id)


def _hidden(grouping: Grouping, sheets: Sequence[Sheet]) -> tuple[list[int], list[int]]:
    """The records of *sheets*, and those that may not be seen."""
    pairs = [pair for sheet in sheets for pair in zip(grouping.groups[sheet.number], sheet.members, strict=True)]
    return [state.record_id for state, _ in pairs], [state.record_id for state, one in pairs if not one.visible]


def _warn(conn: Connection, sheets: Sequence[Sheet], ids: Sequence[int], log: Log) -> None:
    """Write a line for each pin whose source changed, once for each new value."""
    for sheet in sheets:
        if news := changed_pins(sheet.pins, sheet.members):
            plain = log._replace(people=People({}, frozenset()))
            cluster_id = ids[sheet.number]
            rows = [plain.line(cluster_id, "pin_changed", **warning(one, cluster_id)) for one in news]
            catalogue.write_events(conn, rows)
            links.note_warned(conn, {one.pinned.pin_id: one.told for one in news})
