"""What is asked for the next batch while one is at work is what would be asked then, or is not used."""

from __future__ import annotations

from collections.abc import Iterator, Set
from concurrent.futures import wait
from pathlib import Path

import pytest
from sqlalchemy import select, update

from db import catalogue, work
from db.tables import node
from harvester import pipeline
from harvester.judging import Pair
from harvester.lookahead import Lookahead, Marks, Shared, nodes_of, shared
from harvester.matching import Desk, solve
from harvester.pairs import Comparison
from harvester.workers import Workers
from tests.pipeline.shelf import Book, Union

pytestmark = pytest.mark.slow
BATCH = 10


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    made = Workers(2)
    made.warm(1000, len, "")
    yield made
    made.close()


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    """Twenty books of which the partners have two printings; nothing is matched."""
    made = Union(tmp_path / "union", database_url)
    for number in range(20):
        book = Book(f"Laporan penelitian {number}", year="1999", pages=f"{number + 90}")
        made.put(f"alun/{number:02}", book)
        made.put(f"bukit/{number:02}", book._replace(year="2000"))
    made.harvest()
    yield made
    made.close()


def desk(union: Union) -> Desk:
    return pipeline.desk_of(union.pipeline, pipeline.open_match(union.pipeline))


def limits(union: Union) -> dict[str, int]:
    return dict(union.pipeline.match.suspend_at)


def asked(union: Union, workers: Workers, marks: Marks = ()) -> Lookahead:
    """With the answer for the batch after *marks*."""
    ahead = Lookahead(union.pipeline.database, workers, limits(union))
    ahead.begin(marks, BATCH)
    assert ahead.answer is not None
    wait([ahead.answer])
    return ahead


def now(union: Union) -> tuple[Marks, Shared]:
    """The second batch, and what it shares, as they are now."""
    with union.pipeline.database.read() as conn:
        marks = work.dirty(conn, 2 * BATCH)[BATCH:]
        states = catalogue.states_of_records(conn, [one for one, _ in marks])
        return marks, shared(conn, limits(union), *nodes_of(states))


def taken(union: Union, ahead: Lookahead, limit: int = BATCH) -> tuple[Marks, Shared] | None:
    with union.pipeline.database.read() as conn:
        found = ahead.taken(conn, limit)
        return found and found[:2]


def first(union: Union) -> Marks:
    with union.pipeline.database.read() as conn:
        return work.dirty(conn, BATCH)


def test_another_process_asks_what_this_one_would(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    found = taken(union, ahead)
    assert found is not None
    assert found == now(union)
    assert len(found[1].pairs) >= BATCH
    assert taken(union, ahead) is None  # it is given once


def test_what_was_asked_is_not_used_once_a_mark_is_another(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    union.put("alun/12", Book("Laporan tahunan", year="2001", pages="50"))
    union.harvest()
    assert taken(union, ahead) is None


def test_a_shorter_batch_than_was_asked_for_is_asked_anew(union: Union, workers: Workers) -> None:
    assert taken(union, asked(union, workers), BATCH - 1) is None


def test_a_neighbour_that_was_deleted_meanwhile_is_not_compared(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    with union.pipeline.database.read() as conn:
        record = catalogue.states_of_addresses(conn, [("bukit", "12")])[0]
    union.delete("bukit/12")
    union.harvest()
    found = taken(union, ahead)
    assert found is not None
    marks, known = found
    assert any(record.node_id in pair for pair in known.pairs)
    solved = solve(desk(union), [one for one, _ in marks], asked=known)
    assert solved is not None
    assert solved.judged
    assert not any(record.node_id in (one.left, one.right) for one in solved.judged)


def compared(union: Union, ahead: Lookahead, decided: Set[Pair] = frozenset()) -> Comparison:
    """The next batch's pairs, while this one would be written."""
    ahead.compare(desk(union).how, decided, 1000)
    assert ahead.compared is not None
    return ahead.compared


def test_pairs_of_the_next_batch_are_compared_while_this_one_is_written(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    begun = compared(union, ahead)
    marks = now(union)[0]
    solved = solve(desk(union), [one for one, _ in marks], compared=begun)
    anew = solve(desk(union), [one for one, _ in marks])
    assert solved is not None
    assert anew is not None
    assert begun.pairs == {(one.left, one.right) for one in solved.judged}
    assert solved.judged == anew.judged


def test_pairs_that_this_batch_decides_are_not_compared_for_the_next(union: Union, workers: Workers) -> None:
    pairs = now(union)[1].pairs
    decided = {min(pairs)}
    assert compared(union, asked(union, workers, first(union)), decided).pairs == pairs - decided


def test_what_was_compared_of_a_profile_that_is_another_by_now_is_not_heeded(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    begun = compared(union, ahead)
    left, right = min(begun.pairs)
    with union.pipeline.database.write() as conn:  # an id that went to another profile, as SQLite may do
        other = select(node.c.profile).where(node.c.id == max(begun.pairs)[1]).scalar_subquery()
        conn.execute(update(node).where(node.c.id == right).values(profile=other))
    marks = now(union)[0]
    solved = solve(desk(union), [one for one, _ in marks], compared=begun)
    anew = solve(desk(union), [one for one, _ in marks])
    assert solved is not None
    assert anew is not None
    assert solved.judged == anew.judged
    before = {(one.left, one.right): one for one in begun.results()}
    assert before[left, right] not in solved.judged


def test_more_pairs_than_a_batch_may_have_are_not_compared_beforehand(union: Union, workers: Workers) -> None:
    ahead = asked(union, workers, first(union))
    ahead.compare(desk(union).how, frozenset(), 1)
    assert ahead.compared is None


def test_a_database_that_is_away_leaves_the_question_to_who_asks_next(tmp_path: Path, workers: Workers) -> None:
    from db.engine import Database

    ahead = Lookahead(Database(f"sqlite:///{tmp_path / 'none.db'}"), workers, {"isbn": 12})
    ahead.begin((), BATCH)
    assert ahead.answer is not None
    assert ahead.answer.result() is None
