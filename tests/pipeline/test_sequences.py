"""Random nights and random people: no decision is lost, undo gives back the grouping, explanations replay.

The oracle is what the catalogue should be a function of: today's records, today's rules, the decisions in force. A
fresh catalogue that gets these at once must group the same as the one that lived through the whole sequence.
"""

from __future__ import annotations

import itertools
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from db import catalogue, dictionaries
from db.tables import decision
from harvester import deciding, deciding_files, rebuilding
from harvester.clock import SystemClock
from harvester.errors import UsageError
from harvester.match import compare
from harvester.match import rules as match_rules
from harvester.model import Address, Evidence
from harvester.resolving import read_profiles
from tests.pipeline.shelf import Book, Union

A = Book("Laskar pelangi", isbn="9789793062792")
B = Book("Sang pemimpi", isbn="9789793062921", year="2006", pages="292")
BOOKS = [
    A,
    A._replace(note="lagi"),
    A._replace(title="Laskar Pelangi: novel", publisher="Bentang Pustaka"),
    A._replace(isbn="", edition="Edisi 2"),
    A._replace(isbn="", edition="Edisi 3"),
    A._replace(isbn="", year="2008", pages="529"),
    A._replace(author="", year="", pages=""),
    A._replace(isbn="9789793062921"),
    B,
    B._replace(isbn="", note="tanpa ISBN"),
    B._replace(author="Andrea Hirata", publisher="Bentang Pustaka"),
    Book("Edensor", year="2007", pages="288"),
]
ADDRESSES = [f"{code}/{number}" for code in ("alun", "bukit") for number in range(6)]
STRICT = "  merge: 2\n"
STEPS = 10


