"""Delivery: whatever happens in between, what a consumer holds is a state that is valid in itself."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import OutputError
from harvester.model import Catalogue
from harvester.outputs.batch import Batch, Drift, OutputState, Rejection
from harvester.outputs.deliver import deliver
from tests.outputs.union import Union, held_by

SOURCES = ("ui", "ui-etd", "ugm", "inlis")


class Index:
    """A consumer: cluster → addresses. `dies` makes the n-th request fail; `refuses` names what it does not take."""

    def __init__(self) -> None:
        self.held: dict[str, set[str]] = {}
        self.dies = 0
        self.refuses: set[str] = set()
        self.sizes: list[int] = []

    def apply(self, batch: Batch) -> Sequence[Rejection]:
        if self.dies:
            self.dies -= 1
            if not self.dies:
                raise OutputError("down")
        self.sizes.append(len(batch.documents) + len(batch.gone))
        for cluster in batch.gone:
            self.held.pop(cluster, None)
        taken = {key: one for key, one in batch.documents.items() if key not in self.refuses}
        self.held |= {key: {str(member.address) for member in one.members} for key, one in taken.items()}
        return [Rejection(key, key, "no") for key in batch.documents if key in self.refuses]

    def snapshot(self, catalogue: Catalogue) -> Sequence[Rejection]:
        documents = {one.cluster: one for page in catalogue.pages() for one in page}
        self.held = {}
        return self.apply(Batch(catalogue.epoch, 0, 0, "", documents, {}))

    def lost(self, state: OutputState) -> str:
        return ""

    def verify(self, catalogue: Catalogue, repair: bool = False) -> Drift:
        return Drift()

    def valid(self) -> bool:
        """No record stands in two clusters."""
        everyone = [address for members in self.held.values() for address in members]
        return len(everyone) == len(set(everyone))


class World:
    """Records that move between clusters at random, one batch of the feed a night."""

    def __init__(self, seed: int) -> None:
        self.union, self.chance = Union(), random.Random(seed)
        self.place = {f"{source}/{n}": str(n) for source in SOURCES for n in range(6)}
        self.tell(set(self.place.values()))

    def night(self) -> None:
        touched: set[str] = set()
        for address in self.chance.sample(sorted(self.place), self.chance.randrange(1, 4)):
            target = str(self.chance.randrange(9))
            touched |= {self.place[address], target}
            self.place[address] = target
        self.tell(touched)

    def tell(self, touched: set[str]) -> None:
        groups = {
            one: [held_by(key) for key in sorted(self.place) if self.place[key] == one] for one in sorted(touched)
        }
        gone = {one: "" for one, members in groups.items() if not members and one in self.union.clusters}
        self.union.commit({one: members for one, members in groups.items() if members}, gone)

    def expected(self) -> dict[str, set[str]]:
        return {key: {str(one.address) for one in doc.members} for key, doc in self.union.clusters.items()}


@given(st.integers(0, 10_000), st.lists(st.integers(1, 6), min_size=1, max_size=5), st.sampled_from([1, 3, 1000]))
@settings(max_examples=60, deadline=None)
def test_after_every_step_no_record_stands_in_two_clusters(seed: int, nights: list[int], limit: int) -> None:
    world, index, state = World(seed), Index(), OutputState()
    steps: list[tuple[bool, int]] = []
    for count in nights:
        state = deliver(index, world.union, state, lambda one: steps.append((index.valid(), one.position)), limit)
        assert index.held == world.expected()
        for _ in range(count):
            world.night()
    assert all(valid for valid, _ in steps)
    assert [position for _, position in steps] == sorted(position for _, position in steps)


@given(st.integers(0, 10_000), st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_z121_killed_anywhere_and_started_again_nothing_is_missed(seed: int, dies: int) -> None:
    world, index = World(seed), Index()
    saved = [OutputState()]
    for _ in range(8):
        world.night()
        index.dies = dies
        while True:
            try:
                deliver(index, world.union, saved[-1], saved.append, 2)
                break
            except OutputError:
                continue
    assert index.held == world.expected()
    assert saved[-1].position == world.union.released


def test_independent_batches_are_not_delivered_as_one() -> None:
    union, index = Union(), Index()
    state = deliver(index, union, OutputState(), lambda one: None)
    for n in range(1, 31):
        union.commit({str(n): [held_by(f"ui/{n}")]})
    index.sizes.clear()
    deliver(index, union, state, lambda one: None, 10)
    assert index.sizes == [10, 10, 10]


def test_the_position_waits_for_the_oldest_rejected_document_and_the_rest_goes_on() -> None:
    union, index = Union(), Index()
    index.refuses = {"2", "4"}
    state = deliver(index, union, OutputState(), lambda one: None)
    for n in range(1, 6):
        union.commit({str(n): [held_by(f"ui/{n}")]})
    state = deliver(index, union, state, lambda one: None, 1)
    assert sorted(index.held) == ["1", "3", "5"]
    assert (state.position, state.reached) == (1, 5)
    index.refuses = {"4"}
    state = deliver(index, union, state, lambda one: None)
    assert (state.position, state.reached) == (3, 5)
    assert [(one.cluster, one.seq, one.tries) for one in state.rejected] == [("4", 4, 2)]
    union.commit({}, {"4": ""})
    state = deliver(index, union, state, lambda one: None)
    assert state == OutputState("e1", 6, 6)


def test_a_position_beyond_a_restored_feed_starts_again() -> None:
    union, index = Union(), Index()
    union.commit({"1": [held_by("ui/1")]})
    index.held = {"9": {"ui/9"}}
    state = deliver(index, union, OutputState("e1", 500, 500), lambda one: None)
    assert (index.held, state.position) == ({"1": {"ui/1"}}, 1)


def test_an_output_that_is_down_at_the_first_snapshot_has_no_position() -> None:
    union, index = Union(), Index()
    union.commit({"1": [held_by("ui/1")]})
    index.dies = 1
    with pytest.raises(OutputError):
        deliver(index, union, OutputState(), lambda one: pytest.fail("saved"))
