"""What is never unpacked, followed or trusted: bombs, redirects, addresses, certificates (zoo Z056, Z057, Z059)."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import subprocess
import sys
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from backports import zstd

from harvester.errors import ConfigError, IndukError, ProtocolError, Refused, SourceUnavailable
from harvester.model import Source
from harvester.sources import Environment, Limits
from harvester.sources.connection import GuardedAdapter, may_connect
from harvester.sources.fetch import Fetcher, user_agent
from tests.sources import naive_harvester
from tests.sources.oai_answers import identify
from tests.sources.outcome import QUICK, fetcher, get, harvest
from tests.sources.scripted_server import Reply, Request, ScriptedServer, TestClock, in_turn

TLS = Path(__file__).parent / "tls"


# ---- bombs (Z056) ------------------------------------------------------------------------------------------------

MEGABYTE = bytes(1 << 20)


def bomb(packer: Any, megabytes: int = 200) -> bytes:
    return b"".join([*(packer.compress(MEGABYTE) for _ in range(megabytes)), packer.flush()])


def reply(body: bytes, encoding: str) -> Reply:
    return Reply(body, headers=(("Content-Type", "text/xml"), ("Content-Encoding", encoding)))


# made when a test asks for them: to pack hundreds of megabytes takes seconds
BOMBS = {
    "gzip": lambda: reply(bomb(zlib.compressobj(9, wbits=31)), "gzip"),
    "gzip, not announced": lambda: Reply(made("gzip").body),
    "deflate": lambda: reply(bomb(zlib.compressobj(9), 100), "deflate"),
    "raw deflate": lambda: reply(bomb(zlib.compressobj(9, wbits=-15), 100), "deflate"),
    "zstd": lambda: reply(zstd.compress(MEGABYTE * 10), "zstd"),
    "zstd announced as gzip": lambda: reply(zstd.compress(MEGABYTE * 10), "gzip"),
    "br": lambda: reply(b"\x0b\x02\x80hello\x03", "br"),
    "many gzip members": lambda: reply(gzip.compress(MEGABYTE) * 100, "gzip"),
}


@cache
def made(name: str) -> Reply:
    return BOMBS[name]()


MEASURE = """
import json, sys
from tests.sources.outcome import get
from tests.sources.naive_harvester import fetch
# not ru_maxrss: a new process begins with its parent's
def peak(): return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
before, error = peak(), ""
try:
    (get if sys.argv[1] == "ours" else fetch)(sys.argv[2])
except Exception as caught:
    error = type(caught).__name__
