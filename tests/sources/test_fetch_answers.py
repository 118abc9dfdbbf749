"""Answers that come late, not at all, or from somebody else (zoo Z052, Z053, Z055, Z060 to Z062)."""

from __future__ import annotations

import gzip
import zlib
from typing import Any

import pytest

from harvester.errors import Blocked, ProtocolError, SourceUnavailable
from harvester.sources import oai_xml
from harvester.sources.environment import Limits
from harvester.sources.inflate import CorruptPacking, Inflater
from tests.sources.oai_answers import each_time, identify, in_pages, listing, record, serve
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Reply, Script, ScriptedServer
from tests.sources.zoo import Zoo, first

ZOO = Zoo()

PAGES = in_pages(20, 10)


def first_fails(*replies: bytes | Reply) -> Script:
    """The first page fails with each of *replies* in turn before it comes."""
    return serve(PAGES, ListRecords=each_time(*replies, *PAGES))


def complete(outcome: Outcome) -> None:
    assert (outcome.verdict, outcome.proof, outcome.identifiers) == ("complete", "proven", first(20))


# ---- statuses ------------------------------------------------------------------------------------------------

for status in (408, 425, 429, 500, 502, 503, 504, 522):

    @ZOO.fault("Z052", f"HTTP {status} once", lambda status=status: first_fails(Reply(b"busy", status)))
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        complete(outcome)
        assert outcome.clock.slept == [0.5], "half of the first back-off, by our jitter"


def storm(status: int, *headers: tuple[str, str]) -> Script:
    return serve([], ListRecords=Reply(b"", status, headers))


@ZOO.fault("Z052", "a storm of 503", lambda: storm(503))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, SourceUnavailable)
    assert outcome.clock.slept == [0.5, 1.0], "exponential back-off"
    assert len(server.requests) == 4


WAITS = (
    ("in seconds", "7", [7.0]),
    ("with a fraction", "7.9", [7.0]),
    ("as a date", "Mon, 02 Mar 2026 18:00:30 GMT", [30.0]),
    ("as a date that has passed", "Mon, 02 Mar 2020 18:00:30 GMT", []),
    ("as a date far ahead", "Mon, 02 Mar 2099 18:00:30 GMT", [3600.0]),
    ("of ten thousand years", "999999999999", [3600.0]),
    ("that is no number", "besok pagi", [0.5]),
    ("that is negative", "-5", [0.5]),
    ("of a thousand digits", "9" * 1000, [0.5]),
    ("that is empty", "", [0.5]),
)

for label, text, waits in WAITS:
    for status in (429, 503):

        def asks_to_wait(text: str = text, status: int = status) -> Script:
            return first_fails(Reply(b"", status, (("Retry-After", text),)))

        @ZOO.fault("Z052", f"HTTP {status}, Retry-After {label}", asks_to_wait)
        def _(outcome: Outcome, server: ScriptedServer, waits: list[float] = waits) -> None:
            complete(outcome)
            in_slices = sum(outcome.clock.slept)
            assert in_slices == pytest.approx(sum(waits))


@ZOO.fault(
    "Z052",
    "a server that always wants an hour uses up the time for waiting",
    lambda: storm(503, ("Retry-After", "3600")),
    limits=Limits(delay_seconds=0, attempts=20, waiting_seconds=7200),
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, SourceUnavailable)
    assert outcome.error.retry_after == 3600
    assert sum(outcome.clock.slept) == 7200
    assert len(server.requests) == 4


@ZOO.fault("Z052", "a connection that is reset once", lambda: first_fails(Reply(reset=True)))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    complete(outcome)


# ---- pages for people ------------------------------------------------------------------------------------------

