"""Pinning: codes are chosen by their words, the preview shows the value, and what is pinned is what was chosen."""

from __future__ import annotations

import re
from html import unescape
from importlib import resources
from typing import Any

import pytest

from db import catalogue
from harvester.i18n import translations
from harvester.merge.offers import show
from harvester.model import Classification, Dates, Edition, Holding, Identifier, Note
from harvester.web import codes
from harvester.web.words import sayer
from harvester.yaml_file import read
from tests.web.desk import Desk, Session

REASON = {"reason": "begitu di sampul"}


def merged(desk: Desk, number: int) -> dict[str, Any]:
    with desk.pipeline.database.read() as conn:
        found: dict[str, Any] = catalogue.union_bodies(conn, [number])[number]["record"]
    return found


def a_cluster(desk: Desk, field: str) -> tuple[int, int]:
    """(number, version) of a cluster of two or more that says something in *field*."""
    with desk.pipeline.database.read() as conn:
        rows = catalogue.clusters(conn, catalogue.active_ids(conn))
        bodies = catalogue.union_bodies(conn, [key for key, row in rows.items() if row["size"] > 1])
    number = next(key for key, body in sorted(bodies.items()) if body["record"].get(field))
    return number, rows[number]["version"]


def undo(session: Session, location: str) -> None:
    number = location.rpartition("=")[2]
    done = session.send_form(f"/decisions/{number}/undo", step="do", reason="cukup")
    assert done.status_code == 303, done.text[-500:]


def rows(page: str) -> list[list[str]]:
    """The values now and afterwards, of the preview."""
    body = page.partition("<table>")[2].partition("</table>")[0]
    cells = re.findall(r"<td>(.*?)</td>", body)
    return [[unescape(one) for one in re.findall(r"<div>(.*?)</div>", cell)] for cell in cells]


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("languages", ["jav", "ind"], ["Jawa", "Indonesia"]),
        ("level", ["i"], ["sumber terintegrasi"]),
        ("country", ["NL"], ["Belanda"]),
    ],
)
def test_a_code_is_chosen_by_its_word_seen_in_the_preview_and_pinned(
    desk: Desk, field: str, value: list[str], words: list[str]
) -> None:
    session = desk.session("budi", "id")
    number, version = a_cluster(desk, field)
    before = merged(desk, number)[field]
    page = unescape(session.see(f"/clusters/{number}?pin={field}").text)
    for code, word in zip(value, words, strict=True):
        assert re.search(rf'<option value="{code}">{word}', page)
    path = f"/clusters/{number}/decide"
    asked = {"action": "pin", "version": version, "field": field, "donor": "", "value": [*value, ""], **REASON}
    seen = session.send_form(path, **asked)
    now, then = rows(seen.text)
    assert then == words
    assert now != then
    form = re.findall(r'<input type="hidden" name="([\w-]+)" value="([^"]*)">', seen.text.partition('class="stack"')[2])
    sent: dict[str, list[str]] = {}
    for name, one in form:
        sent.setdefault(name, []).append(one)
    done = session.post(session.base + path, data={**sent, **REASON}, timeout=60, allow_redirects=False)
    assert done.status_code == 303
    assert merged(desk, number)[field] == (value if isinstance(before, list) else value[0])
    version = int(re.findall(r'name="version" value="(\d+)"', session.see(f"/clusters/{number}").text)[0])
    ended = session.send_form(path, action="unpin", version=version, field=field, **REASON)
    assert rows(ended.text) == [then, now]
    undo(session, done.headers["location"])
    assert merged(desk, number)[field] == before


def test_the_value_of_a_member_is_seen_in_the_preview(desk: Desk) -> None:
    session = desk.session("budi")
    number, version = a_cluster(desk, "title")
    told = session.see(f"/clusters/{number}.json?pin=title").json()["choice"]
    address, texts = told["offers"][-1]
    asked = {"action": "pin", "version": version, "field": "title", "donor": address, **REASON}
    assert rows(session.send_form(f"/clusters/{number}/decide", **asked).text)[1] == texts


def test_a_donor_and_a_typed_value_together_are_refused(desk: Desk) -> None:
    session = desk.session("budi")
    number, version = a_cluster(desk, "title")
    donor = session.see(f"/clusters/{number}.json?pin=title").json()["choice"]["offers"][0][0]
    asked = {"action": "pin", "version": version, "field": "title", "donor": donor, "value": '{"proper": "X"}'}
    assert session.send_form(f"/clusters/{number}/decide", **asked, **REASON).status_code == 422


def test_a_title_that_is_a_number_is_pinned_as_text(desk: Desk) -> None:
    session = desk.session("budi")
    number, version = a_cluster(desk, "title")
    asked = {"action": "pin", "version": version, "field": "uniform_title", "donor": "", "value": "1984"}
    assert rows(session.send_form(f"/clusters/{number}/decide", **asked, **REASON).text)[1] == ["1984"]


def test_every_code_of_the_shipped_tables_has_a_word() -> None:
    for name, table in (("content_types", "content_types"), ("media_types", "media_types"),
                        ("carrier_types", "carrier_types"), ("languages", "languages"), ("country", "countries"),
                        ("country", "marc_countries"), ("score_format", "score_formats")):  # fmt: skip
        with resources.as_file(resources.files("mappings") / "tables" / f"{table}.yaml") as path:
            known = read(path).value["values"]
        assert [one for one in map(str, known) if one not in codes.CODES[name]] == []


VALUES = [
    ("dates", Dates(1817, 1817, "single", text="1817."), "1817."),
    ("dates", Dates(1817, 1817, "single"), "1817"),
    ("dates", Dates(1852, 9999, "continuing", certain=False), "1852–"),
    ("dates", Dates(1990, 1990, "single", certain=False, text="ca. 1990"), "ca. 1990"),
    ("edition", Edition("Ed. 3", 3), "Ed. 3"),
    ("identifiers", Identifier("isbn", "9789793062792"), "ISBN 9789793062792"),
    ("identifiers", Identifier("doi", "10.1/x"), "DOI 10.1/x"),
    ("classifications", Classification("ddc", "813", "HIR l"), "DDC 813 HIR l"),
    ("notes", Note("general", "Indeks"), "Indeks"),
    ("holdings", Holding(call_number="813", lending="lent", as_of="2026-01-01"), "813 · dipinjamkan · 2026-01-01"),
    ("level", "m", "monografi"),
    ("content_types", "txt", "teks"),
    ("media_types", "n", "tanpa perantara"),
    ("title", "Laskar pelangi", "Laskar pelangi"),
]


@pytest.mark.parametrize(("field", "value", "told"), VALUES)
def test_a_value_of_the_merged_record_is_said_in_words(field: str, value: Any, told: str) -> None:
    gettext = translations("id").gettext
    assert codes.worded(field, show(value), gettext, sayer(gettext)) == told