print(json.dumps([error, (peak() - before) / 1024]))
"""


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused(name: str) -> None:
    with ScriptedServer(in_turn(made(name))) as server, pytest.raises(Refused):
        get(server.url)


@pytest.mark.parametrize("name", ["zstd", "br"])
def test_a_packing_that_was_not_asked_for_is_named(name: str) -> None:
    with ScriptedServer(in_turn(made(name))) as server, pytest.raises(Refused, match=name):
        get(server.url)


def measured(whose: str, url: str) -> tuple[str, float]:
    command = [sys.executable, "-c", MEASURE, whose, url]
    done = subprocess.run(command, capture_output=True, check=True, timeout=300, cwd=Path(__file__).parents[2])
    error, growth = json.loads(done.stdout)
    return error, growth


@pytest.mark.slow
def test_a_bomb_costs_little_memory_where_the_naive_one_pays_in_full() -> None:
    with ScriptedServer(in_turn(made("gzip"))) as server:
        ours, naive = measured("ours", server.url), measured("naive", server.url)
    assert ours[0] == "Refused"
    assert ours[1] < 64, f"{ours[1]:.0f} MiB"
    assert naive[1] > 150, "the naive harvester unpacks it all"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(bytes(3 << 20)), Refused),
        (Reply(b"", length=1 << 40), Refused),
        (Reply(chunks=[bytes(1 << 20)] * 50), Refused),
        # http.client reads 64 KiB of the line and then gives the connection up
        (Reply(raw=[b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0" * (8 << 20)]), SourceUnavailable),
    ],
    ids=["too long", "too long by its own word", "too long without a word", "an endless chunk size"],
)
def test_an_answer_that_is_too_long_is_refused_early(answer: Reply, error: type[Exception]) -> None:
    with ScriptedServer(in_turn(answer)) as server, pytest.raises(error):
        get(server.url, limits=Limits(response_mib=1, delay_seconds=0, attempts=1, read_seconds=60))


def test_the_body_of_a_redirect_is_not_unpacked_without_a_bound() -> None:
    """requests unpacks it whole even when told not to follow."""
    whole = made("gzip")
    redirect = Reply(whole.body, 302, (("Location", "/a"), ("Content-Encoding", "gzip")))
    with ScriptedServer(in_turn(redirect)) as server, pytest.raises(Refused, match="200 times"):
        get(server.url)


def test_a_bounded_answer_that_packs_well_is_taken() -> None:
    body = b"<a>" + b"buku " * 150_000 + b"</a>"
    with ScriptedServer(in_turn(reply(gzip.compress(body), "gzip"))) as server:
        assert get(server.url).body == body


# ---- redirects (Z057) ---------------------------------------------------------------------------------------------


def to(place: str, status: int = 302) -> Reply:
    return Reply(b"", status, (("Location", place),))


def test_redirects_within_the_host_are_followed() -> None:
    with ScriptedServer(in_turn(to("/a"), to("b", 307), to("?c=1"), Reply(b"<here/>"))) as server:
        answer = get(server.url)
    assert (answer.body, answer.url) == (b"<here/>", f"http://127.0.0.1:{server.port}/b?c=1")


def test_a_loop_of_redirects_ends_after_five() -> None:
    with ScriptedServer(in_turn(to("/oai"))) as server, pytest.raises(Refused, match="5 redirects"):
        get(server.url)
    assert len(server.requests) == 6


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_needs_an_approval(status: int) -> None:
    with ScriptedServer(in_turn(Reply(b"<there/>"))) as other:
        place = f"http://localhost:{other.port}/oai"
        with ScriptedServer(in_turn(to(place, status))) as server:
            with pytest.raises(Refused, match="another host"):
                get(server.url)
            assert other.requests == []
            answer = get(server.url, approvals=frozenset({f"localhost:{other.port}"}))
            assert naive_harvester.fetch(server.url) == b"<there/>", "the naive one follows (red proof)"
    assert answer.body == b"<there/>"
    assert (f"moved:{place}" in answer.flags) == (status in (301, 308)), "a permanent move is reported"


def test_another_port_is_another_host() -> None:
    with (
        ScriptedServer(in_turn(Reply(b"<there/>"))) as other,
        ScriptedServer(in_turn(to(other.url))) as server,
        pytest.raises(Refused, match="another host"),
    ):
        get(server.url)


@pytest.mark.parametrize(
    "place", ["ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1:70/", "http://", "//[::1"]
)
def test_a_redirect_to_what_is_no_web_address_is_refused(place: str) -> None:
    with ScriptedServer(in_turn(to(place))) as server, pytest.raises(IndukError):
        get(server.url)


def test_credentials_do_not_follow_to_an_approved_host() -> None:
    credentials = (("username", "perpus"), ("password", "rahasia-1"), ("query.apikey", "kunci-2"))
    with ScriptedServer(in_turn(Reply(b"<there/>"))) as other:
        place = f"http://localhost:{other.port}/oai"
        with ScriptedServer(in_turn(to(place))) as server:
            approvals = frozenset({f"localhost:{other.port}"})
            get(server.url, approvals=approvals, credentials=credentials)
    assert server.requests[0].headers["authorization"].startswith("Basic ")
    assert server.requests[0].arguments["apikey"] == "kunci-2"
    assert "authorization" not in other.requests[0].headers
    assert "kunci-2" not in other.requests[0].target


# ---- addresses ------------------------------------------------------------------------------------------------------

NEVER_PUBLIC = """
    127.0.0.1 127.8.8.8 0.0.0.0 10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.255 192.168.1.1 169.254.1.1
    100.64.0.1 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9 224.0.0.1 240.0.0.1 255.255.255.255 ::1 :: fe80::1
    fe80::1%eth0 fc00::1 fd12:3456::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 2002:7f00:1::
    2002:c0a8:101:: 64:ff9b::7f00:1 64:ff9b::a00:1 2001:db8::1
