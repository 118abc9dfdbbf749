"""Other match rules over a small catalogue: simulated without a trace, promoted, rolled back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import select

from db import catalogue, links, work
from db.tables import record
from harvester import simulating
from harvester.errors import UsageError
from harvester.match import rules
from harvester.merge import survivorship
from harvester.model import Address
from tests.cli.test_commands import Call
from tests.journey import Consortium


def other_rules(folder: Path, merge: int) -> Path:
    """The shipped rules with another threshold."""
    text = re.sub(r"(?m)^  merge: .*$", f"  merge: {merge}", rules.load().text, count=1)
    path = folder / f"merge{merge}.yaml"
    path.write_text(re.sub(r"(?m)^  review: .*$", f"  review: {merge - 20}", text, count=1), encoding="utf-8")
    return path


def clusters(consortium: Consortium) -> set[tuple[str, ...]]:
    held = consortium.ask(lambda conn: catalogue.members(conn, catalogue.active_ids(conn, 0, 100_000)))
    return {tuple(one.address for one in members) for members in held.values()}


def test_the_rules_in_force_split_and_join_nothing(union: Consortium) -> None:
    with union.opened() as made:
        found = simulating.simulate(made, made.match)
        assert set(simulating.groups_by(made, made.match)) == clusters(union)
    assert (found["split"], found["joined"]) == (0, 0)
    assert found["before"] == found["after"]
    assert found["suspended_keys"]["before"] == found["suspended_keys"]["after"]


def test_a_simulation_says_what_would_split_and_writes_nothing(union: Consortium, tmp_path: Path) -> None:
    before = union.dump()
    call = Call(union.folder)
    found = call.json("match", "simulate", "--rules", str(other_rules(tmp_path, 60)))
    assert found["split"] > 0
    assert found["joined"] == 0
    assert sum(row["split"] for row in found["by_class"].values()) >= found["split"]
    assert all(row["split"] for row in found["by_partner"].values())
    sample = found["samples"]["split"][0]
    assert len(sample["parts"]) > 1
    assert sample["decision"]["evidence"]
    assert sample["decision"]["score"] < 60
    assert union.dump() == before
    looser = call.json("match", "simulate", "--rules", str(other_rules(tmp_path, -30)))
    assert looser["joined"] > 0


def test_a_simulation_heeds_what_people_decided(union: Consortium, tmp_path: Path) -> None:
    strict = rules.load(other_rules(tmp_path, 60))
    with union.opened() as made:
        pair = next(one for one in sorted(clusters(union)) if len(one) == 2)
        assert pair not in simulating.groups_by(made, strict)
        with made.database.write() as conn:
            sides = (tuple(Address.parse(one) for one in pair),)
            links.add(conn, links.Draft("must", "must", "anna", "same copy", sides), made.now(), run_id=None)
        assert pair in simulating.groups_by(made, strict)


@pytest.mark.slow
def test_promoted_rules_give_what_was_simulated_and_rolled_back_they_leave_what_was(
    union: Consortium, tmp_path: Path
) -> None:
    before = clusters(union)
    path = other_rules(tmp_path, 60)
    with union.opened() as made:
        foreseen = set(simulating.groups_by(made, rules.load(path)))
    call = Call(union.folder)
    assert call("match", "promote", str(path), "--yes")[0] == 0
    assert (union.folder / "mappings" / "rules" / "match.yaml").read_bytes() == path.read_bytes()
    assert clusters(union) == foreseen != before
    assert union.faults() == []
    assert call("match", "promote", str(path), "--yes")[0] == 2, "these rules are in force already"
    assert call("match", "rollback", "--yes")[0] == 0
    assert not (union.folder / "mappings" / "rules" / "match.yaml").exists()
    assert clusters(union) == before
    assert union.faults() == []


@pytest.mark.slow
def test_a_promotion_looks_again_only_at_what_does_not_stand_right_or_what_a_person_or_a_harvest_touched(
    union: Consortium, tmp_path: Path
) -> None:
    path = other_rules(tmp_path, 9)
    pair = next(one for one in sorted(clusters(union)) if len(one) == 2)
    with union.opened() as made, made.database.write() as conn:
        sides = tuple((Address.parse(one),) for one in pair)
        links.add(conn, links.Draft("never", "cannot", "anna", "two copies", sides), made.now(), run_id=None)
        every = [one["id"] for one in conn.execute(select(record)).mappings()]
        work.mark_dirty(conn, every[:1])
    with union.opened() as made:
        foreseen = set(simulating.groups_by(made, rules.load(path)))
    done = simulating.promote(union.settings(), {}, union.clock, path)
    assert 0 < done.funnel["records"] < len(every) / 2
    assert clusters(union) == foreseen
    assert pair not in foreseen
    assert union.ask(work.queued) == 0
    assert union.faults() == []
    stood = union.dump()
    assert Call(union.folder)("match", "--all", "--yes")[0] == 0
    assert union.dump() == stood, "looked at again, nothing of it changes"


@pytest.mark.slow
def test_what_waits_for_a_match_is_matched_before_the_one_transaction_begins(union: Consortium, tmp_path: Path) -> None:
    path = other_rules(tmp_path, 9)
    with union.opened() as made, made.database.write() as conn:
        every = [one["id"] for one in conn.execute(select(record)).mappings()]
        work.mark_dirty(conn, every)
    with union.opened() as made:
        foreseen = set(simulating.groups_by(made, rules.load(path)))
    done = simulating.promote(union.settings(), {}, union.clock, path)
    assert 0 < done.funnel["records"] < len(every) / 2, "inside is only what the new rules place otherwise"
    assert clusters(union) == foreseen
    assert union.ask(work.queued) == 0
    assert union.faults() == []


@pytest.mark.slow
def test_where_survivorship_changed_too_only_what_moves_is_solved_in_the_one_transaction(
    union: Consortium, tmp_path: Path
) -> None:
    path = other_rules(tmp_path, 9)
    with union.opened() as made, made.database.write() as conn:
        every = [one["id"] for one in conn.execute(select(record)).mappings()]
        work.mark_dirty(conn, every[::3])
    with union.opened() as made:
        foreseen = set(simulating.groups_by(made, rules.load(path)))
    _let_the_longest_title_survive(union)
    before = union.dump()
    done = simulating.promote(union.settings(), {}, union.clock, path)
    assert 0 < done.funnel["records"] < len(every) / 2, "inside is only what the new rules place otherwise"
    assert clusters(union) == foreseen
    assert union.ask(work.queued) == 0
    assert union.faults() == []
    stood = union.dump()
    assert stood != before
    assert Call(union.folder)("match", "--all", "--yes")[0] == 0
    assert union.dump() == stood, "every document is by the new rules"


def _let_the_longest_title_survive(union: Consortium) -> None:
    text = survivorship.load().text
    changed = re.sub(r"(?m)^  title: .*$", "  title: {rule: longest}", text, count=1)
    assert changed != text
    folder = union.folder / "mappings" / "rules"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "survivorship.yaml").write_text(changed, encoding="utf-8")


def test_a_reader_goes_on_while_rules_are_promoted(union: Consortium, tmp_path: Path) -> None:
    with union.opened() as reader, reader.database.read() as conn:
        held = catalogue.funnel(conn)
        assert Call(union.folder)("match", "promote", str(other_rules(tmp_path, 60)), "--yes")[0] == 0
        assert catalogue.funnel(conn) == held, "one look sees one state, to its end"
    assert union.ask(catalogue.funnel) != held


@pytest.mark.slow
def test_a_file_changed_by_hand_is_refused_until_it_is_promoted(union: Consortium, tmp_path: Path) -> None:
    path = other_rules(tmp_path, 60)
    with union.opened() as made:
        foreseen = set(simulating.groups_by(made, rules.load(path)))
    before = clusters(union)
    target = union.folder / "mappings" / "rules" / "match.yaml"
    target.parent.mkdir(parents=True)
    target.write_bytes(path.read_bytes())
    assert Call(union.folder)("match")[0] == 2, "file and database do not fit: nothing is matched by mistake"
    assert clusters(union) == before
    assert Call(union.folder)("match", "promote", str(path), "--yes")[0] == 0
    assert clusters(union) == foreseen != before
    assert union.faults() == []


@pytest.mark.parametrize("name", ["match-run", "source:bahari"])
def test_while_a_match_or_a_harvest_is_at_work_nothing_is_promoted(
    union: Consortium, tmp_path: Path, name: str
) -> None:
    with union.opened() as made, made.database.lock(name):
        assert Call(union.folder)("match", "promote", str(other_rules(tmp_path, 60)), "--yes")[0] == 75
    assert not (union.folder / "mappings" / "rules" / "match.yaml").exists()
    assert union.ask(work.queued) == 0


def test_without_earlier_rules_there_is_no_way_back(union: Consortium) -> None:
    with pytest.raises(UsageError, match="no other match rules"):
        simulating.rollback(union.settings(), {}, union.clock)


@pytest.mark.slow
def test_promote_takes_its_file_as_simulate_does_and_rollback_says_first_what_it_would_do(
    union: Consortium, tmp_path: Path
) -> None:
    call, path = Call(union.folder), other_rules(tmp_path, 60)
    assert call("match", "rollback", "--dry-run")[0] == 2, "no other rules were in force before"
    assert call("match", "promote", "--yes")[0] == 2
    assert call("match", "promote", str(path), "--rules", str(path), "--yes")[0] == 2
    assert call("match", "promote", "--rules", str(path), "--yes")[0] == 0
    before = union.dump()
    assert call.json("match", "rollback", "--dry-run")["joined"] > 0
    assert union.dump() == before


def test_an_explanation_says_what_was_decided_then_by_which_rules_and_what_todays_say(
    union: Consortium, tmp_path: Path
) -> None:
    call = Call(union.folder)
    pair = next(one for one in sorted(clusters(union)) if len(one) == 2)
    answer = call.json("match", "explain", *pair)
    assert answer["then"]["rules"] == answer["rules"] == rules.load().hash
    told = call("match", "explain", *pair)[1]
    assert "missing" not in told, "what had nothing to compare is no evidence"
    assert "missing" in call("match", "explain", *pair, "-v")[1]
    number = answer["clusters"][0]
    assert call("cluster", "split", str(number), "-g", pair[0], "--author", "ani", "--why", "two printings")[0] == 0
    told = call("match", "explain", *pair)[1]
    for sentence in ("Apart, by decision 1 (ani", "two printings", "Decided in run", f"in two clusters ({number} and "):
        assert sentence in told
    assert call("match", "explain", pair[0], pair[0])[0] == 2, "one record is no pair"
    history = call("cluster", "history", str(number))[1]
    assert "two printings" in history
    event = history.splitlines()[1].split("\t")[0]
    assert call("cluster", "undo", "--event", event, "--author", "ani")[0] in (0, 2), "the number is that of the log"
    assert event in {str(row["id"]) for row in call.json("cluster", "history", str(number))}
    assert "evidence" not in history
    assert call("cluster", "history", "99999")[0] == 2
