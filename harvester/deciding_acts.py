"""Carrying a person's decision out: foresee it, or store it and solve again what it concerns, at once.

The decision is stored first, in a transaction of its own that survives a power cut; then its records are matched by
the machinery of every night. Killed in between, or while another process holds the match lock, it waits as `pending`
and the next match carries it out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from db import catalogue, changes, links, work
from db.catalogue import RecordState
from db.links import Decided, Draft
from harvester import promoted
from harvester.deciding_overruled import overruled
from harvester.errors import Locked, UsageError
from harvester.heeding import Pinned
from harvester.matching import Foreseen, foresee, match_batch
from harvester.model import Address, Profile, Value
from harvester.pipeline import MATCH_LOCK, Pipeline, desk_of
from harvester.resolving import Overlay

WAIT_SECONDS = 5.0
PAUSE_SECONDS = 0.05
UNSTORED = 1 << 60  # the ids of decisions that are only foreseen: newer than every stored one


class StaleCluster(UsageError):
    """A cluster is no longer what the person looked at."""


class Group(Value, frozen=True, omit_defaults=False):
    """A cluster (None: it would get a new id) with its version and its members' addresses, sorted."""

    cluster: int | None
    version: int
    members: tuple[str, ...]


class FeedRow(Value, frozen=True, omit_defaults=False):
    """What consumers are told: upsert, delete or redirect of a cluster (None: one with a new id)."""

    kind: str
    cluster: int | None
    target: int | None = None


