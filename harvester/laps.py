"""Where the time goes: seconds by stage, for `induk harvest --profile` and `induk match --profile`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import perf_counter, thread_time
from typing import TypeVar

Spent = Callable[[str, float], None]  # what is told of each stage: its name, the seconds that it took
Seconds = dict[str, float]
T = TypeVar("T")


def add(seconds: Seconds, stage: str, took: float) -> None:
    """Count *took* to a stage."""
    seconds[stage] = seconds.get(stage, 0.0) + took


class Laps:
    """Seconds by stage: each lap lasts from the one before. Seconds of the processor, or of the *clock* given."""

    def __init__(self, seconds: Seconds | None = None, clock: Callable[[], float] = thread_time) -> None:
        self.seconds: Seconds = {} if seconds is None else seconds
        self._clock = clock
        self._at = clock()

    def lap(self, stage: str) -> None:
        """What was done since the last lap was *stage*."""
        now = self._clock()
        add(self.seconds, stage, now - self._at)
        self._at = now


def timed(values: Iterator[T], stage: str, spent: Spent) -> Iterator[T]:
    """*values*; what it takes to come by each is told as *stage*, in seconds of the clock on the wall."""
    while True:
        started = perf_counter()
        try:
            value = next(values)
        except StopIteration:
            return
        finally:
            spent(stage, perf_counter() - started)
        yield value
