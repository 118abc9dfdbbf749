"""Store against source: what is missing comes in, what is gone is proposed, and the difference is a number."""

from __future__ import annotations

from pathlib import Path

import pytest

from db import control, ledger
from harvester import auditing, inspecting
from harvester.demo import quirks
from harvester.errors import UsageError
from tests.journey import Consortium
from tests.pipeline.lone import Lone, dublin_core, lone

pytestmark = pytest.mark.slow
BACKDATING = quirks.variant(quirks.KOHA, backdate=5 * 86400)
INCREMENTAL = {"options": {"strategy": "incremental"}}


def test_what_a_dated_list_never_showed_is_found_and_fetched_one_by_one(tmp_path: Path) -> None:
    with lone(tmp_path, 60, BACKDATING, **INCREMENTAL) as partner:
        partner.night()
        partner.sleep(7)
        partner.night()
        for key in range(61, 64):
            partner.store.put(str(key), {"oai_dc": dublin_core(key)})
        assert partner.night().verdict == "complete"
        assert len(partner.active()) == 60, "a change that is dated back is in no dated list"
        with partner.opened() as opened:
            found = auditing.audit(opened, "kampus")
            shown = inspecting.partner(opened, "kampus")["sources"][0]
        assert (found.verdict, found.here, found.there, found.fetched, found.missing) == ("complete", 60, 63, 3, 0)
        assert partner.active() == partner.oracle()
        assert shown["drift"]["missing"] == 0
        assert partner.run(found.run)["created"] == 3
        partner.consortium.match()
        assert partner.consortium.faults() == []


@pytest.mark.parametrize(("strategy", "seen"), [("", True), ("incremental", False)], ids=["as shipped", "naive"])
def test_z014_an_edit_that_no_dated_list_shows_comes_with_the_sweep(tmp_path: Path, strategy: str, seen: bool) -> None:
    """SLiMS filters by the date of creation: whoever asks only for what is new never hears of an edit."""
    options = {"options": {"strategy": strategy}} if strategy else {}
    with lone(tmp_path, 12, quirks.SLIMS_OAI2, preset="slims-oai2", **options) as partner:
        partner.night()
        partner.sleep(7)
        partner.store.put("5", {"oai_dc": dublin_core(5, "Judul yang diperbaiki")})
        for _ in range(3):
            assert partner.night().verdict == "complete"
        bodies = partner.consortium.ask(lambda conn: ledger.normalized_bodies(conn, range(1, 13)))
        assert any(b"Judul yang diperbaiki" in body for body in bodies.values()) == seen


def test_a_small_loss_is_deleted_by_a_proven_audit_and_a_large_one_halts(tmp_path: Path, database_url: str) -> None:
    habits = quirks.variant(quirks.KOHA, tells="nothing", deleted_record="no")
    with lone(tmp_path, 60, habits, database=database_url, **INCREMENTAL) as partner:
        partner.night()
        partner.delete([7])
        partner.night()
        assert "7" in partner.active()
        with partner.opened() as opened:
            assert auditing.audit(opened, "kampus").deleted == 1
        assert partner.active() == partner.oracle()
        partner.delete(range(10, 40))
        with partner.opened() as opened:
            found = auditing.audit(opened, "kampus")
            drift = inspecting.partner(opened, "kampus")["sources"][0]["drift"]
        assert (found.verdict, found.surplus, drift["surplus"]) == ("halted", 30, 30)
        assert len(partner.active()) == 59


def test_what_audits_delete_counts_in_the_months_limit(tmp_path: Path) -> None:
    habits = quirks.variant(quirks.KOHA, tells="nothing", deleted_record="no")
    with lone(tmp_path, 60, habits, **INCREMENTAL) as partner:
        partner.night()
        verdicts = []
        for gone in (range(1, 5), range(5, 9)):
            partner.delete(gone)
            with partner.opened() as opened:
                verdicts.append(auditing.audit(opened, "kampus").verdict)
        assert verdicts == ["complete", "halted"], "four of sixty twice are more than a month brings"


