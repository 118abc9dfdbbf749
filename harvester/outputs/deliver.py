"""Drives an output along the feed: at least once, in order, never past an undelivered document in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple

import msgspec

from harvester.model import Catalogue, Change
from harvester.outputs import Output
from harvester.outputs.batch import Batch, OutputState
from harvester.outputs.privacy import released

Save = Callable[[OutputState], None]


MAX_PENDING = 500_000  # changes; behind by more, a snapshot is less work


def deliver(output: Output, catalogue: Catalogue, state: OutputState, save: Save, limit: int = 1000) -> OutputState:
    """Bring *output* up to the last released change; *save* is called after every step that is in.

    Starts with a snapshot if the state is of another epoch or older than the feed reaches. Rejected documents are
    tried again, as they are now, with the first step.

    Raises:
        OutputError: the far side does not answer; what was saved before stays true.
    """
    catalogue = released(catalogue)
    known = state.epoch == catalogue.epoch and catalogue.kept_since - 1 <= state.reached <= catalogue.released
    if not known or catalogue.released - state.reached > MAX_PENDING:
        state = _start(output, catalogue)
        save(state)
    retry = tuple(one.cluster for one in state.rejected)
    for changes, until in _steps(catalogue, state.reached, limit, bool(retry)):
        state = _step(output, catalogue, state, _Step(changes, until, retry))
        retry = ()
        save(state)
    return state


def _start(output: Output, catalogue: Catalogue) -> OutputState:
    until = catalogue.released
    rejected = tuple(msgspec.structs.replace(one, seq=one.seq or until) for one in output.snapshot(catalogue))
    return OutputState(catalogue.epoch, max(until - 1, 0) if rejected else until, until, rejected)


class _Step(NamedTuple):
    changes: Sequence[Change]
    until: int
    retry: tuple[str, ...]


def _steps(catalogue: Catalogue, reached: int, limit: int, retry: bool) -> Iterator[tuple[list[Change], int]]:
    """(changes, the number up to which all is then delivered), about *limit* changes a step.

    Documents are as they are now, so a batch must not be delivered without the later ones that touch the same
    clusters: a record that moved on would stand in two clusters, or in none, until they come.
    """
    batches = _pending(catalogue, reached, limit)
    together = _together(batches)
    done = [False] * len(batches)
    first = 0
    while first < len(batches):
        step: list[Change] = []
        for number in range(first, len(batches)):
            if not done[number]:
                for one in together[number]:
                    done[one] = True
                    step += batches[one]
                if len(step) >= limit:
                    break
        while first < len(batches) and done[first]:
            first += 1
        yield sorted(step, key=lambda change: change.seq), batches[first - 1][-1].seq
    if retry and not batches:
        yield [], reached


def _pending(catalogue: Catalogue, reached: int, limit: int) -> list[list[Change]]:
    batches: list[list[Change]] = []
    while changes := catalogue.changes(reached, limit):
        reached = changes[-1].seq
        batches += [list(group) for _, group in groupby(changes, key=lambda change: change.batch)]
    return batches


def _together(batches: Sequence[Sequence[Change]]) -> list[list[int]]:
    """For each batch the batches linked to it by common clusters, itself among them; later ones share the list."""
    groups: dict[str, list[int]] = {}
    of: list[list[int]] = []
    for number, batch in enumerate(batches):
        mine = [number]
        for change in batch:
            other = groups.get(change.cluster)
            if other is not None and other is not mine:
                small, mine = sorted((other, mine), key=len)
                mine += small
                for one in small:
                    if one < len(of):
                        of[one] = mine
                        for touched in batches[one]:
                            groups[touched.cluster] = mine
            groups[change.cluster] = mine
        of.append(mine)
        for change in batch:
            groups[change.cluster] = mine
    return of


def _step(output: Output, catalogue: Catalogue, state: OutputState, step: _Step) -> OutputState:
    batch = make_batch(catalogue, state.reached, step.changes, step.retry, step.until)
    refused = {one.document: one for one in output.apply(batch)}
    first = {change.cluster: change.seq for change in reversed(step.changes)}
    before = {one.cluster: one for one in state.rejected}
    waiting = [one for one in state.rejected if one.cluster not in {*first, *step.retry}]
    for one in refused.values():
        old = before.get(one.cluster)
        seq = old.seq if old else first.get(one.cluster, batch.until)
        waiting.append(msgspec.structs.replace(one, seq=seq, tries=old.tries + 1 if old else 1))
    waiting.sort(key=lambda one: (one.seq, one.cluster, one.document))
    position = min([batch.until, *(one.seq - 1 for one in waiting)])
    return OutputState(catalogue.epoch, max(position, 0), batch.until, tuple(waiting))


def make_batch(
    catalogue: Catalogue, since: int, changes: Sequence[Change], also: Iterable[str] = (), until: int | None = None
) -> Batch:
    """The batch of *changes* and of the clusters *also*, with the documents as they are now."""
    targets = {change.cluster: change.target for change in changes}
    clusters = list(dict.fromkeys([*also, *targets]))
    documents = catalogue.documents(clusters)
    gone = {cluster: targets.get(cluster, "") for cluster in clusters if cluster not in documents}
    last = changes[-1].seq if changes else since
    at = changes[-1].at if changes else ""
    present = {key: documents[key] for key in clusters if key in documents}
    return Batch(catalogue.epoch, since, last if until is None else until, at, present, gone)


def paged(clusters: Sequence[str], size: int) -> Iterator[list[str]]:
    """*clusters* in lists of *size*."""
    rest = iter(clusters)
    while page := list(islice(rest, size)):
        yield page
