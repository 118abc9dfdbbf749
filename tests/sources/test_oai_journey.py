"""Faults of OAI-PMH servers that show only in the catalogue: doubles, shared or changed identifiers (Z012 to Z031).

Each runs the whole way into SQLite. The red proof beside it shows what a plain mirror makes of the same answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester import pipeline
from harvester.sources import sources
from tests.journey import Consortium
from tests.sources import naive_harvester
from tests.sources.oai_answers import error, listing, record, serve, token
from tests.sources.scripted_server import Request, Script, ScriptedServer

Records = dict[str, dict[str, object]]


class Night:
    """A server whose answers a test changes from night to night."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def __call__(self, request: Request):  # type: ignore[no-untyped-def]
        return self.script(request)


@pytest.fixture
def union(tmp_path: Path) -> Consortium:
    return Consortium(tmp_path, f"sqlite:///{tmp_path / 'union.db'}")


def add(union: Consortium, code: str, url: str, **source: object) -> None:
    union.add(code, protocol="oai-pmh", url=url, internal=True, metadata_prefix="oai_dc", **source)


def records(union: Consortium) -> Records:
    lines = [json.loads(line) for line in union.dump().splitlines()]
    return {line["address"]: line for line in lines if line["kind"] == "record"}


def title(line: dict[str, object]) -> str:
    return line["normalized"]["title"]["proper"]  # type: ignore[index,call-overload,no-any-return]


def active(union: Consortium) -> set[str]:
    return {address for address, line in records(union).items() if line["state"] == "active"}


def mirror(url: str) -> dict[str, str]:
    """What a mirror by identifier holds after a naive harvest."""
    outcome = naive_harvester.harvest(url)
    return dict(zip(outcome.identifiers, outcome.payloads, strict=True))


def test_z012_a_record_that_comes_twice_in_one_list_has_one_version(union: Consortium) -> None:
    pages = [listing(record(0), record(1), token("t1")), listing(record(1), record(2))]
    with ScriptedServer(serve(pages)) as server:
        add(union, "p", server.url)
        assert union.harvest()["p"].verdict == "complete"
        assert len(naive_harvester.harvest(server.url).identifiers) == 4, "the naive one counts four (red proof)"
    assert {address: len(line["versions"]) for address, line in records(union).items()} == {  # type: ignore[arg-type]
        "p/oai:x:0": 1,
        "p/oai:x:1": 1,
        "p/oai:x:2": 1,
    }
    assert union.faults() == []


def test_z027_of_two_records_with_one_identifier_the_last_counts_and_both_are_kept(union: Consortium) -> None:
    with ScriptedServer(serve([listing(record(1, title="Saman"), record(1, title="Larung"))])) as server:
        add(union, "p", server.url)
        union.harvest()
        assert len(mirror(server.url)) == 1, "a mirror keeps one and says nothing (red proof)"
    lines = [json.loads(line) for line in union.dump().splitlines()]
    (kept,) = (line for line in lines if line["kind"] == "record")
    others = [line for line in lines if line["kind"] == "quarantine"]
    assert title(kept) == "Larung"
    assert len(kept["versions"]) + len(others) == 2, "the first one is a version or in quarantine"
    assert union.faults() == []


def test_z028_two_sources_with_the_same_identifiers_are_two_records_each(union: Consortium) -> None:
    both = listing(*(record(number) for number in range(10)))
    without = listing(record(0, deleted=True), *(record(number) for number in range(1, 10)))
    with ScriptedServer(Night(serve([both]))) as one, ScriptedServer(serve([both])) as other:
        add(union, "satu", one.url)
        add(union, "dua", other.url)
        union.night()
        assert len(mirror(one.url) | mirror(other.url)) == 10, "by identifier alone they collide (red proof)"
        assert len(active(union)) == 20
        one.script.script = serve([without])  # type: ignore[attr-defined]
        union.night()
    assert "satu/oai:x:0" not in active(union)
    assert "dua/oai:x:0" in active(union), "the other one's record stays"
    assert len(active(union)) == 19


def renamed(count: int) -> bytes:
    body = listing(*(record(number) for number in range(count)), token("", size=count))
    return body.replace(b"oai:x:", b"oai:new-host:")


