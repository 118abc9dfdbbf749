"""A search engine that is dead costs a night some minutes, nobody else anything, and itself no change."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from harvester import publishing, scheduling
from tests import canaries
from tests.journey import DEADLINE
from tests.outputs.solr_server import SolrServer
from tests.pipeline.shelf import Book, Union

pytestmark = pytest.mark.slow
IMPATIENT = "{wait: 0.1, timeout: 0.3, patience: 1}"


@contextmanager
def silent() -> Iterator[str]:
    """It accepts, and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/solr/biblio"


@contextmanager
def refusing() -> Iterator[str]:
    """Nobody listens there."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets the port
        yield f"http://127.0.0.1:{held.getsockname()[1]}/solr/biblio"


@contextmanager
def busy(until: Callable[[], bool] = lambda: True) -> Iterator[str]:
    """It answers 503 to everything, as soon as *until* holds."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            ends = time.monotonic() + DEADLINE
            while not until() and time.monotonic() < ends:
                time.sleep(0.01)
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *told: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/solr/biblio"
    finally:
        server.shutdown()
        server.server_close()


class Nights(Union):
    """A library with a search engine and, behind it, a folder of files."""

    def published(self, url: str, *books: str, options: str = "{}") -> dict[str, str]:
        """A night that brings *books*, with the engine at *url*: output → why it failed."""
        folder = self.consortium.folder
        engine = canaries.solr(folder, url)[:-1] + f", options: {options}}}"
        self.consortium.configure(f"outputs: {{solr: {engine}, dump: {{kind: jsonl, url: dump}}}}")
        self.restart()
        for title in books:
            self.put(f"alun/{title}", Book(title))
        self.harvest()
        night = scheduling.work_night(self.pipeline, [], environ={})
        assert night.matched["verdict"] == "complete"
        return dict(night.published)

    def delivered(self) -> int:
        return publishing.stored_state(self.pipeline, "dump").state.reached


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Nights]:
    made = Nights(tmp_path / "union", database_url)
    yield made
    assert made.faults() == []
    made.close()


@pytest.mark.parametrize("dead", [silent, refusing, busy])
def test_a_dead_engine_is_given_up_for_the_night_and_gets_everything_in_the_next(
    union: Nights, dead: Callable[[], Iterator[str]]
) -> None:
    with SolrServer() as solr:
        assert union.published(solr.url, "Laut", "Hujan") == {"solr": "", "dump": ""}
        stood = publishing.stored_state(union.pipeline, "solr").state.reached
        with dead() as url:  # type: ignore[attr-defined]
            for books in (["Bulan"], ["Pasar", "Kota"]):
                told = union.published(url, *books, options=IMPATIENT)
                assert told["dump"] == ""
                assert "does not answer after" in told["solr"]
                waits = union.delivered() - stood
                assert f"changes that wait for it: {waits}; the next run goes on from there" in told["solr"]
            assert waits == 3
            assert publishing.stored_state(union.pipeline, "solr").state.reached == stood
        assert union.published(solr.url) == {"solr": "", "dump": ""}
        solr.core.commit()
        titles = {str(one["title"]) for one in solr.core.visible.values()}
        assert titles == {"Laut", "Hujan", "Bulan", "Pasar", "Kota"}
        assert publishing.publish(union.pipeline, "solr", {}).snapshot is False


def test_other_outputs_do_not_wait_for_a_dead_one(union: Nights) -> None:
    def there() -> bool:
        return (union.consortium.folder / "dump" / "manifest.json").exists()

    with busy(until=there) as url:
        patient = f"{{tries: 1, timeout: {2 * DEADLINE}}}"
        told = union.published(url, "Laut", options=patient)
    assert (told["dump"], "HTTP 503" in told["solr"]) == ("", True)
