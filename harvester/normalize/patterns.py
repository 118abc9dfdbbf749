"""Regular expressions of mapping files, with a time limit: a pattern that backtracks for ever stops one record only."""

from __future__ import annotations

from functools import lru_cache

import regex

from harvester.errors import RecordError

LIMIT = 0.05  # seconds for one value
MAX_VALUE = 20_000  # characters of a value that a pattern is shown


class Pattern:
    """A compiled pattern that raises RecordError (pattern-timeout) instead of hanging."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled = regex.compile(text)

    def sub(self, by: str, value: str) -> str:
        """*value* with every match replaced by *by*."""
        try:
            return self._compiled.sub(by, value[:MAX_VALUE], timeout=LIMIT)
        except TimeoutError:
            raise self._late(value) from None

    def search(self, value: str) -> regex.Match[str] | None:
        """The first match in *value*."""
        try:
            return self._compiled.search(value[:MAX_VALUE], timeout=LIMIT)
        except TimeoutError:
            raise self._late(value) from None

    def findall(self, value: str) -> list[str]:
        """Every match in *value*: its first group, or the whole match when there is none."""
        try:
            found = list(self._compiled.finditer(value[:MAX_VALUE], timeout=LIMIT))
        except TimeoutError:
            raise self._late(value) from None
        return [match.group(1 if self._compiled.groups else 0) or "" for match in found]

    def _late(self, value: str) -> RecordError:
        message = f"the pattern {self.text!r} takes longer than {LIMIT} s on {value[:60]!r}"
        return RecordError(message, reason="pattern-timeout", stage="map")


@lru_cache(maxsize=1024)
def pattern(text: str) -> Pattern:
    """The compiled pattern *text*, made once.

    Raises:
        ValueError: no regular expression.
    """
    try:
        return Pattern(text)
    except regex.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from error