HTML = (("Content-Type", "text/html; charset=utf-8"),)
PEOPLE = {
    "maintenance": b"<!DOCTYPE html><html><head><title>Situs dalam perbaikan</title></head><body>Maaf</body></html>",
    "log-in": b'<html><head><title>Log in</title></head><body><form action="/login"><input></form></body></html>',
    "Cloudflare": b'<!DOCTYPE html><!--[if lt IE 7]> <html class="no-js ie6"> <![endif]--><html lang="en-US"><head>'
    b"<title>Just a moment...</title></head><body>Enable JavaScript and cookies to continue</body></html>",
    "Anubis": b"<!doctype html><html lang=id><head><title>Making sure you&#39;re not a bot!</title><script></script>"
    b"</head><body><main><img src=/.within.website/x/cmd/anubis/static/img/pensive.webp></main></body></html>",
    "ModSecurity": b"<html><head><title>Not Acceptable!</title></head><body><h1>Not Acceptable!</h1><p>An appropriate "
    b"representation of the requested resource could not be found on this server. Mod_Security.</p></body></html>",
    "captive portal": b"<HTML><HEAD><TITLE>Hotspot Kampus</TITLE><META http-equiv=refresh content='0; url=/portal'>"
    b"</HEAD><BODY></BODY></HTML>",
    "XHTML": b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1'
    b'/DTD/xhtml1-strict.dtd"><html xmlns="http://www.w3.org/1999/xhtml"><head><title>Selamat datang</title></head>'
    b"<body><p>ok</p></body></html>",
    "plain text": b"Service temporarily unavailable, come back later",
    "JSON": b'{"error": "rate limited"}',
}

for name, page in PEOPLE.items():

    @ZOO.fault("Z053", f"a {name} page with HTTP 200", lambda page=page: serve([Reply(page, 200, HTML)]))
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert isinstance(outcome.error, Blocked), outcome.error
        assert outcome.verdict == "partial"


