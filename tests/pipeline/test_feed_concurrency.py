"""The feed under many hands: nothing missed, nothing phantom, numbers without gaps in the order of commits."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from db.engine import Database
from tests.journey import Consortium
from tests.pipeline.feed_world import naive_run, run

CODES = ("alun", "bukit", "curug", "danau")


def consortium(folder: Path, url: str) -> Consortium:
    made = Consortium(folder, url)
    config = folder / "induk.yaml"
    guards = "guards: {delete_percent: 100, delete_records: 100000, delete_cap_percent: 100, month_percent: 100}\n"
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
def test_consumers_of_a_busy_feed_miss_nothing_and_hold_nothing_else(tmp_path: Path, database_url: str) -> None:
    check(consortium(tmp_path / "union", database_url), (2_000, 7), 7)


@pytest.mark.prove
def test_consumers_of_a_feed_of_many_changes_miss_nothing(tmp_path: Path, database_url: str) -> None:
    made = consortium(tmp_path / "union", database_url)
    told = check(made, (100_000, 1800), 11)
    print(f"\nfeed, {database_url.partition(':')[0]}: {told}")


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.prove
def test_a_foreign_transaction_that_stays_open_stops_nobody(tmp_path: Path, postgres_server) -> None:
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
    written, told = naive_run(url, 6, 60)
    postgres_server.drop(url)
    assert told < written, "numbered at the start and not at the commit, rows appear behind the reader"
