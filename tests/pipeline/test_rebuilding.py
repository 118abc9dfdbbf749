"""Everything matched by other rules: beside what is served, in worker processes, killed and gone on with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db.tables import reprofiled
from harvester import faultpoint, rebuilding
from harvester.clock import SystemClock
from harvester.match.rules import SHIPPED
from tests.pipeline.shelf import Book, Union

pytestmark = pytest.mark.slow
STRICT = "  merge: 40\n"
BOOKS = 60


class Killed(BaseException):
    """As if the process were killed here."""


def books(union: Union) -> None:
    """Pairs of a book in two partners: one of two with a misprint in the title."""
    for number in range(BOOKS):
        title = f"Sejarah pulau ke-{number * 7} dan laut"
        made = Book(title, year=str(1960 + number % 50), pages=str(90 + number))
        union.put(f"alun/{number}", made)
        union.put(f"bukit/{number}", made._replace(publisher="Bentang Pustaka", pages="" if number % 2 else made.pages))


def filled(folder: Path, url: str) -> Union:
    made = Union(folder, url)
    books(made)
    made.harvest()
    made.match()
    return made


def strict_rules(folder: Path) -> None:
    """Other thresholds, as an operator writes them."""
    rules = folder / "mappings" / "rules"
    rules.mkdir(parents=True)
    text = re.sub(r"(?m)^  merge: .*\n", STRICT, SHIPPED.read_text(encoding="utf-8"), count=1)
    (rules / "match.yaml").write_text(text, encoding="utf-8")


def stricter(union: Union, workers: int) -> None:
    """Other rules, and so many processes to work by them."""
    strict_rules(union.consortium.folder)
    config = union.consortium.folder / "induk.yaml"
    config.write_text(f"{config.read_text(encoding='utf-8')}harvest: {{workers: {workers}}}\n", encoding="utf-8")


def rebuild(union: Union, progress: object = None) -> None:
    told = [progress] if callable(progress) else []
    rebuilding.rebuild(union.consortium.settings(), {}, SystemClock(), *told)


def clusters(union: Union) -> str:
    return "\n".join(line for line in union.consortium.dump().splitlines() if '"kind":"cluster"' in line)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The clusters of a catalogue that never knew other rules."""
    folder = tmp_path_factory.mktemp("fresh")
    strict_rules(folder / "union")
    made = Union(folder / "union", f"sqlite:///{folder / 'induk.db'}")
    books(made)
    made.harvest()
    made.match()
    made.close()
    return clusters(made)


def died(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time that the point is reached there is nobody any more."""
    count = iter(range(100))

    def reach(name: str) -> None:
        if name == at and next(count) == (1 if "batch" in at else 0):
            raise Killed

    monkeypatch.setattr(faultpoint, "reach", reach)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rebuilding, "BATCH", 25)
    yield


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_rebuilt_is_what_a_new_catalogue_would_be(
    tmp_path: Path, database_url: str, fresh: str, small: None, workers: int
) -> None:
    union = filled(tmp_path / "union", database_url)
    before = clusters(union)
    stricter(union, workers)
    seen: list[rebuilding.Progress] = []
    rebuild(union, seen.append)
    assert [one.done for one in seen] == [25, 50, 75, 100, 120]
    assert {one.total for one in seen} == {120}
    assert seen[-1].left == 0
    union.pipeline.database.close()
    union.pipeline = union.consortium.open()
    union.match()
    assert union.faults() == []
    assert clusters(union) == fresh != before
    union.close()


DONE = {"rebuild.batch.written": 25, "rebuild.batch.committed": 50, "rebuild.swap.written": 120}
DONE |= {"rebuild.swap.committed": 0}


@pytest.mark.parametrize("point", DONE)
def test_killed_anywhere_it_goes_on(
    tmp_path: Path, fresh: str, small: None, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    union = filled(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    before = clusters(union)
    stricter(union, 1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        died(point, patch)
        rebuild(union)
    assert clusters(union) == before
    count = select(func.count()).select_from(reprofiled)
    prepared = union.consortium.ask(lambda conn: conn.execute(count).scalar_one())
    assert prepared == DONE[point]
    seen: list[rebuilding.Progress] = []
    rebuild(union, seen.append)
    assert sum(1 for _ in seen) == (120 - prepared + 24) // 25, "what was prepared is not prepared again"
    union.pipeline.database.close()
    union.pipeline = union.consortium.open()
    union.match()
    assert clusters(union) == fresh
    assert union.faults() == []
    union.close()


def test_others_write_while_it_prepares_and_what_they_change_is_profiled_too(
    tmp_path: Path, fresh: str, small: None
) -> None:
    union = filled(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    stricter(union, 1)

    def meanwhile(seen: rebuilding.Progress) -> None:
        """A process that was started before harvests by the old rules: one record changes and back, one is new."""
        if seen.done == 50:
            first = union.books["alun/3"]
            union.put("alun/3", first._replace(title="Judul lain sama sekali"))
            union.harvest()
            union.put("alun/3", first._replace(note="kembali"))
            union.harvest()

    rebuild(union, meanwhile)
    union.pipeline.database.close()
    union.pipeline = union.consortium.open()
    union.match()
    union.put("alun/3", union.books["alun/3"]._replace(note=""))
    union.harvest()
    union.match()
    assert clusters(union) == fresh
    assert union.faults() == []
    union.close()


def test_a_profile_that_comes_back_after_a_rebuild_has_its_keys(tmp_path: Path) -> None:
    """Its node was there without a record when everything was matched again."""
    union = filled(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    one = Book("Bumi manusia dan laut biru", year="1980", pages="300")
    union.put("alun/900", one)
    union.harvest()
    union.match()
    union.put("alun/900", one._replace(title="Judul lain sama sekali"))
    union.harvest()
    union.match()
    rebuild(union)
    union.match()
    union.put("alun/900", one)
    union.put("bukit/900", one._replace(publisher="Penerbit Bentang Pustaka", note="edisi lain", pages="301"))
    union.harvest()
    union.match()
    assert any({"alun/900", "bukit/900"} <= set(group) for group in union.groups())
    assert union.faults() == []
    union.close()
