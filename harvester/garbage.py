"""How often Python looks for garbage in cycles: seldom, because records are trees of small values and make none."""

from __future__ import annotations

import gc

YOUNG = 50_000  # new objects before the youngest are looked through; Python's own 700 costs a tenth of a load


def collect_rarely() -> None:
    """For this process. Memory grows by the cycles among so many objects, a few megabytes."""
    gc.set_threshold(YOUNG, 20, 100)
