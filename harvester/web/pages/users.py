"""Accounts, for administrators."""

from __future__ import annotations

import json

from starlette.responses import RedirectResponse, Response

from db import accounts as stored
from harvester import accounts
from harvester.errors import UsageError
from harvester.web.views import Pages, View
from harvester.web.visit import Visit

pages = Pages()


@pages.get("/users", needs="users")
def users(visit: Visit) -> View:
    with visit.pipeline.database.read() as conn:
        rows = [{**row, "partners": json.loads(row["partners"])} for row in stored.listed(conn)]
    data = {"rows": rows, "roles": accounts.ROLES, "partners": [one.code for one in visit.pipeline.settings.partners]}
    heads = ("name", "role", "partners", "active", "added_at")
    sheet = [[" ".join(row[name]) if name == "partners" else row[name] for name in heads] for row in rows]
    return View("users.html", data, heads, sheet)


@pages.post("/users", needs="users")
def add(visit: Visit) -> Response:
    """A new account."""
    name, role, password = visit.field("name"), visit.field("role"), visit.form.get("password", "")
    codes = [visit.pipeline.settings.partner(code).code for code in visit.fields("partners") if code]
    if not isinstance(password, str):
        raise UsageError("no password")
    accounts.add(visit.pipeline.database, visit.pipeline.clock, name, role, codes, password)
    visit.note("account added", name, "", f"{role} {' '.join(codes)}")
    return RedirectResponse("/users", 303)


@pages.post("/users/active", needs="users")
def activate(visit: Visit) -> Response:
    """Keep an account out, or let it in again."""
    name, active = visit.field("name"), visit.field("active") == "yes"
    if name == visit.person.name:
        raise UsageError("nobody can keep themselves out")
    accounts.set_active(visit.pipeline.database, name, active)
    visit.note("account " + ("enabled" if active else "disabled"), name)
    return RedirectResponse("/users", 303)
