"""The same thousand records by any number of workers, in any batches, in both databases: the same catalogue."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harvester import pipeline
from harvester.formats.iso2709_write import write
from harvester.model import MarcRecord
from tests.journey import Consortium

RECORDS = 1000
PLACES = ("Jakarta", "Yogyakarta", "Bandung", "Surabaya")
NAMES = ("Toer, Pramoedya Ananta", "Hirata, Andrea", "Pane, Armijn", "Lubis, Mochtar", "Rusli, Marah")
WORDS = ("Bumi", "Laut", "Hutan", "Kota", "Desa", "Sungai", "Gunung", "Pasar", "Sawah", "Pulau", "Taman")
MORE = ("manusia", "biru", "lama", "di timur", "yang hilang", "dan waktu", "Indonesia")

pytestmark = pytest.mark.slow


def record(number: int) -> bytes:
    """A made-up record; every fourth is the one before it once more, as another library would have described it."""
    work, again = (number - 1, True) if number % 4 == 3 else (number, False)
    title = f"{WORDS[work % 11]} {MORE[work % 7]} {WORDS[work // 77 % 11].lower()}"
    year, pages = 1950 + work % 60, 80 + work * 7 % 400
    fields = [
        ("001", f"R{number:06}"),
        ("008", f"060301s{year}    io a          000 0 ind d"),
        ("100", f"1 \x1fa{NAMES[work % 5]}" + ("." if again else ",\x1fd1925-")),
        ("245", f"10\x1fa{title if not again else title.upper()} /\x1fc{NAMES[work % 5]}."),
        ("260", f"  \x1fa{PLACES[work % 4]} :\x1fbPenerbit {WORDS[work % 11]},\x1fc{year}."),
        ("300", f"  \x1fa{pages} hlm. ;\x1fc21 cm"),
        ("650", f" 4\x1fa{MORE[work % 7]}"),
    ]
    return write(MarcRecord("00000nam a2200000 a 4500", tuple(fields)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("file") / "records.mrc"
    again = record(700).replace(b" hlm.", b" hal.")  # on a page by itself, while other processes are at the one before
    path.write_bytes(b"".join(map(record, range(RECORDS))) + again)
    return path


def loaded(folder: Path, url: str, file: Path, *, workers: int, batch: int) -> Consortium:
    """A consortium that took the file with so many workers and will match it in such batches."""
    made = Consortium(folder, url, batch=batch)
    config = folder / "induk.yaml"
    config.write_text(f"{config.read_text(encoding='utf-8')}harvest: {{workers: {workers}}}\n", encoding="utf-8")
    made.add("buku", protocol="files", url=str(file), options={"stable_seconds": 0, "format": "iso2709"})
    assert made.harvest()["buku"].verdict == "complete"
    return made


def filled(folder: Path, url: str, file: Path, *, workers: int, batch: int) -> Consortium:
    made = loaded(folder, url, file, workers=workers, batch=batch)
    made.match()
    return made


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory, file: Path) -> str:
    """The dump of one process and one batch; a quarter of the records found their like."""
    folder = tmp_path_factory.mktemp("reference")
    made = filled(folder / "union", f"sqlite:///{folder / 'induk.db'}", file, workers=1, batch=5000)
    assert made.faults() == []
    dump = made.dump()
    assert dump.count('"kind":"record"') == RECORDS
    assert dump.count('"kind":"cluster"') <= RECORDS * 3 // 4
    return dump


@pytest.mark.parametrize(("workers", "batch"), [(2, 100), (4, 5000)])
def test_workers_and_batches_leave_the_same_dump(
    tmp_path: Path, database_url: str, file: Path, reference: str, workers: int, batch: int
) -> None:
    made = filled(tmp_path / "union", database_url, file, workers=workers, batch=batch)
    assert made.dump() == reference


@pytest.mark.parametrize("killed", [False, True], ids=["as they are", "the processes die"])
def test_what_processes_draw_and_compare_is_what_one_would(
    tmp_path: Path, file: Path, reference: str, *, killed: bool
) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    made = loaded(tmp_path / "union", url, file, workers=2, batch=5000)
    with made.opened() as opened:
        started = set(opened.workers.each(process_id, [()] * 8)) - {os.getpid()}
        for one in started if killed else ():
            os.kill(one, signal.SIGKILL)
        pipeline.match(opened)
        used = set(opened.workers.each(process_id, [()] * 8)) - {os.getpid()}
    assert started
    assert bool(used) != killed  # the pool is broken, and its work done here
    assert made.dump() == reference


def process_id() -> int:
    return os.getpid()


def test_batches_of_one_leave_the_same_dump(tmp_path: Path, file: Path, reference: str) -> None:
    made = filled(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", file, workers=1, batch=1)
    assert made.dump() == reference
