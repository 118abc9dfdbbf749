"""Watches one list for what never ends and for what ends too soon."""

from __future__ import annotations

from harvester.errors import ProtocolError
from harvester.sources.environment import Limits
from harvester.sources.oai_page import OaiPage


class Watch:
    """Sees the pages of one list in order.

    Raises, from `see` and `end`:
        ProtocolError: repeatedToken, repeatedPage, emptyPages, noList or tooManyPages.
    """

    def __init__(self, limits: Limits, place: str, token: str) -> None:
        self._limits = limits
        self._place = place
        self._tokens: dict[str, int] = {token: 1} if token else {}
        self._digests: set[str] = set()
        self._empty = 0
        self._last_was_empty = False
        self._received = 0
        self._size: int | None = None
        self.pages = 0

    @property
    def begun(self) -> bool:
        """True after the first page."""
        return self.pages > 0

    def see(self, page: OaiPage) -> None:
        """Check one page before it is used."""
        self.pages += 1
        if self.pages > self._limits.pages:
            raise self._stop("tooManyPages", f"more than {self._limits.pages:,} pages")
        if not page.has_list:
            raise self._stop("noList", "the answer holds neither a list nor an error")
        if self.pages == 1:
            self._received = page.cursor
        self._received += len(page.records) + len(page.damages)
        self._size = self._size if page.list_size is None else page.list_size
        self._see_records(page)
        if page.next_token:
            self._see_token(page.next_token)

    def reconciled(self) -> bool:
        """True when as many records came as the server said there are."""
        return self._size is not None and self._received >= self._size

    def end(self) -> None:
        """Check that the list did not end on an empty page after more had been promised (pyoai#8)."""
        if self._last_was_empty and self.pages > 1 and not self.reconciled():
            raise self._stop("emptyPages", "the list ends with an empty page")

    def _see_records(self, page: OaiPage) -> None:
        self._last_was_empty = not page.records and not page.damages
        if self._last_was_empty:
            self._empty += 1
            if self._empty > self._limits.empty_pages:
                raise self._stop("emptyPages", f"{self._empty} empty pages in a row")
            return
        self._empty = 0
        if not page.records:
            return
        if page.digest in self._digests:
            raise self._stop("repeatedPage", "the same page came again")
        self._digests.add(page.digest)

    def _see_token(self, token: str) -> None:
        """A token may come again for a few pages: some servers keep the place in their own session (scythe#411)."""
        self._tokens[token] = self._tokens.get(token, 0) + 1
        if self._tokens[token] > self._limits.token_repeats:
            raise self._stop("repeatedToken", f"the same resumption token came {self._tokens[token]} times")

    def _stop(self, code: str, message: str) -> ProtocolError:
        return ProtocolError(message, place=self._place, code=code)
