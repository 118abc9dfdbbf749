"""Nothing is deleted that a person would have kept: the guard, the month, empty answers, and who may decide.

Section E of the zoo of faults, and twelve ways in which a partner loses records in one night. Each scenario must also
be red on a harvester without guard and proof (the mutant below).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from sqlalchemy import select

from db import ledger, work
from db.tables import record_version
from harvester import controlling, harvesting, resolving, storing
from harvester import pipeline as journey
from harvester.demo import quirks
from harvester.errors import UsageError
from harvester.guards import Ruling
from harvester.sources.proof import Completeness
from tests.pipeline.lone import Lone, dublin_core, lone

pytestmark = pytest.mark.slow
SWEEP = {"options": {"strategy": "sweep+absence"}}
SILENT = quirks.variant(quirks.KOHA, deleted_record="no", tells="nothing")
UNCOUNTED = quirks.variant(SILENT, list_size=False)


# ---- twelve nights on which records are lost -------------------------------------------------------------


class Loss(NamedTuple):
    """How the records are lost, of how many, on what server, and how many may go without a person (at most)."""

    label: str
    happens: Callable[[Lone], None]
    size: int = 100
    habits: quirks.Quirks = SILENT
    source: dict[str, object] = SWEEP
    nights: int = 1
    may_go: int = 0


def _gone(share: float) -> Callable[[Lone], None]:
    def happens(partner: Lone) -> None:
        keys = sorted(partner.store.live(), key=int)
        partner.delete(keys[: int(len(keys) * share)])

    return happens


def _sets(partner: Lone) -> None:
    """Every record moves into a set of another name."""
    for key, row in partner.store.live().items():
        partner.store.forget(key)
        partner.store.put(key, row.payloads, sets=("koleksi",))


def _in_set(partner: Lone) -> None:
    for key, row in partner.store.live().items():
        partner.store.put(key, row.payloads, sets=("buku",))


def _bleed(partner: Lone) -> None:
    keys = sorted(partner.store.live(), key=int)
    partner.delete(keys[:2])


def _other_host(partner: Lone) -> None:
    partner.server.set_quirks("kampus", quirks.variant(SILENT, page_size=20, identifier_prefix="oai:baru.example:"))


def _another_repository(partner: Lone) -> None:
    partner.server.providers["kampus"].name = "Portal Internet Kampus"
    _gone(0.5)(partner)


LOSSES = [
    Loss("40 percent told as deleted in one night (Z088)", _gone(0.4), habits=quirks.KOHA, source={}),
    Loss("everything told as deleted", _gone(1), habits=quirks.KOHA, source={}),
    Loss("40 percent absent from a proven list (Z085)", _gone(0.4)),
    Loss("a school of 20 loses five books", _gone(0.25), size=20),
    Loss("a school of 20 answers that it has nothing", _gone(1), size=20),
    Loss("noRecordsMatch where a catalogue was (Z031)", _gone(1)),
    Loss("an empty list where a catalogue was", _gone(1), habits=quirks.variant(SILENT, empty_list="empty")),
    Loss("the list is half as long and nothing is counted", _gone(0.5), habits=UNCOUNTED),
    Loss("the set has got another name (Z031)", _sets, source={**SWEEP, "sets": ("buku",)}),
    Loss("two of a hundred every night (the month)", _bleed, nights=9, may_go=11),
    Loss("the host is renamed: all identifiers are new (Z029)", _other_host),
    Loss("a captive portal answers with half a catalogue (Z060)", _another_repository),
]


def _lose(folder: Path, loss: Loss) -> None:
    with lone(folder, loss.size, loss.habits, **loss.source) as partner:
        if loss.source.get("sets"):
            _in_set(partner)
        assert partner.night().verdict == "complete"
        before = partner.active()
        assert len(before) == loss.size
        for _ in range(loss.nights):
            loss.happens(partner)
            outcome = partner.night()
        assert outcome.verdict == "halted", outcome
        assert outcome.reason
        assert len(before - partner.active()) <= loss.may_go
        assert partner.consortium.faults() == []


@pytest.mark.parametrize("loss", LOSSES, ids=[one.label for one in LOSSES])
def test_nothing_goes_without_a_person(tmp_path: Path, loss: Loss) -> None:
    _lose(tmp_path, loss)


@pytest.mark.parametrize("loss", LOSSES, ids=[one.label for one in LOSSES])
def test_without_guard_and_proof_it_would_go(tmp_path: Path, loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "rule_on_deletions", lambda *given: Ruling(True))
    monkeypatch.setattr(harvesting, "wants_a_person", lambda *given: False)
    monkeypatch.setattr(harvesting, "completeness", lambda *given: Completeness("complete", "proven", ""))
    monkeypatch.setattr(harvesting, "HALTING", frozenset())
    monkeypatch.setattr(journey, "gate_of", lambda *given: lambda run_id, windows: ("", {}))
    with pytest.raises(AssertionError):
        _lose(tmp_path, loss)


# ---- deciding --------------------------------------------------------------------------------------------


def test_an_approved_run_deletes_what_it_proposed_and_the_last_bytes_are_kept(
    tmp_path: Path, database_url: str
) -> None:
    with lone(tmp_path, 60, database=database_url) as partner:
        partner.night()
        partner.delete(range(1, 31))
        halted = partner.night()
        assert halted.verdict == "halted"
        with partner.opened() as opened:
            done = controlling.approve(opened, halted.run_id, "sari", "the library has weeded")
            assert done.records == 30
            with opened.database.read() as conn:
                held = ledger.find(conn, "kampus", next(iter(_identifiers(partner, "7"))))
                assert held["state"] == "deleted"
                assert b"Penerbit" in ledger.raw(conn, held["stored_hash"])
        partner.consortium.match()
        assert partner.active() == partner.oracle()
        assert partner.run(halted.run_id)["verdict"] == "complete"
        assert "sari (the library has weeded)" in partner.run(halted.run_id)["reason"]
        assert partner.consortium.faults() == []
        # what a person approved is no reason to halt on the next book
        partner.delete([40])
        assert partner.night().verdict == "complete"
        assert partner.active() == partner.oracle()


def test_a_rejected_run_keeps_the_records_and_does_not_ask_again(tmp_path: Path) -> None:
    with lone(tmp_path, 60, SILENT, **SWEEP) as partner:
        partner.night()
        partner.delete(range(1, 31))
        halted = partner.night()
        with partner.opened() as opened:
            assert controlling.reject(opened, halted.run_id, "sari").records == 30
            with pytest.raises(UsageError, match="nothing to decide"):
                controlling.approve(opened, halted.run_id, "sari")
        assert partner.night().verdict == "complete"
        assert len(partner.active()) == 60
        # shown again and lost again, a record may be proposed again
        partner.store.put("1", {"oai_dc": dublin_core(1)})
        assert partner.night().verdict == "complete"
        partner.delete([1])
        assert partner.night().verdict == "complete"
        assert "1" not in partner.active()


def test_a_later_run_takes_back_what_an_earlier_one_proposed(tmp_path: Path) -> None:
    with lone(tmp_path, 60, SILENT, **SWEEP) as partner:
        partner.night()
        lost = {key: row.payloads for key, row in partner.store.live().items() if int(key) <= 30}
        partner.delete(lost)
        halted = partner.night()
        for key, payloads in lost.items():
            partner.store.put(key, payloads)
        assert partner.night().verdict == "complete"
        with partner.opened() as opened:
            assert controlling.approve(opened, halted.run_id, "sari").records == 0
        assert len(partner.active()) == 60


def test_a_short_list_without_a_count_is_approved_as_the_new_measure_and_deletes_nothing(tmp_path: Path) -> None:
    with lone(tmp_path, 100, UNCOUNTED, **SWEEP) as partner:
        partner.night()
        partner.delete(range(1, 51))
        halted = partner.night()
        assert "50 records came where 100 were" in halted.reason
        with partner.opened() as opened:
            controlling.approve(opened, halted.run_id, "sari")
        assert partner.night().verdict == "complete"
        assert len(partner.active()) == 100


def test_a_run_that_was_held_back_is_taken_back_when_it_is_rejected(tmp_path: Path) -> None:
    with lone(tmp_path, 100, SILENT, **SWEEP) as partner:
        partner.night()
        partner.delete(range(1, 31))
        partner.store.edit("50", {"oai_dc": dublin_core(50, "Judul lain")})
        halted = partner.night()
        before = partner.clusters()
        with partner.opened() as opened:
            assert controlling.reject(opened, halted.run_id, "sari").records == 31
        partner.consortium.match()
        assert len(partner.active()) == 100
        assert partner.clusters() == before
        assert partner.consortium.faults() == []


def test_an_empty_answer_cannot_be_approved(tmp_path: Path) -> None:
    with lone(tmp_path, 20, SILENT, **SWEEP) as partner:
        partner.night()
        partner.delete(range(1, 21))
        halted = partner.night()
        with partner.opened() as opened, pytest.raises(UsageError, match="never taken for a deletion"):
            controlling.approve(opened, halted.run_id, "sari")
        assert len(partner.active()) == 20


def test_a_renamed_repository_is_approved_and_harvested_again(tmp_path: Path) -> None:
    with lone(tmp_path, 20, SILENT, **SWEEP) as partner:
        partner.night()
        partner.server.providers["kampus"].name = "Perpustakaan Kampus Baru"
        halted = partner.night()
        assert halted.verdict == "halted"
        with partner.opened() as opened:
            controlling.approve(opened, halted.run_id, "sari")
        assert partner.night().verdict == "complete"


# ---- healthy nights ----------------------------------------------------------------------------------------


def _healthy(folder: Path, nights: int) -> None:
    """A library that weeds, adds and edits a little each night never halts."""
    import random

    dice = random.Random(20261122)
    with lone(folder, 300, SILENT, page_size=100, **SWEEP) as partner:
        partner.night()
        newest = 300
        for _ in range(nights):
            for _ in range(dice.choice((0, 0, 1, 2, 3))):
                newest += 1
                partner.store.put(str(newest), {"oai_dc": dublin_core(newest)})
            if dice.random() < 0.3:
                partner.delete(dice.sample(sorted(partner.store.live()), dice.choice((1, 1, 2, 3))))
            key = dice.choice(sorted(partner.store.live()))
            partner.store.edit(key, {"oai_dc": dublin_core(int(key), f"Judul baru {dice.randrange(10**6)}")})
            partner.sleep()
            outcome = partner.consortium.harvest("kampus")["kampus"]
            assert outcome.verdict == "complete", outcome
        assert partner.active() == partner.oracle()


def test_healthy_nights_do_not_halt(tmp_path: Path) -> None:
    _healthy(tmp_path, 20)


@pytest.mark.prove
@pytest.mark.timeout(3600)
def test_a_thousand_healthy_nights_do_not_halt(tmp_path: Path) -> None:
    _healthy(tmp_path, 1000)


# ---- section E of the zoo ----------------------------------------------------------------------------------


def _identifiers(partner: Lone, key: str) -> set[str]:
    return {name for name in partner.server.oracle("kampus") if name.endswith(f":{key}")} or {
        partner.server.providers["kampus"].identifier(key, f"127.0.0.1:{partner.server.port}")
    }


def test_z085_without_told_deletions_a_proven_full_list_shows_them(tmp_path: Path) -> None:
    with lone(tmp_path, 60, SILENT, **SWEEP) as partner:
        partner.night()
        partner.delete([5])
        assert partner.night().verdict == "complete"
        assert partner.active() == partner.oracle()
        states = partner.consortium.ask(
            lambda conn: [row[0] for row in conn.execute(select(record_version.c.state)) if row[0] == "deleted"]
        )
        assert states == ["deleted"]


def test_z085_a_list_that_proves_nothing_deletes_nothing(tmp_path: Path) -> None:
    with lone(tmp_path, 60, UNCOUNTED, **SWEEP) as partner:
        partner.night()
        partner.delete([5])
        assert (partner.night().verdict, "5" in partner.active()) == ("complete", True)


def test_z086_after_months_without_an_answer_a_full_list_finds_forgotten_deletions(tmp_path: Path) -> None:
    habits = quirks.variant(quirks.KOHA, deleted_record="transient")
    with lone(tmp_path, 60, habits, options={"strategy": "incremental"}) as partner:
        partner.night()
        partner.delete([5])
        partner.sleep(200)
        partner.store.forget("5")  # the server's memory of deletions has ended
        assert partner.night().verdict == "complete"
        assert "5" not in partner.active()


def test_z086_a_client_that_never_sweeps_would_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harvester import pipeline

    monkeypatch.setattr(pipeline, "outlived", lambda *given: False)
    with pytest.raises(AssertionError):
        test_z086_after_months_without_an_answer_a_full_list_finds_forgotten_deletions(tmp_path)


def test_z090_a_record_that_comes_back_has_its_cluster_again(tmp_path: Path) -> None:
    with lone(tmp_path, 60) as partner:
        partner.night()
        cluster = partner.cluster_of("5")
        payloads = partner.store.live()["5"].payloads
        partner.delete([5])
        partner.night()
        assert cluster not in partner.clusters()
        partner.store.put("5", payloads)
        partner.night()
        assert partner.cluster_of("5") == cluster
        assert partner.consortium.faults() == []


def test_z090_an_id_that_leads_elsewhere_is_not_taken_back() -> None:
    from db.catalogue import RecordState
    from harvester.resolving import take_back

    one = RecordState(1, "a", "1", "a", "", 1, None, None)
    two = RecordState(2, "a", "2", "a", "", 2, None, None)
    assert take_back([(one,), (two,)], [None, None], {}) == [None, None]
    assert take_back([(one,), (two,)], [None, None], {1: 7, 2: 7}) == [7, None]
    assert take_back([(two,), (one,)], [None, 3], {1: 7, 2: 7}) == [7, 3]


def test_z092_a_paused_partner_loses_nothing_however_long_and_whatever_it_answers(tmp_path: Path) -> None:
    with lone(tmp_path, 60) as partner:
        partner.night()
        with partner.opened() as opened:
            controlling.pause(opened, "kampus")
        partner.delete(range(1, 60))
        partner.sleep(60)
        assert partner.consortium.harvest() == {}
        with pytest.raises(Exception, match="paused"):
            partner.consortium.harvest("kampus")
        partner.consortium.match()
        assert len(partner.active()) == 60
        with partner.opened() as opened:
            controlling.resume(opened, "kampus")
        assert partner.night().verdict == "halted"


def test_z092_a_partner_that_leaves_is_retired_after_a_preview_and_may_come_back(
    tmp_path: Path, database_url: str
) -> None:
    with lone(tmp_path, 40, database=database_url) as partner:
        partner.night()
        cluster = partner.cluster_of("5")
        with partner.opened() as opened:
            seen = controlling.retire(opened, "kampus", "sari", preview=True)
            assert (seen.records, seen.clusters_gone, seen.clusters_kept) == (40, len(partner.clusters()), 0)
            assert len(partner.active()) == 40
            controlling.retire(opened, "kampus", "sari", "left the consortium")
        partner.consortium.match()
        assert partner.active() == set()
        assert partner.clusters() == set()
        assert partner.consortium.harvest() == {}
        with partner.opened() as opened:
            controlling.resume(opened, "kampus")
        assert partner.night(full=True).verdict == "complete"
        assert partner.active() == partner.oracle()
        assert partner.cluster_of("5") == cluster
        assert partner.consortium.faults() == []


def test_z092_another_address_in_the_file_deletes_nothing(tmp_path: Path) -> None:
    with lone(tmp_path, 40) as partner, lone(tmp_path / "other", 5) as other:
        partner.night()
        other.server.providers["kampus"].name = "Perpustakaan lain"
        partner.change(url=other.server.url("kampus"))
        assert partner.night(full=True).verdict == "halted"
        assert len(partner.active()) == 40


def test_a_partner_that_goes_missing_from_the_files_is_not_deleted(tmp_path: Path) -> None:
    with lone(tmp_path, 20) as partner:
        partner.night()
        (tmp_path / "union" / "partners.d" / "kampus.yaml").unlink()
        with partner.opened() as opened, opened.database.read() as conn:
            assert [row["status"] for row in work.sources(conn)] == ["active"]
        assert len(partner.active()) == 20


# ---- the same cases on mutants: none of the tests above is empty -------------------------------------------


def test_z085_a_harvester_that_never_looks_for_absence_would_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "absent", lambda *given: [])
    with pytest.raises(AssertionError):
        test_z085_without_told_deletions_a_proven_full_list_shows_them(tmp_path)


def test_z090_a_matcher_that_looks_forward_only_would_give_a_new_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolving, "take_back", lambda groups, ids, vacated: list(ids))
    with pytest.raises(AssertionError):
        test_z090_a_record_that_comes_back_has_its_cluster_again(tmp_path)


def test_z092_a_harvester_that_knows_no_pause_would_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journey, "active_sources", lambda opened, names=(): sorted(opened.source_ids))
    with pytest.raises(AssertionError):
        test_z092_a_paused_partner_loses_nothing_however_long_and_whatever_it_answers(tmp_path)
