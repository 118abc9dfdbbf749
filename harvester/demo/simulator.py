"""Partner libraries on 127.0.0.1: real HTTP, real paging, scripted faults, and their own stores as the oracle.

clock = SampleClock()
store = Store(clock)
store.put("1", {"oai_dc": b"<oai_dc:dc …/>"})
with Simulator({"melati": store}, quirks={"melati": SLIMS_OAI2}, faults={"melati": "page=2:503*2"}) as partners:
    harvest(partners.url("melati"))
    assert catalogue == partners.oracle("melati")
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

import msgspec

from harvester.demo import fault_kinds
from harvester.demo import faults as fault_script
from harvester.demo.fault_kinds import Answer
from harvester.demo.faults import Fault, Faults
from harvester.demo.oai import FORMATS, Provider, Request
from harvester.demo.quirks import Quirks
from harvester.demo.store import Store

MAX_BODY = 100_000


class Logged(msgspec.Struct, frozen=True):
    """One request as the server saw it; `page` is 0 outside lists, `fault` empty when all went well."""

    partner: str
    verb: str
    arguments: Mapping[str, str]
    page: int
    status: int
    size: int
    fault: str
    user_agent: str
    method: str


Hook = Callable[[str, Request, int], None]


class Simulator:
    """A context manager that serves every store of *stores* at `url(partner)`.

    `before_answer(partner, request, page)` runs before each answer is made: tests change stores between pages there.
    """

    def __init__(
        self,
        stores: Mapping[str, Store],
        quirks: Mapping[str, Quirks] | None = None,
        faults: Mapping[str, str] | None = None,
        before_answer: Hook | None = None,
    ) -> None:
        self.stores = dict(stores)
        self.providers: dict[str, Provider] = {}
        self.faults = {name: Faults((faults or {}).get(name, "")) for name in stores}
        self.requests: list[Logged] = []
        self.before_answer = before_answer
        self._closing = threading.Event()
        for name, store in stores.items():
            self.set_quirks(name, (quirks or {}).get(name, Quirks()), store)
        self._server: _Server | None = None

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.simulator = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def set_quirks(self, partner: str, quirks: Quirks, store: Store | None = None) -> None:
        """Give a partner other habits from now on, as an upgrade of its software does."""
        store = store or self.stores[partner]
        store.lag, store.backdate = timedelta(seconds=quirks.lag), timedelta(seconds=quirks.backdate)
        self.providers[partner] = Provider(partner, store, quirks)

    def set_faults(self, partner: str, script: str) -> None:
        """Replace the fault script of a partner; its counts start again."""
        self.faults[partner] = Faults(script)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the simulator has an address only inside its with block")
        return int(self._server.server_address[1])

    def url(self, partner: str, host: str = "127.0.0.1") -> str:
        """The OAI-PMH address of a partner; another *host* name of the loopback is another Host header."""
        return f"http://{host}:{self.port}/{partner}/oai"

    def oracle(self, partner: str, prefix: str = "oai_dc", host: str = "127.0.0.1") -> dict[str, bytes]:
        """What a complete harvest must end with: OAI identifier → payload, from the store itself."""
        provider = self.providers[partner]
        payload = FORMATS[prefix][0]
        return {
            provider.identifier(key, f"{host}:{self.port}"): row.payloads.get(payload, b"")
            for key, row in self.stores[partner].live().items()
        }

    def serve_forever(self) -> None:
        """Block until the process is interrupted; `induk demo` with KEEP calls it."""
        self._closing.wait()

    # ---- called by the server's threads ----------------------------------------------------------

    def respond(self, partner: str, request: Request, method: str, user_agent: str) -> Answer:
        """Make the answer, apply the due fault, and log both."""
        provider = self.providers[partner]
        page = provider.page_number(request)
        if self.before_answer is not None:
            self.before_answer(partner, request, page)
        fault = self.faults[partner].strike(page, request.verb)
        answer = Answer(provider.answer(request))
        if fault is not None:
            answer = self._broken(fault, answer, request)
        self.requests.append(
            Logged(
                partner,
                request.verb,
                dict(request.arguments),
                page,
                answer.status,
                len(answer.body),
                fault.kind if fault else "",
                user_agent,
                method,
            )
        )
        return answer

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the end of the simulator."""
        self._closing.wait(seconds)

    def _broken(self, fault: Fault, answer: Answer, request: Request) -> Answer:
        answer = fault_script.apply(fault, answer)
        token = request.arguments.get("resumptionToken")
        if fault.kind == "repeat-token" and token:
            return msgspec.structs.replace(answer, body=fault_kinds.set_token(answer.body, escape(token)))
        return answer


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    simulator: Simulator

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away in mid-answer are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two writes: without it each page waits 40 ms for an ACK
    server: _Server

    def do_GET(self) -> None:
        self._serve(urlsplit(self.path).query)

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), MAX_BODY)
        self._serve(self.rfile.read(length).decode("ascii", "replace"))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the simulator keeps its own log."""

    def _serve(self, query: str) -> None:
        simulator = self.server.simulator
        partner = urlsplit(self.path).path.strip("/").partition("/")[0]
        if partner not in simulator.providers:
            self._send(Answer(b"no such library", 404, "text/plain"))
            return
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=50)
        names = [name for name, _ in pairs]
        host = self.headers.get("Host", "")
        request = Request(
            dict(pairs), host, f"http://{host}/{partner}/oai", tuple({name for name in names if names.count(name) > 1})
        )
        answer = simulator.respond(partner, request, self.command, self.headers.get("User-Agent", ""))
        simulator.pause(answer.delay)
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        if answer.cut == 0:
            self._hang_up()
            return
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        self._write(answer.body[: answer.cut], answer.drip)
        if answer.cut is not None:
            self._hang_up()

    def _write(self, body: bytes, drip: float) -> None:
        step = max(1, int(drip / 10)) if drip else len(body) or 1
        for start in range(0, len(body), step):
            self.wfile.write(body[start : start + step])
            if drip:
                self.wfile.flush()
                self.server.simulator.pause(0.1)

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)
