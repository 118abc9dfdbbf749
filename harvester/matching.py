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
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from db import candidates, catalogue, changes, dictionaries, ledger, links, shown, suspects, work
from db.catalogue import Document, Head, RecordState
from db.engine import Database
from harvester import announcing, drawing, faultpoint, judging
from harvester.drawing import Outline, Sheet, Style
from harvester.heeding import People, deciders, hide_identifiers, pins_of, warning
from harvester.judging import Judged, Pair
from harvester.lookahead import Lookahead, Shared, nodes_of, shared
from harvester.match.keys import keys
from harvester.match.rules import Rules as MatchRules
from harvester.merge.survivorship import Rules as MergeRules
from harvester.merge_log import Log, events
from harvester.model import Partner, Profile, Value
from harvester.pairs import Comparison, How
from harvester.resolving import NOTHING, Field, Grouping, Overlay, Proposal, read_profiles, resolve
from harvester.workers import Begun, Workers, rules_at

MOST_PAIRS = 20_000  # a batch: its memory must not follow how alike its records happen to be
HERE = Workers(1)


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
    workers: Workers = HERE
    rules_path: Path | None = None  # of the match rules: a worker reads them itself
    lap: Callable[[str], None] = lambda stage: None  # is told of the end of each stage

    @property
    def how(self) -> How:
        """By what its pairs are compared."""
        return How(self.workers, self.match_rules, self.rules_path)


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
    judged: Sequence[Judged]
    grouping: Grouping
    sketch: Sketch
    sheets: Sequence[Sheet]
    people: People


def warm(desk: Desk) -> None:
    """Start the worker processes, where enough is queued for them: they take half a second."""
    with desk.database.read() as conn:
        queued = work.queued(conn)
    desk.workers.warm(queued, _ready, desk.rules_path)


def _ready(rules_path: Path | None) -> None:
    """In a worker, which loads this module for it."""
    rules_at(rules_path)


def match_batch(
    desk: Desk, limit: int, only: Sequence[int] | None = None, ahead: Lookahead | None = None
) -> Batch | None:
    """Match up to *limit* dirty records, or those among *only*; None when none is left.

    The caller holds the match lock. When the database goes away the batch is read and solved anew: what a COMMIT
    without an answer did is then seen in the marks.
    """
    return desk.database.persist(lambda: _match_batch(desk, limit, only, ahead))