def test_an_audit_that_breaks_off_says_nothing_about_the_difference(tmp_path: Path) -> None:
    with lone(tmp_path, 60, **INCREMENTAL) as partner:
        partner.night()
        partner.delete(range(1, 60))
        partner.server.set_faults("kampus", "page=2:truncate@0.3*")
        with partner.opened() as opened:
            found = auditing.audit(opened, "kampus")
            with opened.database.read() as conn:
                assert control.last_drift(conn, opened.source_ids["kampus"]) is None
        assert found.verdict == "partial"
        assert len(partner.active()) == 60


def test_records_in_quarantine_are_not_missing(tmp_path: Path) -> None:
    with lone(tmp_path, 20, **INCREMENTAL) as partner:
        partner.store.put("99", {"oai_dc": b"<x/>"})
        partner.night()
        with partner.opened() as opened:
            assert auditing.audit(opened, "kampus").missing == 0


def waiting(partner: Lone) -> list[str]:
    """The identifiers that wait in quarantine."""
    rows = partner.consortium.ask(ledger.list_quarantine)
    return sorted(row["identifier"].rpartition(":")[2] for row in rows)


def test_what_waits_in_quarantine_and_is_gone_waits_no_longer(tmp_path: Path) -> None:
    habits = quirks.variant(quirks.KOHA, tells="nothing", deleted_record="no")
    with lone(tmp_path, 20, habits, **INCREMENTAL) as partner:
        for key in (98, 99):
            partner.store.put(str(key), {"oai_dc": b"<x/>"})
        partner.night()
        assert waiting(partner) == ["98", "99"]
        partner.delete([99])
        for _ in range(2):
            with partner.opened() as opened:
                found = auditing.audit(opened, "kampus")
            assert (found.verdict, found.missing, found.surplus) == ("complete", 0, 0)
            assert waiting(partner) == ["98"]


def test_damage_that_comes_again_after_it_was_gone_waits_again(tmp_path: Path) -> None:
    with lone(tmp_path, 20) as partner:
        for expected in (["99"], []) * 2:
            if expected:
                partner.store.put("99", {"oai_dc": b"<x/>"})
            else:
                partner.delete([99])
            partner.night()
            assert waiting(partner) == expected
            partner.sleep()


def test_audits_are_due_on_a_day_of_their_own_and_not_after_a_full_list(tmp_path: Path) -> None:
    with lone(tmp_path, 20, **INCREMENTAL) as partner:
        partner.night()
        days = []
        for day in range(1, 22):
            partner.sleep()
            partner.consortium.harvest("kampus")
            with partner.opened() as opened:
                if auditing.due(opened, ["kampus"])[0]:
                    days.append(day)
                    assert auditing.upkeep(opened, ["kampus"]).audits[0].verdict == "complete"
        assert 2 <= len(days) <= 4, days
        assert min(days) >= 3


def test_a_source_of_files_has_no_list_to_compare(tmp_path: Path) -> None:
    made = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    made.add("sd-3", protocol="files", url=str(tmp_path))
    with made.opened() as opened, pytest.raises(UsageError, match="no list of identifiers"):
        auditing.audit(opened, "sd-3")


def test_a_night_does_what_is_due_and_an_audit_that_halts_is_the_nights_verdict(tmp_path: Path) -> None:
    from harvester import scheduling

    habits = quirks.variant(quirks.KOHA, tells="nothing", deleted_record="no")
    with lone(tmp_path, 60, habits, **INCREMENTAL) as partner:
        partner.night()
        partner.delete(range(10, 40))
        verdicts = []
        for _ in range(9):
            partner.sleep()
            with partner.opened() as opened:
                night = scheduling.work_night(opened, scheduling.asked(opened, ["kampus"]), forced=True, environ={})
            verdicts.append(night.worked[0].verdict)
        assert "halted" in verdicts
        assert len(partner.active()) == 60
