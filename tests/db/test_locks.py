"""A lock is refused at once to whom cannot wait, and given to whom waits for it."""

from __future__ import annotations

from threading import Event, Thread

import pytest

from db.engine import Database
from harvester.errors import Locked


@pytest.mark.slow
@pytest.mark.postgres
def test_a_lock_that_somebody_holds_is_waited_for(database: Database) -> None:
    asked, got = Event(), Event()

    def wait() -> None:
        asked.set()
        with database.lock("match", wait=60):
            got.set()

    waiting = Thread(target=wait)
    with database.lock("match"):
        waiting.start()
        asked.wait()
        assert not got.wait(0.2)
        with pytest.raises(Locked), database.lock("match"):
            pass
    waiting.join()
    assert got.is_set()
