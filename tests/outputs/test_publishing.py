"""The catalogue of a real database through `induk publish`: files that add up, policies that reach old files, gates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from db import changes
from harvester import publishing, reporting, scheduling, settings
from harvester.cli import induk
from harvester.errors import ConfigError, Halted
from harvester.reports import nightly
from tests.pipeline.shelf import Book, Union

OUTPUTS = """\
outputs:
  dump: {kind: jsonl, url: dump}
  marc: {kind: marcxml, url: marc}
  disc: {kind: iso2709, url: disc}
"""
LASKAR = Book("Laskar pelangi", isbn="9789793062792")
BUMI = Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354")


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    config = tmp_path / "union" / "induk.yaml"
    config.write_text(config.read_text(encoding="utf-8") + OUTPUTS, encoding="utf-8")
    made.restart()
    yield made
    made.close()


def change_policy(union: Union, code: str, **policy: object) -> None:
    """The partner's file with another policy, and the pipeline opened anew, as the next command does it."""
    partner = next(one for one in union.pipeline.settings.partners if one.code == code)
    changed = msgspec.structs.replace(partner.policy, **policy)
    (union.consortium.folder / "partners.d" / f"{code}.yaml").unlink()
    settings.write_partner(union.consortium.folder, msgspec.structs.replace(partner, policy=changed))
    union.restart()


def publish(union: Union, name: str, **how: bool) -> publishing.Published:
    return publishing.publish(union.pipeline, name, {}, **how)


