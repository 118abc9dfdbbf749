"""Who may do what, asked of every route that there is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from fastapi.routing import APIRoute

from harvester.accounts import ACTIONS
from harvester.web import pages
from tests.web.desk import PEOPLE, Desk

pytestmark = pytest.mark.slow

# What stands for each kind of path parameter: of the person's own partner, and of another's.
OWN = {"citra": "melati", "dewi": "smpn1"}
OTHER = "cendekia"
NEEDS_PARTNER = ("raw", "ledger", "quarantine", "upload")


def routes() -> list[APIRoute]:
    return [route for router in pages.routers() for route in router.routes if isinstance(route, APIRoute)]


ROUTES = routes()
READ = [route for route in ROUTES if "GET" in route.methods]
WRITE = [route for route in ROUTES if "POST" in route.methods]
IDS = {id(route): f"{'/'.join(sorted(route.methods))} {route.path}" for route in ROUTES}


def named(route: APIRoute) -> str:
    return IDS[id(route)]


def test_every_route_says_what_it_needs() -> None:
    for route in ROUTES:
        assert route.endpoint.needs in {*ACTIONS, "public"}, named(route)
    assert len(READ) > 40
    assert len(WRITE) > 12


def address_of(desk: Desk, partner: str) -> str:
    with desk.pipeline.database.read() as conn:
        from db import desk as looking

        return str(looking.ledger(conn, [partner], ("", ""), 1)[0]["identifier"])


def filled(desk: Desk, path: str, partner: str) -> str:
    """The path with real things of *partner* in it."""
    from urllib.parse import quote

    from db import catalogue
    from db import desk as looking
    from harvester.model import Address

    name = address_of(desk, partner)
    with desk.pipeline.database.read() as conn:
        home = catalogue.states_of_addresses(conn, [Address(partner, name)])[0].cluster_id
        event = looking.merge_log(conn, looking.LogFilter(), 1)[0]["id"]
    number = {"/clusters": home, "/merges": event, "/runs": 1, "/decisions": 1, "/quarantine": 1, "/reports": 1}
    found = next((value for start, value in number.items() if path.startswith(start)), 1)
    return (
        path.replace("{number:int}", str(found))
        .replace("{code}", partner)
        .replace("{source}", partner)
        .replace("{identifier:path}", quote(name, safe=""))
    )


def expected(role: str, needs: str, own: bool) -> bool:
    """Whether a role may, as the table in docs/cataloguer.md has it; told apart from the code that decides it."""
    table: dict[str, dict[str, Any]] = {
        "viewer": {"read": True, "report": True, "self": True},
        "partner": {"read": True, "report": True, "self": True, **dict.fromkeys(NEEDS_PARTNER, "own")},
        "cataloguer": {
            "read": True,
            "report": True,
            "self": True,
            "decide": True,
            "review": True,
            "approve": True,
            **dict.fromkeys(NEEDS_PARTNER, "own"),
        },
        "admin": dict.fromkeys(ACTIONS, True),
    }
    allowed = table[role].get(needs, False)
    return needs == "public" or allowed is True or (allowed == "own" and own)


@pytest.mark.parametrize("route", READ, ids=named)
def test_reading_is_allowed_by_role_and_partner(route: APIRoute, desk: Desk) -> None:
    needs = route.endpoint.needs
    for name, (role, partners) in PEOPLE.items():
        session = cached(desk, name)
        for own in (True, False):
            partner = OWN.get(name, "melati") if own else OTHER
            mine = role == "admin" or (not partners and role == "cataloguer") or partner in partners
            about_partner = "{" in route.path and "number" not in route.path
            may = expected(role, needs, mine or not about_partner)
            status = session.see(filled(desk, route.path, partner)).status_code
            if may:
                assert status in (200, 303, 404), (name, partner, status)
            else:
                assert status == 403, (name, partner, status)


@pytest.mark.parametrize("route", READ, ids=named)
def test_nobody_sees_anything_without_logging_in(route: APIRoute, desk: Desk) -> None:
    if route.endpoint.needs == "public":
        return
    answer = desk.session().see(filled(desk, route.path, "melati"))
    assert answer.status_code in (303, 401)
    assert answer.status_code == 401 or answer.headers["location"].startswith("/login")


@pytest.mark.parametrize("route", WRITE, ids=named)
def test_nothing_changes_without_the_token_of_the_form(route: APIRoute, desk: Desk) -> None:
    path = filled(desk, route.path, "melati")
    before = contents(desk)
    session = cached(desk, "ani")
    for form in ({}, {"csrf": "0" * 64}, {"csrf": desk.session("budi").token()}):
        answer = session.post(desk.base + path, data={**form, "reason": "x", "step": "do"}, allow_redirects=False)
        assert answer.status_code == 403, answer.text[-300:]
    answer = session.post(
        desk.base + path,
        data={"csrf": session.token(), "step": "do"},
        headers={"origin": "https://evil.example"},
        allow_redirects=False,
    )
    assert answer.status_code == 403
    assert contents(desk, but=("login_session", "audit")) == without(before, ("login_session", "audit"))


@pytest.mark.parametrize("route", WRITE, ids=named)
def test_changing_is_refused_to_those_who_may_not(route: APIRoute, desk: Desk) -> None:
    needs = route.endpoint.needs
    for name, (role, _) in PEOPLE.items():
        if expected(role, needs, True):
            continue
        answer = cached(desk, name).send_form(filled(desk, route.path, "melati"), reason="x", step="do")
        assert answer.status_code == 403, (name, answer.status_code)


def test_a_cataloguer_of_one_library_decides_only_where_it_has_a_record(desk: Desk) -> None:
    with desk.pipeline.database.read() as conn:
        from db import catalogue

        clusters = catalogue.members(conn, catalogue.active_ids(conn))
    theirs = next(key for key, members in clusters.items() if {one.partner for one in members} == {"cendekia"})
    session = desk.session("citra")
    answer = session.send_form(f"/clusters/{theirs}/decide", action="confirm", version="1", reason="x")
    assert answer.status_code == 403
    from urllib.parse import quote

    name = address_of(desk, "cendekia")
    assert session.see(f"/raw/cendekia/{quote(name, safe='')}").status_code == 403
    assert session.see(f"/raw/melati/{quote(address_of(desk, 'melati'), safe='')}").status_code == 200


def test_reading_every_page_changes_nothing(desk: Desk) -> None:
    session = desk.session("ani")
    before = contents(desk)
    for route in READ:
        session.see(filled(desk, route.path, "melati"))
        session.see(filled(desk, route.path, "smpn1") + "?step=do&action=split&verdict=merge&reason=x")
    assert contents(desk) == before


# ---- help --------------------------------------------------------------------------------------------

_SESSIONS: dict[tuple[int, str], Any] = {}


def cached(desk: Desk, name: str) -> Any:
    if (id(desk), name) not in _SESSIONS:
        _SESSIONS[id(desk), name] = desk.session(name)
    return _SESSIONS[id(desk), name]


def contents(desk: Desk, but: tuple[str, ...] = ()) -> dict[str, str]:
    """Table → digest of every row."""
    from db.tables import metadata

    with desk.pipeline.database.read() as conn:
        found = {}
        for table in metadata.sorted_tables:
            rows = sorted(json.dumps([str(cell) for cell in row]) for row in conn.execute(table.select()))
            found[table.name] = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    return without(found, but)


def without(found: dict[str, str], but: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in found.items() if name not in but}
