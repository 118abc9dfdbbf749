"""Everything matched by other rules: beside what is served, in worker processes, killed and gone on with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from db.tables import decision, key_stat, node, rejudged, reprofiled, term
from harvester import deciding, faultpoint, rebuilding, rejudging
from harvester.clock import SystemClock
from harvester.match import rules
from harvester.match.rules import SHIPPED
from tests.pipeline.shelf import Book, Union

pytestmark = pytest.mark.slow
STRICT = "  merge: 40\n"
BOOKS = 60
RULES = rules.load()
SET = RULES.suspend_at["isbn"] + 1  # one volume too many: the number of the set proposes nothing


class Killed(BaseException):
    """As if the process were killed here."""


def books(union: Union) -> None:
    """Pairs of a book in two partners: one of two with a misprint in the title."""
    for number in range(BOOKS):
        title = f"Sejarah pulau ke-{number * 7} dan laut"
        made = Book(title, year=str(1960 + number % 50), pages=str(90 + number))
        union.put(f"alun/{number}", made)
        union.put(f"bukit/{number}", made._replace(publisher="Bentang Pustaka", pages="" if number % 2 else made.pages))
    for number in range(SET):
        words = f"{WORDS[number]} {WORDS[number + 1]} {number}"
        union.put(
            f"alun/1{number:02}", Book(words, author=f"Tim {WORDS[number]}", isbn=ISBNS[0], pages=str(100 + number))
        )
    for number in range(SET - 1):
        words = f"{WORDS[-number]} {WORDS[-number - 3]} {number}"
        union.put(
            f"bukit/1{number:02}", Book(words, author=f"Tim {WORDS[-number]}", isbn=ISBNS[1], year="1999", pages="88")
        )


WORDS = ("angin", "batu", "cahaya", "daun", "embun", "fajar", "gunung", "hujan", "intan", "jalan", "kabut", "langit",
         "malam", "nelayan", "ombak", "padi", "rawa", "sungai", "tanjung", "udara", "warna")  # fmt: skip
ISBNS = ("9789793062792", "9789792248616")
RECORDS = 2 * BOOKS + 2 * SET - 1


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


def decided(union: Union) -> tuple[list[Any], list[Any]]:
    """Every decision between two profiles, and every suspended key."""
    left, right = node.alias(), node.alias()
    pairs = (
        select(left.c.profile_hash, right.c.profile_hash, decision.c.verdict, decision.c.score, term.c.word)
        .join(term, term.c.id == decision.c.reason_id)
        .join(left, left.c.id == decision.c.left_node)
        .join(right, right.c.id == decision.c.right_node)
    )
    keys = select(key_stat.c.hash, key_stat.c.kind, key_stat.c.unlike)
    rows = union.consortium.ask(lambda conn: [tuple(row) for row in conn.execute(pairs)])
    asleep = union.consortium.ask(lambda conn: sorted(tuple(row) for row in conn.execute(keys)))
    return sorted((sorted((bytes(one), bytes(other))), *rest) for one, other, *rest in rows), asleep


def derived(union: Union) -> None:
    """Open everything anew, and match what is queued."""
    union.pipeline.database.close()
    union.pipeline = union.consortium.open()
    union.match()
    assert union.faults() == []


Fresh = tuple[str, tuple[list[Any], list[Any]]]


def never_otherwise(folder: Path, *acts: Callable[[Union], None]) -> Fresh:
    """Clusters and decisions of a catalogue that never knew other rules, after these acts."""
    strict_rules(folder / "union")
    made = Union(folder / "union", f"sqlite:///{folder / 'induk.db'}")
    books(made)
    made.harvest()
    made.match()
    for act in acts:
        act(made)
    made.match()
    found = clusters(made), decided(made)
    made.close()
    return found


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    return never_otherwise(tmp_path_factory.mktemp("fresh"))


def died(at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time that the point is reached there is nobody any more."""
    count = iter(range(100))

    def reach(name: str) -> None:
        if name == at and next(count) == (0 if "swap" in at else 1):
            raise Killed

    monkeypatch.setattr(faultpoint, "reach", reach)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(rebuilding, "BATCH", 25)
    monkeypatch.setattr(rejudging, "CHUNK", 20)
    yield


