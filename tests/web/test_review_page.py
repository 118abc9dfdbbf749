"""Review: how many pairs wait, and the way back behind a verdict and behind a skip."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from tests.web.desk import Desk, Session


def asked(session: Session, path: str = "/review") -> dict[str, Any]:
    """What the page says as JSON: the pair, how many wait, the ways on and back."""
    path, _, query = path.partition("?")
    found: dict[str, Any] = session.see(f"{path}.json?{query}").json()
    return found


def judge(session: Session, told: dict[str, Any], verdict: str) -> str:
    """Give a verdict on the pair of the page; where it leads."""
    case, versions = told["case"], told["versions"]
    fields = {"verdict": verdict, "skip": told["skipped"], "left": case["left"], "right": case["right"]}
    fields |= {f"version-{key}": version for key, version in versions.items()}
    return str(session.send_form("/review", **fields).headers["location"])


def test_a_judged_pair_is_no_longer_counted_and_counts_again_when_the_verdict_is_undone(desk: Desk) -> None:
    session = desk.session("budi")
    first = asked(session)
    assert first["waiting"] > 0
    there = judge(session, first, "apart")
    after = asked(session, there)
    assert after["waiting"] == first["waiting"] - 1
    undone = session.send_form("/review", verdict="undo", last="0", unlabel=after["unlabel"], skip="")
    assert undone.status_code == 303
    assert asked(session, undone.headers["location"])["waiting"] == first["waiting"]


def test_as_many_pairs_wait_as_the_queue_asks_for(desk: Desk) -> None:
    session = desk.session("budi")
    told = asked(session)
    waiting, asked_for = told["waiting"], 0
    while told["case"] and asked_for <= waiting:
        asked_for += 1
        told = asked(session, told["skip"])
    assert asked_for == waiting


def test_behind_a_skip_the_way_back_leads_to_the_pair_and_then_to_the_verdict(desk: Desk) -> None:
    session = desk.session("budi")
    first = asked(session)
    there = judge(session, first, "apart")
    second = asked(session, there)
    assert second["back"] == ""
    third = asked(session, second["skip"])
    assert third["case"] != second["case"]
    assert third["verdict"] == ""
    back = asked(session, third["back"])
    assert back["case"] == second["case"]
    assert (back["back"], back["verdict"]) == ("", "apart")
    undone = session.send_form("/review", verdict="undo", last="0", unlabel=back["unlabel"], skip=back["skipped"])
    assert asked(session, undone.headers["location"])["case"] == first["case"]


@pytest.mark.browser
def test_u_behind_k_brings_the_pair_back_by_keyboard(look: Any, desk: Desk) -> None:
    from playwright.sync_api import expect

    page = look("budi", "en")
    page.goto("/review")
    left = page.locator("input[name=left]")
    pair = page.input_value("input[name=left]"), page.input_value("input[name=right]")
    page.keyboard.press("k")
    back = page.locator("a[data-key=u]")
    expect(back).to_be_visible()
    assert (page.input_value("input[name=left]"), page.input_value("input[name=right]")) != pair
    page.keyboard.press("u")
    expect(back).to_have_count(0)
    expect(left).to_have_value(pair[0])
    expect(page.locator("input[name=right]")).to_have_value(pair[1])


def test_without_a_script_the_way_back_is_a_link(desk: Desk) -> None:
    session = desk.session("budi", "id")
    text = session.see(asked(session)["skip"]).text
    assert re.search(r'<a href="/review\?[^"]*" data-key="u">', unescape(text))
