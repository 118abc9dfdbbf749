"""Section J of the zoo, but for pages: injections, paths, files that would run something, clients in crowds."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
import requests

from db import desk, search
from harvester import settings
from harvester.errors import ConfigError, IndukError, RecordError, UsageError
from harvester.formats import xml_safe
from harvester.model import Partner, Source
from harvester.normalize import mapping
from harvester.sources import Limits, cql
from harvester.sources.connection import may_connect
from harvester.sources.z3950 import pqf
from tests.formats.test_xml_safe import BOMBS
from tests.ops.nights import Nights, state
from tests.pipeline.shelf import Book, Union
from tests.sources.outcome import get
from tests.sources.scripted_server import Reply, ScriptedServer, in_turn
from tests.sources.test_fetch_bounds import METADATA, NEVER_PUBLIC, SPELLINGS
from tests.web.server import WebServer

INJECTIONS = [
    *("' OR '1'='1", "' OR 1=1 --", "'; DROP TABLE cluster; --", "\"; DROP TABLE cluster; --", "1; DELETE FROM record"),
    *("' UNION SELECT password FROM account --", "%' OR '%'='", "%", "_", "\\", "\\'; --", "') OR ('1'='1"),
    *("laskar' AND sleep(5) --", "laskar'||pg_sleep(5)||'", "1 ORDER BY 99", "id; VACUUM", "'||version()||'"),
    *("laskar\" OR title:bumi NEAR(x)", "title : *", "{title} : laskar", "NOT laskar", "laskar AND OR", "* AND *"),
    *("laskar & !pelangi | :*", "<-> laskar", "'laskar':A", "\" OR dc.title = \"x", "x\" sortBy dc.date/ascending"),
    *("x\" and rec.id any \"1 2 3", "@or @attr 1=4 a b", "\"} @attr 1=4 {x", "x\\\" @and a b", "\x00", "{{7*7}}"),
]  # fmt: skip
QUICK = 5.0  # seconds of processor time: five times the goal


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    made.night({"alun/1": Book("Laskar pelangi"), "alun/2": Book("Bumi manusia", author="Toer, Pramoedya Ananta")})
    yield made
    made.close()


def test_there_are_more_than_thirty_injections() -> None:
    assert len(set(INJECTIONS)) >= 30


def test_z145_no_text_of_a_person_becomes_sql(union: Union) -> None:
    """Every place of a search and of a filter, on both databases: at most what the words themselves find."""
    whole = union.clusters()
    for text in INJECTIONS:
        started = time.process_time()
        with union.pipeline.database.read() as conn:
            found, _ = search.find(conn, search.Query(text), 50)
            assert found <= 1, text
            clean = text.replace("\x00", "") or "x"  # as every page and answer takes it
            for query in (search.Query("laskar", material=clean), search.Query("laskar", partner=clean)):
                assert search.find(conn, query, 50) == (0, []), text
            for name in ("since", "until", "rule", "actor", "kind"):
                desk.merge_log(conn, desk.LogFilter(**{name: clean}), 5)
            assert desk.merge_log(conn, desk.LogFilter(rule=clean), 5) == [], text
            assert desk.ledger(conn, [clean], ("", ""), 5) == desk.quarantined(conn, [clean], "open", 0, 5) == []
            assert desk.runs(conn, clean, "", 0, 5) == [], text
        assert time.process_time() - started < QUICK, text
    assert union.clusters() == whole


def test_z145_a_query_put_together_from_texts_finds_everything() -> None:
    conn = sqlite3.connect(":memory:")
    conn.executescript("CREATE TABLE t (title); INSERT INTO t VALUES ('Laskar pelangi'), ('Bumi manusia')")
    assert len(conn.execute(f"SELECT * FROM t WHERE title = '{INJECTIONS[0]}'").fetchall()) == 2
    conn.close()


@pytest.mark.parametrize("text", INJECTIONS, ids=range(len(INJECTIONS)))
def test_no_text_leaves_its_place_in_a_query_to_a_server(text: str) -> None:
    started = time.process_time()
    clause = cql.parse(cql.build(cql.Query(cql.exactly("dc.title", text)))).tree
    assert clause == cql.Clause((text,), "dc.title", "=")
    term = pqf.Term(text, (pqf.Attribute(1, 4),))
    assert pqf.parse(pqf.build(pqf.Query(term))).tree == term
    assert time.process_time() - started < QUICK


def test_a_text_between_quotes_leaves_its_place() -> None:
    """Red proof: the usual way to write such a query."""
    tree = cql.parse(f'dc.title = "{INJECTIONS[26]}"').tree
    assert isinstance(tree, cql.Boolean)
    assert isinstance(pqf.parse(INJECTIONS[29]).tree, pqf.Boolean)


# ---- paths -----------------------------------------------------------------------------------------------

NAMES = [
    *("../x", "..", ".", "a/b", "/etc/passwd", "..\\x", "a\\b", "C:x", "x\x00y", "x\ny", "~root", "$HOME", "`id`"),
    *("%2e%2e%2fx", "a b", "x;rm -rf", "\u202excod", "．．／x", "-rf", "x" * 200, "con:", "*"),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_z149_a_name_that_is_a_path_names_no_file(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "union"
    (folder / "partners.d").mkdir(parents=True)
    (folder / "induk.yaml").write_text("name: Uji\n", encoding="utf-8")
    with pytest.raises((ConfigError, ValueError)):
        settings.write_partner(folder, Partner(code=name, sources=(Source(name, "files"),)))
    with pytest.raises((ConfigError, UsageError, ValueError)):
        mapping.load(name, [folder])
    assert {path.name for path in tmp_path.rglob("*")} == {"union", "partners.d", "induk.yaml"}


# ---- files that would run something ------------------------------------------------------------------------

RUNNING = [
    "!!python/object/apply:os.mkdir ['{made}']",
    "!!python/object/new:os.mkdir ['{made}']",
    "!!python/name:os.system marc",
    "!!python/module:os x",
    "!!python/object:harvester.errors.ConfigError {{}}",
    "&a [*a, *a]",
    "${{{{ __import__('os').mkdir('{made}') }}}}",
]


@pytest.mark.parametrize("place", ["induk.yaml", "partners.d/alun.yaml", "mappings/marc21.yaml"])
@pytest.mark.parametrize("text", RUNNING, ids=range(len(RUNNING)))
def test_z150_no_file_of_ours_runs_what_it_says(tmp_path: Path, place: str, text: str) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",)) as union:
        path = union.consortium.folder / place
        path.parent.mkdir(exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        path.write_text(f"{before}\nfamily: {text.format(made=tmp_path / 'made')}\n", encoding="utf-8")
        with pytest.raises(IndukError):
            settings.load(union.consortium.folder / "induk.yaml", environ={})
            mapping.for_source("koha", "marcxml", [path.parent])
        assert not (tmp_path / "made").exists()


# ---- crowds -------------------------------------------------------------------------------------------------


def idle(url: str, number: int) -> list[Any]:
    """Clients that begin a request and never end it."""
    parts = urlsplit(url)
    made = [socket.create_connection((parts.hostname or "", parts.port or 0), timeout=60) for _ in range(number)]
    for one in made:
        one.sendall(b"GET /oai?verb=ListRecords HTTP/1.1\r\nHost: x\r\nX-")
    return made


CROWDS = [pytest.param(100, id="100"), pytest.param(1000, id="1000", marks=pytest.mark.prove)]


@pytest.mark.slow
@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", CROWDS)
def test_z151_a_crowd_of_readers_keeps_neither_the_others_nor_the_harvest(tmp_path: Path, number: int) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",), records=60) as union:
        union.work()
        with WebServer(union.opened) as web:
            slow = idle(web.url, number)
            failed: list[Any] = []

            def ask(one: int) -> None:
                path = ("/oai?verb=ListRecords&metadataPrefix=oai_dc", "/api/search?q=buku", "/api/changes")[one % 3]
                answer = requests.get(web.url + path, timeout=120)
                if answer.status_code != 200 or len(answer.content) > 2_000_000:
                    failed.append((path, answer.status_code))

            askers = [threading.Thread(target=ask, args=(one,)) for one in range(number // 5)]
            for one in askers:
                one.start()
            union.tomorrow()
            union.put("alun", 99)
            report = union.work()
            for one in askers:
                one.join()
            for one in slow:
                one.close()
            assert failed == []
            assert state(report, "alun").verdict == "complete"
            for path in ("/api/search?q=x&offset=10001", "/api/search?q=x&limit=99999", f"/api/search?q={'x' * 501}"):
                assert requests.get(web.url + path, timeout=60).status_code == 422
            token = requests.get(f"{web.url}/oai?verb=ListRecords&resumptionToken={quote('x' * 5000)}", timeout=60)
            assert "too long" in token.text


class OneByOne(BaseHTTPRequestHandler):
    """The server of the standard library as its manual has it."""

    def do_GET(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return None


def test_z151_a_server_of_one_thread_waits_for_the_slowest(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), OneByOne)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    [slow] = idle(url, 1)
    time.sleep(0.2)
    with pytest.raises(requests.Timeout):
        requests.get(url, timeout=0.5)
    slow.close()
    server.shutdown()
    server.server_close()


# ---- addresses and XML: what stands in tests/sources and tests/formats, each in less than a second ----------


def rebinding(port: int) -> Any:
    """A resolver that names a public address when it is asked first, and loopback ever after."""
    found = iter(["8.8.8.8"])

    def resolve(host: str, *_: Any, **__: Any) -> list[Any]:
        address = host if host[0].isdigit() else next(found, "127.0.0.1")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    return resolve


def test_a_name_that_changes_its_address_between_look_and_connection_gains_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert len(set(NEVER_PUBLIC.split())) + len(METADATA) + len(SPELLINGS) >= 25
    with ScriptedServer(in_turn(Reply(b"<secret/>"))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):  # a proxy looks names up itself
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(socket, "getaddrinfo", rebinding(server.port))
        bounds = Limits(connect_seconds=0.2, total_seconds=2, attempts=3, delay_seconds=0)
        with pytest.raises(IndukError):
            get(f"http://perpustakaan.example.ac.id:{server.port}/oai", internal=False, limits=bounds)
        assert (server.requests, server.connections) == ([], 0)


def test_to_look_first_and_connect_afterwards_is_led_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red proof: the usual check."""
    with ScriptedServer(in_turn(Reply(b"<secret/>"))) as server:
        monkeypatch.setattr(socket, "getaddrinfo", rebinding(server.port))
        [(*_, (address, _))] = socket.getaddrinfo("perpustakaan.example.ac.id", server.port)
        assert may_connect(address, internal=False)
        session = requests.Session()
        session.trust_env = False
        assert session.get(f"http://perpustakaan.example.ac.id:{server.port}/", timeout=60).content == b"<secret/>"


@pytest.mark.parametrize("name", BOMBS)
def test_hostile_xml_is_refused_in_less_than_a_second(name: str) -> None:
    assert len(BOMBS) >= 12
    started = time.process_time()
    with pytest.raises(RecordError):
        xml_safe.parse(BOMBS[name][0])
    assert time.process_time() - started < QUICK
