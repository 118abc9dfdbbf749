"""What a partner withholds, and what names a person, is in no output, answer, view, index or log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import NamedTuple

import pytest
import requests
from sqlalchemy import text

from db import views
from harvester import publishing
from tests import canaries
from tests.outputs.solr_server import SolrServer
from tests.outputs.test_publishing import change_policy, run
from tests.pipeline.shelf import Book, Union
from tests.web.server import WebServer

pytestmark = pytest.mark.slow
OUTPUTS = """\
outputs:
  dump: {{kind: jsonl, url: dump}}
  marc: {{kind: marcxml, url: marc, options: {{compress: ""}}}}
  disc: {{kind: iso2709, url: disc}}
  solr: {solr}
"""
PERSONAL = ("21120111130045", "kenari@mail.example.id", "0812-5555-1212", "0099887766", "kenari%40url.example.id")
# field → (tag, subfield); each gets a canary of its own
WITHHELD = {
    "abstract": ("520", "a"),
    "contents": ("505", "a"),
    "notes": ("500", "a"),
    "subjects": ("650", "a"),
    "variant_titles": ("246", "a"),
    "uniform_title": ("240", "a"),
    "series": ("490", "a"),
    "edition": ("250", "a"),
    "extent": ("300", "a"),
    "holdings.call_number": ("852", "h"),
}
CANARIES = {name: f"Kenari{number}rahasia" for number, name in enumerate(WITHHELD)}
FORMS = ("json", "marcxml", "marc-json", "iso2709", "oai_dc")
PUBLIC = "Ringkasan yang boleh dibaca semua orang"


class Rich(NamedTuple):
    """A MARC 21 record of given fields."""

    fields: tuple[tuple[str, str, str], ...]

    def payload(self, identifier: str) -> bytes:
        made = "".join(
            f'<datafield tag="{tag}" ind1="{"1" if tag in ("100", "240") else "0"}" ind2="0">'
            f'<subfield code="{code}">{escape(value)}</subfield></datafield>'
            for tag, code, value in sorted(self.fields)
        )
        return (
            '<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000nam a2200000 a 4500</leader>'
            f'<controlfield tag="001">{escape(identifier)}</controlfield>{made}</record>'
        ).encode()


BASE = (
    ("020", "a", "9789793062792"),
    ("245", "a", "Laskar pelangi"),
    ("260", "b", "Bentang"),
    ("260", "c", "2005"),
)
SECRET = Rich(
    (
        *BASE,
        ("100", "a", "Hirata, Andrea, NIM 21120111130045"),
        ("500", "a", "Hubungi kenari@mail.example.id, hp 0812-5555-1212; pembimbing NIDN 0099887766"),
        ("856", "u", "https://etd.example.org/kenari%40url.example.id/21120111130045.pdf"),
        *((tag, code, CANARIES[name]) for name, (tag, code) in WITHHELD.items()),
    )
)
OPEN = Rich((*BASE, ("100", "a", "Hirata, Andrea"), ("520", "a", PUBLIC), ("852", "h", "899.221 HIR")))
ALONE = Rich(
    (
        ("100", "a", "Santoso, Budi (21120111130045)"),
        ("245", "a", "Burung kecil"),
        ("260", "c", "2011"),
        *((tag, code, CANARIES[name]) for name, (tag, code) in WITHHELD.items()),
    )
)


@pytest.fixture
def solr() -> Iterator[SolrServer]:
    with SolrServer() as server:
        yield server


@pytest.fixture
def union(tmp_path: Path, database_url: str, solr: SolrServer) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    config = tmp_path / "union" / "induk.yaml"
    config.write_text(
        config.read_text(encoding="utf-8") + OUTPUTS.format(solr=canaries.solr(config.parent, solr.url)),
        encoding="utf-8",
    )
    made.restart()
    yield made
    made.close()


def everything(union: Union, solr: SolrServer) -> Iterator[tuple[str, str]]:
    """(where, text) of all that leaves: what outputs hold, what is answered, what views and index show."""
    for name in ("dump", "marc", "disc"):
        for path in sorted((union.consortium.folder / name).iterdir()):
            yield f"{name}/{path.name}", path.read_bytes().decode("utf-8")
    yield "solr", json.dumps(list(solr.core.visible.values()), ensure_ascii=False)
    with WebServer(union.pipeline) as web, requests.Session() as session:
        session.trust_env = False
        for path in paths(union):
            answer = session.get(web.url + path, timeout=60)
            assert answer.status_code in (200, 404), (path, answer.text)  # 404: held back until it is merged again
            yield path, answer.content.decode("utf-8")
    with union.pipeline.database.read() as conn:
        for name in (*views.NAMES, "cluster_text", "cluster_brief", "identifier", "holding"):
            rows = conn.execute(text(f"SELECT * FROM {name}")).all()
            yield name, "\n".join(map(str, rows))


def paths(union: Union) -> Iterator[str]:
    for cluster in union.clusters():
        yield from (
            f"/api/clusters/{cluster}?format={form}" for form in ("json", "marcxml", "marc-json", "iso2709", "oai_dc")
        )
        yield f"/api/holdings?cluster={cluster}"
    yield from (
        "/api/records/alun/1",
        "/api/holdings?isbn=9789793062792",
        "/api/search?q=laskar",
        "/api/search?q=burung",
    )
    yield from ("/api/changes?documents=true", "/api/snapshot", "/api/partners")
    yield from (f"/oai?verb=ListRecords&metadataPrefix={prefix}" for prefix in ("oai_dc", "marc21"))
    yield from ("/oai?verb=Identify", "/oai?verb=ListSets")


def found(union: Union, solr: SolrServer, canaries: tuple[str, ...]) -> list[tuple[str, str]]:
    """(canary, where) of all that leaked."""
    held = list(everything(union, solr))
    return [(canary, where) for canary in canaries for where, text in held if canary.casefold() in text.casefold()]


def publish_all(union: Union, caplog: pytest.LogCaptureFixture) -> str:
    """Publish to every output as the command does, logging all it can; what it said."""
    said = ""
    with caplog.at_level(logging.DEBUG):
        for name in ("dump", "marc", "disc", "solr"):
            code, text = run(union, name, "--verify", "-vv")
            assert code == 0, text
            said += text
    return said + caplog.text


def test_what_a_policy_withholds_later_is_nowhere_and_the_public_value_takes_its_place(
    union: Union, solr: SolrServer, caplog: pytest.LogCaptureFixture
) -> None:
    canaries = tuple(CANARIES.values())
    union.night({"alun/1": SECRET, "bukit/7": OPEN, "alun/2": ALONE})  # type: ignore[dict-item]
    assert union.together("alun/1", "bukit/7")
    publish_all(union, caplog)
    shown = {canary for canary, _ in found(union, solr, canaries)}
    assert shown == set(canaries), "a canary that never sang proves nothing"

    change_policy(union, "alun", withheld=tuple(WITHHELD))
    caplog.clear()
    publish_all(union, caplog)  # not matched again yet: held back, not shown
    assert found(union, solr, canaries) == []
    union.match()
    said = publish_all(union, caplog)
    assert found(union, solr, canaries) == []
    assert not [canary for canary in canaries if canary.casefold() in said.casefold()]
    with publishing.reading(union.pipeline) as catalogue:
        merged = catalogue.documents([str(union.cluster_of("bukit/7"))])[str(union.cluster_of("bukit/7"))]
    assert merged.union.record.abstract == PUBLIC
    assert {one.call_number for one in merged.union.record.holdings} == {"", "899.221 HIR"}


def test_numbers_and_addresses_of_people_are_nowhere(
    union: Union, solr: SolrServer, caplog: pytest.LogCaptureFixture
) -> None:
    union.night({"alun/1": SECRET, "bukit/7": OPEN, "alun/2": ALONE, "alun/3": Book("Kenari 0812-5555-1212")})  # type: ignore[dict-item]
    said = publish_all(union, caplog)
    assert found(union, solr, PERSONAL) == []
    assert not [canary for canary in PERSONAL if canary in said]


def test_a_partner_that_withholds_its_records_is_nowhere(
    union: Union, solr: SolrServer, caplog: pytest.LogCaptureFixture
) -> None:
    union.night({"alun/1": SECRET, "bukit/7": OPEN, "alun/2": ALONE})  # type: ignore[dict-item]
    publish_all(union, caplog)
    change_policy(union, "alun", visibility="withheld")
    union.match()
    publish_all(union, caplog)
    where = {
        place
        for place, text in everything_but(union, solr, "/api/records/alun/1")
        if "alun/1" in text or "(alun)1" in text or "Burung kecil" in text
    }
    assert where == set()


def everything_but(union: Union, solr: SolrServer, path: str) -> Iterator[tuple[str, str]]:
    with WebServer(union.pipeline) as web, requests.Session() as session:
        session.trust_env = False
        assert session.get(web.url + path, timeout=60).status_code == 404
        for cluster in union.clusters():
            answer = session.get(f"{web.url}/api/clusters/{cluster}", timeout=60)
            yield f"/api/clusters/{cluster}", answer.text
        for one in ("/api/changes?documents=true", "/api/snapshot", "/oai?verb=ListRecords&metadataPrefix=marc21"):
            yield one, session.get(web.url + one, timeout=60).text
        assert session.get(f"{web.url}/api/search?q=burung", timeout=60).json()["total"] == 0
    for name in ("dump", "marc", "disc"):
        for file in sorted((union.consortium.folder / name).iterdir()):
            yield f"{name}/{file.name}", file.read_bytes().decode("utf-8")
    yield "solr", json.dumps(list(solr.core.visible.values()), ensure_ascii=False)
    with union.pipeline.database.read() as conn:
        for name in views.NAMES:
            yield name, "\n".join(str(row) for row in conn.execute(text(f"SELECT * FROM {name}")))
