"""The command line over a real catalogue: what it prints, and the exit code a night ends with."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from click.testing import CliRunner

from db.engine import Database
from harvester.cli import COMMANDS, induk
from harvester.cli.common import guarded, worst
from harvester.demo import quirks
from harvester.demo.sample import EVENING
from harvester.demo.simulator import Simulator
from harvester.demo.store import SampleClock
from harvester.registry import suggestion
from tests import canaries
from tests.pipeline.test_journey import koha_store

CONFIG = "name: {id: Uji, en: Test}\ndatabase: sqlite:///induk.db\npoliteness: {delay_seconds: 0, attempts: 1}\n"


@pytest.fixture(scope="module")
def partner():
    store = koha_store(SampleClock(EVENING), 30)
    with Simulator({"kampus": store}, quirks={"kampus": quirks.variant(quirks.KOHA, page_size=10)}) as running:
        yield running


class Call:
    """The command line as a person uses it: exit code, standard output, standard error."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str) -> tuple[int, str, str]:
        path = self.folder / "induk.yaml"
        runner = CliRunner(env={"INDUK_CONFIG": str(path)} if path.exists() else {})
        box: list[int] = []
        with runner.isolation() as streams:
            box.append(guarded(lambda: induk.main(list(words), prog_name="induk", standalone_mode=False)))
            out, err = streams[0].getvalue().decode(), streams[1].getvalue().decode()
        canaries.saw(f"induk {words[0]}", out, err)
        return box[0], out, err

    def json(self, *words: str) -> Any:
        code, out, err = self(*words, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def call(tmp_path: Path, partner: Simulator) -> Call:
    """A folder with one partner, its database made."""
    made = Call(tmp_path)
    (tmp_path / "partners.d").mkdir()
    (tmp_path / "induk.yaml").write_text(CONFIG, encoding="utf-8")
    url = partner.url("kampus")
    text = f"code: kampus\nname: Kampus\nsource: {{protocol: oai-pmh, url: '{url}', preset: koha, internal: true}}\n"
    (tmp_path / "partners.d" / "kampus.yaml").write_text(text, encoding="utf-8")
    assert made("db", "upgrade")[0] == 0
    yield made
    partner.set_faults("kampus", "")


def test_a_night_ends_with_0_and_says_what_it_did(call: Call) -> None:
    code, out, _ = call("nightly")
    assert code == 0
    assert "kampus\tcomplete\t30\t30" in out
    assert "30 records in 30 clusters" in out


def test_a_night_with_a_broken_page_ends_with_1_and_the_run_says_why(call: Call, partner: Simulator) -> None:
    partner.set_faults("kampus", "page=2:truncate@0.5*99")
    assert call("nightly")[0] == 1
    rows = call.json("run", "list")
    broken = next(row for row in rows if row["kind"] == "harvest")
    assert broken["verdict"] == "partial"
    assert broken["reason"]
    shown = call.json("run", "show", str(broken["id"]))
    assert shown["received"] == sum(
        shown[name] for name in ("created", "updated", "unchanged", "deleted", "quarantined", "excluded")
    )


def test_a_source_at_work_elsewhere_ends_with_75(call: Call) -> None:
    database = Database(f"sqlite:///{call.folder / 'induk.db'}")
    with database.lock("source:kampus"):
        assert call("harvest")[0] == 75
    database.close()


def test_every_mistake_in_the_configuration_is_named_at_once_and_nothing_is_asked(
    call: Call, partner: Simulator
) -> None:
    asked = len(partner.requests)
    path = call.folder / "partners.d" / "kampus.yaml"
    path.write_text("code: kampus\nsource: {protocol: oai, url: 'ftp://x', preset: kohaa}\n", encoding="utf-8")
    code, _, err = call("nightly")
    assert code == 2
    assert err.count("kampus.yaml:") == 2, "each mistake, once"
    assert "koha" in err
    assert len(partner.requests) == asked


def test_doctor_sees_the_mistakes_that_config_check_sees(call: Call) -> None:
    path = call.folder / "partners.d" / "kampus.yaml"
    path.write_text("code: kampus\nsource: {url: 'https://x.example/oai', preset: kohaa}\n", encoding="utf-8")
    code, out, _ = call("doctor")
    assert code == 1
    assert "did you mean koha?" in out


def test_doctor_misses_the_folder_of_a_partner_that_drops_files(call: Call) -> None:
    text = "code: sd-3\nsource: {protocol: files, url: kiriman/sd-3}\n"
    (call.folder / "partners.d" / "sd-3.yaml").write_text(text, encoding="utf-8")
    code, out, _ = call("doctor")
    assert code == 1
    assert f"WRONG\tfiles sd-3\t{call.folder / 'kiriman' / 'sd-3'} is not there" in out
    (call.folder / "kiriman" / "sd-3").mkdir(parents=True)
    assert call("doctor")[0] == 0


def test_an_account_is_not_made_without_a_password_by_mistake(call: Call) -> None:
    code, _, err = call("user", "add", "budi")
    assert (code, "no password for budi" in err) == (2, True)
    assert call.json("user", "list") == []
    assert call("user", "add", "budi", "--no-password")[0] == 0


@pytest.mark.slow
def test_serve_says_where_it_listens_and_refuses_a_port_that_another_has(call: Call) -> None:
    command = [sys.executable, "-m", "harvester", "serve", "--port"]
    environ = {**os.environ, "INDUK_CONFIG": str(call.folder / "induk.yaml")}
    with subprocess.Popen([*command, "0"], env=environ, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            found = re.fullmatch(r"serving at (http://127\.0\.0\.1:(\d+)/), until stopped\n", server.stdout.readline())
            assert found, "one line, at once"
            assert requests.get(f"{found[1]}healthz", timeout=60).text == "ok\n"
            second = subprocess.run([*command, found[2]], env=environ, capture_output=True, text=True, timeout=120)
            assert second.returncode == 2
            assert f"cannot listen on 127.0.0.1:{found[2]}: Address already in use" in second.stderr
        finally:
            server.terminate()
    assert server.returncode == 143


@pytest.mark.parametrize(
    "known,hint",
    [
        ([], "there is none yet"),
        (["koha", "slims"], "known: koha, slims"),
        ([f"f{n}" for n in range(60)], "there are 60,"),
    ],
)
def test_a_hint_lists_what_there_is_but_not_sixty_names(known: list[str], hint: str) -> None:
    assert suggestion("zzz", known).startswith(hint)
    assert len(suggestion("zzz", known)) < 100


def test_a_catalogue_that_contradicts_itself_ends_with_4(call: Call) -> None:
    call("nightly")
    assert call("db", "verify")[0] == 0
    database = Database(f"sqlite:///{call.folder / 'induk.db'}")
    with database.write() as conn:
        conn.exec_driver_sql("UPDATE cluster SET size = size + 1 WHERE id = 1")
        conn.exec_driver_sql("DELETE FROM change WHERE seq = 5")
    database.close()
    code, out, _ = call("db", "verify")
    assert code == 4
    assert out.count("WRONG") >= 2


def test_the_commands_answer_in_json(call: Call) -> None:
    call("nightly")
    feed = call.json("changes")
    assert [row["seq"] for row in feed["changes"]] == list(range(1, 31))
    code, _, said = call("changes", "--since", "1000")  # from before a restore: nothing would ever come
    assert code != 0
    assert "the feed ends at 30, before 1000" in said
    assert call.json("partner", "list")[0]["records"] == 30
    assert call.json("partner", "show", "kampus")["sources"][0]["records"] == 30
    address = "kampus/" + call.json("partner", "show", "kampus")["runs"][0]["source"]
    assert address
    record = call.json("record", "show", f"kampus/{identifier(call, 0)}")
    assert record["normalized"]["title"]["proper"].startswith("Laporan tahunan")
    assert call.json("record", "trace", f"kampus/{identifier(call, 0)}", "--field", "title")
    assert call.json("cluster", "show", str(record["cluster"]))["size"] == 1
    assert call.json("cluster", "history", str(record["cluster"])) == []
    pair = [f"kampus/{identifier(call, number)}" for number in (0, 1)]
    answer = call.json("match", "explain", *pair)
    assert answer["today"]["verdict"] in ("distinct", "veto", "review")
    assert call.json("config", "check") == {"partners": 1, "sources": 1}
    assert call.json("config", "show")["partners"]
    assert call.json("config", "schema")
    assert all(row["good"] for row in call.json("doctor"))


def identifier(call: Call, number: int) -> str:
    """The identifier of the *number*-th record, in byte order."""
    _, out, _ = call("db", "dump")
    rows = [json.loads(line) for line in out.splitlines()]
    addresses = sorted(row["address"] for row in rows if row["kind"] == "record")
    return addresses[number].partition("/")[2]


def test_the_raw_bytes_come_back_as_they_were_sent(call: Call, partner: Simulator) -> None:
    call("harvest")
    name = identifier(call, 0)
    code, out, _ = call("record", "raw", f"kampus/{name}")
    assert code == 0
    assert '<subfield code="a">Laporan tahunan' in out


def test_a_mapping_is_checked_tested_and_tried_without_any_configuration(tmp_path: Path) -> None:
    call = Call(tmp_path)
    assert call("mapping", "check")[0] == 0
    assert call("mapping", "test")[0] == 0
    sheet = tmp_path / "one.mrk"
    sheet.write_text("=LDR  00000nam a2200000 a 4500\n=001  x1\n=245  10$aLaskar pelangi /$cAndrea Hirata.\n", "utf-8")
    answer = call.json("mapping", "try", "marc21", str(sheet))
    assert answer["record"]["title"]["proper"] == "Laskar pelangi"
    assert answer["trace"]


def test_a_partners_mapping_is_found_whatever_is_wrong_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "induk.yaml").write_text("langauge: id\n", "utf-8")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "ours.yaml").write_text("mapping: ours\nextends: koha\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("INDUK_CONFIG", raising=False)
    done = CliRunner(env={"INDUK_LANG": "en"}).invoke(induk, ["mapping", "check", "ours"])
    assert (done.exit_code, done.output) == (0, "good: ours\n")


def test_a_first_union_is_made_by_init(tmp_path: Path) -> None:
    call = Call(tmp_path / "union")
    assert call("init", str(tmp_path / "union"))[0] == 0
    assert call("partner", "add", "ugm", "https://lib.example.ac.id/oai", "--preset", "koha", "--no-probe")[0] == 0
    assert call("config", "check")[0] == 0


def test_an_unknown_command_suggests_the_nearest_one(tmp_path: Path) -> None:
    code, _, err = Call(tmp_path)("harvset")
    assert code == 2
    assert "harvest" in err


def test_a_record_cannot_move_the_cursor_of_a_terminal(call: Call) -> None:
    from harvester.cli.common import clean

    assert (
        clean("a\x1b[2Jb\r\nc") == "a\N{REPLACEMENT CHARACTER}[2Jb\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}c"
    )


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 1], 1), ([1, 3], 3), ([3, 4, 1], 4), ([75, 75], 75), ([75, 0], 0), ([], 0)]
)
def test_the_worst_exit_code_wins_and_75_only_if_nothing_ran(codes: list[int], code: int) -> None:
    assert worst(codes) == code


