"""The desk over SQLite and over PostgreSQL: every page in its three forms, and the acts that it is for."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest

from db import catalogue, links
from db import desk as looking
from db.catalogue import RecordState
from tests.conftest import BOTH
from tests.web.desk import Desk, Session
from tests.web.test_axe import paths

pytestmark = pytest.mark.slow
REASON = {"reason": "looked at both"}


@pytest.fixture(scope="module", params=BOTH)
def either(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    if request.param == "sqlite":
        yield request.getfixturevalue("desk")
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create()
    with Desk(tmp_path_factory.mktemp("either"), url).open() as made:
        yield made
    server.drop(url)


def members(desk: Desk) -> dict[int, list[RecordState]]:
    """Cluster → its members."""
    with desk.pipeline.database.read() as conn:
        return catalogue.members(conn, catalogue.active_ids(conn))


def sure(session: Session, path: str, **fields: Any) -> int:
    """Send a form and what its preview asks to be sent; returns the number of the decision."""
    shown = session.send_form(path, **fields)
    assert shown.status_code == 200, shown.text[-300:]
    assert "Nothing has been changed yet" in shown.text
    done = session.send_form(path, **fields, **dict(hidden(shown.text)), step="do")
    assert done.status_code == 303, done.text[-300:]
    return int(re.findall(r"\d+", done.headers["location"])[-1])


def hidden(page: str) -> list[tuple[str, str]]:
    """The versions that a preview carries."""
    return re.findall(r'name="(version-\d+)" value="(\d+)"', page)


def test_every_page_shows_itself_in_the_three_forms_that_it_names(either: Desk) -> None:
    session = either.session("ani")
    forms = 0
    for path in paths(either):
        page = session.see(path)
        assert page.status_code == (404 if "999999" in path else 200), path
        for found in re.findall(r'<a href="([^"]+)">(?:JSON|CSV)</a>', page.text):
            link = unescape(found)
            told = session.see(link)
            assert told.status_code == 200, link
            forms += 1
            if ".json" in link:
                assert isinstance(told.json(), dict), link
            else:
                widths = {len(row) for row in csv.reader(io.StringIO(told.content.decode("utf-8-sig")))}
                assert len(widths) == 1, link
    assert forms > 40


def test_search_finds_words_identifiers_and_narrows(either: Desk) -> None:
    session = either.session("eko")
    found = session.see("/search.json?q=laskar+pelangi").json()
    assert found["hits"]
    assert "pelangi" in found["hits"][0]["title"].lower()
    narrowed = session.see("/search.json?q=laskar+pelangi&partner=melati").json()
    assert 0 < narrowed["total"] <= found["total"]
    assert session.see("/search.json?q=9789793062792").json()["hits"]
    assert session.see("/search.json?q=tidakadakatasepertiini").json()["hits"] == []


def test_the_merge_log_is_filtered(either: Desk) -> None:
    session = either.session("eko")
    everything = session.see("/merges.json").json()["lines"]
    day = everything[0]["at"][:10]
    for query, holds in (
        ("kind=joined", lambda one: one["kind"] == "joined"),
        ("rule=isbn", lambda one: one["rule"] == "isbn"),
        ("low=20", lambda one: one["score"] >= 20),
        ("low=5&high=20", lambda one: 5 <= one["score"] <= 20),
        ("partner=melati", lambda one: one["record"].startswith("melati/")),
        ("by=match", lambda one: one["actor"] == "match"),
        (f"since={day}&until={day}", lambda one: one["at"].startswith(day)),
        (f"cluster={everything[-1]['cluster']}", lambda one: one["cluster"] == everything[-1]["cluster"]),
    ):
        lines = session.see(f"/merges.json?{query}").json()["lines"]
        assert lines, query
        assert all(map(holds, lines)), query
    assert session.see("/merges.json?until=1999-01-01").json()["lines"] == []


def test_a_cluster_is_split_stays_split_and_comes_together_again(either: Desk) -> None:
    session = either.session("budi")
    number, held = max(members(either).items(), key=lambda pair: len(pair[1]))
    page = session.see(f"/clusters/{number}.json").json()["cluster"]
    form = {"action": "split", "members": len(held), "version": page["version"], "group-0": "2", **REASON}
    decision = sure(session, f"/clusters/{number}/decide", **form)
    homes = {one.address: key for key, group in members(either).items() for one in group}
    first, second = page["members"][0]["address"], page["members"][1]["address"]
    assert homes[first] != homes[second]
    stale = session.send_form(f"/clusters/{number}/decide", **form, step="do")
    assert stale.status_code == 409
    either.consortium.match()
    sure(session, f"/decisions/{decision}/undo", **REASON)
    homes = {one.address: key for key, group in members(either).items() for one in group}
    assert homes[first] == homes[second]


def test_verdicts_are_carried_out_become_labels_and_are_undone(either: Desk) -> None:
    session = either.session("budi")
    for verdict in ("apart", "never", "merge"):
        case = session.see("/review.json").json()
        left, right = case["case"]["left"], case["case"]["right"]
        versions = {f"version-{key}": str(value) for key, value in case["versions"].items()}
        answer = session.send_form("/review", left=left, right=right, verdict=verdict, **versions)
        assert answer.status_code == 303, answer.text[-300:]
        with either.pipeline.database.read() as conn:
            label = links.labels(conn)[-1]
            states = {one.address: one.cluster_id for one in catalogue.states_of_addresses(conn, _both(left, right))}
        assert label["duplicate"] == (verdict == "merge")
        assert (states[left] == states[right]) == (verdict == "merge")
        undo = dict(re.findall(r"(last|unlabel)=([^&]+)", answer.headers["location"]))
        taken_back = session.send_form("/review", verdict="undo", last=undo.get("last", ""), unlabel=f"{left}\n{right}")
        assert taken_back.status_code == 303
        with either.pipeline.database.read() as conn:
            states = {one.address: one.cluster_id for one in catalogue.states_of_addresses(conn, _both(left, right))}
            assert not [one for one in links.labels(conn) if one["id"] == label["id"]]
        assert states[left] != states[right]


def _both(left: str, right: str) -> list[tuple[str, str]]:
    return [tuple(one.split("/", 1)) for one in (left, right)]  # type: ignore[misc]


def test_the_ledger_is_searched_by_a_word_and_by_a_number(either: Desk) -> None:
    session = either.session("dewi")
    every = session.see("/partners/smpn1/ledger.json").json()["lines"]
    wanted = next(one for one in every if "pelangi" in one["title"].casefold())
    for terms in ("Pelangi", wanted["address"].rpartition(":")[2]):
        found = session.see("/partners/smpn1/ledger.json", params={"q": terms}).json()["lines"]
        assert wanted["address"] in {one["address"] for one in found}
        assert len(found) < len(every)


def test_lines_of_the_log_are_reverted_as_their_preview_says(either: Desk) -> None:
    session = either.session("budi")
    with either.pipeline.database.read() as conn:
        lines = looking.merge_log(conn, looking.LogFilter(kind="joined", actor="match"), 200)
    homes = {one.address: key for key, group in members(either).items() for one in group}
    sizes = {key: len(group) for key, group in members(either).items()}
    line = next(one for one in lines if sizes.get(homes.get(one["body"]["record"], 0), 0) > 1)
    record = line["body"]["record"]
    decision = sure(session, "/merges/revert", event=line["id"], **REASON)
    after = {one.address: key for key, group in members(either).items() for one in group}
    assert after[record] != homes[record] or sizes[homes[record]] > len(members(either)[homes[record]])
    undo = f"/decisions/{decision}/undo"
    preview = dict(hidden(session.send_form(undo, **REASON).text))
    sure(session, undo, **REASON)
    assert preview
    assert session.send_form(undo, **REASON, **preview, step="do").status_code == 409
    again = {one.address: key for key, group in members(either).items() for one in group}
    together = [one for one, key in homes.items() if key == homes[record]]
    assert len({again[one] for one in together}) == 1