class Life(RuleBasedStateMachine):
    """A catalogue, what its partners hold, and what people said, oldest first."""

    make: Callable[[], Union]
    fresh: Callable[[], Union]

    def __init__(self) -> None:
        super().__init__()
        self.union = type(self).make()
        self.said: dict[int, tuple[str, list[set[str]]]] = {}  # in force: number → (kind, sides)
        self.undone: dict[int, int] = {}
        self.wrong: dict[int, tuple[str, str]] = {}  # number → (address, ISBN)
        self.strict = False

    def teardown(self) -> None:
        try:
            self.settle()
            self.same_as_afresh()
            self.explanations_replay()
        finally:
            self.union.close()

    # ---- what happens ----------------------------------------------------------------------------------

    @initialize(books=st.lists(st.sampled_from(BOOKS), min_size=len(ADDRESSES), max_size=len(ADDRESSES)))
    def first_night(self, books: list[Book]) -> None:
        self.union.night(dict(zip(ADDRESSES, books, strict=True)))

    @rule(address=st.sampled_from(ADDRESSES), book=st.sampled_from(BOOKS))
    def a_partner_adds_or_edits(self, address: str, book: Book) -> None:
        self.union.put(address, book)

    @rule(data=st.data())
    def a_partner_deletes(self, data: st.DataObject) -> None:
        if len(self.union.books) > 4:
            self.union.delete(data.draw(st.sampled_from(sorted(self.union.books))))

    @rule()
    def harvest_without_match(self) -> None:
        self.union.harvest()

    @rule()
    def night(self) -> None:
        self.settle()

    @rule()
    def restart(self) -> None:
        self.union.restart()

    @rule()
    def other_rules(self) -> None:
        self.strict = not self.strict
        use_rules(self.union, self.strict)

    @rule(data=st.data())
    def a_person_merges(self, data: st.DataObject) -> None:
        keys = sorted(self.union.clusters())
        if len(keys) > 1:
            chosen = data.draw(st.lists(st.sampled_from(keys), min_size=2, max_size=3, unique=True))
            self.decide(lambda preview: deciding.merge(self.union.pipeline, chosen, "ana", "satu", preview=preview))

    @rule(data=st.data())
    def a_person_splits(self, data: st.DataObject) -> None:
        many = {key: members for key, members in sorted(self.union.clusters().items()) if len(members) > 1}
        if many:
            key = data.draw(st.sampled_from(sorted(many)))
            part = data.draw(st.lists(st.sampled_from(many[key]), min_size=1, max_size=len(many[key]) - 1, unique=True))
            self.decide(
                lambda preview: deciding.split(self.union.pipeline, key, [part], "budi", "dua", preview=preview)
            )

    @rule(data=st.data(), together=st.booleans())
    def a_person_judges_two_records(self, data: st.DataObject, together: bool) -> None:
        live = sorted(one for members in self.union.clusters().values() for one in members)
        left, right = data.draw(st.lists(st.sampled_from(live), min_size=2, max_size=2, unique=True))
        say = deciding.must if together else deciding.never
        self.decide(lambda preview: say(self.union.pipeline, left, right, "citra", "", preview=preview))

    @rule(data=st.data())
    def a_person_takes_a_member_out(self, data: st.DataObject) -> None:
        many = {key: members for key, members in sorted(self.union.clusters().items()) if len(members) > 1}
        if many:
            key = data.draw(st.sampled_from(sorted(many)))
            out = data.draw(st.sampled_from(many[key]))
            self.decide(lambda preview: deciding.undo_member(self.union.pipeline, key, out, "ana", "", preview=preview))

    @rule(data=st.data())
    def a_person_calls_an_isbn_wrong(self, data: st.DataObject) -> None:
        live = {one for members in self.union.clusters().values() for one in members}
        known = sorted(one for one in live if one in self.union.books and self.union.books[one].isbn)
        if known:
            where = data.draw(st.sampled_from(known))
            value = self.union.books[where].isbn
            try:
                result = deciding.wrong_identifier(self.union.pipeline, where, "isbn", value, "ana", "set")
            except UsageError:  # not harvested yet: the stored record has another one
                return
            self.said[result.decision or 0] = ("", [{where}])
            self.wrong[result.decision or 0] = (where, value)

    @rule(data=st.data())
    def a_person_pins_a_title(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.union.clusters())))
        result = deciding.pin(self.union.pipeline, key, "abstract", "ana", "", value="Ringkasan.")
        self.said[result.decision or 0] = ("", [])

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def a_person_undoes(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.said)))
        result = deciding.undo(self.union.pipeline, number, "dewi", "keliru")
        del self.said[number]
        self.undone[number] = result.decision or 0
        self.obeyed()

    # ---- what must hold --------------------------------------------------------------------------------

    def decide(self, act: Callable[[bool], Any]) -> None:
        """Carry a decision out; foreseen right, obeyed, and undone at once it gives the grouping before it."""
        self.settle()
        before = self.union.groups()
        try:
            seen = act(True)
        except UsageError:  # the night before has changed the cluster
            return
        result = act(False)
        assert {one.members for one in seen.after} == {one.members for one in result.after}
        held = deciding.decision(self.union.pipeline, result.decision)
        after = self.union.groups()
        self.said[result.decision] = (held["kind"], [set(side) for side in held["sides"]])
        self.obeyed()
        undo = deciding.undo(self.union.pipeline, result.decision, "dewi", "coba").decision
        assert self.union.groups() == before
        deciding.undo(self.union.pipeline, undo or 0, "dewi", "betul juga")
        assert self.union.groups() == after

    def settle(self) -> None:
        self.union.night()
        assert self.union.faults() == []
        self.obeyed()
        for number, (where, value) in self.wrong.items():
            if number in self.said and where in self.union.books:
                assert value not in isbns_in_matching(self.union, where)

    def obeyed(self) -> None:
        """Every decision is there, and the newest about two records counts; only contradictions loosen a must."""
        held = {one["id"]: one for one in deciding.decisions(self.union.pipeline, limit=10_000, undone=True)}
        in_force = {number for number, one in held.items() if one["state"] != "undone" and one["action"] != "undo"}
        assert in_force == set(self.said)
        assert all(held[number]["state"] == "undone" for number in self.undone)
        home = {one: key for key, members in self.union.clusters().items() for one in members}
        apart = {pair for pair in pairs(home) if self.newest(*pair) is False}
        assert not [pair for pair in apart if home[pair[0]] == home[pair[1]]]
        bound = [pair for pair in pairs(home) if self.newest(*pair) is True]
        for group in components(home, bound):
            if not apart.intersection(pairs(group)):
                assert len({home[one] for one in group}) == 1, group

    def newest(self, left: str, right: str) -> bool | None:
        """What the newest decision about two records says: together, apart, nothing."""
        for _, (kind, sides) in sorted(self.said.items(), reverse=True):
            mine = [number for number, side in enumerate(sides) if left in side]
            theirs = [number for number, side in enumerate(sides) if right in side]
            if kind and mine and theirs and mine != theirs:
                return False
            if mine and mine == theirs and kind in ("must", "split"):
                return True
        return None

    def same_as_afresh(self) -> None:
        """A catalogue that gets the records, the rules and the decisions of today at once groups the same."""
        fresh = type(self).fresh()
        try:
            if self.strict:
                use_rules(fresh, True)
            text = "".join(deciding_files.export(self.union.pipeline))
            deciding_files.import_links(fresh.pipeline, text, "test")
            fresh.night(self.union.books)
            assert fresh.groups() == self.union.groups()
        finally:
            fresh.close()

    def explanations_replay(self) -> None:
        """Each stored pair has the score that its evidence adds up to, and that today's rules give."""
        import msgspec

        rules = self.union.pipeline.match
        with self.union.pipeline.database.read() as conn:
            rows, opened = list(conn.execute(select(decision))), dictionaries.opener(conn)
            profiles = read_profiles(conn, {node for row in rows for node in (row.left_node, row.right_node)})
        for row in rows:
            left, right = profiles[row.left_node][0], profiles[row.right_node][0]
            assert compare.decide(left, right, rules).verdict == row.verdict
            if row.evidence:
                evidence = msgspec.json.decode(opened(row.evidence, row.dictionary_id), type=list[Evidence])
                assert sum(one.points for one in evidence) == pytest.approx(row.score, abs=0.01)
                assert compare.explain(left, right, rules).score == pytest.approx(row.score, abs=0.01)