class Result(Value, frozen=True, omit_defaults=False):
    """What a decision changed, or in a preview would change.

    `before` and `after` are the clusters that it touches; `contradictions` what people said against each other or
    against a veto; `notes` what could not be done, and why.
    """

    decision: int | None = None
    preview: bool = False
    pending: bool = False
    before: tuple[Group, ...] = ()
    after: tuple[Group, ...] = ()
    feed: tuple[FeedRow, ...] = ()
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the grouping is another one."""
        return {one.members for one in self.before} != {one.members for one in self.after}


UNGROUPING = ("pin", "unpin")
CONFIRMED = "they stand in one cluster already: kept as a confirmation that it is right"


class Plan(NamedTuple):
    """A decision that is to be carried out: the first draft stands for it, further ones are its parts."""

    drafts: tuple[Draft, ...]
    ends: frozenset[int] = frozenset()  # decisions that it undoes
    revives: frozenset[int] = frozenset()  # decisions whose undoing it undoes
    write: Callable[[Connection, list[int]], None] = lambda conn, ids: None  # what else is stored, with the ids
    pins: tuple[Pinned, ...] = ()  # for the preview
    profiles: Mapping[int, tuple[Profile, bool]] = {}  # for the preview: record id → the profile it would have
    notes: tuple[str, ...] = ()

    @property
    def addresses(self) -> list[Address]:
        return list(dict.fromkeys(one for draft in self.drafts for one in draft.addresses))

    @property
    def author(self) -> str:
        return self.drafts[0].author

    def concerning(self, trouble: tuple[str, ...]) -> tuple[str, ...]:
        """*trouble* of the groups, each once, when this is about groups: a pin need not tell old quarrels again."""
        return tuple(dict.fromkeys(trouble)) if self.drafts[0].action not in UNGROUPING else ()


def carry_out(
    pipeline: Pipeline, plan: Plan, *, expected_version: Mapping[int, int] | None = None, preview: bool = False
) -> Result:
    """Carry *plan* out, or say what it would do.

    Raises:
        StaleCluster: a cluster has another version than the person saw; nothing was stored.
    """
    if preview:
        return _foreseen(pipeline, plan, expected_version or {})
    with pipeline.database.ahead(), _match_lock(pipeline) as held:
        stored = _store(pipeline, plan, expected_version or {}, waits=not held)
        if not held:
            note = "another process is matching, or other rules are in force by now: the next match carries it out"
            return Result(stored.decision_id, False, True, stored.before, stored.before, notes=(*plan.notes, note))
        trouble = _apply(pipeline, plan, stored)
    return _done(pipeline, plan, stored, trouble)


# ---- foreseeing ----------------------------------------------------------------------------------------


def _foreseen(pipeline: Pipeline, plan: Plan, expected: Mapping[int, int]) -> Result:
    with pipeline.database.read() as conn:
        _check_versions(conn, expected)
        states = catalogue.states_of_addresses(conn, plan.addresses)
        revived = tuple(links.get(conn, plan.revives).values())
        added = tuple(
            Decided(UNSTORED + number, *draft[:4], "", "pending", None, None, None, {}, draft.sides)
            for number, draft in enumerate(plan.drafts)
        )
        against = _overruled(conn, plan.addresses, added, plan.ends, {one.id for one in (*revived, *added)})
    overlay = Overlay((*revived, *added), plan.ends, plan.pins, plan.profiles)
    seen = foresee(desk_of(pipeline, 0), [one.record_id for one in states if _matchable(one)], overlay)
    touched = {one.record_id for one in states}
    before, after = _groups(seen, touched)
    feed = tuple(FeedRow(kind, _real(key), _real(target)) for kind, key, target in seen.feed)
    return Result(None, True, False, before, after, feed, (*against, *plan.concerning(seen.trouble)), plan.notes)


def _groups(seen: Foreseen, touched: set[int]) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    """The clusters before and after, those that change or hold a record which the decision is about."""
    old: dict[int, list[RecordState]] = {}
    for one in seen.grouping.records:
        if one.cluster_id is not None:
            old.setdefault(one.cluster_id, []).append(one)
    before = [_group(key, seen.versions.get(key, 0), members) for key, members in sorted(old.items())]
    after = [
        _group(key, seen.versions.get(key, 0) if key is not None else 0, members)
        for key, members in zip(seen.grouping.ids, seen.grouping.groups, strict=True)
    ]
    about = {one.address for one in seen.grouping.records if one.record_id in touched}
    return _touched(before, after, about)


def _touched(
    before: Iterable[Group], after: Iterable[Group], about: set[str]
) -> tuple[tuple[Group, ...], tuple[Group, ...]]:
    same = {(one.cluster, one.members) for one in before} & {(one.cluster, one.members) for one in after}

    def kept(groups: Iterable[Group]) -> tuple[Group, ...]:
        return tuple(
            one for one in groups if (one.cluster, one.members) not in same or not about.isdisjoint(one.members)
        )

    return kept(before), kept(after)


def _group(key: int | None, version: int, members: Iterable[RecordState]) -> Group:
    return Group(key, version, tuple(one.address for one in sorted(members, key=lambda one: one.order)))


def _real(key: int | None) -> int | None:
    return key if key is None or key > 0 else None


def _matchable(one: RecordState) -> bool:
    return one.node_id is not None or one.cluster_id is not None


# ---- storing -------------------------------------------------------------------------------------------


class _Stored(NamedTuple):
    decision_id: int
    decision_ids: list[int]  # with its parts, and what counts again
    run_id: int
    record_ids: list[int]
    before: tuple[Group, ...]
    contradictions: tuple[str, ...]


def _store(pipeline: Pipeline, plan: Plan, expected: Mapping[int, int], *, waits: bool) -> _Stored:
    """Everything that the person said, in one durable transaction, with the marks that make match look again."""
    now = pipeline.now()
    with pipeline.database.write(durable=True) as conn:
        _check_versions(conn, expected)
        states = catalogue.states_of_addresses(conn, plan.addresses)
        before = _stored_groups(conn, {one.cluster_id for one in states if one.cluster_id is not None})
        run_id = work.open_run(conn, "decide", None, now)
        first = links.add(conn, plan.drafts[0], now, run_id=run_id)
        others = [links.add(conn, draft, now, run_id=run_id, part_of=first) for draft in plan.drafts[1:]]
        if links.end(conn, plan.ends, first) < len(plan.ends):
            raise UsageError("somebody else has undone that meanwhile", hint="`induk link list` says who")
        links.revive(conn, plan.revives)
        plan.write(conn, [first, *others])
        against = _overruled(conn, plan.addresses, (), frozenset(), {first, *others, *plan.revives})
        head = plan.drafts[0]
        body = {"decision": first, "action": head.action, "why": head.reason, "records": len(plan.addresses)}
        catalogue.write_events(
            conn,
            [
                {
                    "cluster_id": group.cluster,
                    "kind": EVENT_KINDS.get(head.action, "linked"),
                    "actor": head.author,
                    "run_id": run_id,
                    "at": now,
                    "body": msgspec.json.encode(body).decode(),
                }
                for group in before
            ],
        )
        work.mark_dirty(conn, [one.record_id for one in states if _matchable(one)])
        ids = [first, *others, *plan.revives]
        if not states:
            links.settle(conn, ids)
        if waits:
            _close(conn, pipeline, run_id, "partial", "another process is matching; its match carries it out")
    return _Stored(first, ids, run_id, [one.record_id for one in states if _matchable(one)], before, tuple(against))


EVENT_KINDS = {
    "split": "split",
    "never": "split",
    "undo": "undone",
    "undo_member": "undone",
    "undo_events": "undone",
    "undo_run": "undone",
    "pin": "pinned",
    "unpin": "unpinned",
}


def _check_versions(conn: Connection, expected: Mapping[int, int]) -> None:
    held = catalogue.clusters(conn, expected)
    for key, version in sorted(expected.items()):
        row = held.get(key)
        if row is None or row["version"] != version:
            now = f"version {row['version']}" if row else "gone"
            raise StaleCluster(
                f"cluster {key} has changed since you looked: it is now {now}, you saw version {version}",
                hint="look at it again, then decide",
            )


def _overruled(
    conn: Connection, addresses: Sequence[Address], added: Sequence[Decided], ended: frozenset[int], new: set[int]
) -> list[str]:
    """What these *new* decisions say against others about these records, and the others against them."""
    found = [one for one in links.concerning(conn, addresses) if one.id not in ended]
    return overruled([*found, *added], new)


# ---- applying ------------------------------------------------------------------------------------------


def _apply(pipeline: Pipeline, plan: Plan, stored: _Stored) -> tuple[str, ...]:
    """Match the records again; returns what could not be satisfied. The match lock is held."""
    desk = desk_of(pipeline, stored.run_id, plan.author, durable=True)
    size = pipeline.settings.match.batch
    trouble: list[str] = []
    for start in range(0, len(stored.record_ids), size):
        part = stored.record_ids[start : start + size]
        while batch := match_batch(desk, size, part):
            trouble += batch.trouble
    with pipeline.database.write(durable=True) as conn:
        links.settle(conn, stored.decision_ids)
        _close(conn, pipeline, stored.run_id, "complete", "")
    return tuple(dict.fromkeys(trouble))


def _close(conn: Connection, pipeline: Pipeline, run_id: int, verdict: str, reason: str) -> None:
    work.close_run(conn, run_id, verdict=verdict, reason=reason, proof="", now=pipeline.now(), body={})


def _done(pipeline: Pipeline, plan: Plan, stored: _Stored, trouble: tuple[str, ...]) -> Result:
    with pipeline.database.read() as conn:
        told = changes.of_run(conn, stored.run_id)
        about = {str(one) for one in plan.addresses} | {name for group in stored.before for name in group.members}
        states = catalogue.states_of_addresses(conn, [Address.parse(one) for one in about])
        here = {one.cluster_id for one in states if one.cluster_id is not None}
        after = _stored_groups(conn, here | {row["cluster_id"] for row in told})
    feed = tuple(FeedRow(row["kind"], row["cluster_id"], row["target_id"]) for row in told)
    against = (*stored.contradictions, *plan.concerning(trouble))
    return Result(stored.decision_id, False, False, stored.before, after, feed, against, plan.notes)


def _stored_groups(conn: Connection, ids: Iterable[int]) -> tuple[Group, ...]:
    held = catalogue.members(conn, ids)
    rows = catalogue.clusters(conn, held)
    return tuple(_group(key, rows[key]["version"], held[key]) for key in sorted(held))


@contextmanager
def _match_lock(pipeline: Pipeline) -> Iterator[bool]:
    """Hold the match lock, waiting up to five seconds; False when another process keeps it or brought other rules.

    By the old rules nothing is matched any more: a decision waits for the next match then.
    """
    clock = pipeline.clock
    until = clock.monotonic() + WAIT_SECONDS
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(pipeline.database.lock(MATCH_LOCK))
            except Locked:
                if clock.monotonic() >= until:
                    yield False
                    return
                clock.sleep(PAUSE_SECONDS)
            else:
                break
        yield not promoted.overtaken(pipeline.database, pipeline.match, pipeline.merge)
