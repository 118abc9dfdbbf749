"""Regular expressions of mapping files, with a time limit: a pattern that backtracks for ever stops one record only."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

import regex

from harvester.errors import RecordError

LIMIT = 0.3  # seconds for one value
TRIES = 10
MAX_VALUE = 20_000  # characters of a value that a pattern is shown
T = TypeVar("T")


class Pattern:
    """A compiled pattern that raises RecordError (pattern-timeout) instead of hanging."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._compiled = regex.compile(text)

    def sub(self, by: str, value: str) -> str:
        """*value* with every match replaced by *by*."""
        return self._timed(value, lambda text: self._compiled.sub(by, text, timeout=LIMIT))

    def search(self, value: str) -> regex.Match[str] | None:
        """The first match in *value*."""
        return self._timed(value, lambda text: self._compiled.search(text, timeout=LIMIT))

    def findall(self, value: str) -> list[str]:
        """Every match in *value*: its first group, or the whole match when there is none."""
        found = self._timed(value, lambda text: list(self._compiled.finditer(text, timeout=LIMIT)))
        return [match.group(1 if self._compiled.groups else 0) or "" for match in found]

    def _timed(self, value: str, call: Callable[[str], T]) -> T:
        """What *call* gives. The limit is on the wall clock: where the machine, not the pattern, was slow, again."""
        for _ in range(TRIES):
            begun = time.thread_time()
            try:
                return call(value[:MAX_VALUE])
            except TimeoutError:
                if time.thread_time() - begun > LIMIT / 2:
                    break
        raise self._late(value)

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