@pytest.mark.parametrize("workers", [1, 4])
def test_what_is_rebuilt_is_what_a_new_catalogue_would_be(
    tmp_path: Path, database_url: str, fresh: Fresh, small: None, workers: int
) -> None:
    union = filled(tmp_path / "union", database_url)
    before = clusters(union)
    stricter(union, workers)
    seen: list[rejudging.Progress] = []
    rebuild(union, seen.append)
    records, pairs = ([one for one in seen if one.what == what] for what in ("records", "pairs"))
    assert [one.done for one in records] == [*range(25, RECORDS, 25), RECORDS]
    assert {one.total for one in records} == {RECORDS}
    assert pairs[-1].done == pairs[-1].total == len(fresh[1][0]) > 60
    assert records[-1].left == pairs[-1].left == 0
    derived(union)
    assert (clusters(union), decided(union)) == fresh
    assert fresh[0] != before
    assert any(key == "isbn" for _, key, _ in fresh[1][1])
    union.close()


# point → what lies ready after a kill there: records, pairs
DONE = {"rebuild.batch.written": (25, 0), "rebuild.batch.committed": (50, 0)}
DONE |= {"rebuild.pairs.written": (RECORDS, 20), "rebuild.pairs.committed": (RECORDS, 40)}


@pytest.mark.parametrize("point", [*DONE, "rebuild.swap.written", "rebuild.swap.committed"])
def test_killed_anywhere_it_goes_on(
    tmp_path: Path, database_url: str, fresh: Fresh, small: None, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    union = filled(tmp_path / "union", database_url)
    before = clusters(union)
    stricter(union, 1)
    with monkeypatch.context() as patch, pytest.raises(Killed):
        died(point, patch)
        rebuild(union)
    assert clusters(union) == before
    every = (0, 0) if point == "rebuild.swap.committed" else (RECORDS, len(fresh[1][0]))
    ready = DONE.get(point, every)
    for table, count in zip((reprofiled, rejudged), ready, strict=True):
        query = select(func.count()).select_from(table)
        assert union.consortium.ask(lambda conn, query=query: conn.execute(query).scalar_one()) == count
    seen: list[rejudging.Progress] = []
    rebuild(union, seen.append)
    again = {what: [one.done for one in seen if one.what == what] for what in ("records", "pairs")}
    assert again["records"] == [*range(ready[0] + 25, RECORDS, 25), *[RECORDS] * (ready[0] < RECORDS)]
    assert len(again["pairs"]) == -(-(len(fresh[1][0]) - ready[1]) // 20), "what is decided is not compared again"
    derived(union)
    assert (clusters(union), decided(union)) == fresh
    union.close()


def bring(union: Union) -> None:
    """A process that was started before harvests: edited, deleted, back to what it was, new; keys cross their limit."""
    first = union.books["alun/3"]
    union.put("alun/3", first._replace(title="Judul lain sama sekali"))
    union.harvest()
    union.put("alun/3", first._replace(note="kembali"))
    union.put("alun/5", union.books["alun/5"]._replace(title="Judul yang baru", year="2001"))
    union.put("bukit/900", union.books["alun/5"]._replace(publisher="Bentang Pustaka"))
    union.put("bukit/901", Book("Volume terakhir himpunan", author="Tim lain", isbn=ISBNS[1]))
    union.delete("alun/100")
    union.delete("alun/7")
    union.harvest()


def decide(union: Union) -> None:
    """A cataloguer keeps a pair apart, joins another, and calls an identifier wrong."""
    deciding.never(union.pipeline, "alun/10", "bukit/10", "ana", "lain")
    deciding.must(union.pipeline, "alun/11", "bukit/12", "ana", "sama")
    deciding.wrong_identifier(union.pipeline, "bukit/101", "isbn", ISBNS[1], "ana", "himpunan")


@pytest.mark.parametrize("stage", ["records", "pairs"])
@pytest.mark.parametrize("few", [0, 1000])
def test_what_others_write_meanwhile_is_kept_and_judged_too(
    tmp_path: Path, database_url: str, small: None, stage: str, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With *few* of 0 another round is made for what came; else the transaction that swaps makes up for it."""
    monkeypatch.setattr(rebuilding, "FEW", few)
    union = filled(tmp_path / "union", database_url)
    stricter(union, 1)
    pending = [decide, bring]

    def meanwhile(seen: rejudging.Progress) -> None:
        if seen.what == stage and seen.done > 20 and pending:
            pending.pop()(union)

    rebuild(union, meanwhile)
    assert not pending
    wanted = never_otherwise(tmp_path / "wanted", bring, decide)
    assert decided(union) == wanted[1], "before any group is looked at"
    derived(union)
    assert (clusters(union), decided(union)) == wanted
    assert len(wanted[1][0]) > 60
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