def loaded(folder: Path) -> dict[str, list[str]]:
    """What a consumer of the JSONL files holds: cluster → addresses."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    held: dict[str, list[str]] = {}
    for entry in manifest["files"]:
        for line in (folder / entry["name"]).read_text(encoding="utf-8").splitlines():
            envelope = json.loads(line)["_union"]
            held.pop(envelope["id"], None)
            if not envelope.get("deleted"):
                held[envelope["id"]] = envelope["members"]
    return held


def in_catalogue(union: Union) -> dict[str, list[str]]:
    return {str(key): members for key, members in union.clusters().items()}


def test_files_follow_the_catalogue_through_merges_edits_and_deletions(union: Union) -> None:
    folder = union.consortium.folder / "dump"
    union.night({"alun/1": LASKAR, "alun/2": BUMI})
    assert publish(union, "dump").snapshot
    union.night({"bukit/7": LASKAR, "bukit/8": Book("Ronggeng Dukuh Paruk", isbn="9789792201963", pages="408")})
    done = publish(union, "dump")
    assert not done.snapshot
    assert done.state.position == done.state.reached == union.consortium.ask(changes.feed_state)["released"]
    union.put("bukit/7", BUMI)
    union.delete("bukit/8")
    union.night()
    publish(union, "dump")
    assert loaded(folder) == in_catalogue(union)
    assert publish(union, "dump", verify=True).drift == ((), (), (), (), (), 0)


def test_verify_finds_a_damaged_file_and_repair_writes_it_anew(union: Union) -> None:
    union.night({"alun/1": LASKAR, "alun/2": BUMI})
    publish(union, "marc")
    path = next((union.consortium.folder / "marc").glob("full-*.xml"))
    path.write_bytes(path.read_bytes().replace(b"Laskar", b"Pasukan"))
    found = publish(union, "marc", verify=True).drift
    assert found is not None
    assert not found.clean
    publish(union, "marc", verify=True, repair=True)
    again = publish(union, "marc", verify=True).drift
    assert again is not None
    assert again.clean


def test_a_folder_that_lost_its_files_is_noticed_and_written_anew(union: Union) -> None:
    folder = union.consortium.folder / "dump"
    union.night({"alun/1": LASKAR})
    publish(union, "dump")
    union.night({"alun/2": BUMI})
    for call in (["dump"], ["dump", "--verify"]):
        shutil.rmtree(folder)  # once with a change that waits, once with nothing new
        code, text = run(union, *call)
        told = json.loads(text)
        assert (code, told["snapshot"], told["lost"]) == (0, True, "manifest.json is missing")
        assert loaded(folder) == in_catalogue(union)
        assert run(union, *call)[1].count('"lost": ""') == 1
    next(folder.glob("full-*")).unlink()
    night = scheduling.work_night(union.pipeline, [], environ={})
    assert night.renewed == {"dump": "full-000000000002.jsonl is missing"}
    assert loaded(folder) == in_catalogue(union)
    reporting.remember(union.pipeline, night)
    report = reporting.report(union.pipeline, night.night)
    assert "Output dump was written anew, since full-000000000002.jsonl is missing" in nightly.lines(report, "en")
    with union.pipeline.database.write() as conn:
        changes.hold(conn, "more than 20 % of the clusters changed")
    union.night({"alun/3": LASKAR._replace(title="Sang pemimpi", isbn="9789793062921")})
    shutil.rmtree(folder)
    with pytest.raises(Halted):  # what is held would be shown
        publish(union, "dump")


def test_a_tightened_policy_sends_everything_anew_and_lists_the_old_files_for_removal(union: Union) -> None:
    folder = union.consortium.folder / "disc"
    union.night({"alun/1": msgspec_book("KENARI"), "bukit/7": LASKAR})
    publish(union, "disc")
    old = [path.name for path in folder.glob("*.mrc")]
    assert any(b"KENARI" in path.read_bytes() for path in folder.glob("*.mrc"))
    before = union.consortium.ask(changes.feed_state)["released"]
    change_policy(union, "alun", withheld=("notes",))
    publish(union, "disc")  # before the next match: the merged record still holds the note, so it stays back
    assert not any(b"KENARI" in path.read_bytes() for path in folder.iterdir())
    union.match()
    assert union.consortium.ask(changes.feed_state)["released"] > before
    publish(union, "disc")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert set(old) <= set(manifest["remove"])
    assert not any(b"KENARI" in path.read_bytes() for path in folder.iterdir())
    assert b"Laskar pelangi" in b"".join(path.read_bytes() for path in folder.glob("*.mrc"))


def msgspec_book(note: str) -> Book:
    return LASKAR._replace(note=note)


@pytest.mark.parametrize(
    "policy",
    [{"visibility": "withheld"}, {"visibility": "members"}, {"quality_floor": 0.99}],
    ids=["withheld", "for members", "below the quality floor"],
)
def test_a_record_that_may_not_be_seen_leaves_the_merged_one_and_its_own_cluster(union: Union, policy: dict) -> None:
    union.night({"alun/1": LASKAR, "bukit/7": LASKAR, "alun/2": BUMI})
    publish(union, "dump")
    change_policy(union, "alun", **policy)
    union.match()
    publish(union, "dump")
    assert list(loaded(union.consortium.folder / "dump").values()) == [["bukit/7"]]
    change_policy(union, "alun", visibility="public", quality_floor=0.0)
    union.match()
    publish(union, "dump")
    assert sorted(loaded(union.consortium.folder / "dump").values()) == [["alun/1", "bukit/7"], ["alun/2"]]


def test_switching_the_value_filters_tells_consumers_too(union: Union) -> None:
    union.night({"alun/1": LASKAR._replace(note="Hubungi redaksi@majalah.example.id")})
    before = union.consortium.ask(changes.feed_state)["released"]
    change_policy(union, "alun", value_filters=False)
    union.match()
    assert union.consortium.ask(changes.feed_state)["released"] == before + 1


def test_a_member_that_changes_behind_an_equal_merged_record_is_told(union: Union) -> None:
    union.night({"alun/1": LASKAR, "bukit/7": LASKAR._replace(publisher="bentang")})
    before = union.consortium.ask(changes.feed_state)["released"]
    union.night({"bukit/7": LASKAR._replace(publisher="BENTANG")})
    assert union.consortium.ask(changes.feed_state)["released"] == before + 1


# ---- gates -----------------------------------------------------------------------------------------------


def test_what_is_held_is_not_told_until_a_person_releases_it(union: Union) -> None:
    database = union.pipeline.database
    union.night({"alun/1": LASKAR})
    publish(union, "dump")
    with database.write() as conn:
        changes.hold(conn, "more than 20 % of the clusters changed")
    union.night({"alun/2": BUMI})
    assert publish(union, "dump").state.position == 1
    with pytest.raises(Halted, match="changes 2 to 2 are held: more than 20 %"):
        publish(union, "dump", verify=True)
    with database.read() as conn:
        assert changes.held(conn) == {
            "reason": "more than 20 % of the clusters changed", "released": 1, "seq": 2, "upserts": 1, "ended": 0,
        }  # fmt: skip
        made_at = [row["at"] for row in changes.since(conn, 0)]
    with database.write(durable=True) as conn:
        assert changes.release(conn, "2030-01-01T00:00:00Z") == 1
    with database.read() as conn:
        assert changes.held(conn) is None
        assert [row["at"] for row in changes.since(conn, 0)] == [*made_at, "2030-01-01T00:00:00Z"]
    assert publish(union, "dump").state.position == 2
    assert loaded(union.consortium.folder / "dump") == in_catalogue(union)


# ---- the command -------------------------------------------------------------------------------------------


def run(union: Union, *arguments: str) -> tuple[int, str]:
    from harvester.cli.common import guarded

    runner = CliRunner()
    with runner.isolation() as (out, _, _):
        call = ["publish", *arguments, "--config", str(union.consortium.folder / "induk.yaml"), "--json"]
        code = guarded(lambda: induk.main(args=call, prog_name="induk", standalone_mode=False))
        return code, out.getvalue().decode()


def test_the_command_says_where_the_output_stands_and_ends_with_4_on_drift(union: Union) -> None:
    union.night({"alun/1": LASKAR})
    code, text = run(union, "dump", "--verify")
    assert (code, json.loads(text)["position"], json.loads(text)["drift"]["clean"]) == (0, 1, True)
    path = next((union.consortium.folder / "dump").glob("full-*.jsonl"))
    path.write_bytes(path.read_bytes()[:-20])
    assert run(union, "dump", "--verify")[0] == 4
    assert run(union, "dump", "--repair")[0] == 0
    assert run(union, "dump", "--verify")[0] == 0


def test_an_unknown_output_is_answered_with_the_nearest_one(union: Union) -> None:
    with pytest.raises(ConfigError, match="did you mean dump"):
        publish(union, "dumb")


def test_the_configuration_of_vufind_names_every_source(union: Union, tmp_path: Path) -> None:
    code, _ = run(union, "vufind-config", str(tmp_path / "vufind"))
    assert code == 0
    assert 'sources = "alun,bukit"' in (tmp_path / "vufind" / "searches.ini").read_text(encoding="utf-8")