def test_z029_a_host_rename_deletes_nothing_by_itself(union: Consortium) -> None:
    old = listing(*(record(number) for number in range(30)), token("", size=30))
    with ScriptedServer(Night(serve([old]))) as server:
        add(union, "p", server.url, options={"strategy": "sweep"})
        union.night()
        before = mirror(server.url)
        server.script.script = serve([renamed(30)])  # type: ignore[attr-defined]
        outcome = union.harvest()["p"]
        assert not before.keys() & mirror(server.url).keys(), "a mirror has dropped all thirty (red proof)"
    assert outcome.verdict == "halted"
    assert {f"p/oai:x:{number}" for number in range(30)} <= active(union)


def test_z030_an_identifier_that_is_given_to_another_work_keeps_the_old_version(union: Consortium) -> None:
    with ScriptedServer(Night(serve([listing(record(1, title="Saman"), record(2))]))) as server:
        add(union, "p", server.url)
        union.night()
        server.script.script = serve([listing(record(1, title="Kimia organik"), record(2))])  # type: ignore[attr-defined]
        union.night()
        assert "Saman" not in mirror(server.url)["oai:x:1"], "a mirror has forgotten it (red proof)"
    line = records(union)["p/oai:x:1"]
    assert title(line) == "Kimia organik"
    assert len(line["versions"]) == 2  # type: ignore[arg-type]
    assert union.faults() == []


SETS = listing(b"<set><setSpec>buku</setSpec><setName>Buku</setName></set>", verb="ListSets")
GONE: dict[str, Callable[[], Script]] = {
    "the set is refused": lambda: serve([error("badArgument", "unknown set")], ListSets=SETS),
    "the set is empty": lambda: serve([error("noRecordsMatch")], ListSets=SETS),
    "an empty list": lambda: serve([listing()], ListSets=SETS),
    "an empty list, counted": lambda: serve([listing(token("", size=0))], ListSets=SETS),
}


@pytest.mark.parametrize("answer", GONE)
def test_z031_a_set_that_disappears_is_never_a_deletion(union: Consortium, answer: str) -> None:
    whole = listing(*(record(number) for number in range(5)), token("", size=5))
    with ScriptedServer(Night(serve([whole]))) as server:
        add(union, "p", server.url, sets=("skripsi",), options={"strategy": "sweep"})
        union.night()
        server.script.script = GONE[answer]()  # type: ignore[attr-defined]
        outcome = union.harvest()["p"]
        assert mirror(server.url) == {}, "a mirror is empty now (red proof)"
    assert outcome.verdict == "halted", outcome
    assert len(active(union)) == 5


def inlislite(number: int, host: str) -> bytes:
    return record(number).replace(b"oai:x:", f"oai:{host}:".encode())


def test_z078_a_server_whose_identifiers_change_with_its_host_name_keeps_its_records(union: Consortium) -> None:
    asked: list[str] = []

    def one(request: Request) -> bytes:
        asked.append(request.arguments["identifier"])
        return listing(inlislite(3, "perpus.example.id")).replace(b"ListRecords", b"GetRecord")

    night = Night(serve([listing(*(inlislite(number, "192.168.0.1:8080") for number in range(3)))]))
    with ScriptedServer(night) as server:
        add(union, "p", server.url, preset="inlislite", identifier_rule="header-number")
        add(union, "whole", server.url, preset="inlislite")
        union.night()
        night.script = serve([listing(*(inlislite(number, "perpus.example.id") for number in range(3)))], GetRecord=one)
        union.night()
        with union.opened() as opened:
            environment = pipeline.environment(opened, pipeline.source_of(opened.settings, "p")[0])
            source = pipeline.source_of(opened.settings, "p")[0]
            found = sources.get("oai-pmh")(source, environment).record("3")  # type: ignore[attr-defined]
    assert [one.identifier for one in found.records] == ["3"] and asked == ["oai:perpus.example.id:3"]
    held = {address: line["state"] for address, line in records(union).items() if address.startswith("p/")}
    assert held == {"p/0": "active", "p/1": "active", "p/2": "active"}
    doubled = [address for address in records(union) if address.startswith("whole/")]
    assert len(doubled) > 3, "by the whole identifier every record is there twice (red proof)"
