"""What happens on the wire: cut, dripping, silent, endless (zoo Z051, Z054), and who else waits for it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator

import pytest

from harvester.errors import Refused, SourceUnavailable
from harvester.model import Source
from harvester.sources import Environment, Limits
from harvester.sources.environment import Turns
from harvester.sources.fetch import Fetcher
from tests.sources import naive_harvester
from tests.sources.fault_proxy import FaultProxy, Spoil
from tests.sources.oai_answers import each_time, identify, listing, record, serve
from tests.sources.outcome import QUICK, Outcome, harvest
from tests.sources.scripted_server import Reply, Request, Script, ScriptedServer, TestClock
from tests.sources.zoo import Zoo, first

ZOO = Zoo()

PAGE = listing(record(0), record(1))
ONCE = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=1, page_attempts=1)
HURRIED = Limits(connect_seconds=0.3, read_seconds=0.3, total_seconds=0.6, delay_seconds=0, attempts=2, page_attempts=1)


def cut_at(offset: int) -> Script:
    return serve([Reply(PAGE[:offset], length=None)])


@pytest.mark.slow
def test_a_page_cut_at_any_byte_is_never_complete() -> None:
    """Z051: the connection closes early and nothing says how long the answer should have been."""
    offset = [0]
    silent = []
    with ScriptedServer(lambda request: cut_at(offset[0])(request)) as server:
        for offset[0] in range(len(PAGE)):
            outcome = harvest(server.url, limits=ONCE)
            if outcome.verdict == "complete":
                silent.append(offset[0])
            assert set(outcome.identifiers) <= set(first(2))
    assert silent == []


def test_the_naive_harvester_calls_cut_pages_complete() -> None:
    """Z051, red proof: sickle ends normally on most of them."""
    with ScriptedServer(cut_at(PAGE.rindex(b"<metadata>") + 100)) as server:
        outcome = naive_harvester.harvest(server.url)
    assert outcome.verdict == "complete"
    assert "Bumi manusia" not in outcome.text


def cut_once() -> Script:
    return serve([], ListRecords=each_time(Reply(PAGE[:500], length=None), PAGE))


@ZOO.fault("Z051", "a page cut once comes whole the second time", cut_once)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", first(2))


@ZOO.fault("Z051", "a page shorter than its Content-Length", lambda: serve([Reply(PAGE[:500], length=len(PAGE))]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert isinstance(outcome.error, SourceUnavailable)


@pytest.mark.parametrize("spoil", [Spoil(cut=700), Spoil(reset=700), Spoil(corrupt=120)], ids=str)
def test_a_spoiled_connection_is_tried_again(spoil: Spoil) -> None:
    limits = Limits(read_seconds=60, delay_seconds=0, attempts=5)
    with ScriptedServer(serve([PAGE])) as server, FaultProxy(server.port, spoil, times=2) as proxy:
        outcome = harvest(proxy.url, limits=limits)
    assert len(server.requests) > 2, "nothing was tried again"
    assert (outcome.verdict, outcome.identifiers) == ("complete", first(2))


# ---- slowness -------------------------------------------------------------------------------------------------


def drip(parts: Iterable[bytes], rest: bytes = b"") -> Iterator[bytes | float]:
    """One part each 50 ms, a little more than a second long, then the rest at once."""
    for part in parts:
        yield part
        yield 0.05
    yield rest


def single(data: bytes) -> list[bytes]:
    return [data[number : number + 1] for number in range(len(data))]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
REST = b"%x\r\n%s\r\n" % (len(PAGE) - 25, PAGE[25:])
ENDLESS = b"HTTP/1.1 100 Continue\r\n\r\n"


def slow(kind: str) -> Script:
    def answer(request: Request) -> Reply:
        raw: dict[str, list[bytes | float] | Iterator[bytes | float]] = {
            "never answers": [300.0],
            "hangs after the headers": [HEAD + b"\r\n", 300.0],
            "hangs within the headers": [HEAD, 300.0],
            "drips its headers": drip(single(HEAD[:25]), HEAD[25:] + b"\r\n" + PAGE),
            "drips its body": drip([HEAD + b"\r\n", *single(PAGE[:25])], PAGE[25:]),
            "drips chunks": drip([CHUNKED, *(b"1\r\n%s\r\n" % one for one in single(PAGE[:25]))], REST + b"0\r\n\r\n"),
            "sends interim answers for ever": drip([ENDLESS] * 25, HEAD + b"\r\n" + PAGE),
        }
        return Reply(raw=raw[kind])

    return serve([], ListRecords=answer)


for kind in (
    "never answers",
    "hangs after the headers",
    "hangs within the headers",
    "drips its headers",
    "drips its body",
    "drips chunks",
    "sends interim answers for ever",
):

    @ZOO.fault("Z054", f"a server that {kind}", lambda kind=kind: slow(kind), limits=HURRIED)
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert outcome.verdict == "partial"
        assert isinstance(outcome.error, SourceUnavailable | Refused)


def ask(url: str, turns: Turns, limits: Limits) -> bool:
    """Whether the server has answered."""
    environment = Environment(clock=TestClock(), limits=limits, turns=turns)
    fetcher = Fetcher(Source(code="p", protocol="oai-pmh", url=url, internal=True), environment)
    with contextlib.suppress(SourceUnavailable, Refused):
        return bool(fetcher.get(arguments=(("verb", "ListRecords"), ("metadataPrefix", "oai_dc"))).body)
    return False


def test_others_do_not_wait_for_three_silent_servers() -> None:
    """Z054: each is asked by a thread of its own; all share one table of turns, and nobody's patience ends."""
    turns, patient = Turns(), Limits(read_seconds=300, total_seconds=300, delay_seconds=0, attempts=1)
    with contextlib.ExitStack() as stack:
        good, *silent = (
            stack.enter_context(ScriptedServer(script))
            for script in (serve([PAGE]), *[serve([], ListRecords=lambda _: Reply(raw=[300.0]))] * 3)
        )
        threads = [threading.Thread(target=ask, args=(one.url, turns, patient), daemon=True) for one in silent]
        for thread in threads:
            thread.start()
        until = time.monotonic() + 120
        while not all(one.requests for one in silent):
            assert time.monotonic() < until, "not asked"
            time.sleep(0.01)
        assert ask(good.url, turns, patient)
        assert all(thread.is_alive() for thread in threads)
    for thread in threads:
        thread.join(120)


def test_one_host_is_asked_one_thing_at_a_time() -> None:
    busy = [0]
    most = [0]

    def answer(request: Request) -> Reply:
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        time.sleep(0.02)
        busy[0] -= 1
        return Reply(identify())

    turns = Turns()
    with ScriptedServer(answer) as server:

        def ask() -> None:
            environment = Environment(clock=TestClock(), limits=QUICK, turns=turns)
            Fetcher(Source(code="p", protocol="oai-pmh", url=server.url, internal=True), environment).get()

        threads = [threading.Thread(target=ask) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert (len(server.requests), most[0]) == (5, 1)


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