@ZOO.fault("Z053", "XML that is not OAI-PMH", lambda: serve([b"<?xml version='1.0'?><rss><channel/></rss>"]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "notOAI")
    assert "rss" in str(outcome.error)


@ZOO.fault("Z053", "nothing at all with HTTP 200", lambda: serve([b""]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, SourceUnavailable)


@ZOO.fault("Z053", "a maintenance page in mid-list", lambda: serve([PAGES[0], Reply(PEOPLE["maintenance"])]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, Blocked)
    assert "Situs dalam perbaikan" in str(outcome.error)
    assert (outcome.verdict, outcome.identifiers) == ("partial", first(10))


# ---- packing -----------------------------------------------------------------------------------------------------


def packed(body: bytes, encoding: str) -> Reply:
    headers = (("Content-Type", "text/xml"), ("Content-Encoding", encoding)) if encoding else ()
    return Reply(body, headers=headers)


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


ONE = in_pages(20, 20)[0]
HALF = len(ONE) // 2


def believes_announcement(patch: pytest.MonkeyPatch) -> None:
    def announced(inflater: Inflater, head: bytes) -> int:
        if inflater._announced == "gzip":
            return 31
        if inflater._announced:
            raise CorruptPacking("unknown")
        return 0

    patch.setattr(Inflater, "_wrapping_of", announced)


def no_sniffing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Inflater, "_wrapping_of", lambda inflater, head: 0)


for label, body, encoding in (
    ("gzip", gzip.compress(ONE), "gzip"),
    ("x-gzip", gzip.compress(ONE), "x-gzip"),
    ("gzip in two members", gzip.compress(ONE[:HALF]) + gzip.compress(ONE[HALF:]), "gzip"),
    ("gzip with padding behind it", gzip.compress(ONE) + bytes(100), "gzip"),
    ("deflate with zlib header", zlib.compress(ONE), "deflate"),
    ("raw deflate", raw_deflate(ONE), "deflate"),
    ("gzip that is not announced", gzip.compress(ONE), ""),
    ("plain XML announced as gzip", ONE, "gzip"),
    ("plain XML announced as br", ONE, "br"),
    ("gzip announced as deflate", gzip.compress(ONE), "deflate"),
):

    @ZOO.fault(
        "Z055",
        label,
        lambda body=body, encoding=encoding: serve([packed(body, encoding)]),
        mutant=believes_announcement if body == ONE else no_sniffing,
    )
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert outcome.error is None, outcome.error
        complete(outcome)


for label, body in (
    ("gzip with a wrong checksum", gzip.compress(ONE)[:-8] + bytes(8)),
    ("gzip cut in the middle", gzip.compress(ONE)[: HALF // 8]),
    ("gzip with a damaged byte", gzip.compress(ONE)[:40] + b"\xff\xff\xff" + gzip.compress(ONE)[43:]),
    ("noise announced as gzip", b"\x00\x01\x02\x03noise"),
):

    def corrupt_once(body: bytes = body) -> Script:
        return serve([], ListRecords=each_time(packed(body, "gzip"), packed(gzip.compress(ONE), "gzip")))

    @ZOO.fault("Z055", f"{label}, whole the second time", corrupt_once)
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        complete(outcome)

    @ZOO.fault("Z055", f"{label}, each time", lambda body=body: serve([packed(body, "gzip")]))
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert isinstance(outcome.error, SourceUnavailable)
        assert len(server.requests) == 4


# ---- somebody else answers ------------------------------------------------------------------------------------------


@ZOO.fault(
    "Z060",
    "another repository answers",
    lambda: serve(PAGES, Identify=identify(name="Hotel Melati")),
    learned={"repository_name": "Perpustakaan Uji"},
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code, outcome.identifiers) == ("partial", "otherRepository", [])
    assert "Hotel Melati" in str(outcome.error)


def other_charset(body: bytes, charset: str) -> Script:
    return serve([Reply(body, headers=(("Content-Type", f"text/xml; charset={charset}"),))])


ACCENTED = listing(record(0, title="Café Ubud"))


def believes_header(patch: pytest.MonkeyPatch) -> None:
    parse = oai_xml.parse

    def decoded(document: bytes, max_bytes: int) -> Any:
        return parse(document.decode("latin-1").replace('encoding="UTF-8"', "").encode(), 2 * max_bytes)

    patch.setattr(oai_xml, "parse", decoded)


@ZOO.fault(
    "Z061",
    "the header says Latin-1, the XML UTF-8",
    lambda: other_charset(ACCENTED, "iso-8859-1"),
    mutant=believes_header,
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert "Café Ubud" in outcome.text


@ZOO.fault(
    "Z061",
    "the XML declares Latin-1, but is UTF-8",
    lambda: other_charset(ACCENTED.replace(b"UTF-8", b"ISO-8859-1", 1), "utf-8"),
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert "charset-doubt" in outcome.flags


def bans() -> Script:
    return serve([], ListRecords=each_time(PAGES[0], Reply(b"Forbidden", 403)))


@ZOO.fault("Z062", "a server that bans us after some requests", bans)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, Blocked)
    assert outcome.error.retry_after == 86_400, "we stay away for a day"
    assert len(server.requests) == 3, "not asked again"
    assert outcome.identifiers == first(10)


@ZOO.fault("Z062", "a pause between two requests", lambda: serve(PAGES), limits=Limits(delay_seconds=3))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    complete(outcome)
    assert len(outcome.clock.slept) == 2
    assert all(0 < pause <= 3 for pause in outcome.clock.slept)
    assert all("induk/" in request.headers["user-agent"] for request in server.requests)
    assert server.connections == 1, "kept open"


@ZOO.fault("Z062", "a budget of requests", lambda: serve(PAGES), limits=Limits(delay_seconds=0, requests_a_night=2))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, SourceUnavailable)
    assert (len(server.requests), outcome.identifiers) == (2, first(10))


@ZOO.fault("Z062", "a log-in that is refused", lambda: storm(401))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert isinstance(outcome.error, ProtocolError)
    assert (outcome.code, len(server.requests)) == ("401", 2)


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
