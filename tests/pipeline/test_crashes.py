"""Killed with -9 anywhere and run again, the catalogue is byte for byte that of a night without faults."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harvester import faultpoint
from harvester.demo.sample import Sample
from tests.journey import Consortium, enrol_sample

SEED = 20261122
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory):
    with Sample(tmp_path_factory.mktemp("partners")) as started:
        yield started


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory, sample: Sample) -> tuple[str, float]:
    """The dump of a night without faults, and how long the night took."""
    folder = tmp_path_factory.mktemp("good")
    made = Consortium(folder, f"sqlite:///{folder / 'induk.db'}")
    enrol_sample(made, sample.partners())
    made.duration()  # the first process also starts the fork server
    again = Consortium(folder / "again", f"sqlite:///{folder / 'again.db'}")
    enrol_sample(again, sample.partners())
    seconds = again.duration()
    assert again.dump() == made.dump()
    return made.dump(), seconds


@pytest.fixture
def consortium(tmp_path: Path, database_url: str, sample: Sample) -> Consortium:
    made = Consortium(tmp_path / "union", database_url, batch=100)
    enrol_sample(made, sample.partners())
    return made


def until_done(consortium: Consortium) -> None:
    for _ in range(4):
        outcomes = consortium.night()
        if {one.verdict for one in outcomes.values()} == {"complete"}:
            return
    raise AssertionError(outcomes)


REACHED = sorted(set(faultpoint.POINTS))


@pytest.mark.parametrize("point", REACHED)
def test_killed_at_a_named_point_and_run_again(consortium: Consortium, good: tuple[str, float], point: str) -> None:
    assert consortium.killed_at(point, 2 if "page" in point or "batch" in point else 1), f"{point} was not reached"
    until_done(consortium)
    assert consortium.faults() == []
    assert consortium.dump() == good[0]


@pytest.mark.parametrize("part", [*range(4), *(pytest.param(part, marks=pytest.mark.prove) for part in range(4, 40))])
def test_killed_at_random_moments_and_run_again(consortium: Consortium, good: tuple[str, float], part: int) -> None:
    dice, longest, kills = random.Random(SEED + part), 0.5 * good[1], 0
    for _ in range(5):
        if consortium.killed_after(dice.uniform(0, longest)):
            kills += 1
        else:  # over before that: the machine was slower when the good night was measured
            longest /= 4
    assert kills, "the night was over before each moment"
    print(f"{kills} kills")
    until_done(consortium)
    assert consortium.faults() == []
    assert consortium.dump() == good[0]


def test_commits_record_by_record_with_a_checkpoint_apart_would_not_survive(tmp_path: Path, sample: Sample) -> None:
    """The same kills are red on a harvester that stores its checkpoint before its page."""
    from tests.pipeline.careless import Careless

    made = Careless(tmp_path / "careless", sample)
    whole = made.fault_free()
    assert made.killed_between_checkpoint_and_page() != whole
