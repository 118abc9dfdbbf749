"""What is measured of an SRU or Z39.50 server before it is trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.errors import ProtocolError
from harvester.model import Source
from harvester.sources import Environment, Limits
from harvester.sources.sliced_probe import probe
from tests.cli.test_commands import Call
from tests.journey import Consortium
from tests.servers import catalogue, yaz
from tests.sources import sru_answers as answers
from tests.sources.scripted_server import ScriptedServer, TestClock
from tests.sources.sru_answers import diagnostic, entry, marcxml, paged, response

QUICK = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=2)
ENVIRONMENT = Environment(clock=TestClock(), limits=QUICK)


@pytest.fixture(scope="module")
def zebra() -> Iterator[yaz.Zebra]:
    with yaz.zebra(b"".join(catalogue.records()), truncmax=100) as made:
        yield made


@pytest.mark.servers
@pytest.mark.parametrize(("protocol", "scheme"), [("z3950", "z3950"), ("sru", "http")])
def test_a_real_server_is_measured(zebra: yaz.Zebra, protocol: str, scheme: str) -> None:
    options = {"query_language": "pqf"} if protocol == "sru" else {}
    url = f"{scheme}://127.0.0.1:{zebra.port}/Default"
    source = Source("p", protocol, url, internal=True, options=options)
    found = probe(source, ENVIRONMENT)
    assert (found.list_size, found.strategy, found.from_works) == (2_000, "incremental", "yes")
    assert found.formats == (("iso2709",) if protocol == "z3950" else ("marcxml",))
    assert found.software in ("Zebra Information Server/GFS/YAZ", "Two thousand records")
    told = "\n".join(found.evidence)
    assert "index date: 2000 of 2000 records" in told
    assert "Scan begins with" in told
    assert "cut without a word at 99 hits" in told
    assert ("date-index", "works") in found.learned


@pytest.mark.servers
@pytest.mark.parametrize(("protocol", "scheme"), [("z3950", "z3950"), ("sru", "http")])
def test_the_command_line_adds_measures_and_samples_it(
    zebra: yaz.Zebra, protocol: str, scheme: str, tmp_path: Path
) -> None:
    made = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    call = Call(made.folder)
    url = f"{scheme}://127.0.0.1:{zebra.port}/Default"
    found = call.json("partner", "probe", url, "--protocol", protocol, "--internal")["profile"]
    assert (found["list_size"], found["strategy"]) == (2_000, "incremental" if protocol == "z3950" else "full+hash")
    added = call.json("partner", "add", "desa", url, "--protocol", protocol, "--internal")
    assert added["profile"]["list_size"] == 2_000
    assert len(call.json("partner", "sample", "desa", "--number", "3")) == 3
    assert call.json("partner", "probe", "desa", "--save")["profile"]["list_size"] == 2_000


def test_a_server_without_indexes_is_listed_whole_each_time() -> None:
    entries = [entry(marcxml(number)) for number in range(1, 6)]

    def plain(request: answers.Request) -> bytes:
        if "allRecords" not in request.arguments["query"]:
            return response((), None, diagnostic(16, "rec.id"))
        start, most = answers.position(request)
        return response(entries[start - 1 : start - 1 + most] if most else (), 5)

    with ScriptedServer(paged(entries, count=plain, page=plain)) as server:
        found = probe(Source("p", "sru", server.url, internal=True), ENVIRONMENT)
    assert (found.strategy, found.list_size, found.absence) == ("full+hash", 5, False)
    assert any("index date: refused" in line for line in found.evidence)


def test_a_server_that_refuses_every_search_has_no_profile() -> None:
    def refusing(request: answers.Request) -> bytes:
        return response((), None, diagnostic(10))

    with ScriptedServer(paged([], count=refusing, page=refusing)) as server, pytest.raises(ProtocolError):
        probe(Source("p", "sru", server.url, internal=True), ENVIRONMENT)
