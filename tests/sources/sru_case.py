"""A scripted SRU server, harvested by us and by the loop that follows nextRecordPosition."""

from __future__ import annotations

from harvester.sources import Limits
from tests.sources import naive_sru
from tests.sources.outcome import Outcome
from tests.sources.scripted_server import Script, ScriptedServer
from tests.sources.sliced_outcome import harvest
from tests.sources.sru_answers import entry, marcxml

ENTRIES = [entry(marcxml(number)) for number in range(1, 26)]
IDENTIFIERS = [f"b{number}" for number in range(1, 26)]
WHOLE = {"options": {"slicing": []}}
TWICE = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=2, page_attempts=2)
BOMB = b'<!DOCTYPE r [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;">]><r>&b;</r>'


def ours(script: Script, **given: object) -> tuple[Outcome, ScriptedServer]:
    with ScriptedServer(script) as server:
        return harvest("sru", server.url, **{**WHOLE, **given}), server  # type: ignore[arg-type]


def naive_loses(script: Script, wanted: int = 25) -> None:
    """The naive loop does not bring all of them and say so rightly."""
    with ScriptedServer(script) as server:
        outcome = naive_sru.harvest(server.url)
    assert outcome.error is not None or len(set(outcome.identifiers)) != wanted


def starts(server: ScriptedServer) -> list[str]:
    return [one.arguments["startRecord"] for one in server.requests if "startRecord" in one.arguments]
