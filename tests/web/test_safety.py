"""Log-in, sessions, tokens, headers: what a stranger meets."""

from __future__ import annotations

import re

import pytest
import requests

from db import accounts as stored
from harvester import accounts
from harvester.accounts import Account
from harvester.errors import UsageError
from tests.web.desk import PEOPLE, Desk, Session, password, served

pytestmark = pytest.mark.slow


def test_there_is_no_account_until_somebody_makes_one(database) -> None:  # type: ignore[no-untyped-def]
    with database.read() as conn:
        assert stored.listed(conn) == []


def test_a_session_gets_a_new_cookie_at_log_in_and_none_that_was_planted(desk: Desk) -> None:
    session = desk.session()
    session.cookies.set("induk_session", "planted-by-somebody", domain="127.0.0.1")
    answer = session.send_form("/login", name="budi", password=password("budi"))
    cookie = answer.headers["set-cookie"]
    assert "induk_session=" in cookie
    assert "planted" not in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    other = desk.session("budi")
    assert other.cookies["induk_session"] not in cookie


def test_logging_out_ends_the_session_itself(desk: Desk) -> None:
    session = desk.session("budi")
    cookie = session.cookies["induk_session"]
    session.send_form("/logout")
    again = desk.session()
    again.cookies.set("induk_session", cookie, domain="127.0.0.1")
    assert again.see("/merges").status_code == 303


def test_guessing_a_password_is_stopped_and_says_nothing_of_the_name(desk: Desk) -> None:
    accounts.add(desk.pipeline.database, desk.pipeline.clock, "fajar", "viewer", (), password("fajar"))
    session = desk.session()
    texts = set()
    for name in ("fajar", "nobody-here"):
        answer = session.send_form("/login", name=name, password="wrong")
        assert answer.status_code == 401
        texts.add(re.sub(r'value="[^"]*"', "", answer.text))
    assert len(texts) == 1
    statuses = [session.send_form("/login", name="fajar", password="wrong").status_code for _ in range(6)]
    assert statuses[-1] == 429
    assert session.send_form("/login", name="fajar", password=password("fajar")).status_code == 429
    assert desk.session("budi").see("/merges").status_code == 200  # of another name nothing is held against


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_log_in_leads_nowhere_else(desk: Desk, target: str) -> None:
    answer = desk.session().send_form("/login", name="budi", password=password("budi"), next=target)
    assert answer.headers["location"] == "/"


def test_an_account_that_is_kept_out_is_out_at_once(desk: Desk) -> None:
    accounts.add(desk.pipeline.database, desk.pipeline.clock, "gita", "viewer", (), password("gita"))
    session = desk.session("gita")
    assert session.see("/merges").status_code == 200
    assert desk.session("ani").send_form("/users/active", name="gita", active="no").status_code == 303
    assert session.see("/merges").status_code == 303


def test_a_token_is_shown_once_stored_as_a_digest_and_can_be_revoked(desk: Desk) -> None:
    session = desk.session("eko")
    found = re.search(r"induk_[\w-]+", session.send_form("/account/tokens", label="try").text)
    assert found
    token = found.group()
    assert token not in session.see("/account").text
    dump = desk.pipeline.database.path.read_bytes() + desk.pipeline.database.path.with_name("induk.db-wal").read_bytes()
    assert token.encode() not in dump
    heads = {"Authorization": f"Bearer {token}"}
    assert requests.get(f"{desk.base}/merges.json", headers=heads, timeout=60).status_code == 200
    number = re.search(r'name="id" value="(\d+)"', session.see("/account").text)
    assert number
    session.send_form("/account/tokens/revoke", id=number.group(1))
    assert requests.get(f"{desk.base}/merges.json", headers=heads, timeout=60).status_code == 401
    assert (
        requests.get(f"{desk.base}/merges.json", headers={"Authorization": "Bearer x"}, timeout=60).status_code == 401
    )


