"""Servers that want other arguments than the protocol says, and dates that mean nothing (zoo Z015 to Z021)."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.model import Window
from harvester.sources import oai_client, oai_page, oai_pmh
from tests.sources.oai_answers import (
    error,
    identify,
    in_pages,
    listing,
    record,
    serve,
)
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Request, Script, ScriptedServer
from tests.sources.zoo import Zoo, first, identifiers

ZOO = Zoo()

NIGHT = Window(since="2026-03-01T17:45:00Z")


def wants_prefix() -> Script:
    pages = in_pages(30, 10)

    def answer(request: Request) -> bytes:
        number = int(request.arguments.get("resumptionToken", "t0")[1:])
        return pages[number] if "metadataPrefix" in request.arguments else error("badArgument", "no metadataPrefix")

    return serve(pages, ListRecords=answer)


@ZOO.fault("Z015", "metadataPrefix is wanted beside the token", wants_prefix)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", first(30))
    assert "learned:token_arguments=prefix" in outcome.flags
    assert len(server.requests) == 5, "one refused request, then it is known"


def refuses_prefix() -> Script:
    pages = in_pages(30, 10)

    def answer(request: Request) -> bytes:
        both = {"metadataPrefix", "resumptionToken"} <= request.arguments.keys()
        return error("badArgument") if both else pages[int(request.arguments.get("resumptionToken", "t0")[1:])]

    return serve(pages, ListRecords=answer)


def always_prefix(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_client.OaiClient, "_habit", lambda client, name: "prefix")


@ZOO.fault("Z016", "a strict server refuses metadataPrefix beside the token", refuses_prefix, mutant=always_prefix)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", first(30))


def days_only(told: str) -> Script:
    def answer(request: Request) -> bytes:
        fine = len(request.arguments.get("from", "2026-01-01")) == 10
        return listing(record(1)) if fine else error("badArgument", "granularity")

    return serve([], ListRecords=answer, Identify=identify(granularity=told))


def asks_seconds(patch: pytest.MonkeyPatch) -> None:
    arguments = oai_pmh.OaiPmh._arguments

    def seconds(harvester: oai_pmh.OaiPmh, window: Window, set_spec: str) -> dict[str, str]:
        return arguments(harvester, window, set_spec) | {"from": window.since or ""}

    patch.setattr(oai_pmh.OaiPmh, "_arguments", seconds)
    patch.setattr(oai_pmh.OaiPmh, "_responses", lambda self, verb, given, token: getattr(self._client, verb)(**given))


@ZOO.fault("Z017", "day granularity is told", lambda: days_only("YYYY-MM-DD"), mutant=asks_seconds, window=NIGHT)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", identifiers(1))
    assert {len(request.arguments.get("from", "2026-03-01")) for request in server.requests} == {10}


@ZOO.fault(
    "Z017", "seconds are told but refused", lambda: days_only("YYYY-MM-DDThh:mm:ssZ"), mutant=asks_seconds, window=NIGHT
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers) == ("complete", identifiers(1))
    assert "learned:granularity=day" in outcome.flags


def believes_earliest(patch: pytest.MonkeyPatch) -> None:
    arguments = oai_pmh.OaiPmh._arguments

    def begin(harvester: oai_pmh.OaiPmh, window: Window, set_spec: str) -> dict[str, str]:
        return arguments(harvester, window, set_spec) | {"from": harvester._identity.earliest}  # type: ignore[union-attr]

    patch.setattr(oai_pmh.OaiPmh, "_arguments", begin)


def older_than_told(earliest: str) -> Script:
    def answer(request: Request) -> bytes:
        return error("badArgument") if "from" in request.arguments else listing(record(1, datestamp="1999-05-05"))

    return serve([], ListRecords=answer, Identify=identify(earliest=earliest))


for told in ("", "0000-00-00", "2020-01-01T00:00:00Z"):

    @ZOO.fault(
        "Z018", f"earliestDatestamp is {told!r}", lambda told=told: older_than_told(told), mutant=believes_earliest
    )
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", identifiers(1))


ODD = ("2026-03-01T12:00:00.123Z", "2026-03-01T12:00:00", "2026-03-01 19:00:00", "", "kemarin", None)


def trims_datestamps(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page, "_first_text", lambda element, name: oai_page.utc_moment("x"))


@ZOO.fault(
    "Z019",
    "datestamps with milliseconds, without zone, in local time, or none",
    lambda: serve([listing(*(record(number, datestamp=stamp) for number, stamp in enumerate(ODD)))]),
    mutant=trims_datestamps,
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "complete"
    assert outcome.datestamps == [stamp or "" for stamp in ODD]
    assert outcome.pages[0].server_time == "2026-03-02T18:00:00Z", "never from a record"


def backwards() -> Script:
    return serve([listing(record(2, datestamp="2030-01-01"), record(1, datestamp="1990-01-01"))])


def time_from_records(patch: pytest.MonkeyPatch) -> None:
    page = oai_pmh.OaiPmh._page

    def late(harvester: oai_pmh.OaiPmh, given: oai_page.OaiPage, *flags: str) -> Any:
        harvester._server_time = max(record.datestamp for record in given.records)
        return page(harvester, given, *flags)

    patch.setattr(oai_pmh.OaiPmh, "_page", late)


@ZOO.fault("Z021", "the list is not in the order of dates", backwards, mutant=time_from_records)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.identifiers == identifiers(2, 1)
    assert {page.server_time for page in outcome.pages} == {"2026-03-02T18:00:00Z"}


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
