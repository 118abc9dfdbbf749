"""Whatever happens to the catalogue, and wherever a consumer stops: what it holds is valid, and ends up equal."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from db import changes
from harvester import deciding, publishing
from harvester import settings as settings_module
from harvester.errors import UsageError
from harvester.outputs.batch import OutputState
from harvester.outputs.deliver import deliver
from tests.pipeline.feed_world import Index, Killed, record_of
from tests.pipeline.shelf import Book, Union

ADDRESSES = ("alun/1", "alun/2", "alun/3", "bukit/1", "bukit/2", "bukit/3")
BOOKS = (
    Book("Laskar pelangi", isbn="9789793062792"),
    Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354"),
    Book("Salah asuhan", author="Moeis, Abdoel", isbn="9789794072264", year="1928", pages="273"),
)
POLICIES: tuple[dict[str, Any], ...] = (
    {"visibility": "public", "withheld": ()},
    {"visibility": "public", "withheld": ("notes",)},
    {"visibility": "withheld", "withheld": ()},
    {"visibility": "members", "withheld": ()},
)


EDITS = st.lists(
    st.tuples(st.sampled_from(ADDRESSES), st.sampled_from([*BOOKS, BOOKS[0]._replace(note="dua"), None])),
    min_size=1,
    max_size=5,
)


class Consumer:
    """A far side and its saved position; it stops after some steps, and what it has saved is where it goes on."""

    def __init__(self) -> None:
        self.index = Index()
        self.state = OutputState()

    def run(self, union: Union, steps: int, limit: int) -> None:
        def save(one: OutputState) -> None:
            nonlocal steps
            self.valid()
            self.state = one
            steps -= 1
            if steps == 0:
                raise Killed

        with publishing.reading(union.pipeline) as catalogue:
            try:
                deliver(self.index, catalogue, self.state, save, limit)
            except Killed:
                return

    def valid(self) -> None:
        """No record stands in two clusters, and no cluster is empty."""
        members = [record_of(one) for held in self.index.held.values() for one in held]
        assert len(members) == len(set(members)), self.index.held
        assert all(self.index.held.values())


class Feed(RuleBasedStateMachine):
    """A consortium of two partners, six records and three books; two consumers."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="induk-feed-"))
        self.union = Union(self.folder / "union", f"sqlite:///{self.folder / 'induk.db'}")
        self.union.night({one: BOOKS[number % 3] for number, one in enumerate(ADDRESSES)})
        self.consumers = [Consumer(), Consumer()]
        for one in self.consumers:
            one.run(self.union, 0, 3)
        self.backup: tuple[dict[str, Book], set[str]] | None = None

    def teardown(self) -> None:
        if not hasattr(self, "union"):
            return
        try:
            self._settle()
        finally:
            self.union.close()
            shutil.rmtree(self.folder)

    def _settle(self) -> None:
        union = self.union
        union.night()
        with union.pipeline.database.write() as conn:
            changes.release(conn, union.pipeline.now())
        fresh = Index()
        with publishing.reading(union.pipeline) as catalogue:
            fresh.snapshot(catalogue)
        for one in self.consumers:
            one.run(union, 0, 3)
            assert one.index.held == fresh.held
        held = {frozenset(map(record_of, members)) for members in fresh.held.values()}
        shown = {one for one in map(self._visible, union.groups()) if one}
        assert held == shown
        assert union.consortium.faults() == []

    def _visible(self, group: frozenset[str]) -> frozenset[str]:
        hidden = {p.code for p in self.union.pipeline.settings.partners if p.policy.visibility != "public"}
        return frozenset(one for one in group if one.partition("/")[0] not in hidden)

    # ---- what happens -----------------------------------------------------------------------------------

    @rule(edits=EDITS)
    def night(self, edits: list[tuple[str, Book | None]]) -> None:
        self._edit(edits)
        self.union.night()

    @rule(edits=EDITS, which=st.integers(0, 1), steps=st.integers(1, 3), limit=st.sampled_from([1, 2, 1000]))
    def two_nights_and_a_consumer_that_stops(
        self, edits: list[tuple[str, Book | None]], which: int, steps: int, limit: int
    ) -> None:
        for part in (edits[::2], edits[1::2]):
            self._edit(part)
            self.union.night()
        self.consumers[which].run(self.union, steps, limit)

    @rule(edits=EDITS)
    def harvest(self, edits: list[tuple[str, Book | None]]) -> None:
        """What came and is not matched yet."""
        self._edit(edits)
        self.union.harvest()

    def _edit(self, edits: list[tuple[str, Book | None]]) -> None:
        for address, book in edits:
            if book is not None:
                self.union.put(address, book)
            elif address in self.union.books:
                self.union.delete(address)

    @rule(left=st.sampled_from(ADDRESSES), right=st.sampled_from(ADDRESSES), apart=st.booleans())
    def decide(self, left: str, right: str, apart: bool) -> None:
        act = deciding.never if apart else deciding.must
        try:
            act(self.union.pipeline, left, right, "ani", "uji")
        except UsageError:
            return  # no such record now, or nothing to decide

    @rule()
    def undo(self) -> None:
        found = deciding.decisions(self.union.pipeline, limit=1)
        if found:
            deciding.undo(self.union.pipeline, found[0]["id"], "ani", "uji")

    @rule(code=st.sampled_from(["alun", "bukit"]), policy=st.sampled_from(POLICIES))
    def change_policy(self, code: str, policy: dict[str, Any]) -> None:
        union = self.union
        known = union.pipeline.settings.partner(code)
        changed = msgspec.structs.replace(known.policy, **policy)
        (union.consortium.folder / "partners.d" / f"{code}.yaml").unlink()
        settings_module.write_partner(union.consortium.folder, msgspec.structs.replace(known, policy=changed))
        union.restart()

    @rule(how=st.sampled_from(["hold", "release", "compact"]))
    def gate(self, how: str) -> None:
        with self.union.pipeline.database.write() as conn:
            if how == "hold":
                changes.hold(conn, "uji")
            elif how == "release":
                changes.release(conn, self.union.pipeline.now())
            else:
                changes.compact(conn, "2999")

    @rule()
    def back_up(self) -> None:
        self.union.close()
        shutil.copy(self.folder / "induk.db", self.folder / "backup.db")
        self.backup = (dict(self.union.books), set(self.union._new) | set(self.union._gone))
        self.union.restart()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """The partners have gone on meanwhile: everything is harvested again, what they deleted too."""
        assert self.backup is not None
        union = self.union
        union.close()
        for name in ("induk.db-wal", "induk.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        shutil.copy(self.folder / "backup.db", self.folder / "induk.db")
        union.restart()
        with union.pipeline.database.write() as conn:
            changes.start_anew(conn)
        union._new |= union.books.keys()
        union._gone |= {one for one in ADDRESSES if one not in union.books}

    @rule(which=st.integers(0, 1), steps=st.integers(1, 3), limit=st.sampled_from([1, 2, 1000]))
    def consume(self, which: int, steps: int, limit: int) -> None:
        self.consumers[which].run(self.union, steps, limit)

    @rule()
    def join(self) -> None:
        """A new consumer takes a snapshot and follows from there."""
        self.consumers[1] = Consumer()
        self.consumers[1].run(self.union, 1, 1000)

    @invariant()
    def what_consumers_hold_is_valid(self) -> None:
        for one in getattr(self, "consumers", ()):
            one.valid()


_quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
# a failing run is told as it was: making it smaller would run a hundred more of these
_settings = settings(
    max_examples=50,
    stateful_step_count=12,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=_quiet,
)
TestFeed = pytest.mark.slow(Feed.TestCase)
TestFeed.settings = _settings


class LongFeed(Feed):
    """The same at length."""


TestLongFeed = pytest.mark.prove(LongFeed.TestCase)
TestLongFeed.settings = settings(_settings, max_examples=1500, stateful_step_count=20)