def test_every_answer_carries_the_headers_that_protect(desk: Desk) -> None:
    session = desk.session("ani")
    for path in (
        "/",
        "/merges",
        "/merges.json",
        "/merges.csv",
        "/static/desk.css",
        "/nothing",
        "/login",
        "/clusters/99999",
    ):
        heads = session.see(path).headers
        assert heads["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in heads["content-security-policy"]
        assert "unsafe" not in heads["content-security-policy"]
        assert heads["x-frame-options"] == "DENY"
    assert session.see("/merges").headers["cache-control"] == "no-store"


def test_more_than_is_taken_is_refused(desk: Desk) -> None:
    session = desk.session("dewi")
    files = {"file": ("x.csv", b"x" * (33 * 1024 * 1024))}
    try:
        answer = session.send_form("/partners/smpn1/upload", files=files)
    except requests.ConnectionError:
        return  # it hung up in the middle: as good
    assert answer.status_code == 413


def test_a_proxy_names_the_user_only_where_that_is_configured(desk: Desk) -> None:
    named = {"X-Remote-User": "budi"}
    assert requests.get(f"{desk.base}/merges.json", headers=named, timeout=60).status_code == 401
    config = desk.consortium.folder / "induk.yaml"
    text = config.read_text()
    desk.consortium.configure("web: {proxy_header: X-Remote-User}\n")
    opened = desk.consortium.open()
    config.write_text(text)
    with served(opened) as base:
        assert requests.get(f"{base}/merges.json", headers=named, timeout=60).status_code == 200
        unknown = {"X-Remote-User": "nobody-here"}
        assert requests.get(f"{base}/merges.json", headers=unknown, timeout=60).status_code == 401
        answer = requests.post(f"{base}/clusters/1/report", headers=named, data={"remark": "x"}, timeout=60)
        assert answer.status_code == 403  # a proxy's user too needs the token of the form
    opened.database.close()


def test_roles_and_partners_bound_what_an_account_may() -> None:
    partner = Account(1, "dewi", "partner", ("smpn1",))
    assert partner.may("raw", ["smpn1"])
    assert not partner.may("raw", ["ugm"])
    assert not partner.may("decide", ["smpn1"])
    somebody = Account(2, "citra", "cataloguer", ("melati",))
    assert somebody.may("decide", ["ugm", "melati"])
    assert not somebody.may("decide", ["ugm"])
    assert not Account(3, "eko", "viewer").may("raw", ["ugm"])


@pytest.mark.parametrize(
    ("name", "role", "partners", "secret"),
    [
        ("a b", "viewer", (), "long enough 1"),
        ("x", "king", (), "long enough 1"),
        ("x", "partner", (), "long enough 1"),
        ("x", "viewer", (), "short"),
    ],
)
def test_an_account_that_makes_no_sense_is_refused(
    desk: Desk, name: str, role: str, partners: tuple[str, ...], secret: str
) -> None:
    with pytest.raises(UsageError):
        accounts.add(desk.pipeline.database, desk.pipeline.clock, name, role, partners, secret)


def test_what_people_do_stands_in_the_audit_with_before_and_after(desk: Desk) -> None:
    from db import catalogue

    with desk.pipeline.database.read() as conn:
        members = catalogue.members(conn, catalogue.active_ids(conn))
        key = next(key for key, states in members.items() if len(states) == 2)
        version = catalogue.clusters(conn, [key])[key]["version"]
    session: Session = desk.session("budi")
    form = {
        "action": "out",
        "version": str(version),
        "address": members[key][1].address,
        "reason": "look",
        "step": "do",
    }
    assert session.send_form(f"/clusters/{key}/decide", **form).status_code == 303
    lines = desk.session("ani").see("/audit.json?who=budi").json()["rows"]
    assert lines[0]["action"] == "out"
    assert members[key][1].address in lines[0]["before"]
    assert lines[0]["after"] != lines[0]["before"]


def test_a_decision_on_another_version_stores_nothing(desk: Desk) -> None:
    from db import catalogue

    with desk.pipeline.database.read() as conn:
        members = catalogue.members(conn, catalogue.active_ids(conn))
        key = next(key for key, states in members.items() if len(states) > 2)
    session = desk.session("budi")
    for version in ("0", "", "x", "99999"):
        form = {"action": "out", "version": version, "address": members[key][0].address, "reason": "look", "step": "do"}
        assert session.send_form(f"/clusters/{key}/decide", **form).status_code == 409
    with desk.pipeline.database.read() as conn:
        assert len(catalogue.members(conn, [key])[key]) == len(members[key])


def test_every_page_is_json_and_csv_too(desk: Desk) -> None:
    session = desk.session("ani")
    paths = (
        *("/tonight", "/merges", "/clusters/1", "/partners", "/partners/melati", "/partners/melati/ledger", "/runs"),
        *("/runs/1", "/search", "/quarantine", "/changes", "/audit", "/users", "/rules", "/review", "/suspects"),
    )
    for path in paths:
        assert session.see(path + ".json").json() is not None, path
        sheet = session.see(path + ".csv")
        assert sheet.headers["content-type"].startswith("text/csv"), path
    assert set(PEOPLE) <= {row["name"] for row in session.see("/users.json").json()["rows"]}
