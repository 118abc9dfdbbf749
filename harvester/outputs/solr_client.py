"""Plain HTTP to one Solr core: updates in order, queries, patience with a server that is busy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
import requests

from harvester.errors import IndukError, OutputError
from harvester.model import Clock
from harvester.outputs.solr_fields import Document

BUSY = frozenset((408, 409, 425, 429, 500, 502, 503, 504))
ABOUT_THE_DOCUMENT = frozenset((400, 413, 415, 422))
PAGE = 1000


class DocumentRefused(IndukError):
    """The core answered, and refuses what was sent (a value that the schema does not take, a request too large)."""


class SolrClient:
    """One core; a request has a time limit in seconds and is repeated while the server is busy or away, for a while."""

    def __init__(self, url: str, clock: Clock, auth: tuple[str, str] | None = None, tries: int = 15) -> None:
        parts = urlsplit(url)
        self.url = url.rstrip("/")
        self.place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        self._clock = clock
        self._tries = max(1, tries)
        self.wait = 20.0
        self.timeout = 60.0
        self.patience = 180.0  # seconds that a run loses in all to a server that does not answer
        self.log: Callable[..., None] = lambda event, **values: None  # each try that failed: minutes pass
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy of the environment must not catch loopback
        self._session.auth = auth

    def update(self, body: bytes, **parameters: str) -> None:
        """Send update commands; Solr works them off in order.

        Raises:
            DocumentRefused: something in *body* is refused.
            OutputError: no usable answer.
        """
        self._ask("update", {"wt": "json", **parameters}, body)

    def commit(self) -> None:
        """Make everything sent before visible and durable."""
        self.update(b'{"commit":{}}')

    def select(self, query: str, fields: str = "*", **parameters: str) -> Iterator[list[Document]]:
        """Yield the documents that match *query* by id, in pages, by cursorMark."""
        mark = "*"
        form = {"q": query, "fl": fields, "rows": str(PAGE), "sort": "id asc", "wt": "json", **parameters}
        while True:
            answer = self._ask("select", {}, None, form | {"cursorMark": mark})
            found = answer.get("response", {}).get("docs", [])
            if found:
                yield found
            following = str(answer.get("nextCursorMark", mark))
            if following == mark:
                return
            mark = following

    def _ask(
        self, path: str, parameters: Mapping[str, str], body: bytes | None, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        attempt = 0
        while True:
            attempt += 1
            pause, began = self.wait, self._clock.monotonic()
            try:
                answer = self._session.post(
                    f"{self.url}/{path}",
                    params=parameters,
                    data=body if form is None else dict(form),
                    headers={} if body is None else {"Content-Type": "application/json"},
                    timeout=self.timeout,
                    allow_redirects=False,
                )
                if answer.status_code not in BUSY:
                    return self._read(answer)
                trouble = f"HTTP {answer.status_code}"
                pause = _retry_after(answer.headers.get("Retry-After", ""), pause)
            except requests.RequestException as error:
                trouble = type(error).__name__
            self.patience -= self._clock.monotonic() - began
            if attempt == self._tries or self.patience <= 0:
                raise OutputError(f"does not answer after {attempt} tries: {trouble}", place=self.place)
            pause = min(pause, self.patience)
            self.patience -= pause
            tried = f"{attempt} of {self._tries}"
            self.log("output_try_failed", output=self.place, trouble=trouble, tries=tried, again_in=f"{pause:g} s")
            self._clock.sleep(pause)

    def _read(self, answer: requests.Response) -> dict[str, Any]:
        try:
            body = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            body = None
        message = ""
        if isinstance(body, dict):
            message = str((body.get("error") or {}).get("msg", ""))[:500]
        if answer.status_code in ABOUT_THE_DOCUMENT:
            raise DocumentRefused(message or f"HTTP {answer.status_code}", place=self.place)
        if answer.status_code != 200 or not isinstance(body, dict) or "responseHeader" not in body:
            raise OutputError(f"HTTP {answer.status_code} is no answer of Solr: {message}", place=self.place)
        if body["responseHeader"].get("status", 0) != 0:
            raise DocumentRefused(message or "status is not 0", place=self.place)
        return body


def _retry_after(header: str, otherwise: float) -> float:
    return min(float(header), 300.0) if header.isdigit() else otherwise


def terms(field: str, values: Sequence[str]) -> str:
    """A clause that matches documents whose *field* is one of *values* (ids of ours, without quotes or commas).

    Raises:
        ValueError: a value that would break out of the clause.
    """
    for value in values:
        if not value or any(character in "',\\{}" or character.isspace() for character in value):
            raise ValueError(f"no id: {value!r}")
    return f"{{!terms f={field} v='{','.join(values)}'}}"
