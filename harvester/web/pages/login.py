"""Logging in and out; one's own password and tokens."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from db import accounts as stored
from harvester import accounts
from harvester.accounts import TooManyTries
from harvester.errors import UsageError
from harvester.web.views import Pages, View, render_html
from harvester.web.visit import SESSION, Gone, Visit

pages = Pages()


@pages.get("/login", needs="public", forms=("",))
def form(visit: Visit) -> View:
    return View("login.html", {"next": local(visit.query("next")), "problem": "", "name": ""})


@pages.post("/login", needs="public")
def log_in(visit: Visit) -> Response:
    """Open a session with a new cookie: one that somebody planted before is worth nothing."""
    database, clock = visit.pipeline.database, visit.pipeline.clock
    password = visit.form.get("password", "")
    try:
        _, secret = accounts.log_in(
            database, clock, visit.field("name")[:64], password if isinstance(password, str) else "", visit.address
        )
    except UsageError as error:
        problem = visit.sentence(error.message)
        status = 429 if isinstance(error, TooManyTries) else 401
        data = {"next": local(visit.field("next")), "problem": problem, "name": visit.field("name")[:64]}
        return render_html(visit, View("login.html", data, status=status))
    if visit.session:
        with database.write() as conn:
            stored.close_session(conn, accounts.digest(visit.session))
    response = RedirectResponse(local(visit.field("next")) or "/", 303)
    secure = visit.request.url.scheme == "https" or visit.pipeline.settings.web.base_url.startswith("https")
    age = accounts.SESSION_HOURS * 3600
    response.set_cookie(SESSION, secret, max_age=age, httponly=True, samesite="lax", secure=secure)
    return response


def local(path: str) -> str:
    """*path* if it leads to a page of ours; empty otherwise."""
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if fine else ""


@pages.post("/logout", needs="self")
def log_out(visit: Visit) -> Response:
    with visit.pipeline.database.write() as conn:
        stored.close_session(conn, accounts.digest(visit.session))
    response = RedirectResponse("/login", 303)
    response.delete_cookie(SESSION)
    return response


@pages.get("/account", needs="self")
def account(visit: Visit) -> View:
    return _account(visit)


def _account(visit: Visit, made: str = "") -> View:
    with visit.pipeline.database.read() as conn:
        rows = stored.tokens(conn, visit.person.id)
    data = {"account": visit.person, "tokens": rows, "made": made}
    return View("account.html", data, ("label", "made"), [[row["label"], row["made_at"]] for row in rows])


@pages.post("/account/tokens", needs="self")
def make_token(visit: Visit) -> View:
    pipeline = visit.pipeline
    made = accounts.make_token(pipeline.database, pipeline.clock, visit.person.name, visit.field("label"))
    visit.note("token", visit.field("label")[:100])
    return _account(visit, made)


@pages.post("/account/tokens/revoke", needs="self")
def revoke_token(visit: Visit) -> Response:
    number = visit.field("id")
    with visit.pipeline.database.write(durable=True) as conn:
        done = number.isdecimal() and stored.revoke_token(conn, visit.person.id, int(number), visit.pipeline.now())
    if not done:
        raise Gone("no such token")
    visit.note("token revoked", number)
    return RedirectResponse("/account", 303)


@pages.post("/account/password", needs="self")
def change_password(visit: Visit) -> Response:
    """Another password; every session of the account ends, this one too."""
    pipeline, old, new = visit.pipeline, visit.form.get("old", ""), visit.form.get("new", "")
    if not isinstance(old, str) or not isinstance(new, str):
        raise UsageError("wrong name or password")
    accounts.log_in(pipeline.database, pipeline.clock, visit.person.name, old, visit.address)
    accounts.set_password(pipeline.database, visit.person.name, new)
    visit.note("password", visit.person.name)
    return RedirectResponse("/login", 303)
