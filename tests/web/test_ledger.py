"""A partner's ledger: each of its records with its title, found by words, by ISBN and by its own number."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.desk import Desk, Session

SCHOOL = "/partners/smpn1/ledger"


def lines(session: Session, terms: str = "", path: str = SCHOOL) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.see(f"{path}.json", params={"q": terms}).json()["lines"]
    return found


def test_each_line_has_its_title(desk: Desk) -> None:
    session = desk.session("dewi")
    told = lines(session)
    assert told
    assert [one for one in told if not one["title"] and one["fate"] != "deleted"] == []
    assert told[0]["title"] in session.see(SCHOOL).text
    assert session.see(f"{SCHOOL}.csv").text.splitlines()[0].split(",")[1] == "title"


def test_a_record_is_found_by_a_word_of_its_title_as_people_type_it(desk: Desk) -> None:
    session = desk.session("dewi")
    wanted = next(one for one in lines(session) if "pelangi" in one["title"].casefold())
    for terms in (wanted["title"].upper(), "PELANGI", "pelan*"):
        found = lines(session, terms)
        assert wanted["address"] in {one["address"] for one in found}, terms
        assert len(found) < len(lines(session))


@pytest.mark.parametrize("cut", [0, 1])
def test_a_record_is_found_by_its_own_number(desk: Desk, cut: int) -> None:
    session = desk.session("dewi")
    wanted = lines(session)[-1]["address"]
    number = wanted.partition("/")[2].rpartition(":")[2]
    found = lines(session, number[: len(number) - cut])
    assert wanted in {one["address"] for one in found}
    assert len(found) < len(lines(session))


def test_only_records_of_the_partner_are_found(desk: Desk) -> None:
    for code in ("melati", "smpn1"):
        names = {source.code for source in desk.pipeline.settings.partner(code).sources}
        found = lines(desk.session("ani"), "pelangi", f"/partners/{code}/ledger")
        assert {one["address"].partition("/")[0] for one in found} <= names


@pytest.mark.parametrize("terms", ["tidakadakataini", "%", "' OR 1=1", "*", "x" * 3000])
def test_what_is_nowhere_finds_nothing(desk: Desk, terms: str) -> None:
    assert lines(desk.session("dewi"), terms) == []
