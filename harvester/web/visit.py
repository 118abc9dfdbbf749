"""One request as pages see it: who asks, in which language, what was sent; and what is refused before a page runs."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import UploadFile
from starlette.requests import Request

from db import accounts as stored
from harvester import accounts
from harvester.accounts import Account
from harvester.errors import UsageError
from harvester.i18n import LANGUAGES, sentences, translations
from harvester.pipeline import Pipeline

SESSION = "induk_session"
VISITOR = "induk_visitor"
LANGUAGE = "induk_lang"
LONGEST = 2000  # characters of one field of a query or form


class Forbidden(Exception):
    """This person may not do that."""


class NotLoggedIn(Exception):
    """Nobody is known yet."""


class Gone(UsageError):
    """There is no such thing."""


class Visit:
    """One request."""

    def __init__(self, request: Request, form: Mapping[str, Any], suffix: str = "") -> None:
        self.request = request
        self.pipeline: Pipeline = request.app.state.opened.today()
        self.form = form
        self.suffix = suffix
        self.by_token = False
        self.visitor = request.cookies.get(VISITOR, "")[:100]
        self.fresh_visitor = not self.visitor
        if self.fresh_visitor:
            self.visitor = secrets.token_urlsafe(24)
        self.language = self._language()
        told = translations(self.language)
        self.gettext: Callable[[str], str] = told.gettext
        self.ngettext: Callable[[str, str, int], str] = told.ngettext
        self.account = self._account()

    def sentence(self, text: str) -> str:
        """A finished English sentence, such as a run's reason or a rule's, in the language of the page."""
        own = self.pipeline.match.words.get(text, {})
        return own.get(self.language) or sentences(self.language)(text)

    # ---- who -------------------------------------------------------------------------------------------

    def _account(self) -> Account | None:
        kind, _, sent = self.request.headers.get("authorization", "").partition(" ")
        header = self.pipeline.settings.web.proxy_header
        with self.pipeline.database.read() as conn:
            if kind.lower() == "bearer":
                self.by_token = True
                return accounts.by_token(conn, sent.strip()[:200])
            if header and self.from_proxy:
                return accounts.by_name(conn, self.request.headers.get(header, "").strip()[:64])
            return accounts.by_session(conn, self.session, self.pipeline.now())

    @property
    def session(self) -> str:
        """The session cookie."""
        return self.request.cookies.get(SESSION, "")[:200]

    @property
    def from_proxy(self) -> bool:
        """Whether the request comes from this machine: only such a proxy is trusted to name a user."""
        return self.address in ("127.0.0.1", "::1")

    @property
    def address(self) -> str:
        """Where the request comes from."""
        return self.request.client.host if self.request.client else ""

    @property
    def person(self) -> Account:
        """Who asks; NotLoggedIn when nobody is known."""
        if self.account is None:
            raise NotLoggedIn
        return self.account

    def may(self, action: str, partners: Collection[str] | None = None) -> bool:
        """Whether the person may do *action* (to records of one of *partners*)."""
        return self.account is not None and self.account.may(action, partners)

    def need(self, action: str, partners: Collection[str] | None = None) -> None:
        """Refuse unless the person may."""
        if not self.person.may(action, partners):
            raise Forbidden(action)

    def note(self, action: str, target: str, before: str = "", after: str = "") -> None:
        """Write into the audit what this person did."""
        with self.pipeline.database.write(durable=True) as conn:
            stored.note(conn, self.pipeline.now(), self.person.name, action, target, before, after)

    # ---- forms of ours only ----------------------------------------------------------------------------

    @property
    def csrf(self) -> str:
        """What every form of ours carries; another one after each log-in."""
        key = str(self.request.app.state.secret).encode()
        return hmac.new(key, f"{self.visitor}|{self.session}".encode(), hashlib.sha256).hexdigest()

    def check_form(self) -> None:
        """Refuse what was not sent from a page of ours. A token in the header cannot be sent by another's page."""
        if self.by_token:
            return
        origin = self.request.headers.get("origin", "")
        if origin and urlsplit(origin).netloc != self.request.headers.get("host", ""):
            raise Forbidden("another site")
        sent = self.form.get("csrf", "")
        if (
            self.fresh_visitor
            or not isinstance(sent, str)
            or not hmac.compare_digest(sent.encode(), self.csrf.encode())
        ):
            raise Forbidden("csrf")

    # ---- what was asked --------------------------------------------------------------------------------

    def _language(self) -> str:
        wanted = self.request.query_params.get("lang") or self.request.cookies.get(LANGUAGE, "")
        if wanted in LANGUAGES:
            return wanted
        for part in self.request.headers.get("accept-language", "")[:200].split(","):
            code = part.split(";")[0].strip().lower()[:2]
            if code in LANGUAGES:
                return code
        return str(self.pipeline.settings.language)

    @property
    def catalogue_name(self) -> str:
        """What the consortium calls its catalogue."""
        name = self.pipeline.settings.name
        return str(getattr(name, self.language, "") or name.id or name.en or "Induk")

    def partner_name(self, code: str) -> str:
        """A library's name in the language of the page."""
        known = self.pipeline.partners.get(code)
        names = (known.name_id, known.name_en) if known else ("", "")
        first, second = names if self.language == "id" else names[::-1]
        return first or second or code

    def path(self, name: str) -> Any:
        """A part of the path."""
        return self.request.path_params[name]

    def query(self, name: str, default: str = "") -> str:
        """A field of the query, cut to what can be meant."""
        return clean(self.request.query_params.get(name, default))

    def number(self, name: str, default: int = 0, *, low: int = 0, high: int = 1 << 60) -> int:
        """A whole number of the query; *default* where it is none."""
        text = self.request.query_params.get(name, "")
        return min(high, max(low, int(text))) if text.isdecimal() and len(text) < 19 else default

    def field(self, name: str, default: str = "") -> str:
        """A field of the form."""
        value = self.form.get(name, default)
        return clean(value) if isinstance(value, str) else default

    def fields(self, name: str) -> list[str]:
        """Every value of a field of the form."""
        found = self.form.getlist(name) if hasattr(self.form, "getlist") else [self.form.get(name)]
        return [clean(one) for one in found if isinstance(one, str)]

    def file(self, name: str) -> tuple[str, bytes]:
        """(name, content) of a file that was sent."""
        sent = self.form.get(name)
        if not isinstance(sent, UploadFile):
            raise UsageError("no file was sent")
        return clean(sent.filename or ""), sent.file.read()

    def here(self, **changed: str | int) -> str:
        """The address of this page with some of its query changed; an empty value takes the field out."""
        kept = {**dict(self.request.query_params), **{name: str(value) for name, value in changed.items()}}
        text = "&".join(f"{quote(name)}={quote(value)}" for name, value in kept.items() if value)
        return quote(self.bare_path) + (f"?{text}" if text else "")

    @property
    def bare_path(self) -> str:
        """The path without the suffix that chooses the form."""
        path = str(self.request.url.path)
        decoded = str(self.request.scope["path"])
        return decoded.removesuffix(self.suffix) if decoded else path

    def as_form(self, suffix: str) -> str:
        """This page as `.json` or `.csv`."""
        path, _, query = self.here().partition("?")
        path = "/tonight" if path == "/" else path
        return path + suffix + (f"?{query}" if query else "")


def clean(text: str) -> str:
    """*text* as far as it can be stored and compared: bounded, without NUL and lone surrogates."""
    return text[:LONGEST].replace("\x00", "").encode("utf-8", "replace").decode()
