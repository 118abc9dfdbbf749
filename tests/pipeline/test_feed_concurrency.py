"""The feed under many hands: nothing missed, nothing phantom, numbers without gaps in the order of commits."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from harvester import publishing
from harvester.outputs.batch import OutputState
from harvester.outputs.deliver import deliver
from tests.journey import Consortium
from tests.pipeline.feed_world import TITLES, Index, naive_run, record_of, run
from tests.pipeline.shelf import Book, Union

CODES = ("alun", "bukit", "curug", "danau")


def consortium(folder: Path, url: str) -> Consortium:
    made = Consortium(folder, url)
    config = folder / "induk.yaml"
    guards = "guards: {delete_percent: 100, delete_records: 100000, delete_cap_percent: 100, month_percent: 100}\n"
    guards += "gates: {fewer_percent: 100, failures_percent: 100, matches_percent: 100}\n"
    config.write_text(config.read_text(encoding="utf-8") + guards, encoding="utf-8")
    for code in CODES:
        made.add(code, protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="koha", internal=True)
    return made


def check(made: Consortium, goal: tuple[int, float], seed: int) -> str:
    """Run up to *goal* (changes, seconds); a tenth of the changes must have come for the run to mean anything."""
    found = run(made.folder, CODES, 4, goal, seed)
    assert found["faults"] == []
    assert found["gaps"] == 0
    for index in found["indexes"]:
        missed = {key: members for key, members in found["catalogue"].items() if index.get(key) != members}
        phantom = {key: members for key, members in index.items() if key not in found["catalogue"]}
        assert (missed, phantom) == ({}, {})
    assert found["changes"] >= goal[0] / 10
    assert found["restarts"] > 0
    assert made.faults() == []
    return f"{found['changes']} changes, {found['restarts']} restarts, missed 0, phantom 0"


@pytest.mark.slow
def test_z120_consumers_of_a_busy_feed_miss_nothing_and_hold_nothing_else(tmp_path: Path, database_url: str) -> None:
    check(consortium(tmp_path / "union", database_url), (2_000, 10), 7)


@pytest.mark.prove
def test_consumers_of_a_feed_of_many_changes_miss_nothing(tmp_path: Path, database_url: str) -> None:
    made = consortium(tmp_path / "union", database_url)
    told = check(made, (100_000, 1800), 11)
    print(f"\nfeed, {database_url.partition(':')[0]}: {told}")


@pytest.mark.parametrize("between", ["gone", "edited"])
def test_a_consumer_that_read_what_was_in_between_is_told_of_what_is(tmp_path: Path, between: str) -> None:
    union = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    book = Book("Laskar pelangi", isbn="9789793062792", pages="529")
    union.night({"alun/1": book, "bukit/1": book})
    assert union.together("alun/1", "bukit/1")
    before = seen(union)
    if between == "gone":
        union.delete("bukit/1")
    else:
        union.put("bukit/1", book._replace(note="rusak"))
    union.harvest()
    index, state = Index(), OutputState()
    with publishing.reading(union.pipeline) as read:
        state = deliver(index, read, state, lambda _: None)
    assert index.held != before
    union.night({"bukit/1": book})
    with publishing.reading(union.pipeline) as read:
        deliver(index, read, state, lambda _: None)
    assert index.held == seen(union) == before
    union.close()


def test_a_consumer_that_is_behind_never_holds_a_record_twice(tmp_path: Path) -> None:
    union = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    first, second, third = (Book(TITLES[n], isbn=f"97897930{n:05d}", pages=str(100 + 50 * n)) for n in range(3))
    union.night({"alun/1": first, "alun/3": second, "bukit/3": second})
    index, state = Index(), OutputState()
    with publishing.reading(union.pipeline) as read:
        state = deliver(index, read, state, lambda _: None)
    union.night({"alun/1": first._replace(note="satu")})
    union.delete("alun/3")
    union.night()
    union.night({"alun/1": first._replace(note="dua"), "alun/3": third})

    def check(_: OutputState) -> None:
        held = [record_of(one) for members in index.held.values() for one in members]
        assert sorted(held) == sorted(set(held))

    with publishing.reading(union.pipeline) as read:
        deliver(index, read, state, check, limit=1)
    assert index.held == seen(union)
    union.close()


def seen(union: Union) -> dict[str, tuple[str, ...]]:
    """What a consumer holds that begins now."""
    index = Index()
    with publishing.reading(union.pipeline) as read:
        index.snapshot(read)
    return index.held


@pytest.mark.slow
@pytest.mark.postgres
def test_z128_a_foreign_transaction_that_stays_open_stops_nobody(tmp_path: Path, postgres_server) -> None:
    url = postgres_server.create()
    made = consortium(tmp_path / "union", url)
    foreign = Database(url)
    with foreign.write() as conn:
        conn.execute(text("CREATE TABLE somebody_elses (number int)"))  # holds an id of a transaction, and a snapshot
        check(made, (200, 3), 13)
    foreign.close()
    postgres_server.drop(url)


@pytest.mark.slow
@pytest.mark.postgres
def test_the_same_over_a_sequence_loses_changes(postgres_server) -> None:
    url = postgres_server.create()
    written, told = naive_run(url, 10)
    postgres_server.drop(url)
    assert told == written / 2, "numbered at the start and not at the commit, rows appear behind the reader"
