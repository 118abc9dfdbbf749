"""Empty answers, wrong counts, doubled records (zoo Z007 to Z012)."""

from __future__ import annotations

import pytest

from harvester.model import Window
from harvester.sources import oai_page
from tests.sources.oai_answers import (
    error,
    listing,
    record,
    serve,
    token,
)
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Reply, Script, ScriptedServer
from tests.sources.zoo import Zoo, identifiers

ZOO = Zoo()

NIGHT = Window(since="2026-03-01T17:45:00Z")


def nothing_in_the_middle(size: int | None) -> Script:
    return serve([listing(record(0), record(1), token("t1", size=size)), error("noRecordsMatch")])


@ZOO.fault("Z007", "noRecordsMatch in mid-list", lambda: nothing_in_the_middle(20))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.code) == ("partial", "noRecordsMatch")


@ZOO.fault("Z007", "noRecordsMatch in mid-list, but the count is met", lambda: nothing_in_the_middle(2))
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof) == ("complete", "proven")
    assert outcome.pages[-1].token == ""


@ZOO.fault(
    "Z008", "a quiet night: noRecordsMatch on the first page", lambda: serve([error("noRecordsMatch")]), window=NIGHT
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers, outcome.error) == ("complete", [], None)
    assert outcome.pages[0].server_time == "2026-03-02T18:00:00Z"


@ZOO.fault(
    "Z008", "a quiet night told with HTTP 404", lambda: serve([Reply(error("noRecordsMatch"), 404)]), window=NIGHT
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.identifiers, outcome.error) == ("complete", [], None)


@ZOO.fault(
    "Z010", "the list is shorter than its count", lambda: serve([listing(record(0), record(1), token("", size=9))])
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"
    assert "2 of 9" in outcome.reason


def growing() -> Script:
    return serve([listing(record(0), token("t1", size=2)), listing(record(1), token("", size=3))])


@ZOO.fault("Z010", "the count changes while the list is read", growing)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "partial"


@ZOO.fault(
    "Z010", "the list is longer than its count", lambda: serve([listing(record(0), record(1), token("", size=1))])
)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert (outcome.verdict, outcome.proof, len(outcome.identifiers)) == ("complete", "claimed", 2)


def shifted() -> Script:
    return serve([listing(record(0), record(1), token("t1")), listing(record(1), record(2))])


def drops_repeats(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(oai_page.OaiPage, "digest", property(lambda page: "same"))


@ZOO.fault("Z012", "an insertion between two pages doubles a record", shifted, mutant=drops_repeats)
def _(outcome: Outcome, server: ScriptedServer) -> None:
    assert outcome.verdict == "complete"
    assert outcome.identifiers == identifiers(0, 1, 1, 2)


test_the_fault_is_handled = ZOO.handled()
test_the_naive_harvester_fails = ZOO.naive_fails()
test_the_mutant_fails = ZOO.mutant_fails()
