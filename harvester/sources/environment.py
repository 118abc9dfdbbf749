"""What a source gets from outside: the clock, the bounds, what earlier runs learned. Nothing else is global."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import msgspec

from harvester.model import Clock, Value


class Limits(Value, frozen=True):
    """The bounds on one source. Names and units follow the settings of the same name."""

    connect_seconds: float = 10
    read_seconds: float = 60
    total_seconds: float = 600
    response_mib: float = 64
    record_kib: int = 4096
    ratio: int = 200
    redirects: int = 5
    delay_seconds: float = 1.0
    attempts: int = 5
    backoff_seconds: float = 1.0
    backoff_cap_seconds: float = 60
    retry_after_seconds: float = 3600
    waiting_seconds: float = 7200  # all waits between tries of one opened source together
    requests_a_night: int = 0  # most requests of one opened source; 0 is without end
    url_length: int = 2000  # a longer request is sent by POST
    page_attempts: int = 3  # fetches of a page that arrives broken
    empty_pages: int = 3  # empty pages with a token followed in a row
    token_repeats: int = 3
    pages: int = 200_000

    @property
    def response_bytes(self) -> int:
        """Most bytes of one answer, unpacked."""
        return int(self.response_mib * (1 << 20))

    @property
    def record_bytes(self) -> int:
        """Most bytes of one record."""
        return self.record_kib << 10


class Turns:
    """One request at a time to each host, with a pause between two; shared by the sources of a process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._ended: dict[str, float] = {}

    @contextmanager
    def turn(self, host: str, delay: float, clock: Clock) -> Iterator[None]:
        """Hold *host* for one request, begun at least *delay* seconds after the last one ended."""
        with self._guard:
            lock = self._locks.setdefault(host, threading.Lock())
        with lock:
            if host in self._ended:
                pause = self._ended[host] + delay - clock.monotonic()
                if pause > 0:
                    clock.sleep(pause)
            try:
                yield
            finally:
                self._ended[host] = clock.monotonic()


def _go_on() -> bool:
    return False


def _silent(event: str, /, **values: object) -> None:
    return None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """`approvals` are hosts (`host` or `host:port`) that this source may be redirected to, and `identity:NAME`.

    `cancel` is asked often and stops the harvest when True. `log(event, **values)` gets texts without secrets.
    `jitter` gives numbers in [0, 1).
    """

    clock: Clock
    contact: str = ""
    approvals: frozenset[str] = frozenset()
    limits: Limits = Limits()
    learned: Mapping[str, str] = {}
    cancel: Callable[[], bool] = _go_on
    log: Callable[..., None] = _silent
    jitter: Callable[[], float] = random.random
    turns: Turns = msgspec.field(default_factory=Turns)