def isbns_in_matching(union: Union, address: str) -> tuple[str, ...]:
    """The ISBNs of a record that matching sees."""
    with union.pipeline.database.read() as conn:
        held = catalogue.states_of_addresses(conn, [Address.parse(address)])[0]
        return read_profiles(conn, [held.node_id or 0])[held.node_id or 0][0].isbns


def pairs(names: Iterable[str]) -> set[tuple[str, str]]:
    return set(itertools.combinations(sorted(names), 2))


def components(names: Iterable[str], bound: Iterable[tuple[str, str]]) -> list[set[str]]:
    part = {one: {one} for one in names}
    for left, right in bound:
        if part[left] is not part[right]:
            part[left] |= part[right]
            for one in part[right]:
                part[one] = part[left]
    return [group for one, group in part.items() if one == min(group)]


def use_rules(union: Union, strict: bool) -> None:
    """Other match rules, as an operator puts them beside induk.yaml, and everything matched by them."""
    text = match_rules.SHIPPED.read_text(encoding="utf-8")
    folder = union.consortium.folder / "mappings" / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    chosen = re.sub(r"(?m)^  merge: .*\n", STRICT, text, count=1) if strict else text
    assert strict == (chosen != text)
    (folder / "match.yaml").write_text(chosen, encoding="utf-8")
    union.pipeline.database.close()
    rebuilding.rebuild(union.consortium.settings(), {}, SystemClock())
    union.pipeline = union.consortium.open()
    union.match()


def lives(make_url: Callable[[Path], str], base: Path) -> type[Life]:
    """The state machine over databases that *make_url* makes, each in a folder of its own."""
    number = itertools.count()

    def made() -> Union:
        folder = base / str(next(number))
        folder.mkdir(parents=True)
        return Union(folder, make_url(folder))

    return type("LifeHere", (Life,), {"make": staticmethod(made), "fresh": staticmethod(made)})


def run(machine: type[Life], examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS if examples < 1000 else 2 * STEPS,
            deadline=None,
            derandomize=examples < 1000,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder in memory where there is one: the sequences are about meaning, the crash tests about disks."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(dir=shared)) if shared.is_dir() else tmp_path


def from_template(base: Path) -> Callable[[Path], str]:
    template = base / "template.db"
    Union(base / "template", f"sqlite:///{template}").close()

    def url(folder: Path) -> str:
        shutil.copy(template, folder / "induk.db")
        return f"sqlite:///{folder / 'induk.db'}"

    return url


@pytest.mark.slow
def test_random_sequences_lose_no_decision(base: Path) -> None:
    try:
        run(lives(from_template(base), base), 50)
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.mark.slow
@pytest.mark.postgres
def test_random_sequences_lose_no_decision_on_postgresql(postgres_server: Any, base: Path) -> None:
    try:
        run(lives(lambda folder: str(postgres_server.create()), base), 8)
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.mark.prove
@pytest.mark.timeout(0)
def test_a_thousand_random_sequences_lose_no_decision(base: Path) -> None:
    try:
        run(lives(from_template(base), base), 1000)
    finally:
        shutil.rmtree(base, ignore_errors=True)
