"""Drives an output along the feed: at least once, in order, never past an undelivered document in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import msgspec

from harvester.model import Catalogue, Change
from harvester.outputs import Output
from harvester.outputs.batch import Batch, OutputState, Rejection
from harvester.outputs.privacy import released

Save = Callable[[OutputState], None]


def deliver(output: Output, catalogue: Catalogue, state: OutputState, save: Save, limit: int = 1000) -> OutputState:
    """Bring *output* up to the last released change; *save* is called after every batch that is in.

    Starts with a snapshot if the state is of another epoch or older than the feed reaches. Rejected documents are
    tried again, as they are now, with the first batch.

    Raises:
        OutputError: the far side does not answer; what was saved before stays true.
    """
    catalogue = released(catalogue)
    if state.epoch != catalogue.epoch or state.reached + 1 < catalogue.kept_since or state.reached > catalogue.released:
        state = _start(output, catalogue)
        save(state)
    retry = {one.cluster: one for one in state.rejected}
    for changes in _batches(catalogue, state, limit, bool(retry)):
        state = _step(output, catalogue, state, changes, retry)
        retry = {}
        save(state)
    return state


def _start(output: Output, catalogue: Catalogue) -> OutputState:
    until = catalogue.released
    rejected = tuple(msgspec.structs.replace(one, seq=one.seq or until) for one in output.snapshot(catalogue))
    return OutputState(catalogue.epoch, until - 1 if rejected else until, until, rejected)


def _batches(catalogue: Catalogue, state: OutputState, limit: int, retry: bool) -> Iterator[Sequence[Change]]:
    reached = state.reached
    while changes := catalogue.changes(reached, limit):
        reached, retry = changes[-1].seq, False
        yield changes
    if retry:
        yield ()


def _step(
    output: Output, catalogue: Catalogue, state: OutputState, changes: Sequence[Change], retry: dict[str, Rejection]
) -> OutputState:
    batch = make_batch(catalogue, state.reached, changes, retry)
    refused = {one.document: one for one in output.apply(batch)}
    first = {change.cluster: change.seq for change in reversed(changes)}
    tried = {*first, *retry}
    waiting = [one for one in state.rejected if one.cluster not in tried]
    before = {one.cluster: one for one in state.rejected}
    for one in refused.values():
        old = before.get(one.cluster)
        seq = old.seq if old else first.get(one.cluster, batch.until)
        waiting.append(msgspec.structs.replace(one, seq=seq, tries=old.tries + 1 if old else 1))
    waiting.sort(key=lambda one: (one.seq, one.cluster, one.document))
    position = min([batch.until, *(one.seq - 1 for one in waiting)])
    return OutputState(catalogue.epoch, max(position, 0), batch.until, tuple(waiting))


def make_batch(
    catalogue: Catalogue, since: int, changes: Sequence[Change], also: Sequence[str] | dict[str, Rejection]
) -> Batch:
    """The batch of *changes* and of the clusters *also*, with the documents as they are now."""
    targets = {change.cluster: change.target for change in changes}
    clusters = list(dict.fromkeys([*also, *targets]))
    documents = catalogue.documents(clusters)
    gone = {cluster: targets.get(cluster, "") for cluster in clusters if cluster not in documents}
    until = changes[-1].seq if changes else since
    at = changes[-1].at if changes else ""
    return Batch(catalogue.epoch, since, until, at, {key: documents[key] for key in clusters if key in documents}, gone)


def paged(clusters: Sequence[str], size: int) -> Iterator[list[str]]:
    """*clusters* in lists of *size*."""
    rest = iter(clusters)
    while page := list(islice(rest, size)):
        yield page
