"""Normalizing again from stored bytes: beside what is served, stopped when too much changes, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from db import control, derivations, ledger, placing, work
from db.tables import renormalized
from harvester import constants, mapping_tools, pipeline, preparing, renormalizing, simulating
from harvester.demo.sample import EVENING, Sample
from harvester.demo.store import SampleClock
from harvester.errors import Halted
from harvester.formats.marcxml_write import write
from harvester.model import HarvestedRecord, MarcRecord
from harvester.normalize.mapping import PACKAGE
from tests.cli.test_commands import Call
from tests.journey import Consortium, enrol_sample
from tests.pipeline.shelf import Shelf


def marc21(union: Consortium, *lines: str) -> None:
    """Put a MARC 21 mapping beside induk.yaml that says *lines* besides; without lines take it away."""
    path = union.folder / "mappings" / "marc21.yaml"
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if lines:
        shipped = (PACKAGE / "marc21.yaml").read_text(encoding="utf-8")
        path.write_text("\n".join((*lines, shipped)), encoding="utf-8")
    preparing._compiled.clear()


def again(union: Consortium, *codes: str, **limits: float) -> Any:
    with union.opened() as made:
        wanted = list(codes) or list(made.source_ids)
        return renormalizing.renormalize(made, wanted, renormalizing.Limits(**limits))


def marc_source(union: Consortium) -> str:
    """The demo's partner that sends MARC."""
    from sqlalchemy import select

    from db.tables import record, source

    query = select(source.c.code).join(record, record.c.source_id == source.c.id).where(record.c.format == "marcxml")
    return str(union.ask(lambda conn: conn.execute(query).scalars().first()))


def test_the_same_mappings_change_nothing(union: Consortium) -> None:
    before = union.dump()
    done = again(union)
    assert done.stage == "served"
    assert all(one["read"] > 0 for one in done.sources.values())
    assert sum(one["changed"] + one["failed"] for one in done.sources.values()) == 0
    assert union.ask(work.queued) == 0
    assert union.dump() == before
    assert union.faults() == []


@pytest.mark.slow
def test_four_processes_make_what_one_makes(union: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renormalizing, "BATCH", 20)
    marc21(union, "distrust: [languages]")
    made = []
    for workers in (1, 4):
        union.configure(f"harvest: {{workers: {workers}}}")
        with union.opened() as opened:
            done = renormalizing.renormalize(opened, [marc_source(union)], renormalizing.Limits(changed=0))
            with opened.database.read() as conn:
                names = [one for one in renormalized.c if one.name != "derivation_id"]
                made.append([tuple(row) for row in conn.execute(select(*names).order_by(renormalized.c.record_id))])
            renormalizing.drop(opened, done.derivation, "ana")
        assert done.stage == "waiting"
    assert made[0] == made[1]
    assert len(made[0]) > 40


def test_too_many_changes_wait_for_a_person_and_nothing_served_is_touched(union: Consortium) -> None:
    code, before = marc_source(union), union.dump()
    marc21(union, "distrust: [languages]")
    call = Call(union.folder)
    status, out, _ = call("normalize", code)
    assert status == 3
    assert "waiting" in out
    assert union.dump() == before
    assert union.faults() == []
    number = call.json("derivation", "list")[0]["id"]
    shown = call.json("derivation", "show", str(number))
    assert shown["state"] == "next"
    changed = {change["field"] for one in shown["samples"] for change in one["changes"]}
    assert changed == {"languages"}
    with pytest.raises(Halted):
        again(union, code)
    assert call("derivation", "drop", str(number), "--yes", "--why", "a slip")[0] == 0
    assert union.ask(work.queued) == 0
    assert union.dump() == before
    assert call("derivation", "approve", str(number), "--yes")[0] == 2


def test_approved_it_is_served_matched_and_comes_undone(union: Consortium) -> None:
    code, before = marc_source(union), union.dump()
    marc21(union, "distrust: [languages]")
    waiting = again(union, code)
    call = Call(union.folder)
    assert call("derivation", "approve", str(waiting.derivation), "--yes")[0] == 0
    assert union.ask(work.queued) == waiting.sources[code]["changed"] > 0
    union.match()
    served = union.dump()
    assert served != before
    assert union.faults() == []
    assert again(union, code).swapped == 0, "the next one finds nothing to do"
    marc21(union)
    assert call("derivation", "rollback", str(waiting.derivation), "--yes")[0] == 2, "a later one was served"
    assert call("derivation", "rollback", "--yes")[0] == 0
    assert call("derivation", "rollback", str(waiting.derivation), "--yes")[0] == 0
    union.match()
    assert union.dump() == before
    assert union.faults() == []