def test_help_is_quick_and_loads_no_command() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "harvester", "--help"], capture_output=True, text=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert answer.returncode == 0
    for name in COMMANDS:
        assert name in answer.stdout
    assert "sqlalchemy" not in answer.stderr
    assert seconds < 5 * 0.3 + 1  # five times the goal, and the bookkeeping of -X importtime


def test_a_match_says_where_its_time_went(call: Call) -> None:
    assert call("harvest", "--full")[0] == 0
    code, out, err = call("match", "--profile")
    assert code == 0
    told = dict(line.split() for line in err.splitlines() if line.startswith("  "))
    stages = ["constants", "dictionaries", "propose", "compare", "group", "draw", "write", "wait", "worklist"]
    assert list(told) == stages
    assert all(float(told[name]) > 0 for name in ("constants", "worklist"))
    assert "where the time went" not in out


def test_a_harvest_says_where_its_time_went(call: Call) -> None:
    code, out, err = call("harvest", "--profile")
    assert code == 0
    told = dict(line.rsplit(None, 1) for line in err.splitlines() if line.startswith("  "))
    stages = ["fetch", "prepare", "- parse", "- normalize", "- encode", "- compress", "- profile", "sort", "store"]
    assert [name.strip() for name in told] == stages
    assert all(
        float(seconds) > 0 for name, seconds in told.items() if name.strip() in ("fetch", "- normalize", "store")
    )
    assert "where the time went" not in out
