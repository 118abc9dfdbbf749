"""A form that is refused loses nothing of what was typed, and shows nothing that another site typed."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest

from db import catalogue
from tests.web.desk import Desk, Session

WHY = "dua cetakan yang lain, <b>dilihat</b> di rak"
FIELD = re.compile(r'<(?:input|textarea)[^>]* name="([\w-]+)"(?:[^>]* value="([^"]*)")?[^>]*>(?:([^<]*)</textarea>)?')


def a_cluster(desk: Desk) -> tuple[int, int]:
    """(number, version) of a cluster of two or more."""
    with desk.pipeline.database.read() as conn:
        row = next(row for row in catalogue.clusters(conn, catalogue.active_ids(conn)).values() if row["size"] > 1)
    return row["id"], row["version"]


def kept(page: str) -> dict[str, str]:
    """The form that a refusal offers."""
    form = page.partition('<form class="stack"')[2].partition("</form>")[0]
    return {name: unescape(value or text) for name, value, text in FIELD.findall(form)}


def refused(session: Session, path: str, **fields: Any) -> tuple[int, dict[str, str], str]:
    answer = session.send_form(path, **fields)
    return answer.status_code, kept(answer.text), answer.text


def test_a_pin_that_is_no_value_is_mended_where_it_stands(desk: Desk) -> None:
    session = desk.session("budi")
    number, version = a_cluster(desk)
    path = f"/clusters/{number}/decide"
    asked = {"action": "pin", "version": version, "field": "dates", "donor": "", "reason": WHY}
    status, form, _ = refused(session, path, **asked, value="seribu")
    assert status == 422
    assert {name: form[name] for name in ("action", "field", "value", "reason")} == {
        "action": "pin", "field": "dates", "value": "seribu", "reason": WHY,
    }  # fmt: skip
    mended = session.post(session.base + path, data=form | {"value": '{"year_from": 1986}'}, timeout=60)
    assert mended.status_code == 200
    assert kept(mended.text)["reason"] == WHY


def test_an_expired_form_is_sent_again_with_what_was_typed(desk: Desk) -> None:
    session = desk.session("eko")
    number, _ = a_cluster(desk)
    path = f"/clusters/{number}/report"
    status, form, _ = refused(session, path, csrf="0" * 64, remark=WHY)
    assert (status, form["remark"]) == (403, WHY)
    again = session.post(session.base + path, data=form, timeout=60, allow_redirects=False)
    assert again.status_code == 303


def test_what_was_decided_upon_another_version_is_shown_and_not_offered_again(desk: Desk) -> None:
    session = desk.session("budi")
    number, version = a_cluster(desk)
    asked = {"action": "confirm", "version": version + 7, "reason": WHY}
    status, form, page = refused(session, f"/clusters/{number}/decide", **asked)
    assert (status, form) == (409, {})
    assert WHY in unescape(page.partition("<dl")[2])


def test_after_the_log_out_what_was_typed_can_still_be_copied(desk: Desk) -> None:
    session = desk.session("budi")
    number, _ = a_cluster(desk)
    token = session.token()
    session.cookies.clear(domain="127.0.0.1", path="/", name="induk_session")
    status, form, page = refused(session, f"/clusters/{number}/report", csrf=token, remark=WHY)
    assert (status, form) == (403, {})
    assert WHY in unescape(page)


@pytest.mark.parametrize("origin", ["https://evil.example", ""])
def test_what_another_site_typed_is_not_shown(desk: Desk, origin: str) -> None:
    session = desk.session("budi")
    session.headers["origin"] = origin
    number, _ = a_cluster(desk)
    status, form, page = refused(session, f"/clusters/{number}/report", csrf="0" * 64, remark=WHY)
    assert (status, form) == (403, {})
    assert "dilihat" not in page


def test_a_password_is_never_shown_again(desk: Desk) -> None:
    session = desk.session("ani")
    status, form, page = refused(session, "/users", name="fajar", role="viewer", password="pendek7")
    assert status == 422
    assert (form["name"], form["role"], form["password"]) == ("fajar", "viewer", "")
    assert "pendek7" not in page


def test_the_two_records_that_cannot_be_explained_stay_in_their_fields(desk: Desk) -> None:
    answer = desk.session("budi").see("/explain?left=melati/1&right=nowhere/at-all")
    assert answer.status_code == 404
    assert 'value="melati/1"' in answer.text
    assert 'value="nowhere/at-all"' in answer.text
    assert 'role="alert"' in answer.text


@pytest.mark.browser
def test_a_verdict_on_a_changed_cluster_is_refused_aloud_also_with_a_script(look: Any, desk: Desk) -> None:
    from playwright.sync_api import expect

    page = look("budi", "en")
    page.goto("/review")
    page.evaluate("document.querySelectorAll('input[name^=version-]').forEach(one => { one.value = '999' })")
    page.fill("input[name=reason]", "seen on the shelf")
    page.click("button[value=never]")
    expect(page.get_by_role("alert")).to_contain_text("Somebody has changed this cluster")
    expect(page.locator("main dl")).to_contain_text("seen on the shelf")
