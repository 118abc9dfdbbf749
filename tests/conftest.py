"""What every test may ask for: databases, the folder of real data; and which suites this machine cannot run.

Marks that need something installed (postgres, servers, browser) are deselected where it is missing, and listed in one
line; with STRICT=1, as in CI, that is a failure.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from db.engine import Database
from tests import canaries, schema
from tests.servers import postgres

NEEDS = {
    "postgres": lambda: postgres.binaries() is not None,
    "servers": lambda: bool(shutil.which("zebrasrv") and shutil.which("yaz-ztest")),
    "browser": lambda: bool(shutil.which("chromium")),
}


# how long an example takes says what else the machine does, not what is right
settings.register_profile("any speed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any speed")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--corpus", default="", help="a folder of real data, for tests marked `prove`")


LACKING = sorted(mark for mark, there in NEEDS.items() if not there())


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    gone = [item for item in items if any(mark.name in LACKING for mark in item.iter_markers())]
    if gone:
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if LACKING:
        terminalreporter.write_line(f"left out here, because something is not installed: {', '.join(LACKING)}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With STRICT=1 nothing may be left out or skipped. (xdist: the controller counts, its workers run.)"""
    if os.environ.get("STRICT") != "1" or session.exitstatus != 0:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", [])) if reporter else 0
    if LACKING or skipped:
        session.exitstatus = 1


@pytest.fixture(scope="session")
def corpus(request: pytest.FixtureRequest) -> Path:
    """The folder of real data that `make prove CORPUS=DIR` names."""
    folder = request.config.getoption("--corpus")
    if not folder:
        pytest.fail("say make prove CORPUS=DIR")
    return Path(folder)


@pytest.fixture(scope="session", autouse=True)
def secrets_stay_secret(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """None of the secrets that fixtures configure stands in a file that a test left."""
    logging.getLogger("sqlalchemy").setLevel(logging.WARNING)  # at DEBUG it tells every row
    yield
    assert [str(path) for path in canaries.below(tmp_path_factory.getbasetemp())] == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that printed, logged or sent one of them has failed."""
    report = yield
    if report.when == "teardown":
        for title, text in report.sections:
            canaries.saw(title, text)
        if found := canaries.taken():
            report.outcome, report.longrepr = "failed", f"a secret stands in: {', '.join(sorted(set(found)))}"
    return report


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server
        assert [str(path) for path in canaries.below(server.folder)] == []


BOTH = [pytest.param("sqlite"), pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database: once SQLite, once PostgreSQL."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'induk.db'}"
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create()
    yield url
    server.drop(url)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """An upgraded, empty database."""
    opened = Database(database_url)
    schema.prepare(opened)
    yield opened
    opened.close()
