"""One partner's server that hangs, bombs or talks nonsense costs the others nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from harvester import pipeline
from harvester.clock import SystemClock
from harvester.demo import quirks
from harvester.demo.simulator import Hook, Simulator
from harvester.demo.store import Store
from tests.journey import DEADLINE, Consortium
from tests.pipeline.lone import dublin_core

PAGE = 5
HABITS = quirks.variant(quirks.KOHA, page_size=PAGE)
BAD = {"hangs": "any:delay@60*", "bombs": "any:bomb*", "babbles": "any:html*"}
RECORDS = 60
MAY_COST = 1.1


def finished(
    folder: Path, good: int, bad: Mapping[str, str], hook: Hook, patience: float = 3
) -> tuple[dict[str, float], set[str]]:
    """(code → seconds until its harvest was through, codes of complete harvests) with a source on each server."""
    faults = {f"baik{number}": "" for number in range(good)} | dict(bad)
    with ExitStack() as stack:
        made = Consortium(folder / "union", f"sqlite:///{folder / 'induk.db'}")
        config = folder / "union" / "induk.yaml"
        limits = (
            f"harvest: {{partners_at_once: {len(faults)}, workers: 0}}\n"
            f"limits: {{read_seconds: {patience}, total_seconds: {2 * patience}}}\n"
        )
        config.write_text(config.read_text(encoding="utf-8") + limits, encoding="utf-8")
        for code, script in faults.items():
            store = Store(SystemClock())
            for key in range(RECORDS):
                store.put(str(key), {"oai_dc": dublin_core(key)})
            server = Simulator({code: store}, {code: HABITS}, {code: script}, hook)
            stack.enter_context(server)
            made.add(code, protocol="oai-pmh", url=server.url(code), internal=True, metadata_prefix="oai_dc")
        ended: dict[str, float] = {}
        opened = stack.enter_context(made.opened())
        started = time.monotonic()

        def note(code: str, counts: Mapping[str, int]) -> None:
            ended[code] = time.monotonic() - started

        outcomes = pipeline.harvest(opened, list(faults), progress=note)
        ended |= {code: time.monotonic() - started for code in faults if code not in ended}
    return ended, {code for code, one in outcomes.items() if getattr(one, "verdict", "") == "complete"}


@pytest.mark.slow
def test_three_bad_servers_keep_nobody_waiting(tmp_path: Path) -> None:
    """The one that hangs is silent until the four good ones were asked for their last page."""
    through, overtaken, last = threading.Event(), [], set()

    def hook(code: str, _request: object, page: int) -> None:
        if code == "hangs":
            overtaken.append(through.wait(DEADLINE))
        elif code not in BAD and page == RECORDS // PAGE:
            last.add(code)
            if len(last) == 4:
                through.set()

    ended, complete = finished(tmp_path, 4, BAD | {"hangs": "any:drop@0*"}, hook, 2 * DEADLINE)
    assert complete == ended.keys() - BAD.keys()
    assert overtaken
    assert all(overtaken)


@pytest.mark.prove
def test_seventeen_of_twenty_take_no_longer_than_alone(tmp_path: Path) -> None:

    def slow(*_: object) -> None:
        time.sleep(1.0)  # the servers' own time, so that the machine's is small beside it

    alone, _ = finished(tmp_path / "alone", 17, {}, slow)
    beside, complete = finished(tmp_path / "beside", 17, BAD, slow)
    good = alone.keys()
    ratio = max(beside[code] for code in good) / max(alone.values())
    print(f"\nseventeen sources: {max(alone.values()):.1f} s alone, ratio beside three bad ones {ratio:.3f}")
    assert complete == good
    assert ratio <= MAY_COST
