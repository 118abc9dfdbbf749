"""A run is taken back and let be again; what it brought stays out in between, and later changes stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import ledger
from harvester import controlling, inspecting, reverting
from harvester.demo import quirks
from harvester.errors import UsageError
from tests.pipeline.lone import Lone, dublin_core, lone

pytestmark = pytest.mark.slow
SWEEP = {"options": {"strategy": "sweep+absence"}}


def titles(partner: Lone) -> dict[str, str]:
    """Local key → title of each active record."""
    found = {}
    with partner.opened() as opened:
        for key in partner.active():
            name = partner.server.providers["kampus"].identifier(key, f"127.0.0.1:{partner.server.port}")
            found[key] = inspecting.record(opened, f"kampus/{name}")["normalized"]["title"]["proper"]
    return found


def spoil(partner: Lone) -> None:
    """A night on which the partner's export went wrong: six bad titles, a new record, a deletion."""
    for key in range(1, 7):
        partner.store.edit(str(key), {"oai_dc": dublin_core(key, "????")})
    partner.store.put("41", {"oai_dc": dublin_core(41)})
    partner.delete([20])


@pytest.mark.parametrize("source", [{}, SWEEP], ids=["incremental", "sweep"])
def test_a_reverted_run_leaves_the_catalogue_as_it_was_and_stays_out_until_it_is_released(
    tmp_path: Path, database_url: str, source: dict[str, object]
) -> None:
    with lone(tmp_path, 40, database=database_url, **source) as partner:
        partner.night()
        good = titles(partner)
        clusters = {key: partner.cluster_of(key) for key in good}
        spoil(partner)
        bad = partner.night().run_id
        assert titles(partner)["1"] == "????"
        with partner.opened() as opened:
            seen = reverting.revert(opened, bad, "sari", preview=True)
            assert (seen.restored, seen.deleted) == (7, 1)
            assert titles(partner)["1"] == "????", "a preview changes nothing"
            reverting.revert(opened, bad, "sari", "export without encoding")
            with pytest.raises(UsageError, match="reverted already"):
                reverting.revert(opened, bad, "sari")
        for _ in range(2):
            partner.consortium.match()
            assert titles(partner) == good
            outcome = partner.night(full=True)
            assert outcome.verdict == "complete"
        assert {key: partner.cluster_of(key) for key in good} == clusters
        assert partner.run(outcome.run_id)["excluded"] == 7
        with partner.opened() as opened:
            reverting.release(opened, bad, "sari")
        partner.consortium.match()
        assert titles(partner)["1"] == "????"
        assert partner.active() == partner.oracle()
        assert partner.night(full=True).verdict == "complete"
        assert partner.active() == partner.oracle()
        assert partner.consortium.faults() == []


def test_a_corrected_record_comes_in_although_its_run_was_reverted(tmp_path: Path) -> None:
    with lone(tmp_path, 40) as partner:
        partner.night()
        spoil(partner)
        bad = partner.night().run_id
        with partner.opened() as opened:
            reverting.revert(opened, bad, "sari")
        partner.store.edit("1", {"oai_dc": dublin_core(1, "Judul yang benar")})
        partner.night()
        assert titles(partner)["1"] == "Judul yang benar"


def test_what_was_changed_again_since_is_left_and_named(tmp_path: Path) -> None:
    with lone(tmp_path, 40) as partner:
        partner.night()
        spoil(partner)
        bad = partner.night().run_id
        partner.store.edit("1", {"oai_dc": dublin_core(1, "Judul yang benar")})
        partner.night()
        with partner.opened() as opened:
            done = reverting.revert(opened, bad, "sari")
        assert [name.rpartition(":")[2] for name in done.later] == ["1"]
        assert titles(partner)["1"] == "Judul yang benar"
        assert titles(partner)["2"] != "????"


def test_an_approved_mass_deletion_is_taken_back(tmp_path: Path) -> None:
    with lone(tmp_path, 60, quirks.variant(quirks.KOHA, tells="nothing"), **SWEEP) as partner:
        partner.night()
        clusters = partner.clusters()
        partner.delete(range(1, 31))
        halted = partner.night()
        with partner.opened() as opened:
            done = controlling.approve(opened, halted.run_id, "sari")
        partner.consortium.match()
        assert len(partner.active()) == 30
        with partner.opened() as opened:
            reverting.revert(opened, done.run, "sari", "it was the wrong library")
        partner.consortium.match()
        assert len(partner.active()) == 60
        assert partner.clusters() == clusters
        assert partner.night().verdict == "complete", "what a person took back is not proposed again"
        assert len(partner.active()) == 60
        assert partner.consortium.faults() == []


def test_the_versions_say_what_happened(tmp_path: Path) -> None:
    with lone(tmp_path, 10) as partner:
        partner.night()
        partner.store.edit("1", {"oai_dc": dublin_core(1, "????")})
        bad = partner.night().run_id
        with partner.opened() as opened:
            done = reverting.revert(opened, bad, "sari")
            with opened.database.read() as conn:
                name = next(name for name in partner.server.oracle("kampus") if name.endswith(":1"))
                held = ledger.find(conn, "kampus", name)
                assert held is not None
                runs = [row["run_id"] for row in ledger.versions(conn, held["id"])]
        assert runs == [1, bad, done.run]


def test_only_runs_that_changed_records_can_be_reverted(tmp_path: Path) -> None:
    with lone(tmp_path, 10) as partner:
        partner.night()
        with partner.opened() as opened:
            with pytest.raises(UsageError, match="no run 999"):
                reverting.revert(opened, 999, "sari")
            with pytest.raises(UsageError, match="cannot be reverted"):
                reverting.revert(opened, 2, "sari")
            with pytest.raises(UsageError, match="nothing to release"):
                reverting.release(opened, 1, "sari")
