"""The small things that pages are made of."""

from __future__ import annotations

import csv
import io

import pytest

from harvester.identifiers import standard_number
from harvester.web.difference import pieces
from harvester.web.pages.login import local
from harvester.web.views import as_csv, neutral, record_path, web_link
from harvester.web.waterfall import picture
from harvester.web.words import sayer

FORMULAS = [
    "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", '"=1', '="x"', "=cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0", "＝1", "＋1", "－1", "＠x", '\'"=1', "=HYPERLINK(\"http://evil.example\")",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_becomes_text_in_a_sheet(text: str) -> None:
    assert neutral(text).startswith("'")
    rows = list(csv.reader(io.StringIO(as_csv(["a"], [[text]]).removeprefix("\ufeff"))))
    assert rows[1][0] == "'" + text


def test_numbers_stay_numbers_and_words_stay_words() -> None:
    assert [neutral(one) for one in (-7.5, 3, None, "Laskar pelangi", "a=b")] == [
        -7.5,
        3,
        None,
        "Laskar pelangi",
        "a=b",
    ]


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)", "data:text/html,x", "//x", "ftp://x", "http://", "x", "http://[", ""]
)
def test_only_addresses_of_the_web_become_links(text: str) -> None:
    assert web_link(text) == ""
    assert web_link("https://opac.example.ac.id/17") != ""


def test_words_that_differ_are_marked() -> None:
    told = [(one.text, one.differs) for one in pieces("Bumi Manusia, cet. 3", "Bumi manusia, cet. 4")]
    assert told == [("Bumi ", False), ("Manusia", True), (", cet. ", False), ("3", True)]
    assert pieces("", "x") == []


def test_the_bars_end_where_the_score_is() -> None:
    lines = [
        {"feature": "isbn", "points": 30.0},
        {"feature": "year", "points": -3.0},
        {"feature": "title", "points": 0.0},
    ]
    drawn = picture(lines, 27.0, -7, -19)
    assert drawn
    assert [bar.kind for bar in drawn.bars] == ["for", "against", "total"]
    assert drawn.bars[-1].x + drawn.bars[-1].width == pytest.approx(drawn.bars[1].x, abs=0.2)
    assert picture([], 0, 0, 0) is None


def test_a_code_is_said_in_words_and_a_strange_one_stays() -> None:
    say = sayer(lambda text: text.upper())
    assert say("joined") == "JOINED"
    assert say("year: equal") == "YEAR: SAME"
    assert say("some_thing") == "some thing"


@pytest.mark.parametrize("path", ["//x", "/\\x", "http://x", "x", "", "/\n"])
def test_a_log_in_leads_only_to_pages_of_ours(path: str) -> None:
    assert local(path) == ""
    assert local("/merges?kind=joined") == "/merges?kind=joined"


def test_an_identifier_with_anything_in_it_makes_a_safe_path() -> None:
    assert record_path('ugm/a/b?c#d"<x>') == "/records/ugm/a%2Fb%3Fc%23d%22%3Cx%3E"


def test_an_isbn_is_known_however_it_is_typed() -> None:
    assert standard_number("979-3062-79-7") == standard_number("9793062797") == "9789793062792"
    assert standard_number("Laskar pelangi") == ""