def _match_batch(desk: Desk, limit: int, only: Sequence[int] | None, ahead: Lookahead | None) -> Batch | None:
    with desk.database.read() as conn:
        marks, asked, compared = (ahead and ahead.taken(conn, limit)) or (None, None, None)
        if marks is None:
            marks = work.dirty(conn, limit) if only is None else work.dirty_among(conn, only)
    if not marks:
        return None
    # after the marks: who calls an identifier wrong from now on marks its record again
    hide_identifiers(desk.database, desk.match_rules)
    if ahead:
        ahead.begin(marks, limit)
    while (
        solved := solve(desk, [one for one, _ in marks], most=_most(marks, only), asked=asked, compared=compared)
    ) is None:
        marks = marks[: len(marks) // 2]
    if ahead:
        ahead.compare(desk.how, {(one.left, one.right) for one in solved.judged}, MOST_PAIRS)
    faultpoint.reach("match.batch.compared")
    # to the disk before consumers read it: numbers that a power cut takes back would be given to other changes
    with desk.database.write(durable=True) as conn:
        written = _write(conn, desk, solved, marks)
    faultpoint.reach("match.batch.committed")
    desk.lap("write")
    merges = sum(1 for one in solved.judged if one.verdict == "merge")
    return Batch(len(marks), len(solved.judged), merges, written, solved.grouping.trouble)


def judge_again(desk: Desk, now: AbstractSet[int], before: AbstractSet[int]) -> int:
    """Decide the pairs of the nodes *now* anew and drop those of *before*; the groups are left alone.

    For who puts other decisions in force: groups are looked at when all pairs are known, or they would fall apart for
    a while and lose their ids. Returns how many pairs were compared.
    """
    with desk.database.write() as conn:
        proposal = propose(conn, desk, now, before)
        profiles = read_profiles(conn, {node for pair in proposal.new for node in pair})
        made = judging.compare_all(desk.match_rules, bare(profiles), sorted(proposal.new), dictionaries.evidence(conn))
        _keep_decisions(conn, desk, proposal, made)
    return len(made)


def _most(marks: Sequence[tuple[int, int]], only: Sequence[int] | None) -> int:
    """How many pairs a batch may compare; what a person waits for, and a single record, is done whole."""
    return MOST_PAIRS if only is None and len(marks) > 1 else sys.maxsize


def solve(
    desk: Desk,
    record_ids: Sequence[int],
    overlay: Overlay = NOTHING,
    most: int = sys.maxsize,
    asked: Shared | None = None,
    compared: Comparison | None = None,
) -> Solved | None:
    """What matching these records again gives; *overlay* holds links that are not stored (a preview).

    *asked* is what their nodes share, *compared* some of their pairs, if that is known. None: more than *most* pairs
    would have to be compared.
    """
    with desk.database.read() as conn:
        states = catalogue.states_of_records(conn, record_ids)
        states, supposed, proposal = suppose(conn, desk, states, overlay.profiles, asked)
        if len(proposal.new) > most:
            return None
        comparing = _compare(conn, desk, proposal, supposed, compared)
    faultpoint.reach("match.batch.read")
    desk.lap("propose")
    judged = comparing()
    desk.lap("compare")
    with desk.database.read() as conn:
        field = Field(conn, desk.match_rules, proposal, judged, overlay._replace(profiles=supposed))
        grouping = resolve(field, states)
        sketch = outlined(conn, grouping, {state.record_id for state in states}, overlay)
        begun = sketch.begin(desk)
        # what is left to read, while other processes draw
        grouping = grouping._replace(reasons=field.reasons(grouping.groups))
        people = deciders(conn, grouping.records)
    desk.lap("group")
    sheets = sorted(sheet for portion in begun.results() for sheet in portion)
    desk.lap("draw")
    return Solved(proposal, judged, grouping, sketch, sheets, people)


def _compare(
    conn: Connection,
    desk: Desk,
    proposal: Proposal,
    supposed: Mapping[int, tuple[Profile, bool]],
    before: Comparison | None,
) -> Callable[[], list[Judged]]:
    """Begin to compare the new pairs; what gives the decisions, by pair."""
    if not supposed:
        return Comparison(conn, desk.how, proposal.new, before).results
    pairs = sorted(proposal.new)
    found = read_profiles(conn, {node for pair in pairs for node in pair} - supposed.keys())
    return lambda: judging.compare_all(desk.match_rules, bare({**found, **supposed}), pairs, None)


def suppose(
    conn: Connection,
    desk: Desk,
    states: Sequence[RecordState],
    profiles: Mapping[int, tuple[Profile, bool]],
    asked: Shared | None = None,
) -> tuple[list[RecordState], dict[int, tuple[Profile, bool]], Proposal]:
    """The states, with a node of its own (below 0) for each record that is to have another profile, and the pairs.

    For a preview: which keys would cross their limit is not worked out.
    """
    if not profiles:
        return list(states), {}, propose(conn, desk, *nodes_of(states), asked)
    moved = {one.record_id: -one.record_id for one in states if one.record_id in profiles}
    changed = [one._replace(node_id=moved.get(one.record_id, one.node_id)) for one in states]
    proposal = propose(conn, desk, *nodes_of([one for one in states if one.record_id not in moved]))
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
    return candidates.nodes_of_keys(conn, hashes - candidates.suspended(conn, hashes))


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
        old = catalogue.heads(conn, involved)
        versions = {key: head.version for key, head in old.items()}
        old |= {one: Head() for one in ids if one < 0}
        fresh = [sheet for sheet in solved.sheets if _differs(sheet, grouping, old[ids[sheet.number]])]
        hash_of = {ids[sheet.number]: sheet.hash for sheet in fresh}
        feed = announcing.feed_rows(grouping, hash_of, old, announcing.redirects(grouping, ids), frozenset())
        feed += announcing.foreseen_naming(conn, grouping, ids, solved.sheets, feed)
    return Foreseen(grouping, feed, versions, grouping.trouble)


# ---- which pairs -------------------------------------------------------------------------------------


def propose(
    conn: Connection, desk: Desk, now: AbstractSet[int], before: AbstractSet[int], asked: Shared | None = None
) -> Proposal:
    """The pairs that share a live key with a touched node, against those that are stored.

    Touched are the nodes *now* and those that records have left. Only their keys are weighed: a key that crosses its
    limit withdraws the pairs that rest on it alone, or adds the pairs of its carriers; nothing else is compared again.
    """
    dead = before - {state.node_id for state in catalogue.states_of_nodes(conn, before)}
    known = asked is not None and (asked.now, asked.touched) == (now, now | before)
    if asked is None or not known:
        asked = shared(conn, desk.match_rules.suspend_at, now, before)
    over = asked.over.keys()
    stored = candidates.suspended_of(conn, now | before)
    resumed = _pairs(conn, stored - over)
    wanted = asked.pairs | resumed
    touched = now | dead
    joined = {node for pair in resumed for node in pair}
    stored_pairs = catalogue.decisions_of(conn, touched | joined)
    held = {(left, right): (verdict, score) for left, right, verdict, score in stored_pairs}
    new = wanted - held.keys()
    gone = {pair for pair in held.keys() - wanted if not touched.isdisjoint(pair)}
    gone |= _orphaned(conn, over - stored, over, stored - over) - wanted
    return Proposal(
        frozenset(now | joined),
        frozenset(candidates.living(conn, new) if known else new),
        frozenset(gone),
        {pair: held[pair] for pair in wanted & held.keys()},
        tuple(
            {"hash": key, "kind": kind, "unlike": unlike, "at": desk.now()}
            for key, (kind, unlike) in sorted(asked.over.items())
        ),
        frozenset(stored - over),
        frozenset(now),
    )


def _pairs(conn: Connection, keys: set[int]) -> set[Pair]:
    """The pairs of nodes that share one of *keys*."""
    by_key: dict[int, list[int]] = defaultdict(list)
    for key, node in candidates.carriers_of_keys(conn, keys) if keys else ():
        by_key[key].append(node)
    return {pair for carriers in by_key.values() for pair in combinations(sorted(carriers), 2)}


def _orphaned(conn: Connection, suspend: set[int], over: AbstractSet[int], resume: set[int]) -> set[Pair]:
    """Stored pairs that rested on the keys of *suspend* and share no other live key."""
    if not suspend:
        return set()
    carriers = candidates.nodes_of_keys(conn, suspend)
    pairs = [
        (left, right)
        for left, right, _, _ in catalogue.decisions_of(conn, carriers)
        if left in carriers and right in carriers
    ]
    by_node: dict[int, set[int]] = defaultdict(set)
    for key, node in candidates.keys_by_node(conn, {node for pair in pairs for node in pair}):
        by_node[node].add(key)
    asleep = (candidates.suspended(conn, set().union(*by_node.values())) - resume) | over
    return {(left, right) for left, right in pairs if not (by_node[left] & by_node[right]) - asleep}


def bare(profiles: Mapping[int, tuple[Profile, bool]]) -> dict[int, Profile]:
    """The profiles without the word on whether equals merge."""
    return {node: profile for node, (profile, _) in profiles.items()}


# ---- what they become --------------------------------------------------------------------------------


class Sketch(NamedTuple):
    """The groups that must be drawn again, and the dictionaries with which their records are packed."""

    outlines: Sequence[Outline]
    dictionaries: Mapping[int, bytes]

    def begin(self, desk: Desk) -> Begun[list[Sheet]]:
        """Draw them, many in other processes."""
        style, number = _style(desk), desk.workers.portions(len(self.outlines))
        portions = [self.outlines[first::number] for first in range(number)]
        return desk.workers.begin(drawing.draw, [(style, self.dictionaries, portion) for portion in portions])

    def drawn(self, desk: Desk, number: int) -> tuple[Document, shown.Shown]:
        """A group's document, whatever is stored."""
        outline = next(one for one in self.outlines if one.number == number)
        made = drawing.draw(_style(desk), self.dictionaries, [outline._replace(doc_hash=b"", size=0)])[0].drawn
        assert made is not None  # no stored cluster has the size 0
        return made


def _style(desk: Desk) -> Style:
    return Style(desk.partners, desk.merge_rules._replace(text=""))


def outlined(conn: Connection, grouping: Grouping, dirty: set[int], overlay: Overlay = NOTHING) -> Sketch:
    """What is needed to draw the groups whose members or content changed."""
    old = catalogue.heads(conn, [one for one in grouping.ids if one is not None])
    groups = {
        number: group
        for number, (group, kept) in enumerate(zip(grouping.groups, grouping.ids, strict=True))
        if _changed(group, kept, dirty, old)
    }
    packed = ledger.packed_bodies(conn, [one.record_id for group in groups.values() for one in group])
    pins = pins_of(conn, groups, overlay.pins, overlay.ended)
    outlines = [
        Outline(
            number,
            group,
            tuple([packed[one.record_id] for one in group]),
            pins.get(number, ()),
            *old.get(grouping.ids[number] or 0, Head())[:2],
        )
        for number, group in groups.items()
    ]
    return Sketch(outlines, dictionaries.bodies(conn, packed.values()))


def _changed(group: Sequence[RecordState], kept: int | None, dirty: set[int], old: Mapping[int, Head]) -> bool:
    if kept is None or any(one.cluster_id != kept or one.record_id in dirty for one in group):
        return True
    return old[kept].size != len(group)


# ---- writing -----------------------------------------------------------------------------------------


def _write(conn: Connection, desk: Desk, solved: Solved, marks: Sequence[tuple[int, int]]) -> int:
    """Everything the batch found out, in one transaction; the feed is numbered last. Returns the changes."""
    now = desk.now()
    proposal, judged, grouping, sketch, sheets, people = solved
    _keep_decisions(conn, desk, proposal, judged)
    asking = announcing.asking(conn, grouping, sheets)
    ids, new = _ids(conn, grouping, sheets, now)
    old = catalogue.heads(conn, [*grouping.lost, *(one for one in ids if one not in new)])
    old |= dict.fromkeys(new, Head())
    _place(conn, grouping, ids)
    fresh = [sheet for sheet in sheets if _differs(sheet, grouping, old[ids[sheet.number]])]
    made = [_numbered(one.drawn or sketch.drawn(desk, one.number), ids[one.number]) for one in fresh]
    catalogue.write_documents(conn, [one for one, _ in made], new, now)
    shown.write(conn, [one for _, one in made], new)
    members = [one.record_id for sheet in sheets for one in grouping.groups[sheet.number]]
    shown.hide(conn, members, [record_id for sheet in sheets for record_id in sheet.hidden])
    redirects = announcing.redirects(grouping, ids)
    catalogue.retire_clusters(conn, grouping.lost, redirects, now)
    suspects.note(conn, _unseen(grouping, sheets, fresh, ids), desk.derivation_id)
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
    rows += announcing.naming(conn, grouping, sheets, asking, rows)
    changes.announce(conn, rows, desk.run_id, now)
    return len(rows)


def _differs(sheet: Sheet, grouping: Grouping, old: Head) -> bool:
    """Whether the stored cluster is another than the sheet; hidden members change its size only."""
    return old.doc_hash != sheet.hash or old.size != len(grouping.groups[sheet.number])


def _unseen(grouping: Grouping, sheets: Iterable[Sheet], fresh: Iterable[Sheet], ids: Sequence[int]) -> list[int]:
    """Clusters that were matched again, of which consumers are told nothing new: what is doubtful may be another."""
    told = {one.number for one in fresh}
    return [ids[one.number] for one in sheets if one.number not in told and len(grouping.groups[one.number]) > 1]


def _keep_decisions(conn: Connection, desk: Desk, proposal: Proposal, judged: Iterable[Judged]) -> None:
    candidates.set_suspended(conn, proposal.suspend, proposal.resume)
    by = (desk.derivation_id, desk.run_id)
    catalogue.write_decisions(conn, proposal.gone, [(*one, *by) for one in judged])


def _ids(conn: Connection, grouping: Grouping, sheets: Sequence[Sheet], now: str) -> tuple[list[int], set[int]]:
    """The cluster id of each group, the one it keeps or a new one; and the new ones."""
    contents = [(one.hash, len(grouping.groups[one.number])) for one in sheets if grouping.ids[one.number] is None]
    new = catalogue.new_clusters(conn, contents, now)
    fresh = iter(new)
    return [next(fresh) if one is None else one for one in grouping.ids], set(new)


def _place(conn: Connection, grouping: Grouping, ids: Sequence[int]) -> None:
    rows = [
        {"record_id": one.record_id, "cluster_id": ids[number], "node_id": one.node_id}
        for number, group in enumerate(grouping.groups)
        for one in group
        if one.cluster_id != ids[number] or one.old_node != one.node_id
    ]
    gone = [one.record_id for one in grouping.records if one.node_id is None and one.cluster_id is not None]
    catalogue.write_memberships(conn, rows, gone)


def _numbered(made: tuple[Document, shown.Shown], cluster_id: int) -> tuple[Document, shown.Shown]:
    return made[0]._replace(cluster_id=cluster_id), made[1]._replace(cluster_id=cluster_id)


def _warn(conn: Connection, sheets: Sequence[Sheet], ids: Sequence[int], log: Log) -> None:
    """Write a line for each pin whose source changed, once for each new value."""
    for sheet in sheets:
        if sheet.news:
            plain = log._replace(people=People({}, frozenset()))
            cluster_id = ids[sheet.number]
            rows = [plain.line(cluster_id, "pin_changed", **warning(one, cluster_id)) for one in sheet.news]
            catalogue.write_events(conn, rows)
            links.note_warned(conn, {one.pinned.pin_id: one.told for one in sheet.news})
