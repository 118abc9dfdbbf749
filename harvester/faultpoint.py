"""Named moments at which a test may kill the process: `INDUK_FAULTPOINT=harvest.page.commit:3` dies at the third.

Outside tests the variable is unset and a point costs one comparison. POINTS lists every name, so that the
kill harness can visit each of them.
"""

from __future__ import annotations

import os
import signal

POINTS = (
    "harvest.run.opened",
    "harvest.page.fetched",
    "harvest.page.parsed",
    "harvest.page.written",
    "harvest.page.committed",
    "harvest.window.closed",
    "harvest.deletions.written",
    "harvest.deletions.committed",
    "harvest.run.closed",
    "match.run.opened",
    "match.batch.read",
    "match.batch.compared",
    "match.batch.written",
    "match.batch.numbered",
    "match.batch.committed",
    "match.run.closed",
)

# Points of the operator's own commands, of outputs, and of a match whose sources hold 200 records.
DESK_POINTS = (
    "constants.noted",
    "constants.batch.committed",
    "rebuild.batch.written",
    "rebuild.batch.committed",
    "rebuild.pairs.written",
    "rebuild.pairs.committed",
    "rebuild.swap.written",
    "rebuild.swap.committed",
    "normalize.batch.written",
    "normalize.batch.committed",
    "normalize.swap.written",
    "normalize.swap.committed",
    "promote.matched",
    "promote.swapped",
    "publish.step.delivered",
    "publish.step.saved",
    "backup.copied",
    "backup.written",
    "restore.checked",
    "migrate.stepped",
)
REVERT_POINTS = ("revert.begun", "revert.moved")

_name, _, _count = os.environ.get("INDUK_FAULTPOINT", "").partition(":")
_left = int(_count or 1)


def reach(name: str) -> None:
    """Die by SIGKILL here if the environment says so."""
    global _left
    if name != _name:
        return
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), signal.SIGKILL)


def arm(name: str, count: int = 1) -> None:
    """Die at the *count*-th time that *name* is reached; for a process that a test has just made."""
    global _name, _left
    assert name in POINTS + DESK_POINTS + REVERT_POINTS, name
    _name, _left = name, count
