"""The whole journey over real HTTP: what partners hold is what the catalogue holds, night after night."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest

from db import catalogue, changes, ledger, work
from harvester import explaining, inspecting
from harvester.demo import quirks
from harvester.demo.sample import EVENING, Sample, truth
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock, Store
from harvester.model import Address
from harvester.pipeline import Pipeline
from tests.journey import Consortium, enrol_sample


def active(consortium: Consortium, code: str) -> set[str]:
    from sqlalchemy import select

    from db.tables import record, source

    query = (
        select(record.c.identifier)
        .join(source, source.c.id == record.c.source_id)
        .where(source.c.code == code, record.c.state == "active")
    )
    return consortium.ask(lambda conn: {row[0] for row in conn.execute(query)})


@pytest.fixture
def sample(tmp_path: Path):
    with Sample(tmp_path / "partners", SampleClock(EVENING)) as started:
        yield started


@pytest.fixture
def consortium(tmp_path: Path, database_url: str, sample: Sample) -> Consortium:
    made = Consortium(tmp_path / "union", database_url, clock=sample.clock)
    enrol_sample(made, sample.partners())
    return made


def test_two_nights_leave_exactly_what_the_partners_hold(consortium: Consortium, sample: Sample) -> None:
    for night in (1, 2):
        if night > 1:
            sample.night(night)
        outcomes = consortium.night()
        assert {one.verdict for one in outcomes.values()} == {"complete"}
        for code in sample.served:
            assert active(consortium, code) == set(sample.oracle(code)), code
        assert consortium.faults() == []


@pytest.mark.slow
def test_a_night_without_changes_makes_no_version_and_no_feed_row(consortium: Consortium) -> None:
    consortium.night()
    before = consortium.dump()
    seq = consortium.ask(changes.feed_state)["seq"]
    outcomes = consortium.night()
    assert {one.verdict for one in outcomes.values()} == {"complete"}
    assert consortium.ask(changes.feed_state)["seq"] == seq
    assert consortium.dump() == before


def test_the_first_night_merges_the_same_manifestations_and_explains_itself(
    consortium: Consortium, sample: Sample
) -> None:
    consortium.night()
    held = consortium.ask(lambda conn: catalogue.members(conn, catalogue.active_ids(conn, 0, 100_000)))
    groups = [[Address(one.source, one.identifier) for one in members] for members in held.values()]
    _same_manifestations_stand_together_and_others_apart(groups)
    with consortium.opened() as opened:
        _a_merge_is_explained_by_the_evidence_that_was_stored(opened, next(one for one in groups if _of_two(one)))
        for code in sample.served:
            _a_record_has_a_holding_and_a_trace(opened, f"{code}/{sorted(sample.oracle(code))[0]}")


def _same_manifestations_stand_together_and_others_apart(groups: list[list[Address]]) -> None:
    labels = truth()
    merged = {pair for members in groups for pair in combinations(sorted(members), 2)}
    here = sorted(one for members in groups for one in members)
    same = {pair for pair in combinations(here, 2) if labels[pair[0]] == labels[pair[1]]}
    wrong = merged - same
    assert not wrong, sorted(wrong)[:5]
    assert len(merged & same) >= 0.6 * len(same)


def _of_two(group: list[Address]) -> bool:
    return len({one.source for one in group}) > 1


def _a_merge_is_explained_by_the_evidence_that_was_stored(opened: Pipeline, group: list[Address]) -> None:
    answer = explaining.explain(opened, *map(str, group[:2]))
    assert answer["same_cluster"]
    assert answer["equal_profiles"] or answer["today"]["evidence"]
    stored = answer["then"]
    if stored and stored["verdict"] == "merge":
        assert stored["score"] == pytest.approx(sum(one["points"] for one in stored["evidence"]), abs=0.01)


def _a_record_has_a_holding_and_a_trace(opened: Pipeline, address: str) -> None:
    assert inspecting.record(opened, address)["normalized"]["holdings"]
    assert any(step["field"].startswith("title") for step in inspecting.trace(opened, address))


# ---- one partner, scripted faults ----------------------------------------------------------------------


def koha_store(clock: SampleClock, number: int) -> Store:
    store = Store(clock)
    for key in range(1, number + 1):
        payload = (
            f'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
            f'<controlfield tag="001">{key}</controlfield>'
            f'<datafield tag="245" ind1="0" ind2="0"><subfield code="a">Laporan tahunan {key}</subfield></datafield>'
            f'<datafield tag="260" ind1=" " ind2=" "><subfield code="c">{1950 + key % 60}</subfield></datafield>'
            f"</record>"
        )
        store.put(str(key), {"marcxml": payload.encode()})
    return store


@pytest.fixture
def lone(tmp_path: Path):
    """(consortium, simulator, store) of one Koha-like partner with 60 records."""
    clock = SampleClock(EVENING)
    store = koha_store(clock, 60)
    with Simulator({"kampus": store}, quirks={"kampus": quirks.variant(quirks.KOHA, page_size=10)}) as partners:
        made = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", clock=clock)
        made.add("kampus", protocol="oai-pmh", url=partners.url("kampus"), preset="koha", internal=True)
        yield made, partners, store


def test_a_page_that_stays_broken_makes_the_run_partial_and_the_next_good_night_heals_it(lone) -> None:
    consortium, partners, _store = lone
    partners.set_faults("kampus", "page=3:truncate@0.5*9")
    first = consortium.night()["kampus"]
    assert first.verdict == "partial"
    assert first.reason
    assert len(active(consortium, "kampus")) < 60
    partners.set_faults("kampus", "")
    second = consortium.night()["kampus"]
    assert second.verdict == "complete"
    assert active(consortium, "kampus") == set(partners.oracle("kampus", "marcxml"))
    assert consortium.faults() == []


def test_an_unreadable_record_is_quarantined_with_its_bytes_and_the_run_stays_complete(lone) -> None:
    consortium, _partners, store = lone
    broken = b'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>x</leader></record>'
    store.put("61", {"marcxml": broken})
    assert consortium.night()["kampus"].verdict == "complete"
    rows = consortium.ask(lambda conn: ledger.list_quarantine(conn, source_code="kampus"))
    assert len(rows) == 1
    held = consortium.ask(lambda conn: ledger.quarantined(conn, rows[0]["id"]))
    assert b"<leader>x</leader>" in held["payload"]
    run = consortium.ask(lambda conn: work.list_runs(conn, source_code="kampus"))[0]
    assert run["quarantined"] == 1
    assert run["received"] == 61
    assert consortium.faults() == []


def test_told_deletions_within_the_guard_are_applied_and_a_mass_deletion_halts(lone) -> None:
    consortium, partners, store = lone
    consortium.night()
    for key in ("3", "4"):
        store.delete(key)
    outcome = consortium.night()["kampus"]
    assert outcome.verdict == "complete"
    assert active(consortium, "kampus") == set(partners.oracle("kampus", "marcxml"))
    for key in range(10, 40):
        store.delete(str(key))
    halted = consortium.night()["kampus"]
    assert halted.verdict == "halted"
    assert len(active(consortium, "kampus")) == 58
    assert consortium.faults() == []


def test_a_record_that_comes_back_keeps_its_cluster(lone) -> None:
    consortium, _partners, store = lone
    consortium.night()
    row = store.live()["5"]
    store.delete("5")
    consortium.night()
    payloads = koha_store(SampleClock(EVENING), 5).live()["5"].payloads
    store.put("5", payloads)
    consortium.night()
    assert row.key == "5"
    assert len(active(consortium, "kampus")) == 60
    assert consortium.faults() == []


def test_a_second_harvest_of_the_same_source_is_locked_out(lone) -> None:
    from harvester.errors import Locked

    consortium, _partners, _store = lone
    opened = consortium.open()
    with opened.database.lock("source:kampus"):
        assert isinstance(consortium.harvest("kampus")["kampus"], Locked)
    opened.database.close()


def test_a_harvest_with_a_limit_goes_on_where_it_stopped(lone) -> None:
    consortium, partners, _store = lone
    assert consortium.harvest("kampus", limit=20)["kampus"].verdict == "partial"
    asked = len(partners.requests)
    assert consortium.harvest("kampus")["kampus"].verdict == "complete"
    again = [one for one in partners.requests[asked:] if one.verb == "ListRecords"]
    assert len(again) == 4
    assert active(consortium, "kampus") == set(partners.oracle("kampus", "marcxml"))
