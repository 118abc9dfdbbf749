"""Sets that disappear, errors that nobody knows, Identify that fails (zoo Z031 to Z033)."""

from __future__ import annotations

from typing import Any

import pytest

from harvester.errors import ProtocolError
from harvester.sources import oai_pmh
from harvester.sources.oai_identify import read_identity
from tests.sources.oai_answers import (
    CLOSE,
    OPEN,
    error,
    in_pages,
    listing,
    record,
    serve,
)
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Reply, Script, ScriptedServer
from tests.sources.zoo import Zoo, first

ZOO = Zoo()


def without_set(answer: bytes) -> Script:
    sets = listing(b"<set><setSpec>buku</setSpec><setName>Buku</setName></set>", verb="ListSets")
    return serve([answer], ListSets=sets)


def asks_no_sets(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_pmh.OaiPmh, "set_specs", lambda harvester: ())


for code in ("badArgument", "noRecordsMatch"):

    @ZOO.fault(
        "Z031",
        f"a configured set has disappeared: {code}",
        lambda code=code: without_set(error(code)),
        mutant=asks_no_sets,
        sets=("skripsi",),
    )
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert (outcome.verdict, outcome.code) == ("partial", "setGone")


@ZOO.fault("Z031", "an empty answer where records were", lambda: serve([listing()]), last_full=300)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert "300" in outcome.reason


TWO_ERRORS = OPEN + b'<error code="badArgument">no such day</error><error code="wetFeet">rain</error>' + CLOSE

for label, answer, code, texts in (
    ("an error code that nobody knows", error("wetFeet", "it rains"), "wetFeet", ["wetFeet", "it rains"]),
    ("an error without code", OPEN + b"<error>apa?</error>" + CLOSE, "unknown", ["apa?"]),
    ("several errors", TWO_ERRORS, "badArgument", ["no such day", "rain"]),
    ("an error within the list", listing(b'<error code="wetFeet">rain</error>'), "wetFeet", ["rain"]),
):

    @ZOO.fault("Z032", label, lambda answer=answer: serve([answer]))
    def _(outcome: Outcome, server: ScriptedServer, code: str = code, texts: list[str] = texts) -> None:
        assert (outcome.verdict, outcome.code) == ("partial", code)
        assert all(text in str(outcome.error) for text in texts)


@ZOO.fault("Z032", "records and an error", lambda: serve([listing(record(0), b'<error code="wetFeet">rain</error>')]))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "wetFeet")
    assert outcome.identifiers == first(1)


def needs_identify(patch: pytest.MonkeyPatch) -> None:
    def asked(harvester: oai_pmh.OaiPmh) -> Any:
        response = harvester._client.harvest(verb="Identify")
        if response.xml is None or response.page.errors:
            raise ProtocolError("no Identify")
        return read_identity(response.xml)

    patch.setattr(oai_pmh.OaiPmh, "_identify", asked)


for label, answer in (
    ("with HTTP 500", Reply(b"", 500)),
    ("with broken XML", Reply(OPEN + b"<Identify><repositoryName>a & b")),
    ("with an error", Reply(error("badVerb"))),
):

    @ZOO.fault(
        "Z033",
        f"Identify fails {label}, lists work",
        lambda answer=answer: serve(in_pages(5, 5), Identify=answer),
        mutant=needs_identify,
    )
    def _(outcome: Outcome, server: ScriptedServer) -> None:
        assert (outcome.verdict, outcome.identifiers) == ("complete", first(5))


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
