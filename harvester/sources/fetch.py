"""HTTP with every bound: time, bytes, ratio, redirects, addresses, tries, politeness. Secrets never leave in a text."""

from __future__ import annotations

import io
from collections.abc import Mapping
from http.client import HTTPException
from importlib.metadata import PackageNotFoundError, version
from typing import NoReturn
from urllib.parse import urljoin, urlsplit

import msgspec
import requests
from requests.exceptions import RequestException
from requests.utils import get_environ_proxies
from urllib3.exceptions import HTTPError

from harvester.errors import Blocked, ConfigError, ProtocolError, Refused, SourceUnavailable
from harvester.model import Source
from harvester.redact import redact
from harvester.sources import credentials as credentials_of
from harvester.sources.addresses import Arguments, encoded, is_address, origin, same_host, with_query
from harvester.sources.causes import causes, certificate_problem, words
from harvester.sources.connection import Guard, GuardedAdapter
from harvester.sources.environment import Environment
from harvester.sources.inflate import CorruptPacking, Inflater
from harvester.sources.waiting import pause, retry_after

_CHUNK = 64 << 10
_REDIRECTS = (301, 302, 303, 307, 308)
_PERMANENT = (301, 308)
_RETRIED = (408, 425, 429)
_DAY = 86_400.0


