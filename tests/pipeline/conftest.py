"""What several files of this folder may ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester.demo.sample import EVENING, Sample
from harvester.demo.store import SampleClock
from tests.journey import Consortium, enrol_sample


@pytest.fixture(scope="session")
def demo_night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the demo catalogue after one night; nobody changes it."""
    folder = tmp_path_factory.mktemp("demo")
    with Sample(folder / "partners", SampleClock(EVENING)) as sample:
        made = Consortium(folder / "union", f"sqlite:///{folder / 'union' / 'induk.db'}", clock=sample.clock)
        enrol_sample(made, sample.partners())
        made.night()
        yield folder / "union"


@pytest.fixture
def union(demo_night: Path, tmp_path: Path) -> Consortium:
    """A copy of that catalogue."""
    shutil.copytree(demo_night, tmp_path / "union")
    return Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'union' / 'induk.db'}", clock=SampleClock(EVENING))
