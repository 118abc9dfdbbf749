"""The OAI-PMH provider over a real catalogue, harvested by three clients: what they hold is the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from oaipmh.client import Client
from oaipmh.metadata import MetadataRegistry, oai_dc_reader
from sickle import Sickle

from db import changes
from harvester import publishing
from harvester.clock import SystemClock
from harvester.formats import marcxml
from harvester.model import Source, Window
from harvester.sources import sources
from harvester.sources.environment import Environment, Limits
from harvester.web.oai import key
from tests.outputs.test_oai_provider import Harvester
from tests.outputs.union import Clock
from tests.pipeline.shelf import Book, Union
from tests.web.server import WebServer

LASKAR = Book("Laskar pelangi", isbn="9789793062792")
NUMBER = 130  # more than a page


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url, clock=Clock())
    books = {f"alun/{n}": Book(f"Risalah ke-{n:03d}", author="", pages=str(100 + n)) for n in range(NUMBER)}
    made.night(books | {"bukit/1": LASKAR, "bukit/2": Book("Bumi manusia", isbn="9789799731234")})
    pass_time(made)
    yield made
    made.close()


@pytest.fixture
def url(union: Union) -> Iterator[str]:
    with WebServer(union.pipeline) as web:
        yield f"{web.url}/oai"


def pass_time(union: Union, seconds: int = 60) -> None:
    """A change is told some seconds after it was dated."""
    union.pipeline.clock.time += timedelta(seconds=seconds)  # type: ignore[attr-defined]


def titles(union: Union) -> dict[str, str]:
    with publishing.reading(union.pipeline) as catalogue:
        return {one.cluster: one.union.record.title.proper for page in catalogue.pages() for one in page}


def test_sickle_follows_merges_edits_and_deletions_night_by_night(union: Union, url: str) -> None:
    harvester = Harvester(url)
    harvester.run()
    assert harvester.held == titles(union)
    assert len(harvester.held) == NUMBER + 2
    union.put("alun/3", LASKAR)
    union.put("alun/4", Book("Sitti Nurbaya", isbn="9789794071670"))
    union.delete("alun/5")
    union.night()
    pass_time(union)
    harvester.run()
    assert harvester.held == titles(union)
    assert len(harvester.held) == NUMBER
    harvester.run()
    assert harvester.held == titles(union)


def test_what_was_held_reaches_a_harvester_that_has_passed_its_date(union: Union, url: str) -> None:
    harvester = Harvester(url)
    harvester.run()
    with union.pipeline.database.write() as conn:
        changes.hold(conn, "a person looks")
    union.night({"bukit/3": Book("Salah asuhan", isbn="9789794072264")})
    pass_time(union)
    harvester.run()
    assert "Salah asuhan" not in harvester.held.values()
    pass_time(union)
    with union.pipeline.database.write() as conn:
        changes.release(conn, union.pipeline.now())
    pass_time(union)
    harvester.run()
    assert harvester.held == titles(union)


def test_tombstones_outlive_the_feed(union: Union, url: str) -> None:
    gone = str(union.cluster_of("alun/5"))
    union.delete("alun/5")
    union.put("alun/6", LASKAR)
    union.night()
    pass_time(union)
    with union.pipeline.database.write() as conn:
        assert changes.compact(conn, "2999-01-01T00:00:00Z") > 0
    listed = {one.identifier.rpartition(":")[2]: one for one in Sickle(url).ListIdentifiers(metadataPrefix="oai_dc")}
    assert {key for key, one in listed.items() if not one.deleted} == set(titles(union))
    assert listed[gone].deleted


def test_the_client_of_the_oaipmh_package_sees_the_same_and_sets_narrow_it(union: Union, url: str) -> None:
    registry = MetadataRegistry()
    registry.registerReader("oai_dc", oai_dc_reader)
    client = Client(url, registry)
    found = {
        header.identifier().rpartition(":")[2]: metadata.getField("title")[0]
        for header, metadata, _ in client.listRecords(metadataPrefix="oai_dc")
    }
    assert found == titles(union)
    of_bukit = [header.identifier() for header in client.listIdentifiers(metadataPrefix="oai_dc", set="partner:bukit")]
    assert sorted(of_bukit) == sorted(f"oai:induk:{union.cluster_of(one)}" for one in ("bukit/1", "bukit/2"))


def test_our_own_harvester_takes_the_union_as_a_source(union: Union, url: str) -> None:
    source = Source("induk", "oai-pmh", url=url, metadata_prefix="marc21", internal=True)
    environment = Environment(clock=SystemClock(), limits=Limits(delay_seconds=0))
    records = [one for page in sources.get("oai-pmh")(source, environment).pages(Window()) for one in page.records]
    marc = {one.identifier.rpartition(":")[2]: marcxml.parse(one.payload) for one in records}
    assert {key: one.bodies("245")[0].split("\x1fa")[1].split("\x1f")[0] for key, one in marc.items()} == titles(union)


def test_post_is_answered_as_get_and_too_long_a_request_is_refused(union: Union, url: str) -> None:
    with requests.Session() as session:
        session.trust_env = False
        parameters = {"verb": "GetRecord", "identifier": "oai:induk:1", "metadataPrefix": "oai_dc"}
        posted = session.post(url, data=parameters, timeout=60)
        assert posted.content == session.get(url, params=parameters, timeout=60).content
        assert posted.headers["content-type"] == "text/xml; charset=utf-8"
        assert session.post(url, data={"verb": "x" * 20_000}, timeout=60).status_code == 413
        assert b"badVerb" in session.get(url, params=[("verb", "Identify")] * 60, timeout=60).content


def test_the_key_of_resumption_tokens_outlives_a_restart(tmp_path: Path) -> None:
    first = key(tmp_path / "data")
    assert len(first) == 64
    assert key(tmp_path / "data") == first
    assert (tmp_path / "data" / "oai.key").stat().st_mode & 0o077 == 0