class Answer(msgspec.Struct, frozen=True):
    """One answer: `url` is where it came from in the end (no secrets), headers have small names.

    Flags: `encoding-lie`, `gzip-unannounced`, `moved:URL` (a permanent move within the host).
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    flags: tuple[str, ...] = ()


class _Failed(Exception):
    """One try failed in a way that another may not."""


class Fetcher:
    """All requests to one source, over one session, one at a time.

    Raises, from `get` and `post`:
        SourceUnavailable: every try failed, or the budget of requests or waiting is used up.
        Blocked: the server does not want us (403).
        ProtocolError: the log-in is refused (401, 407), or a redirect leads nowhere.
        Refused: a bound was passed; TLS certificate, address and redirect to another host among them.
    Other statuses from 400 to 499 are returned: OAI-PMH servers send protocol errors that way.
    """

    def __init__(self, source: Source, environment: Environment) -> None:
        self._source = source
        self._environment = environment
        self._limits = environment.limits
        self._own = origin(source.url, source.code)
        self._credentials = credentials_of.read(source.credentials, source.code)
        self._guard = Guard(environment.clock, environment.limits, internal=source.internal)
        self._session = self._open_session()
        self._requests = 0
        self._waited = 0.0

    def get(self, url: str = "", arguments: Arguments = ()) -> Answer:
        """The answer to GET *url* (the source's own when empty) with *arguments* added to its query."""
        return self._try("GET", with_query(url or self._source.url, arguments), None)

    def post(self, url: str = "", arguments: Arguments = ()) -> Answer:
        """The answer to POST *url* with *arguments* as a form."""
        return self._try("POST", url or self._source.url, encoded(arguments).encode())

    def redact(self, text: str) -> str:
        """*text* without any secret of the source."""
        return redact(text, self._credentials.secrets)

    def close(self) -> None:
        """Close the kept connections."""
        self._session.close()

    # ---- tries -------------------------------------------------------------------------------------------

    def _try(self, method: str, url: str, body: bytes | None) -> Answer:
        reason = ""
        asked: float | None = None
        for attempt in range(self._limits.attempts):
            if attempt:
                self._wait(attempt - 1, asked, reason)
            try:
                answer = self._follow(method, url, body)
            except _Failed as failure:
                reason, asked = str(failure), None
                continue
            if answer.status not in _RETRIED and answer.status < 500:
                return self._accept(answer)
            reason = f"HTTP {answer.status}"
            asked = retry_after(answer.headers.get("retry-after", ""), self._environment.clock.now())
        raise SourceUnavailable(f"{reason}, {self._limits.attempts} tries", place=self._place(url), retry_after=asked)

    def _accept(self, answer: Answer) -> Answer:
        if answer.status in (401, 407):
            raise ProtocolError("log-in refused", place=answer.url, code=str(answer.status), hint="see credentials")
        if answer.status == 403:
            # A ban ends by itself only if we stay away: days, not minutes (regluit#1154).
            raise Blocked("HTTP 403: the server refuses us", place=answer.url, retry_after=_DAY)
        return answer

    def _wait(self, attempt: int, asked: float | None, reason: str) -> None:
        seconds = pause(attempt, asked, self._limits, self._environment.jitter())
        self._waited += seconds
        if self._waited > self._limits.waiting_seconds:
            raise SourceUnavailable(
                f"{reason}; the time for waiting is used up", place=self._source.code, retry_after=asked
            )
        self._environment.log("fetch.wait", source=self._source.code, seconds=round(seconds, 3), reason=reason)
        self.sleep(seconds)

    def sleep(self, seconds: float) -> None:
        """Sleep, but notice a cancel within a few seconds."""
        while seconds > 0:
            self._go_on()
            self._environment.clock.sleep(min(seconds, 5.0))
            seconds -= 5.0

    def _go_on(self) -> None:
        if self._environment.cancel():
            raise SourceUnavailable("stopped on request", place=self._source.code)

    # ---- one try -----------------------------------------------------------------------------------------

    def _follow(self, method: str, url: str, body: bytes | None) -> Answer:
        flags: tuple[str, ...] = ()
        for _ in range(self._limits.redirects + 1):
            answer = self._once(method, url, body)
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return msgspec.structs.replace(answer, flags=answer.flags + flags)
            target = self._target(url, answer)
            if answer.status in _PERMANENT:
                flags += (f"moved:{self._place(target)}",)
            if answer.status in (301, 302, 303):
                method, body = "GET", None
            url = target
        raise Refused(f"more than {self._limits.redirects} redirects", place=self._place(url))

    def _target(self, url: str, answer: Answer) -> str:
        """Where a redirect leads, if we may go there."""
        location = answer.headers["location"].encode("latin-1", "replace").decode("utf-8", "replace")
        place = self._place(url)
        try:
            target = urljoin(url, location)
            old, new = origin(url, place), origin(target, place)
        except (ConfigError, ValueError):
            raise ProtocolError("redirected to an address that is none", place=place) from None
        if old[0] == "https" and new[0] == "http":
            raise Refused("redirected from https to http", place=place)
        approved = {new[1], f"{new[1]}:{new[2]}"} & self._environment.approvals
        if not approved and not same_host(self._own, new):
            kind = "permanently " if answer.status in _PERMANENT else ""
            hint = f"approve {new[1]}:{new[2]} if the partner has moved"
            raise Refused(f"redirected {kind}to another host: {self._place(target)}", place=place, hint=hint)
        return target

    def _once(self, method: str, url: str, body: bytes | None) -> Answer:
        self._go_on()
        self._requests += 1
        budget = self._limits.requests_a_night
        if budget and self._requests > budget:
            raise SourceUnavailable(f"the budget of {budget} requests is used up", place=self._source.code)
        scheme, host, port = origin(url, self._source.code)
        with self._environment.turns.turn(f"{host}:{port}", self._limits.delay_seconds, self._environment.clock):
            try:
                return self._send(method, url, body, own=same_host(self._own, (scheme, host, port)))
            except Refused as refusal:
                raise Refused(self.redact(refusal.message), place=self._place(url), hint=refusal.hint) from None
            except (RequestException, HTTPError, HTTPException, OSError, CorruptPacking) as error:
                self._explain(error, url)

    def _send(self, method: str, url: str, body: bytes | None, *, own: bool) -> Answer:
        prepared = self._session.prepare_request(requests.Request(method, url, data=body))
        if own:
            prepared.headers.update(dict(self._credentials.headers))
        if body is not None:
            prepared.headers["Content-Type"] = "application/x-www-form-urlencoded"
        self._guard.begin(encoded(self._credentials.arguments) if own else "")
        # Not Session.send: it unpacks the body of every redirect without a bound, asked for or not.
        response = self._session.get_adapter(prepared.url or url).send(
            prepared,
            stream=True,
            timeout=(self._limits.connect_seconds, self._limits.read_seconds),
            verify=self._source.options.get("ca") or True,
            proxies=self._proxies(url),
        )
        self._session.cookies.update(response.cookies)
        try:
            content, flags = self._read(response)
        finally:
            response.close()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(self._place(url), response.status_code, headers, content, flags)

    def _read(self, response: requests.Response) -> tuple[bytes, tuple[str, ...]]:
        limits = self._limits
        length = response.headers.get("content-length", "")
        if length.isdecimal() and float(length) > limits.response_bytes:
            raise Refused(f"answer larger than {self._limits.response_bytes:,} bytes")
        packing = response.headers.get("content-encoding", "")
        inflater = Inflater(packing, limit=limits.response_bytes, ratio=limits.ratio)
        content = io.BytesIO()
        for chunk in response.raw.stream(_CHUNK, decode_content=False):
            self._go_on()
            self._guard.seconds(limits.read_seconds)
            for plain in inflater.feed(chunk):
                content.write(plain)
        for plain in inflater.end():
            content.write(plain)
        return content.getvalue(), inflater.flags

    def _explain(self, error: Exception, url: str) -> NoReturn:
        """Say in our own words what went wrong: the texts of requests repeat the address with its keys."""
        found = causes(error)
        if text := certificate_problem(found):
            hint = "options: ca: names a file with the partner's own certificate"
            raise Refused(f"TLS certificate not accepted: {text}", place=self._place(url), hint=hint) from None
        if isinstance(error, RequestException) and isinstance(error, ValueError):
            raise ProtocolError(f"address not usable: {type(error).__name__}", place=self._place(url)) from None
        if self._guard.over():
            raise Refused(
                f"no complete answer within {self._limits.total_seconds:g} seconds", place=self._place(url)
            ) from None
        raise _Failed(self.redact(words(found))) from None

    # ---- set-up ------------------------------------------------------------------------------------------

    def _open_session(self) -> requests.Session:
        session = requests.Session()
        # Neither ~/.netrc nor proxy variables behind our back; proxies are taken in _proxies.
        session.trust_env = False
        adapter = GuardedAdapter(self._guard)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        session.headers.update(
            {"User-Agent": user_agent(self._environment.contact), "Accept-Encoding": "gzip, deflate"}
        )
        return session

    def _proxies(self, url: str) -> dict[str, str]:
        """The proxies of the environment; none for loopback and for sources in the own network."""
        host = urlsplit(url).hostname or ""
        if self._source.internal or host == "localhost" or is_address(host):
            return {}
        return dict(get_environ_proxies(url, no_proxy=None))

    def _place(self, url: str) -> str:
        return self.redact(url)[:500]


def user_agent(contact: str) -> str:
    """Who we are, and whom to write to."""
    try:
        number = version("induk")
    except PackageNotFoundError:
        number = "0"
    return f"induk/{number} (union catalogue harvester; mailto:{contact})" if contact else f"induk/{number}"