"""
METADATA = ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "100.100.100.200"]


@pytest.mark.parametrize("address", NEVER_PUBLIC.split())
def test_an_address_that_is_not_public_is_for_internal_sources_only(address: str) -> None:
    assert not may_connect(address, internal=False)
    assert may_connect(address, internal=True)


@pytest.mark.parametrize("address", METADATA)
def test_cloud_metadata_is_for_nobody(address: str) -> None:
    assert not may_connect(address, internal=True)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "103.23.20.1", "2001:4860:4860::8888", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_a_public_address_is_for_everybody(address: str) -> None:
    assert may_connect(address, internal=False)


SPELLINGS = ["127.0.0.1", "localhost", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]


@pytest.mark.parametrize("host", SPELLINGS)
def test_loopback_is_refused_however_it_is_spelled(host: str) -> None:
    with ScriptedServer(in_turn(Reply(b"<secret/>"))) as server:
        with pytest.raises(IndukError):
            get(f"http://{host}:{server.port}/", internal=False, limits=Limits(attempts=1, delay_seconds=0))
        assert (server.requests, server.connections) == ([], 0), "not even connected"


def test_a_name_that_resolves_to_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: found)
    with pytest.raises(Refused, match=r"127\.0\.0\.1"):
        get("http://perpustakaan.example.ac.id/oai", internal=False)


def test_a_redirect_to_a_private_address_is_refused() -> None:
    with ScriptedServer(in_turn(to("http://169.254.169.254/latest/meta-data/"))) as server, pytest.raises(Refused):
        get(server.url, approvals=frozenset({"169.254.169.254"}))


def test_a_proxy_of_the_environment_does_not_catch_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    monkeypatch.delenv("no_proxy", raising=False)
    with ScriptedServer(in_turn(Reply(b"<here/>"))) as server:
        assert get(server.url).body == b"<here/>"


def test_a_proxy_of_the_environment_is_used_for_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    with ScriptedServer(in_turn(Reply(b"<by proxy/>"))) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}/")
        monkeypatch.delenv("no_proxy", raising=False)
        answer = get("http://perpustakaan.example.ac.id/oai", internal=False)
    assert answer.body == b"<by proxy/>"
    assert proxy.requests[0].target == "http://perpustakaan.example.ac.id/oai"


# ---- TLS (Z059) ------------------------------------------------------------------------------------------------


def tls_server(certificate: str) -> ScriptedServer:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / certificate)
    return ScriptedServer(in_turn(Reply(b"<here/>")), tls=context)


BY_CA = {"ca": str(TLS / "ca.pem")}
BAD_CERTIFICATES = {
    "expired": ("expired.pem", BY_CA),
    "for another host": ("wrong-host.pem", BY_CA),
    "self-signed": ("self-signed.pem", {}),
    "of an unknown authority": ("good.pem", {}),
}


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_a_bad_certificate_is_refused(name: str) -> None:
    certificate, options = BAD_CERTIFICATES[name]
    with tls_server(certificate) as server:
        with pytest.raises(Refused, match="TLS certificate"):
            get(server.url, options=options)
        assert server.requests == []


@pytest.mark.parametrize("name", BAD_CERTIFICATES)
def test_without_verification_it_would_be_taken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Red proof by a mutant: the cases above fail on a harvester that turns verification off, as local ones do."""
    send = GuardedAdapter.send
    unsafe = lambda self, request, **named: send(self, request, **(named | {"verify": False}))  # noqa: E731
    monkeypatch.setattr(GuardedAdapter, "send", unsafe)
    with tls_server(BAD_CERTIFICATES[name][0]) as server, pytest.warns(Warning, match="Unverified"):
        assert get(server.url).body == b"<here/>"


@pytest.mark.parametrize(("certificate", "authority"), [("good.pem", "ca.pem"), ("self-signed.pem", "self-signed.crt")])
def test_a_partner_may_bring_its_own_authority(certificate: str, authority: str) -> None:
    with tls_server(certificate) as server:
        assert get(server.url, options={"ca": str(TLS / authority)}).body == b"<here/>"


@pytest.mark.parametrize("url", ["", "ftp://x.example/", "x.example/oai", "http://", "http://x.example:99999/"])
def test_an_address_that_is_none_is_the_operators_mistake(url: str) -> None:
    with pytest.raises(ConfigError, match="no http or https address"):
        fetcher(url)


def test_we_say_who_we_are() -> None:
    with ScriptedServer(in_turn(Reply(b"<a/>"))) as server:
        get(server.url)
    assert server.requests[0].headers["user-agent"] == user_agent("katalog@induk.example")
    assert "mailto:katalog@induk.example" in server.requests[0].headers["user-agent"]
    assert server.requests[0].headers["accept-encoding"] == "gzip, deflate"


def test_a_cancelled_harvest_stops_at_once() -> None:
    asked: list[Request] = []

    def answer(request: Request) -> Reply:
        asked.append(request)
        return Reply(identify(), 503)

    with ScriptedServer(answer) as server:
        environment = Environment(clock=TestClock(), limits=QUICK, cancel=lambda: len(asked) > 0)
        source = Source(code="p", protocol="oai-pmh", url=server.url, internal=True)
        with pytest.raises(SourceUnavailable, match="stopped on request"):
            Fetcher(source, environment).get()
    assert len(asked) == 1


def test_a_document_type_declaration_is_refused() -> None:
    """Z083: entity bombs and external entities, before anything is expanded."""
    laughs = b'<!DOCTYPE OAI-PMH [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    outside = b'<!DOCTYPE OAI-PMH SYSTEM "file:///etc/passwd">'
    for declaration in (laughs, outside):
        body = identify().replace(b"<OAI-PMH", declaration + b"<OAI-PMH", 1)
        with ScriptedServer(in_turn(Reply(body))) as server:
            outcome = harvest(server.url)
        assert isinstance(outcome.error, Refused)


def test_a_protocol_error_names_the_status() -> None:
    with ScriptedServer(in_turn(Reply(b"gone", 410))) as server:
        outcome = harvest(server.url)
    assert isinstance(outcome.error, ProtocolError)
    assert outcome.error.code == "410"
