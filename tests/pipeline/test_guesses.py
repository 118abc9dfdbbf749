"""What a source's first records say alike is guessed to be constant, and nobody can tell afterwards."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, select

from db import constants as stored
from db import dictionaries, placing
from db.tables import node, record, source
from harvester import constants, faultpoint, pipeline
from harvester.errors import SourceUnavailable
from harvester.model import HarvestedRecord, Page, Window
from tests.journey import DEADLINE
from tests.pipeline.shelf import Shelf
from tests.pipeline.test_constants import ALL, FIXED, TRUE, Codes, Two, book

PAGE = 50
NEVER = (10**9,)
EARLY = (200, 260)


class Pages:
    """A source that lists its records in pages, and is gone after so many of them; the next time it goes on there."""

    def __init__(self, records: Sequence[HarvestedRecord], most: int = 10**9) -> None:
        self._pages = [tuple(records[start : start + PAGE]) for start in range(0, len(records), PAGE)]
        self._most = most

    def pages(self, window: Window) -> Iterator[Page]:
        first = int(window.token or 0)
        for number, page in list(enumerate(self._pages, 1))[first : first + self._most]:
            token = str(number) if number < len(self._pages) else ""
            yield Page(records=page, token=token, server_time="2026-03-02T18:00:00Z")
        if first + self._most < len(self._pages):
            raise SourceUnavailable("gone")


def shelf(second: Codes = FIXED, third: Codes = FIXED) -> list[HarvestedRecord]:
    """210 books that all say the same, then 90 and 60 others; the last page has some of the first ones edited."""
    codes = [FIXED] * 210 + [second] * 90 + [third] * 60
    books = [book(number, one) for number, one in enumerate(codes)]
    return [*books, *(book(number, TRUE[number % 5], "dibetulkan") for number in (3, 120, 220, 259))]


SHELVES = {
    "bima": shelf(Codes(language="eng"), Codes(language="jpn")),  # a language is guessed at first, not at last
    "cepu": shelf(FIXED, Codes("em", "ja ", "ind")),  # class and country are guessed, and no constants in the end
    "dika": shelf(),  # what is guessed is so in the end
}


class Schools:
    """An INLISLite for each of these shelves, and a Koha with some of the books; one night."""

    def __init__(self, folder: Path, url: str, codes: Sequence[str]) -> None:
        self.two = Two(folder, url)
        self.union, self.codes = self.two.union, codes
        for code in codes:
            self.union.add(code, protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="inlislite", internal=True)

    @contextmanager
    def night(self) -> Iterator[pipeline.Pipeline]:
        with self.union.opened() as made:
            books = [book(number, TRUE[number % 5]) for number in range(0, 280, 7)]
            pipeline.harvest_one(made, "koha", open_harvester=lambda: Shelf(books))
            yield made

    def send(self, made: pipeline.Pipeline, most: int = 10**9) -> set[str]:
        """Harvest so many pages of each shelf, from where it ended the last time."""
        return {
            pipeline.harvest_one(made, code, open_harvester=lambda code=code: Pages(SHELVES[code], most)).verdict
            for code in self.codes
        }

    def outcome(self) -> tuple[str, list[Any]]:
        assert self.union.faults() == []
        return self.union.dump(), self.union.ask(told)


def told(conn: Connection) -> list[Any]:
    """What matching knows of every record, by address, and how many nodes there are; every count."""
    opened = dictionaries.opener(conn)
    columns = (source.c.code, record.c.identifier, node.c.id, node.c.profile, node.c.dictionary_id, node.c.solid)
    query = select(*columns).join(record, record.c.source_id == source.c.id).join(node, node.c.id == record.c.node_id)
    rows = conn.execute(query).all()
    keys: dict[int, set[Any]] = {row.id: set() for row in rows}
    for number, *key in placing.keys_of(conn, keys):
        keys[number].add(tuple(key))
    known = [(row[0], row[1], opened(row[3], row[4]), row.solid, sorted(keys[row.id])) for row in rows]
    nodes = len(conn.execute(select(node.c.id)).all())
    counts = [one._replace(run_id=0) for _, one in sorted(stored.counted(conn).items())]
    return [*sorted(known), nodes, *counts]


def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, codes: Sequence[str], url: str = "") -> Iterator[Schools]:
    """The schools when nothing is guessed, and when it is, early; the latter in the database at *url*."""
    for name, guesses in (("plain", NEVER), ("guessed", EARLY)):
        monkeypatch.setattr(constants, "GUESSES", guesses)
        here = f"sqlite:///{tmp_path / name}.db"
        yield Schools(tmp_path / name, url if url and guesses == EARLY else here, codes)


@pytest.mark.slow
def test_guessed_or_not_the_end_is_the_same(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends, guessed = [], []
    for schools in both(tmp_path, monkeypatch, ["bima", "cepu"], database_url):
        with schools.night() as made:
            assert schools.send(made) == {"complete"}
            counts = schools.union.ask(stored.counted)
            guessed.append([sorted(counts[made.source_ids[code]].constants) for code in schools.codes if counts])
            turned = pipeline.match(made)["constants"]
        ends.append((turned, schools.outcome()))
    assert ends[0] == ends[1]
    assert guessed == [[], [sorted(ALL.keys() - {"languages"}), sorted(ALL)]]
    assert ends[0][0].keys() == {"bima", "cepu"}


@pytest.mark.slow
def test_guessed_of_some_of_the_records_the_end_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The records behind the last that a guess counted were there before it, and heed it no more than that one does."""
    monkeypatch.setattr(constants, "GUESSED", 28)  # of 200: every seventh, which the newest is not; of 300: every tenth
    monkeypatch.setattr(constants, "ENOUGH", 20)
    ends, counted = [], []
    for schools in both(tmp_path, monkeypatch, ["bima", "dika"]):
        with schools.night() as made:
            assert schools.send(made) == {"complete"}
            counted += [one.common["material"].records for one in schools.union.ask(stored.counted).values()]
            pipeline.match(made)
        ends.append(schools.outcome())
    assert ends[0] == ends[1]
    assert counted == [300, 300]


@pytest.mark.slow
def test_a_first_harvest_in_parts_with_a_match_after_each_ends_as_one_without_guesses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for schools in both(tmp_path, monkeypatch, ["bima"]):
        seen = []
        with schools.night() as made:
            for most, verdict in ((5, "partial"), (10**9, "complete")):
                assert schools.send(made, most) == {verdict}
                seen.append((pipeline.match(made)["constants"], schools.outcome()))
        ends.append(seen)
    assert ends[0] == ends[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "pages"), [("constants.noted", 10**9), ("constants.batch.committed", 6)], ids=["whole", "in part"]
)
def test_killed_while_a_guess_is_put_right_and_matched_again(
    tmp_path: Path, point: str, pages: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends = []
    for schools in both(tmp_path, monkeypatch, ["bima"]):
        with schools.night() as made:
            schools.send(made, pages)
        if constants.GUESSES == EARLY:
            process = multiprocessing.get_context("fork").Process(target=_match, args=(schools, point))
            process.start()
            process.join(DEADLINE)
            assert process.exitcode == -signal.SIGKILL
        schools.union.match()
        ends.append(schools.outcome())
    assert ends[0] == ends[1]


def _match(schools: Schools, point: str) -> None:
    faultpoint.arm(point, 1)
    schools.union.match()
