"""What the usual ways do in the cases of sections F and G of the zoo: the failures that those cases guard against."""

from __future__ import annotations

import csv
import io
import logging
import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
import yaml
from apscheduler.events import EVENT_JOB_MISSED
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.engine import make_url

from db import work
from harvester import pipeline, settings
from harvester.demo.sample import Sample
from harvester.errors import ConfigError
from tests.ops.nights import Nights, state
from tests.ops.test_recovery import DEADLINE, CommitCutter, Hold, until_pages
from tests.pipeline.careless import Careless

_context = multiprocessing.get_context("forkserver")


def conninfo(url: str) -> str:
    """The address of a PostgreSQL database as psycopg itself wants it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@pytest.fixture
def postgres_url(postgres_server: Any) -> Any:
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


# ---- F: databases ----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.postgres
def test_z095_a_commit_that_is_simply_done_again_counts_twice(postgres_url: str, postgres_server: Any) -> None:
    cutter = CommitCutter(postgres_server.port, each=1, cuts=1)
    through = conninfo(make_url(postgres_url).set(port=cutter.port).render_as_string(hide_password=False))
    with psycopg.connect(conninfo(postgres_url)) as conn:
        conn.execute("CREATE TABLE counted (received integer)")
        conn.execute("INSERT INTO counted VALUES (0)")
    for _ in range(2):
        try:
            with psycopg.connect(through) as conn:
                conn.execute("UPDATE counted SET received = received + 10")
            break
        except psycopg.OperationalError:
            continue
    with psycopg.connect(conninfo(postgres_url)) as conn:
        assert conn.execute("SELECT received FROM counted").fetchone() == (20,)
    cutter.close()


def careless_in_little_room(folder: str, url: str, prefix: str) -> None:
    """The careless harvester on a disk that is full after its first page."""
    made = Careless.__new__(Careless)
    made.folder, made.url, made.prefix = Path(folder), url, prefix
    resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))
    made._harvest(made.folder / "bad", die_on_page=0)


@pytest.mark.slow
def test_z096_on_a_full_disk_a_checkpoint_of_its_own_goes_on_without_its_page(tmp_path: Path) -> None:
    with Sample(tmp_path) as sample:
        made = Careless(tmp_path / "careless", sample)
        whole = made.fault_free()
        arguments = (str(made.folder), made.url, made.prefix)
        process = _context.Process(target=careless_in_little_room, args=arguments)
        process.start()
        process.join(DEADLINE)
        assert process.exitcode == 1
        assert len(made._harvest(made.folder / "bad", die_on_page=0)) < len(whole)


def test_z097_a_deferred_transaction_that_turns_to_writing_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path, isolation_level=None) as first, sqlite3.connect(path, isolation_level=None) as second:
        first.execute("PRAGMA journal_mode=WAL")
        first.execute("CREATE TABLE t (n)")
        second.execute("PRAGMA busy_timeout=120000")
        second.execute("BEGIN")
        second.execute("SELECT * FROM t").fetchall()
        first.execute("INSERT INTO t VALUES (1)")
        started = time.monotonic()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            second.execute("INSERT INTO t VALUES (2)")
        assert time.monotonic() - started < 60, "whatever the timeout"
    first.close()
    second.close()


@pytest.mark.postgres
def test_z098_row_by_row_a_connection_that_is_cut_leaves_half_a_page(postgres_url: str) -> None:
    conn = psycopg.connect(conninfo(postgres_url), autocommit=True)
    conn.execute("CREATE TABLE held (number integer)")
    with pytest.raises(psycopg.OperationalError):
        for number in range(10):
            if number == 5:
                with psycopg.connect(conninfo(postgres_url)) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", [conn.info.backend_pid])
            conn.execute("INSERT INTO held VALUES (%s)", [number])
    conn.close()
    with psycopg.connect(conninfo(postgres_url)) as again:
        assert again.execute("SELECT count(*) FROM held").fetchone() == (5,)


def test_z100_to_look_first_and_begin_afterwards_lets_both_begin(tmp_path: Path) -> None:
    path, both = tmp_path / "x.db", threading.Barrier(2)
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE run (state)")
    conn.close()
    worked = []

    def start() -> None:
        with sqlite3.connect(path, isolation_level=None) as mine:
            idle = not mine.execute("SELECT 1 FROM run WHERE state = 'running'").fetchall()
            both.wait(DEADLINE)
            if idle:
                mine.execute("INSERT INTO run VALUES ('running')")
                worked.append(1)
        mine.close()

    starters = [threading.Thread(target=start) for _ in range(2)]
    for one in starters:
        one.start()
    for one in starters:
        one.join()
    assert worked == [1, 1]


def test_z101_a_lock_file_outlives_the_process_that_was_killed(tmp_path: Path) -> None:
    holder = (
        "import os, sys, signal; os.open(sys.argv[1], os.O_CREAT | os.O_EXCL); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", holder, str(tmp_path / "lock")], check=False)
    with pytest.raises(FileExistsError):
        os.open(tmp_path / "lock", os.O_CREAT | os.O_EXCL)


@pytest.mark.postgres
def test_z102_a_transaction_around_the_fetch_is_seen_to_be_open(postgres_url: str) -> None:
    with psycopg.connect(conninfo(postgres_url)) as conn:
        conn.execute("SELECT 1")
        time.sleep(0.3)  # the slow server
        query = "SELECT state FROM pg_stat_activity WHERE pid = %s AND now() - xact_start > interval '0.2 s'"
        with psycopg.connect(conninfo(postgres_url)) as other:
            assert other.execute(query, [conn.info.backend_pid]).fetchall() == [("idle in transaction",)]


def test_z103_a_file_that_opens_and_counts_may_be_damaged_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE small (n)")
        conn.execute("INSERT INTO small VALUES (1)")
        conn.execute("CREATE TABLE large (t)")
        conn.executemany("INSERT INTO large VALUES (?)", [("x" * 400,)] * 500)
    conn.close()
    body = bytearray(path.read_bytes())
    body[-20_000:] = bytes(20_000)
    path.write_bytes(body)
    with sqlite3.connect(path) as conn:
        assert conn.execute("SELECT n FROM small").fetchall() == [(1,)]
        with pytest.raises(sqlite3.DatabaseError, match="malformed"):
            conn.execute("SELECT sum(length(t)) FROM large").fetchall()
    conn.close()


def test_z105_steps_that_commit_one_by_one_stop_in_between(tmp_path: Path) -> None:
    steps = "\n".join(
        ("conn.execute('ALTER TABLE t ADD a')", "os.kill(os.getpid(), 9)", "conn.execute('ALTER TABLE t ADD b')")
    )
    program = f"import os, sqlite3, sys\nconn = sqlite3.connect(sys.argv[1], isolation_level=None)\n{steps}"
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as conn:
        conn.execute("CREATE TABLE t (n)")
    conn.close()
    subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    with sqlite3.connect(path) as conn:
        assert [row[1] for row in conn.execute("PRAGMA table_info(t)")] == ["n", "a"]
    conn.close()


@pytest.mark.postgres
def test_z106_and_z107_one_text_that_no_database_keeps_takes_its_whole_batch_along(postgres_url: str) -> None:
    titles = [f"Buku {number}" for number in range(499)] + ["nol \x00 di tengah"]
    with psycopg.connect(conninfo(postgres_url)) as conn:
        conn.execute("CREATE TABLE held (title text)")
    with pytest.raises(psycopg.DataError), psycopg.connect(conninfo(postgres_url)) as conn:
        conn.cursor().executemany("INSERT INTO held VALUES (%s)", [(title,) for title in titles])
    with psycopg.connect(conninfo(postgres_url)) as conn:
        assert conn.execute("SELECT count(*) FROM held").fetchone() == (0,)


# ---- G: schedules ----------------------------------------------------------------------------------------


def test_z108_an_interval_since_the_last_run_waits_for_years_when_a_clock_ran_ahead() -> None:
    def due(now: datetime, last: datetime) -> bool:
        return now - last >= timedelta(days=1)

    assert not due(datetime(2026, 3, 9, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC))


def fired(misfired: list[Any]) -> tuple[BackgroundScheduler, list[float]]:
    """A scheduler as its manual has it, with a job that was due three seconds ago."""
    worked: list[float] = []
    made = BackgroundScheduler(timezone=UTC)
    made.add_listener(misfired.append, EVENT_JOB_MISSED)
    made.add_job(
        lambda: worked.append(time.monotonic()),
        "interval",
        days=1,
        next_run_time=datetime.now(UTC) - timedelta(seconds=3),
    )
    return made, worked


def test_z110_apscheduler_skips_the_night_after_three_seconds(caplog: pytest.LogCaptureFixture) -> None:
    missed: list[Any] = []
    made, worked = fired(missed)
    made.start()
    ends = time.monotonic() + DEADLINE
    while not missed and time.monotonic() < ends:
        time.sleep(0.02)
    made.shutdown()
    assert (len(missed), worked) == (1, [])
    assert "was missed" in caplog.text


def test_z111_and_z112_two_daemons_of_apscheduler_do_the_same_night_twice() -> None:
    at, worked = datetime.now(UTC) + timedelta(seconds=0.3), []
    daemons = [BackgroundScheduler(timezone=UTC) for _ in range(2)]
    for one in daemons:
        one.add_job(worked.append, "date", args=["harvest"], run_date=at, misfire_grace_time=None)
        one.start()
    ends = time.monotonic() + DEADLINE
    while len(worked) < 2 and time.monotonic() < ends:
        time.sleep(0.02)
    for one in daemons:
        one.shutdown()
    assert worked == ["harvest", "harvest"]


def test_z114_without_a_deadline_a_harvest_goes_on_into_the_day(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=60, config="harvest: {run_hours: 0.01}\n") as union:
        union.simulator.set_faults("alun", "page=3:503")
        began = union.clock.monotonic()
        outcome = pipeline.harvest_one(union.opened, "alun")
        union.clock.sleep(3600)
        assert (outcome.verdict, union.clock.monotonic() - began > 36) == ("complete", True)


DEAF = """
import signal, sys
signal.signal = lambda *_: None
from harvester.cli import main
sys.argv = ["induk", "nightly"]
main()
"""


@pytest.mark.slow
def test_z115_a_process_that_hears_no_signal_leaves_its_run_open(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=100) as union:
        environ = {**os.environ, "INDUK_CONFIG": str(union.consortium.folder / "induk.yaml")}
        hold = Hold(union, 4)
        process = subprocess.Popen([sys.executable, "-c", DEAF], env=environ, stderr=subprocess.DEVNULL)
        assert hold.reached.wait(DEADLINE)
        until_pages(url, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE) == -signal.SIGTERM
        hold.go_on.set()
        rows = union.consortium.ask(lambda conn: work.list_runs(conn, source_code="alun"))
        assert [row["verdict"] for row in rows if row["kind"] == "harvest"] == ["running"]


def test_z116_a_loop_over_the_sources_ends_with_the_first_that_fails(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun", "bukit", "candi")) as union:
        ids = {code: key for code, key in union.opened.source_ids.items() if code != "bukit"}
        torn = msgspec.structs.replace(union.opened, source_ids=ids)
        done = []
        with pytest.raises(KeyError):
            for code in ("alun", "bukit", "candi"):
                pipeline.harvest_one(torn, code)
                done.append(code)
        assert done == ["alun"]


def test_z117_a_plain_queue_gives_every_worker_to_the_slow_host() -> None:
    jobs = iter([f"lambat-{number}" for number in range(10)] + ["cepat"])
    assert "cepat" not in [next(jobs) for _ in range(4)]


def test_z118_a_mail_for_every_failure_is_thirty_mails(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun", "bukit"), records=2) as union:
        union.down("bukit")
        mails = 0
        for _ in range(5):
            mails += int(state(union.work(), "bukit").verdict == "failed")
            union.tomorrow()
        assert mails == 5


def test_z119_settings_that_are_read_in_mid_run_end_it(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",)) as union:
        path = union.consortium.folder / "induk.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
        with pytest.raises(ConfigError, match="nonsense"):
            pipeline.open_pipeline(settings.load(path, environ={}), {}, union.clock)


# ---- J: security -----------------------------------------------------------------------------------------


def test_z146_a_plain_csv_hands_the_formula_to_the_spreadsheet() -> None:
    made = io.StringIO()
    csv.writer(made).writerow(["=cmd|' /C calc'!A0"])
    assert made.getvalue().startswith("=cmd")


def test_z148_a_plain_log_line_is_forged_by_a_record(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("plain").warning("refused %s", 'a\n{"event": "forged"}')
    assert caplog.text.rstrip().splitlines()[-1].startswith('{"event": "forged"}')


def test_z149_a_file_named_by_a_record_leaves_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    (folder / "../outside.xml").write_text("x")
    assert (tmp_path / "outside.xml").exists()


def test_z150_the_other_loader_of_yaml_runs_what_a_file_says(tmp_path: Path) -> None:
    text = f"!!python/object/apply:os.mkdir ['{tmp_path / 'made'}']"
    yaml.unsafe_load(text)
    assert (tmp_path / "made").is_dir()
    with pytest.raises(yaml.YAMLError):
        yaml.safe_load(text)