def test_within_the_limits_it_is_served_at_once(union: Consortium) -> None:
    code = marc_source(union)
    marc21(union, "distrust: [languages]")
    done = again(union, code, changed=100)
    assert done.stage == "served"
    assert done.swapped == done.sources[code]["changed"] > 0


@pytest.mark.slow
def test_interrupted_it_goes_on_where_it_was_and_gives_the_same(
    union: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = marc_source(union)
    marc21(union, "distrust: [languages]")
    monkeypatch.setattr(renormalizing, "BATCH", 20)
    seen: list[int] = []
    with union.opened() as made:
        import msgspec

        stopping = msgspec.structs.replace(made, cancel=lambda: len(seen) >= 2)
        limits = renormalizing.Limits(changed=100)
        first = renormalizing.renormalize(stopping, [code], limits, lambda one: seen.append(one.read))
        assert (first.stage, first.sources[code]["read"]) == ("partial", 40)
        assert union.ask(work.queued) == 0
        later: list[int] = []
        second = renormalizing.renormalize(made, [code], limits, lambda one: later.append(one.read))
    assert second.derivation == first.derivation
    assert later[0] > 40
    assert second.swapped == second.sources[code]["changed"] > 40


@pytest.mark.slow
def test_swapping_that_was_cut_off_is_finished_by_the_next_call(
    union: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = marc_source(union)
    marc21(union, "distrust: [languages]")
    monkeypatch.setattr(renormalizing, "BATCH", 20)
    real, calls = placing.place, []

    def dying(conn: Any, made: Any) -> None:
        calls.append(len(made))
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(conn, made)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(placing, "place", dying)
        again(union, code, changed=100)
    assert union.ask(work.queued) == sum(calls[:2])
    done = again(union, code, changed=100)
    assert done.stage == "served"
    assert union.ask(work.queued) == done.sources[code]["changed"]
    assert union.faults() == []


def test_records_that_fail_now_keep_their_form_and_go_to_quarantine(union: Consortium) -> None:
    code, before = marc_source(union), union.dump()
    path = union.folder / "partners.d" / f"{code}.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("preset:", "mapping: oai_dc, preset:", 1), encoding="utf-8")
    assert "mapping: oai_dc" in path.read_text(encoding="utf-8")
    waiting = again(union, code)
    assert waiting.stage == "waiting"
    assert "can no longer be normalized" in waiting.reason
    assert Call(union.folder)("derivation", "approve", str(waiting.derivation), "--yes")[0] == 0
    held = union.ask(lambda conn: ledger.list_quarantine(conn, source_code=code, limit=10_000))
    assert {row["reason"] for row in held} >= {"wrong-mapping"}
    records = [line for line in before.splitlines() if '"kind":"record"' in line]
    assert [line for line in union.dump().splitlines() if '"kind":"record"' in line] == records
    path.write_text(text, encoding="utf-8")
    again(union, code)
    assert not [
        row
        for row in union.ask(lambda conn: ledger.list_quarantine(conn, source_code=code, limit=10_000))
        if row["reason"] == "wrong-mapping"
    ]


def test_a_record_that_changed_meanwhile_stays_as_it_is(union: Consortium) -> None:
    from sqlalchemy import update

    from db.tables import record

    code = marc_source(union)
    marc21(union, "distrust: [languages]")
    waiting = again(union, code)
    forms = union.ask(lambda conn: derivations.forms(conn, waiting.derivation, limit=1))
    key = forms[0]["record_id"]
    with union.opened() as made:
        with made.database.write() as conn:
            conn.execute(update(record).where(record.c.id == key).values(version=record.c.version + 1))
        form = union.ask(lambda conn: ledger.normalized_bodies(conn, [key]))
        renormalizing.approve(made, waiting.derivation, "anna")
    assert union.ask(lambda conn: ledger.normalized_bodies(conn, [key])) == form


# ---- tools for mappings --------------------------------------------------------------------------------


def test_coverage_names_what_no_rule_reads_and_what_never_varies(
    union: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "ENOUGH", 20)
    code = marc_source(union)
    union.match()
    found = Call(union.folder).json("mapping", "coverage", code)[0]
    assert found["records"] > 20
    assert all(row["records"] and row["samples"] for row in found["unread"])
    assert [row["records"] for row in found["unread"]] == sorted(row["records"] for row in found["unread"])[::-1]
    assert all(row["share"] > 0.99 for row in found["constants"])
    assert {row["where"] for row in found["constants"]} == {"received", "normalized"}
    shown = Call(union.folder).json("partner", "show", code)["sources"][0]["constants"]
    assert shown == [
        {name: row[name] for name in ("name", "value", "share")} for row in found["constants"] if row["unheeded"]
    ]


def test_warnings_are_counted_by_code_for_a_run_and_for_a_partner(tmp_path: Path) -> None:
    wrong, untitled = ("020", "  \x1fa9789793062793"), ("500", "  \x1faTanpa judul")
    title = ("245", "00\x1faLaskar pelangi")
    fields = [("001", "1"), wrong, title], [("001", "2"), wrong, wrong, title], [("001", "3"), untitled]
    payloads = [write(MarcRecord("00000nam a2200000 a 4500", tuple(one))).encode() for one in fields]
    records = [HarvestedRecord(str(number), "marcxml", payload) for number, payload in enumerate(payloads, 1)]
    union = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    union.add("desa", protocol="oai-pmh", url="http://127.0.0.1:9/oai", preset="koha", internal=True)
    with union.opened() as made:
        done = pipeline.harvest_one(made, "desa", pipeline.Order(full=True), open_harvester=lambda: Shelf(records))
    call = Call(union.folder)
    counted = {"isbn-invalid": 2, "title-missing": 1}
    assert call.json("run", "show", str(done.run_id))["warnings"] == counted
    assert call.json("partner", "show", "desa")["warnings"] == counted
    assert "isbn-invalid\t2" in call("run", "show", str(done.run_id))[1]


def test_few_records_have_no_constants() -> None:
    tally = mapping_tools.Tally()
    tally.records = 199
    tally.made["languages", "ind"] = 199
    assert tally.constants() == []
    tally.records = tally.made["languages", "ind"] = 200
    assert [row["value"] for row in tally.constants()] == ["ind"]
    tally.made["languages", "ind"] = 198
    assert tally.constants() == []


def test_two_mappings_are_compared_over_stored_records_or_a_file(union: Consortium, tmp_path: Path) -> None:
    code = marc_source(union)
    own = tmp_path / "own" / "marc21.yaml"
    own.parent.mkdir()
    own.write_text("distrust: [subjects]\n" + (PACKAGE / "marc21.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    call = Call(union.folder)
    found = call.json("mapping", "diff", "marc21", str(own), "--partner", code)
    assert found["changed"] > 0
    assert [row["field"] for row in found["fields"]] == ["subjects"]
    assert found["samples"][0]["changes"][0]["before"] != found["samples"][0]["changes"][0]["after"]
    assert call.json("mapping", "diff", "marc21", "koha", "--partner", code)["records"] == found["records"]
    sheet = tmp_path / "one.mrk"
    sheet.write_text("=LDR  00000nam a2200000 a 4500\n=001  x1\n=245  10$aA\n=650  #4$aHukum\n", "utf-8")
    assert call.json("mapping", "diff", "marc21", str(own), str(sheet))["changed"] == 1
    assert call("mapping", "diff", "marc21", str(own))[0] == 2


def test_docs_and_schema_speak_of_every_rule_and_field(tmp_path: Path) -> None:
    call = Call(tmp_path)
    assert {row["field"] for row in call.json("mapping", "docs", "marc21")} >= {"title", "identifiers", "subjects"}
    schema = call.json("mapping", "schema")
    text = str(schema)
    assert "title.proper" in text and "isbn" in text and "volatile" in text


def test_there_and_back_on_both_databases(tmp_path: Path, database_url: str) -> None:
    with Sample(tmp_path / "partners", SampleClock(EVENING)) as sample:
        made = Consortium(tmp_path / "union", database_url, clock=sample.clock)
        enrol_sample(made, [one for one in sample.partners() if one.code == "bahari"])
        made.night()
    before = made.dump()
    marc21(made, "distrust: [languages]")
    done = again(made, "bahari", changed=100)
    assert done.swapped > 0
    with made.opened() as opened:
        assert simulating.simulate(opened, opened.match)["waiting"] == done.swapped
    made.match()
    assert made.dump() != before
    with made.opened() as opened:
        assert set(map(len, simulating.groups_by(opened, opened.match))) >= {1}
        renormalizing.rollback(opened, done.derivation, "anna")
    marc21(made)
    made.match()
    assert made.dump() == before
    assert made.faults() == []


def test_a_format_that_the_probe_found_in_every_record_is_no_evidence_where_records_are_prepared(
    union: Consortium,
) -> None:
    with union.opened() as opened:
        code = next(iter(opened.source_ids))
        body = msgspec.json.encode({"constants": [["format", "application/pdf"], ["type", "Text"]]})
        with opened.database.write() as conn:
            control.store_profile(conn, opened.source_ids[code], opened.now(), body)
        how = pipeline.recipe(opened, *pipeline.source_of(opened.settings, code))
        assert how.constants == (("format", "application/pdf"), ("type", "Text"))
        assert how.mapping("oai_dc").hash != how._replace(constants=()).mapping("oai_dc").hash
        assert how.mapping("iso2709").hash == how._replace(constants=()).mapping("iso2709").hash
