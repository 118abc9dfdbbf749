"""Killed with -9 at every named point, and at random moments, what was begun ends as it would have without faults.

Harvests over OAI-PMH and matching are killed in tests/pipeline/test_crashes.py; here the other sources, normalizing
again, publishing and backing up.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harvester import backup, faultpoint, pipeline, preparing, publishing, renormalizing, settings
from harvester.clock import SystemClock
from harvester.normalize.mapping import PACKAGE
from harvester.pipeline import Pipeline
from tests.journey import DEADLINE, Consortium
from tests.ops.nights import payload
from tests.servers import catalogue, postgres, yaz

pytestmark = pytest.mark.slow
SEED = 20261122
NUMBER = 60
KILLS = 10  # of one part of the proof
SERVED = [pytest.param(protocol, marks=pytest.mark.servers) for protocol in ("sru", "z3950")]
KINDS = [*SERVED, "files", "normalize", "publish", "backup"]
PARTS = [pytest.param(part, marks=pytest.mark.prove) for part in range(15)]
_context = multiprocessing.get_context("forkserver")
OUTPUT = "outputs: {dump: {kind: jsonl, url: dump}}\n"


def opened(folder: Path) -> Pipeline:
    preparing._compiled.clear()
    return pipeline.open_pipeline(settings.load(folder / "induk.yaml", environ={}), {}, SystemClock())


# ---- what is done, each in a process of its own that is to be killed -------------------------------------


def harvest(folder: Path) -> None:
    made = opened(folder)
    pipeline.harvest(made, pipeline.active_sources(made))
    made.database.close()


def normalize(folder: Path) -> None:
    made = opened(folder)
    renormalizing.BATCH = 20
    renormalizing.renormalize(made, list(made.source_ids), renormalizing.Limits(failed=100, changed=100))
    made.database.close()


def publish(folder: Path) -> None:
    made = opened(folder)
    publishing.publish(made, "dump", {})
    made.database.close()


class Elsewhen(SystemClock):
    """Another second in each process: a backup is called by its second, and here they come faster."""

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=os.getpid())


def back_up(folder: Path) -> None:
    made = opened(folder)
    backup.back_up(made.database, folder / "backups", Elsewhen(), "test")
    made.database.close()


ACTS: dict[str, Callable[[Path], None]] = {
    "harvest": harvest,
    "normalize": normalize,
    "publish": publish,
    "backup": back_up,
}


def act(name: str, folder: str, point: str) -> None:
    if point:
        faultpoint.arm(point)
    ACTS[name](Path(folder))


def started(name: str, folder: Path, point: str = "") -> Any:
    process = _context.Process(target=act, args=(name, str(folder), point))
    process.start()
    return process


def url_of(folder: Path) -> str:
    return settings.load(folder / "induk.yaml", environ={}).database_url({})


def killed_at(name: str, folder: Path, point: str) -> None:
    process = started(name, folder, point)
    process.join(DEADLINE)
    assert process.exitcode == -signal.SIGKILL, f"{point} was not reached"
    postgres.until_idle(url_of(folder))


def killed_at_random(name: str, folder: Path, dice: random.Random, longest: float) -> bool:
    process = started(name, folder)
    process.join(dice.uniform(0, longest))
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join(DEADLINE)
    assert process.exitcode in (0, -signal.SIGKILL), process.exitcode
    postgres.until_idle(url_of(folder))
    return bool(process.exitcode)


# ---- sixty records, and what must come of them ------------------------------------------------------------


def book_file(folder: Path, numbers: range) -> None:
    """What a partner drops: a whole set as MARCXML."""
    body = b"".join(payload(f"Buku nomor {one} tentang perihal {one * 7919 % 1009}", one) for one in numbers)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    head = b'<collection xmlns="http://www.loc.gov/MARC21/slim">'
    (folder / f"set-{len(numbers)}.xml").write_bytes(head + body + b"</collection>")


class World:
    """A consortium of one partner, and what it is asked for."""

    def __init__(self, folder: Path, database: str, **source: Any) -> None:
        self.consortium = Consortium(folder, database)
        self.folder = folder
        path = folder / "induk.yaml"
        path.write_text(path.read_text(encoding="utf-8") + OUTPUT, encoding="utf-8")
        self.consortium.add("alun", internal=True, **source)

    def complete(self) -> str:
        """The night until it is complete; then the dump."""
        for _ in range(3):
            outcome = self.consortium.night()["alun"]
            if outcome.verdict == "complete":
                assert self.consortium.faults() == []
                return self.consortium.dump()
        raise AssertionError(outcome)


def of_files(folder: Path, url: str) -> World:
    book_file(folder.parent / "dropped", range(NUMBER))
    options = {"stable_seconds": 0, "page_records": 20}
    return World(folder, url, protocol="files", url=str(folder.parent / "dropped"), options=options)


@pytest.fixture(scope="module")
def zebra() -> Iterator[yaz.Zebra]:
    records = [catalogue.record(number, "20240115103000.0", number, 1950 + number, 1) for number in range(NUMBER)]
    with yaz.zebra(b"".join(records)) as made:
        yield made


def of_target(protocol: str, folder: Path, url: str, zebra: yaz.Zebra) -> World:
    scheme = "http" if protocol == "sru" else "z3950"
    options = {"page_size": 20} | ({"query_language": "pqf"} if protocol == "sru" else {})
    return World(folder, url, protocol=protocol, url=f"{scheme}://127.0.0.1:{zebra.port}/Default", options=options)


POINTS = [one for one in faultpoint.POINTS if one.startswith("harvest.") and one != "harvest.deletions.written"]


def killed_everywhere(world: World) -> str:
    for point in POINTS:
        killed_at("harvest", world.folder, point)
    return world.complete()


def test_a_harvest_of_files_that_is_killed_at_every_point(tmp_path: Path, database_url: str) -> None:
    good = of_files(tmp_path / "good", f"sqlite:///{tmp_path / 'good.db'}")
    world = of_files(tmp_path / "world", database_url)
    assert killed_everywhere(world) == good.complete()
    book_file(tmp_path / "dropped", range(2, NUMBER + 3))
    killed_at("harvest", world.folder, "harvest.deletions.written")
    assert world.complete() == good.complete()


@pytest.mark.servers
@pytest.mark.parametrize("protocol", ["sru", "z3950"])
def test_a_harvest_of_a_server_that_is_killed_at_every_point(
    tmp_path: Path, database_url: str, zebra: yaz.Zebra, protocol: str
) -> None:
    good = of_target(protocol, tmp_path / "good", f"sqlite:///{tmp_path / 'good.db'}", zebra)
    world = of_target(protocol, tmp_path / "world", database_url, zebra)
    assert killed_everywhere(world) == good.complete()


def other_mapping(folder: Path) -> None:
    """Imprints are no longer believed: every record changes."""
    path = folder / "mappings" / "marc21.yaml"
    path.parent.mkdir(exist_ok=True)
    shipped = (PACKAGE / "marc21.yaml").read_text(encoding="utf-8")
    path.write_text(f"distrust: [publications]\n{shipped}", encoding="utf-8")


def test_normalizing_again_that_is_killed_at_every_point(tmp_path: Path, database_url: str) -> None:
    dumps = []
    for folder, url in ((tmp_path / "good", f"sqlite:///{tmp_path / 'good.db'}"), (tmp_path / "world", database_url)):
        world = of_files(folder, url)
        before = world.complete()
        other_mapping(folder)
        if folder.name == "world":
            for point in ("normalize.batch.written", "normalize.batch.committed"):
                killed_at("normalize", folder, point)
            for point in ("normalize.swap.written", "normalize.swap.committed"):
                killed_at("normalize", folder, point)
        normalize(folder)
        world.consortium.match()
        assert world.consortium.faults() == []
        dumps.append(world.consortium.dump())
        assert dumps[-1] != before
    assert dumps[0] == dumps[1]


def published(folder: Path) -> set[str]:
    """The records that a consumer of the files holds."""
    held: dict[str, set[str]] = {}
    for entry in json.loads((folder / "dump" / "manifest.json").read_text(encoding="utf-8"))["files"]:
        for line in (folder / "dump" / entry["name"]).read_text(encoding="utf-8").splitlines():
            envelope = json.loads(line)["_union"]
            held[envelope["id"]] = set() if envelope.get("deleted") else set(envelope["members"])
    return set().union(*held.values())


def test_publishing_that_is_killed_at_every_point(tmp_path: Path, database_url: str) -> None:
    world = of_files(tmp_path / "world", database_url)
    world.complete()
    for numbers in (range(NUMBER), range(2, NUMBER + 3)):
        book_file(tmp_path / "dropped", numbers)
        world.complete()
        for point in ("publish.step.delivered", "publish.step.saved"):
            killed_at("publish", world.folder, point)
        publish(world.folder)
        assert published(world.folder) == {f"alun/{number}" for number in numbers}


def test_a_backup_that_is_killed_at_every_point(tmp_path: Path, database_url: str) -> None:
    world = of_files(tmp_path / "world", database_url)
    before = world.complete()
    for point in ("backup.copied", "backup.written"):
        killed_at("backup", world.folder, point)
        assert backup.oldest(world.folder / "backups", 0) == []
    back_up(world.folder)
    [whole] = (world.folder / "backups").iterdir()
    backup.check(whole)
    assert world.consortium.dump() == before


# ---- at random ------------------------------------------------------------------------------------------------


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_random_moments(tmp_path: Path, database_url: str, zebra: yaz.Zebra, kind: str, part: int) -> None:
    def made(name: str, url: str) -> World:
        folder = tmp_path / name
        return of_target(kind, folder, url, zebra) if kind in ("sru", "z3950") else of_files(folder, url)

    dice = random.Random(f"{SEED}-{kind}-{part}")
    good, world = made("good", f"sqlite:///{tmp_path / 'good.db'}"), made("world", database_url)
    name = kind if kind in ACTS else "harvest"
    if name != "harvest":
        good.complete()
        world.complete()
    if name == "normalize":
        other_mapping(good.folder)
        other_mapping(world.folder)
    kills = sum(killed_at_random(name, world.folder, dice, 0.6) for _ in range(KILLS))
    print(f"\n{kind} on {database_url.partition(':')[0]}: {kills} of {KILLS} killed in time")
    assert kills
    for one in (good, world):
        ACTS[name](one.folder)
    if name == "publish":
        assert published(world.folder) == {f"alun/{number}" for number in range(NUMBER)}
    if name == "backup":
        for folder in (world.folder / "backups").iterdir():
            backup.check(folder)
    assert world.complete() == good.complete()
