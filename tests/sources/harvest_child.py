"""A harvest in a process of its own, to be killed at any instant.

`python -m tests.sources.harvest_child SPEC FOLDER [MOST]`; behind page MOST it waits to be killed.

Each page is written beside its token in one step, before the next one is asked for; a start goes on behind the last.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from harvester.clock import SystemClock
from harvester.model import Page, Source, Window
from harvester.sources import Environment, Limits, sources

LIMITS = Limits(connect_seconds=60, read_seconds=60, total_seconds=120, delay_seconds=0, attempts=3)


def pages(folder: Path) -> list[Page]:
    """The pages that were kept, in order."""
    kept = sorted(path for path in folder.iterdir() if path.suffix == ".page")
    return [msgspec.msgpack.decode(path.read_bytes(), type=Page) for path in kept]


def main(spec: str, place: str, most: str = "") -> None:
    """Harvest the source of *spec* (JSON) into *place*; the file `done` is its end."""
    source, folder = msgspec.json.decode(spec, type=Source), Path(place)
    names = sorted(path.name for path in folder.glob("*.page"))
    token = msgspec.msgpack.decode((folder / names[-1]).read_bytes(), type=Page).token if names else ""
    if names and not token:
        (folder / "done").touch()
        return
    harvester = sources.get(source.protocol)(source, Environment(clock=SystemClock(), limits=LIMITS))
    for number, page in enumerate(harvester.pages(Window(token=token)), len(names)):
        part = folder / "page.part"
        part.write_bytes(msgspec.msgpack.encode(page))
        os.replace(part, folder / f"{number:07d}.page")
        if most and number + 1 >= int(most):
            signal.pause()
    (folder / "done").touch()


if __name__ == "__main__":
    main(*sys.argv[1:4])
