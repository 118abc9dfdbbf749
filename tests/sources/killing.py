"""Kills a harvest with -9 at random instants and starts it again, until it is done."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from random import Random

import msgspec

from harvester.model import Source
from tests.sources import harvest_child


def killed_harvest(source: Source, folder: Path, kills: int, most_pages: int) -> tuple[dict[str, bytes], int]:
    """(identifier → payload, kills that hit) of a harvest killed *kills* times.

    Each kill comes a random instant after up to *most_pages* pages more.
    """
    chance, hit = Random(20261122), 0
    command = [sys.executable, "-m", "tests.sources.harvest_child", msgspec.json.encode(source).decode(), str(folder)]
    root = Path(__file__).parents[2]
    while not (folder / "done").exists():
        wanted = _kept(folder) + chance.randint(0, most_pages)
        # it gets no further than ten pages on, however late this process looks
        child = subprocess.Popen([*command, str(wanted + 10)] if hit < kills else command, cwd=root)
        if hit < kills:
            while child.poll() is None and _kept(folder) < wanted:
                time.sleep(0.001)
            time.sleep(chance.uniform(0, 0.01))
            hit += child.poll() is None
            child.kill()
            child.wait()
        else:
            assert child.wait(1_200) == 0, "the harvest did not end well"
    return {one.identifier: one.payload for page in harvest_child.pages(folder) for one in page.records}, hit


def _kept(folder: Path) -> int:
    return sum(1 for path in folder.iterdir() if path.suffix == ".page")
