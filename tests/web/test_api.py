"""The HTTP API over a real catalogue, on both databases: what it answers is what stands there, and nothing more."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import requests

from db import changes
from harvester import answers
from tests.pipeline.shelf import Book, Union
from tests.web.server import WebServer

LASKAR = Book("Laskar pelangi", isbn="9789793062792")
BUMI = Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354")
TJERITA = Book("Tjerita dari Blora", author="Toer, Pramoedya Ananta", isbn="", year="1952", pages="350")


class Api:
    """Ask the API."""

    def __init__(self, union: Union, url: str) -> None:
        self.union = union
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def raw(self, path: str, **query: Any) -> requests.Response:
        return self._session.get(f"{self.url}{path}", params=query, timeout=60, allow_redirects=False)

    def __call__(self, path: str, **query: Any) -> Any:
        answer = self.raw(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def api(tmp_path: Path, database_url: str) -> Iterator[Api]:
    union = Union(tmp_path / "union", database_url)
    union.night({"alun/1": LASKAR, "bukit/7": LASKAR, "alun/2": BUMI, "alun/3": TJERITA})
    with WebServer(union.pipeline) as web:
        made = Api(union, web.url)
        yield made
        made.close()
    union.close()


def test_a_cluster_is_answered_with_its_members_and_the_donor_of_each_value(api: Api) -> None:
    number = api.union.cluster_of("alun/1")
    answer = api(f"/api/clusters/{number}")
    assert answer["record"]["title"]["proper"] == "Laskar pelangi"
    assert [one["address"] for one in answer["members"]] == ["alun/1", "bukit/7"]
    assert {line["donor"] for line in answer["survivors"] if line["field"] == "title"} <= {"alun/1", "bukit/7"}
    for form, sign in (
        ("marcxml", b"<controlfield"),
        ("oai_dc", b"<dc:title"),
        ("iso2709", b"\x1d"),
        ("marc-json", b"{"),
    ):
        assert sign in api.raw(f"/api/clusters/{number}", format=form).content


def test_an_id_that_lost_leads_on_and_one_that_ended_is_gone(api: Api) -> None:
    union = api.union
    old = union.cluster_of("alun/2")
    union.night({"bukit/9": BUMI})
    merged = union.cluster_of("alun/2")
    union.put("alun/2", LASKAR)
    union.put("bukit/9", LASKAR)
    union.night()
    target = union.cluster_of("alun/2")
    assert merged == old
    lost = api.raw(f"/api/clusters/{old}")
    assert (lost.status_code, lost.headers["location"]) == (301, f"/api/clusters/{target}")
    assert api.raw("/api/holdings", cluster=old).headers["location"] == f"/api/holdings?cluster={target}"
    ended = union.cluster_of("alun/3")
    union.delete("alun/3")
    union.night()
    assert api.raw(f"/api/clusters/{ended}").status_code == 410
    for unknown in ("999999", "0", "-1", "x", "1e9", "9" * 19, "%00", "١"):
        assert api.raw(f"/api/clusters/{unknown}").status_code == 404, unknown


def test_a_record_is_answered_with_its_cluster(api: Api) -> None:
    answer = api("/api/records/bukit/7")
    assert (answer["address"], answer["cluster"]) == ("bukit/7", str(api.union.cluster_of("bukit/7")))
    assert api.raw("/api/records/bukit/8").status_code == 404
    for unknown in ("nobody/7", "alun/%00", "alun/%ED%A0%80", "%F0%9F%92%A5/1", "alun/a/b"):
        assert api.raw(f"/api/records/{unknown}").status_code == 404, unknown


def test_who_holds_an_isbn_is_told_with_policy_and_date_and_as_not_live(api: Api) -> None:
    for written in ("9789793062792", "979-3062-79-7", "978-979-3062-79-2"):
        answer = api("/api/holdings", isbn=written)
        assert answer["live"] is False
        assert "not whether a copy is on the shelf" in answer["note"]
        (held,) = answer["clusters"]
        assert [one["partner"] for one in held["holdings"]] == ["alun", "bukit"]
        assert {one["as_of"] for one in held["holdings"]} == {api.union.pipeline.now()[:10]}
    assert api("/api/holdings", isbn="9780000000002")["clusters"] == []
    assert api.raw("/api/holdings", isbn="abc").status_code == 400
    assert api.raw("/api/holdings").status_code == 400
    assert api.raw("/api/holdings", isbn="9789793062792", cluster="1").status_code == 400


SEARCHES: list[tuple[dict[str, Any], list[str]]] = [
    ({"q": "laskar"}, ["Laskar pelangi"]),
    ({"q": "LASKAR, Pelangi!"}, ["Laskar pelangi"]),
    ({"q": "cerita blora"}, ["Tjerita dari Blora"]),
    ({"q": "pramoedya toer"}, ["Bumi manusia", "Tjerita dari Blora"]),
    ({"q": "pramudya tur", "year_to": 1960}, ["Tjerita dari Blora"]),
    ({"q": "pela*"}, ["Laskar pelangi"]),
    ({"q": "pela"}, []),
    ({"q": "9789793062792"}, ["Laskar pelangi"]),
    ({"q": "hirata", "partner": "bukit"}, ["Laskar pelangi"]),
    ({"q": "toer", "partner": "bukit"}, []),
    ({"q": "toer", "material": "map"}, []),
    ({"q": "...."}, []),
    ({"q": "laskar\" OR title:bumi NEAR(x) -- ' ; DROP TABLE cluster"}, []),
    ({"q": "* & | ! ( ) : <-> ''"}, []),
]


def test_search_finds_the_same_on_both_databases(api: Api) -> None:
    answers_ = [api("/api/search", **asked) for asked, _ in SEARCHES]
    assert [sorted(one["title"] for one in answer["hits"]) for answer in answers_] == [found for _, found in SEARCHES]
    assert [answer["total"] for answer in answers_] == [len(found) for _, found in SEARCHES]


def test_search_follows_edits_merges_and_deletions(api: Api) -> None:
    union = api.union
    union.put("alun/2", BUMI._replace(title="Anak semua bangsa"))
    union.delete("alun/3")
    union.night()
    assert api("/api/search", q="manusia")["total"] == 0
    assert api("/api/search", q="blora")["total"] == 0
    assert api("/api/search", q="anak semua")["total"] == 1
    assert [one["partners"] for one in api("/api/search", q="laskar")["hits"]] == [2]


# ---- the feed --------------------------------------------------------------------------------------------


def replayed(api: Api, limit: int) -> dict[str, list[str]]:
    """The catalogue as a consumer of /api/changes holds it: cluster → addresses."""
    held: dict[str, list[str]] = {}
    since, epoch = 0, ""
    while True:
        page = api("/api/changes", since=since, epoch=epoch, limit=limit, documents=True)
        for one in page["changes"]:
            held.pop(one["cluster"], None)
        for one in page.get("documents", []):
            held[one["id"]] = [member["address"] for member in one["members"]]
        since, epoch = page["next"], page["epoch"]
        if since == page["released"]:
            return held


def test_a_consumer_of_the_feed_holds_the_catalogue(api: Api) -> None:
    union = api.union
    union.night({"bukit/9": BUMI})
    union.delete("alun/3")
    union.night()
    held = {str(key): members for key, members in union.clusters().items()}
    assert replayed(api, 1) == replayed(api, 1000) == held


def test_the_feed_as_lines_says_the_same(api: Api) -> None:
    whole = api("/api/changes", documents=True)
    lines = [json.loads(line) for line in api.raw("/api/changes", documents=True, format="ndjson").text.splitlines()]
    assert lines[0]["next"] == whole["next"]
    assert lines[1:] == [*whole["changes"], *whole["documents"]]


def test_a_position_of_another_epoch_or_too_old_is_told_to_begin_with_the_snapshot(api: Api) -> None:
    union = api.union
    union.night({"alun/1": LASKAR._replace(pages="530")})
    with union.pipeline.database.write() as conn:
        assert changes.compact(conn, "2999-01-01T00:00:00Z") == 1
    for query in ({"epoch": "another"}, {"since": 1}, {"since": 10_000}):
        answer = api.raw("/api/changes", **query)
        assert answer.status_code == 410, query
        assert answer.json()["snapshot"] == "/api/snapshot"
    lines = [json.loads(line) for line in api.raw("/api/snapshot").text.splitlines()]
    assert lines[-1] == {"end": True, "clusters": len(lines) - 2}
    assert {one["id"] for one in lines[1:-1]} == {str(key) for key in union.clusters()}
    after = api("/api/changes", epoch=lines[0]["epoch"], since=lines[0]["position"])
    assert after["changes"] == []


def test_a_consumer_that_waits_is_answered_when_something_changes(api: Api) -> None:
    last = api("/api/changes")["next"]
    started = time.monotonic()
    assert api("/api/changes", since=last, wait=0.3)["changes"] == []
    assert time.monotonic() - started >= 0.3
    answers_: list[Any] = []

    def wait() -> None:
        while not answers_:
            answer = api("/api/changes", since=last, wait=20)
            answers_.extend([answer] if answer["changes"] else [])

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    api.union.night({"bukit/9": BUMI})
    waiting.join(120)
    assert [one["kind"] for one in answers_[0]["changes"]] == ["upsert"]


def test_a_snapshot_is_refused_while_the_feed_is_held(api: Api) -> None:
    database = api.union.pipeline.database
    with database.write() as conn:
        changes.hold(conn, "a person looks")
    assert api.raw("/api/snapshot").status_code == 200
    api.union.night({"bukit/9": BUMI})
    assert api.raw("/api/snapshot").status_code == 503
    with database.write() as conn:
        changes.release(conn, api.union.pipeline.now())
    assert api.raw("/api/snapshot").status_code == 200


# ---- the description -------------------------------------------------------------------------------------


def test_the_description_names_every_answer_and_every_reference_leads_somewhere(api: Api) -> None:
    found = api("/api/openapi.json")
    schemas = found["components"]["schemas"]
    kinds = {
        name for name, one in vars(answers).items() if isinstance(one, type) and one.__module__ == answers.__name__
    }
    assert kinds <= schemas.keys()
    assert set(found["paths"]) == {
        *("/api/clusters/{cluster}", "/api/records/{source}/{identifier}", "/api/holdings", "/api/search"),
        *("/api/changes", "/api/snapshot", "/api/partners"),
    }
    text = json.dumps(found)
    for part in text.split('"#/components/schemas/')[1:]:
        assert part.partition('"')[0] in schemas


def test_answers_are_what_the_description_says(api: Api) -> None:
    number = api.union.cluster_of("alun/1")
    for path, kind in (
        (f"/api/clusters/{number}", answers.ClusterAnswer),
        ("/api/records/alun/1", answers.RecordAnswer),
        ("/api/holdings?isbn=9789793062792", answers.HoldingsAnswer),
        ("/api/search?q=laskar", answers.SearchAnswer),
        ("/api/changes?documents=true", answers.ChangesAnswer),
        ("/api/partners", list[answers.PartnerLine]),
    ):
        msgspec.json.decode(api.raw(path).content, type=kind)


def test_a_question_beyond_its_bounds_is_refused(api: Api) -> None:
    beyond = ["q=x&limit=0", "q=x&limit=99999", "q=x&offset=10001", "q=x&year_from=x", "q=" + "a" * 501, ""]
    assert {query: api.raw(f"/api/search?{query}").status_code for query in beyond} == dict.fromkeys(beyond, 422)
