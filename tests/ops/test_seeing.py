"""Log lines, metrics and health: what a machine reads, and what must never stand there."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harvester import log, metrics
from harvester.settings import load
from tests.ops.nights import Nights
from tests.web.server import WebServer

NAMES = ("OAI", "SRU", "ZED", "MAIL", "WEB", "SOLR")
CANARIES = {name: f"kanari-{number}-7f3c{number}a" for number, name in enumerate(NAMES)}
FILE_CANARY, CREDENTIAL_CANARY = "kanari-berkas", "kanari-kredensial"
DATABASE_CANARY, TOKEN_CANARY = "kanari-pg", "kanari-url"


def line(*args: object, form: str = "json", secrets: tuple[str, ...] = (), **values: object) -> str:
    stream = io.StringIO()
    log.make("debug", form, secrets, stream)("page_refused", **values)
    return stream.getvalue()


def test_a_line_is_one_json_object_with_its_event_and_time() -> None:
    found = json.loads(line(source="ugm", record="oai:ugm:17", run=4, bytes=b"\xff<x>"))
    assert found["event"] == "page_refused"
    assert found["level"] == "error"
    assert (found["source"], found["record"], found["run"]) == ("ugm", "oai:ugm:17", 4)
    assert found["timestamp"].endswith("Z")


HOSTILE = ['a\n{"event": "forged"}', "a\r\nfake", "\x1b[2J\x1b[31m", "\u2028x\u2029", "x" * 100_000, "\ud800", "\x00"]


@pytest.mark.parametrize("form", ["json", "plain"])
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_z148_a_record_cannot_forge_a_line(form: str, text: str) -> None:
    found = line(form=form, record=text)
    assert found.count("\n") == 1
    assert "\x1b" not in found
    assert len(found) < 13_000
    if form == "json":
        assert json.loads(found)["event"] == "page_refused"


def test_what_is_below_the_level_is_not_said() -> None:
    stream = io.StringIO()
    told = log.make("error", "json", (), stream)
    told("page_fetched", source="ugm")
    told("mail_failed", server="x")
    assert [json.loads(one)["event"] for one in stream.getvalue().splitlines()] == ["mail_failed"]


@pytest.fixture
def configured(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A configuration with ten secrets, one in every place where one can stand."""
    (tmp_path / "partners.d").mkdir()
    (tmp_path / "rahasia").write_text(FILE_CANARY + "\n")
    (tmp_path / "kunci").write_text(CREDENTIAL_CANARY + "\n")
    (tmp_path / "induk.yaml").write_text(
        "name: Uji\ndatabase: env:PG\nmail: {password: env:MAIL}\nweb: {session_secret: env:WEB}\n"
        "outputs: {solr: {kind: solr, credentials: {password: env:SOLR}}}\n"
    )
    for code, reference in (("a", "env:OAI"), ("b", "env:SRU"), ("c", "env:ZED"), ("d", f"file:{tmp_path}/rahasia")):
        (tmp_path / "partners.d" / f"{code}.yaml").write_text(
            f"code: {code}\ncredentials: {{password: '{reference}'}}\n"
            "source: {protocol: oai-pmh, url: 'https://x.example/'}\n"
        )
    (tmp_path / "partners.d" / "e.yaml").write_text(
        "code: e\nsource: {protocol: oai-pmh, url: 'https://x.example/', credentials: {password: 'credential:kunci'}}\n"
    )
    database = f"postgresql+psycopg://induk:{DATABASE_CANARY}@db.example/induk"
    return tmp_path / "induk.yaml", {**CANARIES, "PG": database, "CREDENTIALS_DIRECTORY": str(tmp_path)}


def test_ten_secrets_are_known_to_the_one_place_that_takes_them_out(configured: tuple[Path, dict[str, str]]) -> None:
    path, environ = configured
    settings = load(path, environ=environ)
    secrets = log.secrets_of(settings, environ)
    expected = {*CANARIES.values(), FILE_CANARY, CREDENTIAL_CANARY, DATABASE_CANARY}
    assert expected <= set(secrets)
    stream = io.StringIO()
    told = log.make("debug", "json", secrets, stream)
    for secret in sorted(expected):
        told("fetch_failed", error=f"401 for user:{secret}@x", nested={"header": [f"Basic {secret}"], secret: 1})
    told("fetch_failed", url=f"https://x.example/oai?verb=Identify&token={TOKEN_CANARY}")
    told("settings", shown=settings.shown(), text=repr(settings))
    text = stream.getvalue()
    assert [one for one in (*expected, TOKEN_CANARY) if one in text] == []
    assert text.count("***") >= len(expected)


def test_without_the_redaction_point_the_same_lines_are_red(configured: tuple[Path, dict[str, str]]) -> None:
    assert CANARIES["OAI"] in line(error=f"401 for {CANARIES['OAI']}")


# ---- metrics and health --------------------------------------------------------------------------------


@pytest.fixture
def union(tmp_path: Path) -> Iterator[Nights]:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun", "bukit")) as made:
        made.down("bukit")
        made.work()
        yield made


SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+]+')


def test_prometheus_can_read_every_line(union: Nights) -> None:
    text = metrics.text(metrics.collect(union.opened))
    for one in text.splitlines():
        assert one.startswith("# ") or SAMPLE.fullmatch(one), one
    assert 'induk_run_state{source="alun",verdict="complete"} 1' in text
    assert 'induk_run_state{source="bukit",verdict="failed"} 1' in text
    assert 'induk_records{source="alun"} 12' in text
    assert "induk_feed_sequence 12" in text
    assert "induk_halted 0" in text


@pytest.mark.parametrize("labels", [(), (("source", "alun"),)])
def test_moments_and_large_counts_are_told_to_the_last_digit(labels: tuple[tuple[str, str], ...]) -> None:
    told = [1_795_384_963.0, 12_345_678, 0.25]
    lines = metrics.text(metrics.Sample(f"x{number}", "y", one, labels) for number, one in enumerate(told)).splitlines()
    assert [float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")] == told


def test_a_label_cannot_break_out() -> None:
    [_, _, one] = metrics.text([metrics.Sample("x", "y", 1, (("source", 'a"b\\c\nd'),))]).splitlines()
    assert one == r'x{source="a\"b\\c\nd"} 1'


def test_health_readiness_and_metrics_answer(union: Nights) -> None:
    with WebServer(union.opened) as web:

        def get(path: str) -> requests.Response:
            return requests.get(web.url + path, timeout=60)

        assert get("/healthz").text == "ok\n"
        assert get("/readyz").status_code == 200
        assert "induk_clusters 12" in get("/metrics").text
        with union.opened.database.write() as conn:
            conn.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")
        refused = get("/readyz")
        assert refused.status_code == 503
        assert "induk db upgrade" in refused.text
        assert get("/healthz").status_code == 200
