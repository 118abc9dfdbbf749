"""What interrupts a night from outside: other starters, signals, a full disk, a database that goes away."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from db import nights, work
from db.engine import Database, passing
from harvester import pipeline, scheduling, settings
from harvester.demo.store import SampleClock
from tests.ops.nights import EVENING, Nights
from tests.servers.postgres import Server

pytestmark = pytest.mark.slow
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["harvester.scheduling", "harvester.sources.oai_pmh"])
STARTERS = 8
STRIKES = 12
DEADLINE = 120.0  # seconds; a process needs one or two to start where nothing else runs


# ---- other starters ------------------------------------------------------------------------------------


def starter(config: str, barrier: Any, results: Any, rounds: int) -> None:
    """One of the processes that cron, a daemon and a person start at the same time, night after night."""
    clock = SampleClock(EVENING)
    for number in range(rounds):
        clock.sleep(86_400)
        barrier.wait(DEADLINE)
        opened = pipeline.open_pipeline(settings.load(Path(config), environ={}), {}, clock)
        night = scheduling.work_night(opened, scheduling.due(opened), environ={})
        opened.database.close()
        results.put((number, [one.verdict for one in night.worked]))
        barrier.wait(DEADLINE)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("rounds", [10, pytest.param(200, marks=pytest.mark.prove)])
def test_z100_of_eight_starters_exactly_one_works_in_each_round(tmp_path: Path, rounds: int) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=12) as union:
        union.opened
        barrier, results = _context.Barrier(STARTERS), _context.Queue()
        config = str(union.consortium.folder / "induk.yaml")
        started = [_context.Process(target=starter, args=(config, barrier, results, rounds)) for _ in range(STARTERS)]
        for one in started:
            one.start()
        found: dict[int, list[str]] = {}
        for _ in range(STARTERS * rounds):
            number, verdicts = results.get(timeout=2 * DEADLINE)
            found.setdefault(number, []).extend(verdicts)
        for one in started:
            one.join(DEADLINE)
        for number in range(rounds):
            assert sorted(set(found[number]) - {"locked", "skipped"}) == ["complete"], found[number]
            assert found[number].count("complete") == 1
        rows = union.consortium.ask(lambda conn: work.list_runs(conn, source_code="alun", limit=1000))
        assert [row["verdict"] for row in rows if row["kind"] == "harvest"] == ["complete"] * rounds


def test_z112_a_second_daemon_is_refused_and_takes_over_when_the_first_was_killed(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=1) as union:
        first = daemon(union)
        until_alive(url)
        second = daemon(union)
        assert second.wait(DEADLINE) == 75
        first.send_signal(signal.SIGKILL)
        first.wait(DEADLINE)
        third = daemon(union)
        until_alive(url)
        third.send_signal(signal.SIGTERM)
        assert third.wait(DEADLINE) == 143


def daemon(union: Nights) -> subprocess.Popen[bytes]:
    """Start one; what an earlier one noted is forgotten first."""
    database = Database(union.consortium.url)
    with database.write() as conn:
        nights.keep_notes(conn, scheduling.DAEMON_LOCK, {})
    database.close()
    return induk(union, "scheduler", "run", "--quiet")


def until_alive(url: str) -> None:
    """Wait until a daemon has looked at the schedule."""
    until(url, lambda conn: bool(nights.notes(conn, scheduling.DAEMON_LOCK)), "no daemon came up")


def until(url: str, reached: Any, otherwise: str) -> None:
    """Wait until the database says that it is *reached*."""
    database, ends = Database(url), time.monotonic() + DEADLINE
    try:
        while time.monotonic() < ends:
            with database.read() as conn:
                if reached(conn):
                    return
            time.sleep(0.05)
    finally:
        database.close()
    raise AssertionError(otherwise)


def induk(union: Nights, *words: str, program: Sequence[str] = (), **more: Any) -> subprocess.Popen[bytes]:
    environ = {**os.environ, "INDUK_CONFIG": str(union.consortium.folder / "induk.yaml")}
    command = [sys.executable, *(program or ["-m", "harvester"]), *words]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environ, **quiet | more)


# ---- signals -------------------------------------------------------------------------------------------


class Hold:
    """Every answer from page *first* on waits until it is let go: what is in the middle of a list stays there."""

    def __init__(self, union: Nights, first: int) -> None:
        self._first, self.reached, self.go_on = first, threading.Event(), threading.Event()
        union.simulator.before_answer = self._wait

    def _wait(self, _partner: str, _request: object, page: int) -> None:
        if page >= self._first:
            self.reached.set()
            self.go_on.wait(DEADLINE)


# ten seconds are enough where a container runs; here it is asked what a night does that gets its time
PATIENT = "from harvester.cli import common, main; common.STOP_SECONDS = 120; main()"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_z115_a_signal_ends_the_night_at_a_page_and_the_next_goes_on(tmp_path: Path, number: int, code: int) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=100) as union:
        slow = "politeness: {delay_seconds: 0.4, attempts: 2}"
        path = union.consortium.folder / "induk.yaml"
        quick = "politeness: {delay_seconds: 0, attempts: 2}"
        path.write_text(path.read_text(encoding="utf-8").replace(quick, slow), encoding="utf-8")
        hold = Hold(union, 4)
        process = induk(union, "nightly", program=["-c", PATIENT])
        assert hold.reached.wait(DEADLINE)
        until_pages(url, 2)
        process.send_signal(number)
        hold.go_on.set()  # six pages follow, with a pause before each
        assert process.wait(DEADLINE) == code
        rows = union.consortium.ask(lambda conn: work.list_runs(conn, source_code="alun"))
        [row] = [one for one in rows if one["kind"] == "harvest"]
        assert (row["verdict"], row["received"] % 10) == ("partial", 0)
        assert row["received"] < 100
        path.write_text(path.read_text(encoding="utf-8").replace(slow, quick), encoding="utf-8")
        report = union.work()
        assert report.catalogue["records"] == 100
        assert (
            sum(one["received"] for one in union.consortium.ask(lambda c: work.list_runs(c, source_code="alun"))) == 100
        )


def test_z115_a_server_that_hangs_keeps_nobody_beyond_ten_seconds(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=60) as union:
        union.consortium.configure("limits: {read_seconds: 600}")
        union.simulator.set_faults("alun", "page=3:delay@600*")
        process = induk(union, "nightly")
        until_pages(url, 2)
        process.send_signal(signal.SIGTERM)
        assert process.wait(5 * 10) == 143  # five times the goal; who waits for the server waits ten minutes
        union.up("alun")
        assert union.work().catalogue["records"] == 60
        assert union.consortium.faults() == []


def until_pages(url: str, count: int) -> None:
    """Wait until the process has committed so many pages."""

    def reached(conn: Any) -> bool:
        return any(row["pages"] >= count for row in work.list_runs(conn, limit=100))  # a match has none

    until(url, reached, "the night did not begin")


# ---- PostgreSQL goes away ------------------------------------------------------------------------------


@pytest.fixture
def database_of_its_own(postgres_server: Server) -> Iterator[str]:
    url = postgres_server.create()
    yield url
    postgres_server.drop(url)


def fault_free(folder: Path) -> str:
    with Nights(folder, f"sqlite:///{folder.with_suffix('.db')}", ("alun", "bukit"), records=120) as union:
        union.work()
        return union.consortium.dump()


def nights_until_whole(union: Nights, expected: str, striking: Callable[[], None] = lambda: None) -> int:
    """How many nights it takes until every source is complete; then, *striking* over, the catalogue is *expected*.

    A night that lost its database before it began, or in its report, says so and ends: the next start goes on.
    """
    told = []
    for number in range(1, STRIKES + 3):  # each strike may cost a night
        try:
            report = union.work()
        except DBAPIError as error:
            assert passing(error)
            told.append(str(error.orig))
            continue
        if report.exit == 0:
            striking()
            assert union.consortium.faults() == []
            assert union.consortium.dump() == expected
            return number
        told.append(f"{report.exit} {report.sources}")
    raise AssertionError(told)


@pytest.mark.postgres
def test_z098_connections_that_are_terminated_lose_and_double_nothing(
    tmp_path: Path, database_of_its_own: str, postgres_server: Server
) -> None:
    expected = fault_free(tmp_path / "good")
    name = make_url(database_of_its_own).database
    ended = threading.Event()
    strikes = 0

    def strike() -> None:
        nonlocal strikes
        while not ended.wait(0.4) and strikes < STRIKES:
            query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            postgres_server._psql(query)
            strikes += 1

    with Nights(tmp_path / "union", database_of_its_own, ("alun", "bukit"), records=120) as union:
        union.opened
        striking = threading.Thread(target=strike)
        striking.start()

        def over() -> None:
            ended.set()
            striking.join()

        try:
            nights_until_whole(union, expected, over)
        finally:
            over()
    assert strikes > 0


def restart(server: Server) -> None:
    server.control("-m", "fast", "-w", "stop")
    time.sleep(1.2)  # longer than the first pauses together
    server.start()


@pytest.mark.postgres
def test_z098_a_server_that_is_restarted_in_a_night_is_waited_for(
    tmp_path: Path, database_of_its_own: str, postgres_server: Server
) -> None:
    expected = fault_free(tmp_path / "good")
    restarted = threading.Event()

    def strike() -> None:
        until_pages(database_of_its_own, 2)
        restart(postgres_server)
        restarted.set()

    with Nights(tmp_path / "union", database_of_its_own, ("alun", "bukit"), records=120) as union:
        union.opened
        union.simulator.set_faults("alun", "page=4:delay@3")  # the server goes while a partner lets us wait
        striking = threading.Thread(target=strike)
        striking.start()
        try:
            assert nights_until_whole(union, expected, striking.join) <= 3
        finally:
            striking.join()
    assert restarted.is_set()


@pytest.mark.prove
@pytest.mark.postgres
@pytest.mark.parametrize("second", [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.8, 2.1])
def test_z098_a_server_that_is_restarted_at_any_moment_is_waited_for(
    tmp_path: Path, database_of_its_own: str, postgres_server: Server, second: float
) -> None:
    expected = fault_free(tmp_path / "good")
    with Nights(tmp_path / "union", database_of_its_own, ("alun", "bukit"), records=120) as union:
        union.opened
        striking = threading.Timer(second, restart, [postgres_server])
        striking.start()
        try:
            assert nights_until_whole(union, expected, striking.join) <= 3
        finally:
            striking.join()


@pytest.mark.postgres
def test_a_lock_whose_connection_is_lost_is_free_when_its_holder_leaves(
    database_of_its_own: str, postgres_server: Server
) -> None:
    ours, other = Database(database_of_its_own), Database(database_of_its_own)
    name = make_url(database_of_its_own).database
    both = threading.Barrier(2)

    def take_anew() -> None:
        def lost_once() -> None:
            if not tries:
                tries.append(1)
                raise OperationalError("", None, sqlite3.OperationalError("locked"))

        tries: list[int] = []
        both.wait(60)
        ours.persist(lost_once)

    for moment in range(8):
        taking = threading.Thread(target=take_anew)
        taking.start()
        with ours.lock("alun"):
            query = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            postgres_server._psql(query)
            both.wait(60)
            time.sleep(0.1 + moment / 1000)  # the first pause of persist, and a little
        taking.join(60)
        with other.lock("alun"):
            pass
    ours.close()
    other.close()


class CommitCutter:
    """Passes everything on to PostgreSQL, but of every *each*-th COMMIT the answer never arrives, *cuts* times."""

    def __init__(self, port: int, each: int, cuts: int) -> None:
        self._target, self._each, self.left = port, each, cuts
        self._seen = 0
        self._guard = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the test is over
                client.close()
                return
            cut = threading.Event()
            threading.Thread(target=self._up, args=(client, server, cut), daemon=True).start()
            threading.Thread(target=self._down, args=(server, client, cut), daemon=True).start()

    def _hit(self, block: bytes) -> bool:
        if b"COMMIT" not in block:
            return False
        with self._guard:
            self._seen += 1
            if self._seen % self._each or not self.left:
                return False
            self.left -= 1
            return True

    def _up(self, client: socket.socket, server: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while block := client.recv(65536):
                if self._hit(block):
                    cut.set()
                server.sendall(block)
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        server.close()

    def _down(self, server: socket.socket, client: socket.socket, cut: threading.Event) -> None:
        with suppress(OSError):
            while (block := server.recv(65536)) and not cut.is_set():  # committed, and the answer finds nobody
                client.sendall(block)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
        client.close()


@pytest.mark.postgres
@pytest.mark.parametrize("each", [2, 3, 5])
def test_z095_a_commit_whose_answer_is_lost_is_neither_lost_nor_doubled(
    tmp_path: Path, database_of_its_own: str, postgres_server: Server, each: int
) -> None:
    expected = fault_free(tmp_path / "good")
    cutter = CommitCutter(postgres_server.port, each, cuts=6)
    url = make_url(database_of_its_own).set(port=cutter.port).render_as_string(hide_password=False)
    with Nights(tmp_path / "union", database_of_its_own, ("alun", "bukit"), records=120) as union:
        path = union.consortium.folder / "induk.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace(database_of_its_own, url), encoding="utf-8")
        taken = []
        for _ in range(10):
            try:
                taken.append(union.work().exit)
            except Exception as error:  # noqa: BLE001  the process may end, as systemd would see it
                taken.append(repr(error))
            union.reopen()
            if taken[-1] == 0:
                break
        assert taken[-1] == 0, taken
        assert cutter.left < 6
        assert union.consortium.faults() == []
        assert union.consortium.dump() == expected
    cutter.close()
