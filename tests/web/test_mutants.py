"""Red proofs of section J: the pages with one guard taken out let through what the other tests send."""

from __future__ import annotations

import pytest

from harvester import accounts
from harvester.accounts import Account
from harvester.web import views
from harvester.web.visit import Visit
from tests.web.desk import Desk

pytestmark = pytest.mark.slow


def test_z141_without_escaping_a_text_is_markup(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session, path = desk.session("ani"), "/search?q=%3Cscript%3Epwned()%3C%2Fscript%3E"
    assert "<script>pwned()" not in session.see(path).text
    monkeypatch.setattr(views.ENVIRONMENT, "autoescape", False)
    views.ENVIRONMENT.cache.clear()
    try:
        assert "<script>pwned()" in session.see(path).text
    finally:
        views.ENVIRONMENT.cache.clear()


def test_z142_without_the_check_of_forms_another_site_may_write(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = desk.session("ani")
    assert session.post(f"{desk.base}/account/tokens", data={"label": "x"}, timeout=60).status_code == 403
    monkeypatch.setattr(Visit, "check_form", lambda self: None)
    assert session.post(f"{desk.base}/account/tokens", data={"label": "x"}, timeout=60).status_code == 200


def test_z143_without_the_check_of_roles_a_viewer_sees_the_users(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    session = desk.session("eko")
    assert session.see("/users").status_code == 403
    monkeypatch.setattr(Account, "may", lambda self, action, partners=None: True)
    assert session.see("/users").status_code == 200


def test_z144_without_a_limit_a_password_can_be_guessed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "TRIES_OF_NAME", 1000)
    monkeypatch.setattr(accounts, "TRIES_OF_ADDRESS", 1000)
    session = desk.session()
    tried = [session.send_form("/login", name="gunawan", password=f"tebakan {number}") for number in range(8)]
    assert {one.status_code for one in tried} == {401}
