"""A page in its three forms: HTML for people, JSON for programs, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
from fastapi import APIRouter, Depends
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from harvester.cli.common import plain
from harvester.deciding import StaleCluster
from harvester.errors import IndukError, Locked, UsageError
from harvester.i18n import LANGUAGES
from harvester.model import Value
from harvester.web import codes, words
from harvester.web.typed import typed
from harvester.web.visit import LANGUAGE, VISITOR, Forbidden, Gone, NotLoggedIn, Visit
from harvester.web.waterfall import picture

FORMS = ("", ".json", ".csv")
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
YEAR = 365 * 24 * 3600


class View(Value, frozen=True):
    """What a handler found: `data` for JSON and the template, `heads` and `rows` for CSV."""

    template: str
    data: Mapping[str, Any]
    heads: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    status: int = 200


Handler = Callable[[Visit], View | Response]


class Pages:
    """The routes of one page."""

    def __init__(self) -> None:
        self.router = APIRouter(include_in_schema=False)

    def get(self, path: str, *, needs: str, forms: Sequence[str] = FORMS) -> Callable[[Handler], Handler]:
        """Show what the handler returns at *path*, and at *path* with a suffix."""

        def register(handler: Handler) -> Handler:
            for suffix in sorted(forms, reverse=True):  # the bare path last: it would match the others
                endpoint = _reader(handler, needs, suffix)
                self.router.add_api_route(path + suffix, endpoint, methods=["GET"], response_model=None)
            return handler

        return register

    def post(self, path: str, *, needs: str, long: bool = False) -> Callable[[Handler], Handler]:
        """Let the handler change something; programs that load stand aside meanwhile, unless it takes *long*."""

        def register(handler: Handler) -> Handler:
            self.router.add_api_route(path, _writer(handler, needs, long), methods=["POST"], response_model=None)
            return handler

        return register


def _reader(handler: Handler, needs: str, suffix: str) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        visit = Visit(request, {}, suffix)
        return answer(visit, needs, handler, "GET")

    endpoint.needs = needs  # type: ignore[attr-defined]
    return endpoint


async def sent(request: Request) -> AsyncIterator[FormData]:
    """The form of a request; few fields, few files."""
    async with request.form(max_files=4, max_fields=5000) as form:
        yield form


def _writer(handler: Handler, needs: str, long: bool) -> Callable[..., Response]:
    def first(visit: Visit) -> View | Response:
        with visit.pipeline.database.ahead():
            return handler(visit)

    def endpoint(request: Request, form: FormData = Depends(sent)) -> Response:  # noqa: B008
        # a stranger, who may log in, holds nobody up
        return answer(Visit(request, form), needs, handler if long or needs == "public" else first, "POST")

    endpoint.needs = needs  # type: ignore[attr-defined]
    return endpoint


def answer(visit: Visit, needs: str, handler: Handler, method: str) -> Response:
    """Run the handler for those who may; every refusal is a page that says what to do."""
    try:
        if method == "POST":
            visit.check_form()
        if needs != "public":
            visit.need(needs)
        made = handler(visit)
        response = render(visit, made) if isinstance(made, View) else made
    except NotLoggedIn:
        response = _to_login(visit, method)
    except Forbidden as error:
        expired, known = str(error) == "csrf", visit.account is not None or needs == "public"
        told = _refusal(visit, ("csrf" if known else "out") if expired else "")
        response = _trouble(visit, 403, told, again=expired and known)
    except StaleCluster as error:
        response = _trouble(visit, 409, _refusal(visit, "stale"), str(error), again=False)
    except Locked as error:
        response = _trouble(visit, 503, _refusal(visit, "busy"), str(error))
    except IndukError as error:
        gone = isinstance(error, Gone) or (method == "GET" and isinstance(error, UsageError))
        response = _trouble(visit, 404 if gone else 422, visit.sentence(error.message), str(error))
    return _with_cookies(visit, response)


def N_(text: str) -> str:
    """Marks a text for translation."""
    return text


REFUSED = {
    "": N_("You may not do this. Ask an administrator if you should."),
    "csrf": N_("This form has expired. Go back, load the page again, and send it once more."),
    "out": N_("You are no longer logged in. Nothing was stored: log in, then send it once more."),
    "stale": N_(
        "Somebody has changed this cluster since you looked. Nothing of yours was stored: look again, then decide."
    ),
    "busy": N_("Another process is at work. Try again in a few seconds."),
}


def _refusal(visit: Visit, key: str) -> str:
    return visit.gettext(REFUSED[key])


def _to_login(visit: Visit, method: str) -> Response:
    if visit.suffix or visit.by_token:
        return Response('{"error": "log in, or send a token"}', 401, media_type="application/json")
    if method == "POST":
        return _trouble(visit, 403, _refusal(visit, "out"), again=False)
    return RedirectResponse(f"/login?next={quote(visit.here(), safe='')}", 303)


def _trouble(visit: Visit, status: int, text: str, details: str = "", again: bool = True) -> Response:
    """The page of a refusal, with what was typed; it may be sent *again*, unless it was about something else by now."""
    if visit.suffix == ".json" or visit.by_token:
        return Response(json.dumps({"error": details or text}), status, media_type="application/json")
    kept = typed(visit)
    data = {"text": text, "details": details, "status": status, "typed": kept, "again": again and bool(kept)}
    return render_html(visit, View("trouble.html", data, status=status))


def _with_cookies(visit: Visit, response: Response) -> Response:
    secure = visit.request.url.scheme == "https" or visit.pipeline.settings.web.base_url.startswith("https")
    if visit.fresh_visitor and not visit.by_token:
        response.set_cookie(VISITOR, visit.visitor, httponly=True, samesite="lax", secure=secure)
    if visit.request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(LANGUAGE, visit.language, max_age=YEAR, httponly=True, samesite="lax", secure=secure)
    return response


# ---- the three forms ---------------------------------------------------------------------------------


def render(visit: Visit, view: View) -> Response:
    """The view in the form that was asked for."""
    if visit.suffix == ".json":
        text = json.dumps(plain(named(view.data)), ensure_ascii=False, default=str)
        return Response(text, view.status, media_type="application/json")
    if visit.suffix == ".csv":
        headers = {"content-disposition": 'attachment; filename="induk.csv"'}
        return Response(as_csv(view.heads, view.rows), view.status, headers, "text/csv; charset=utf-8")
    return render_html(visit, view)


def named(value: Any) -> Any:
    """*value* with names where a tuple has names: a position says nothing to a program."""
    if hasattr(value, "_asdict"):
        return {name: named(one) for name, one in value._asdict().items()}
    if isinstance(value, Mapping):
        return {key: named(one) for key, one in value.items()}
    return [named(one) for one in value] if isinstance(value, (list, tuple)) else value


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A sheet that no spreadsheet takes for formulas: such a text begins with an apostrophe."""
    made = io.StringIO()
    writer = csv.writer(made)
    writer.writerow([neutral(head) for head in heads])
    writer.writerows([neutral(cell) for cell in row] for row in rows)
    return "\N{ZERO WIDTH NO-BREAK SPACE}" + made.getvalue()


