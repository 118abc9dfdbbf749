"""Two at once: marks, undos, identifiers called wrong, and rules that change while somebody is at work."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from db import ledger, links, work
from harvester import deciding, deciding_acts, matching, pipeline, rebuilding, simulating
from harvester.deciding_undo import undo_decisions
from harvester.errors import Locked, UsageError
from harvester.match import rules
from harvester.model import HarvestedRecord, Page, Profile, Window
from tests.pipeline.shelf import Book, Union

PELANGI = Book("Laskar pelangi", isbn="9789793062792")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    yield made
    assert made.faults() == []
    made.close()


def id_of(union: Union, address: str) -> int:
    found = union.consortium.ask(lambda conn: ledger.find(conn, *address.split("/")))
    return int(found["id"])


def test_a_mark_set_while_another_sets_it_too_outlives_a_match_that_saw_only_the_other(union: Union) -> None:
    union.night({"alun/1": PELANGI})
    record_id = id_of(union, "alun/1")
    database = union.pipeline.database
    began, seen, marked = threading.Event(), threading.Event(), threading.Event()

    def second() -> None:
        began.set()
        with database.write() as conn:
            work.mark_dirty(conn, [record_id])  # waits for the first, whose mark is not there yet
            marked.set()
            assert seen.wait(60)

    with database.write() as first:
        work.mark_dirty(first, [record_id])
        other = threading.Thread(target=second)
        other.start()
        assert began.wait(60)
        marked.wait(0.3)
    assert marked.wait(60)
    with database.read() as conn:
        marks = work.dirty(conn, 10)
    seen.set()
    other.join()
    with database.write() as conn:
        work.clear_dirty(conn, marks)
    assert union.consortium.ask(work.queued) == 1
    union.match()


def test_of_two_who_undo_the_same_one_is_told_that_it_is_done(union: Union) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": Book("Kimia dasar", author="Syukri")})
    made = deciding.must(union.pipeline, "alun/1", "bukit/1", "ana", "")
    with union.pipeline.database.read() as conn:
        plans = [undo_decisions(conn, [made.decision or 0], "undo", name, "") for name in ("ana", "budi")]
    deciding_acts.carry_out(union.pipeline, plans[0])
    with pytest.raises(UsageError, match="somebody else has undone that"):
        deciding_acts.carry_out(union.pipeline, plans[1])
    assert len(union.consortium.ask(lambda conn: links.listed(conn, states=("pending", "active", "undone")))) == 2


def test_an_identifier_called_wrong_while_a_batch_begins_is_heeded(
    union: Union, monkeypatch: pytest.MonkeyPatch
) -> None:
    union.put("alun/1", PELANGI)
    union.harvest()
    hide = matching.hide_identifiers
    monkeypatch.setattr(deciding_acts, "WAIT_SECONDS", 0.0)

    def then_somebody_decides(*given: Any) -> None:
        hide(*given)
        monkeypatch.setattr(matching, "hide_identifiers", hide)
        told = deciding.wrong_identifier(union.pipeline, "alun/1", "isbn", PELANGI.isbn, "ana", "salah")
        assert told.pending

    monkeypatch.setattr(matching, "hide_identifiers", then_somebody_decides)
    union.match()
    union.match()
    _, body = union.consortium.ask(lambda conn: ledger.profile_of(conn, id_of(union, "alun/1")))
    assert msgspec.msgpack.decode(body, type=Profile).isbns == ()
    assert union.consortium.ask(links.waiting) == []


@pytest.mark.slow
def test_nobody_matches_by_rules_that_are_in_force_no_more(union: Union, tmp_path: Path) -> None:
    union.night({"alun/1": PELANGI, "bukit/1": PELANGI._replace(pages="520"), "alun/9": Book("Kimia", author="Syukri")})
    assert union.together("alun/1", "bukit/1")
    path = tmp_path / "strict.yaml"
    path.write_text(re.sub(r"(?m)^  merge: .*$", "  merge: 90", rules.load().text, count=1), encoding="utf-8")
    simulating.promote(union.consortium.settings(), {}, union.consortium.clock, path)
    assert not union.together("alun/1", "bukit/1")
    told = deciding.must(union.pipeline, "alun/1", "alun/9", "ana", "")  # a desk that was opened before
    assert told.pending
    with pytest.raises(Locked, match="other rules"):
        union.match()
    with pytest.raises(Locked, match="other rules"):
        union.night({"alun/2": PELANGI})
    union.restart()
    union.night()
    assert union.together("alun/1", "alun/9")
    assert not union.together("alun/1", "bukit/1")
    assert union.groups() == {frozenset(one) for one in simulating.groups_by(union.pipeline, union.pipeline.match)}


class _Overtaken:
    """Two pages; between them other rules are put in force."""

    def __init__(self, union: Union) -> None:
        self._union = union

    def pages(self, window: Window) -> Iterator[Page]:
        first, second = (
            HarvestedRecord(str(number), "marcxml", Book(title).payload(str(number)))
            for number, title in ((2, "Bumi manusia"), (3, "Ronggeng dukuh paruk"))
        )
        at = "2026-03-02T18:00:00Z"
        if not window.pages:
            yield Page(records=(first,), list_size=2, token="t", server_time=at)
            text = rules.SHIPPED.read_text(encoding="utf-8")
            folder = self._union.consortium.folder / "mappings" / "rules"
            folder.mkdir(parents=True)
            changed = text.replace("    prof professor dr", "    hirata prof professor dr", 1)
            (folder / "match.yaml").write_text(changed, encoding="utf-8")
            rebuilding.rebuild(self._union.consortium.settings(), {}, self._union.consortium.clock)
        yield Page(records=(second,), list_size=2, server_time=at)


def test_a_harvest_at_work_stores_nothing_by_rules_that_are_in_force_no_more(union: Union) -> None:
    union.night({"alun/1": PELANGI})
    with pytest.raises(Locked, match="other rules"):
        pipeline.harvest_one(union.pipeline, "alun", open_harvester=lambda: _Overtaken(union))
    assert union.consortium.ask(lambda conn: ledger.find(conn, "alun", "3")) is None
    union.restart()
    outcome = pipeline.harvest_one(union.pipeline, "alun", open_harvester=lambda: _Overtaken(union))
    assert outcome.verdict == "complete"  # from the second page on
    union.match()
    ids = [id_of(union, one) for one in ("alun/1", "alun/2", "alun/3")]
    bodies = union.consortium.ask(lambda conn: [ledger.profile_of(conn, one)[1] for one in ids])
    assert [msgspec.msgpack.decode(body, type=Profile).names for body in bodies] == [("andrea",)] * 3