def neutral(cell: Any) -> Any:
    """*cell*, harmless in a spreadsheet; numbers stay numbers."""
    if cell is None or isinstance(cell, (int, float)):
        return cell
    text = str(cell).replace("\x00", "")
    return f"'{text}" if text.lstrip(" '\"").startswith(FORMULA) or text.startswith(FORMULA) else text


def web_link(text: str) -> str:
    """*text* if it may be a link: http and https only; empty otherwise."""
    try:
        parts = urlsplit(text.strip())
    except ValueError:
        return ""
    return text.strip() if parts.scheme.lower() in ("http", "https") and parts.netloc else ""


def record_path(address: str) -> str:
    """Where a record's page is."""
    source, _, identifier = address.partition("/")
    return f"/records/{quote(source, safe='')}/{quote(identifier, safe='')}"


def first_twice(pair: Sequence[Any]) -> tuple[Any, Any]:
    """(value, text) of a choice that stands for itself."""
    return pair[0], pair[0]


def when(at: str | None) -> str:
    """A stored time as it is read: day and minute, UTC."""
    return (at or "")[:16].replace("T", " ")


def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        cache_size=200,
    )
    made.globals["picture"] = picture
    made.filters |= {"web_link": web_link, "record_path": record_path, "when": when, "first_twice": first_twice}
    return made


ENVIRONMENT = _environment()


def render_html(visit: Visit, view: View) -> HTMLResponse:
    """The page, or with `?part=1` only its main part, for htmx."""
    template = ENVIRONMENT.get_template(view.template)
    say = words.sayer(visit.gettext, visit.sentence)

    def worded(field: str, value: str) -> str:
        return codes.worded(field, value, visit.gettext, say)

    options = {
        "coded_options": lambda field, values: [(value, worded(field, value)) for value in values],
        "partner_options": lambda codes: [(code, visit.partner_name(code)) for code in codes],
        "said_options": lambda codes: [(code, say(code)) for code in codes],
    }
    context = {
        **view.data,
        **options,
        "visit": visit,
        "_": visit.gettext,
        "ngettext": visit.ngettext,
        "say": say,
        "worded": worded,
        "feature_words": lambda feature, value: codes.compared(feature, value, visit.gettext, say),
        "sentence": visit.sentence,
        "languages": LANGUAGES,
    }
    context["base"] = "part.html" if visit.query("part") else "base.html"
    return HTMLResponse(template.render(context), view.status)
