"""What databases do to those who use them: locks, open transactions, damage, text that no database keeps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from sqlalchemy import select, text

from db import ledger, verify, work
from db.engine import Database
from db.tables import record
from harvester import doctor, pipeline, scheduling, settings
from harvester.errors import Locked
from tests.ops.nights import Nights, state
from tests.pipeline.shelf import Book, Union


@pytest.mark.slow
def test_z097_readers_and_writers_never_see_a_locked_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    union = Union(tmp_path / "union", url)
    union.night({"alun/1": Book("Yang pertama")})
    ended, failed = threading.Event(), []

    def work_on(write: bool) -> None:
        mine = Database(url)
        try:
            while not ended.is_set():
                with mine.write() if write else mine.read() as conn:
                    conn.execute(select(record.c.id)).all()
                    if write:
                        work.learn(conn, 1, {"beat": str(time.monotonic())})
        except Exception as error:  # noqa: BLE001  the test says so below
            failed.append(error)
        finally:
            mine.close()

    threads = [threading.Thread(target=work_on, args=(number < 3,)) for number in range(23)]
    for one in threads:
        one.start()
    try:
        union.night({f"alun/{number}": Book(f"Buku {number}") for number in range(20)})
    finally:
        ended.set()
        for one in threads:
            one.join()
    union.close()
    assert failed == []


HOLDER = """
import sys, time
from db.engine import Database
with Database(sys.argv[1]).lock("source:alun"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.mark.slow
def test_z101_a_lock_dies_with_its_process(database_url: str) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, database_url], stdout=subprocess.PIPE, text=True)
    database = Database(database_url)
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Locked), database.lock("source:alun"):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    ends = time.monotonic() + 120
    while True:
        try:
            with database.lock("source:alun"):
                break
        except Locked:
            assert time.monotonic() < ends
            time.sleep(0.1)
    database.close()


@pytest.mark.slow
@pytest.mark.postgres
def test_z102_no_transaction_is_open_while_a_slow_server_is_waited_for(tmp_path: Path, postgres_server: object) -> None:
    url = postgres_server.create()  # type: ignore[attr-defined]
    with Nights(tmp_path / "union", url, ("alun",), records=30) as union:
        watching, looks = Database(url), []
        query = text(
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
        )

        def until_none_is_open(*_: object) -> None:
            """The server answers when there is none: one around the fetch would be waited for in vain."""
            ends = time.monotonic() + 60
            while True:
                with watching.read() as conn:
                    number = conn.execute(query).scalar_one()
                if not number or time.monotonic() > ends:
                    looks.append(number)
                    return
                time.sleep(0.02)

        union.simulator.before_answer = until_none_is_open
        assert pipeline.harvest(union.opened, ["alun"])["alun"].verdict == "complete"
        watching.close()
        assert len(looks) > 3
        assert set(looks) == {0}
    postgres_server.drop(url)  # type: ignore[attr-defined]


def test_z103_a_damaged_file_is_noticed_and_doctor_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    with Nights(tmp_path / "union", url, ("alun",), records=60) as union:
        union.work()
        database = union.opened.database
        with database.engine.connect() as conn:
            conn.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        union.reopen()
        assert all(
            one.good
            for one in doctor.examine(lambda: settings.load(union.consortium.folder / "induk.yaml", environ={}))
        )
        path = tmp_path / "induk.db"
        body = bytearray(path.read_bytes())
        for place in range(len(body) // 2, len(body) // 2 + 20_000):
            body[place] ^= 0x5A
        path.write_bytes(body)
        found = {
            one.name: one
            for one in doctor.examine(lambda: settings.load(union.consortium.folder / "induk.yaml", environ={}))
        }
        assert not all(one.good for one in found.values())


def test_z119_a_file_edited_while_a_night_runs_counts_from_the_next_one(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",)) as union:
        before = union.opened
        path = union.consortium.folder / "induk.yaml"
        path.write_text(path.read_text(encoding="utf-8") + "nonsense: 1\n", encoding="utf-8")
        assert union.work().exit == 0  # the night keeps the settings that it was started with
        logged: list[str] = []
        current = scheduling._edited(
            msgspec.structs.replace(before, log=lambda event, **_: logged.append(event)),
            union.consortium.open,
        )
        assert logged == ["settings_refused"]
        assert current.settings is before.settings


def test_z119_a_source_whose_code_is_changed_in_its_file_is_no_second_library(tmp_path: Path) -> None:
    with Nights(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}", ("alun",)) as union:
        before = union.work()
        folder = union.consortium.folder / "partners.d"
        text = (folder / "alun.yaml").read_text(encoding="utf-8").replace("code: alun", "code: elok")
        (folder / "alun.yaml").unlink()
        (folder / "elok.yaml").write_text(text, encoding="utf-8")
        union.reopen()
        report = union.work()
        assert state(report, "elok").verdict == "failed"
        assert "alun" in state(report, "elok").reason
        assert report.catalogue["records"] == before.catalogue["records"]
        with pytest.MonkeyPatch.context() as patch:  # the mutant: nothing is asked
            patch.setattr(work, "renamed_from", lambda *_: "")
            assert union.work().catalogue["records"] == 2 * before.catalogue["records"]


def test_z106_text_that_no_database_keeps_does_not_stop_the_others(database_url: str, tmp_path: Path) -> None:
    union = Union(tmp_path / "union", database_url)
    hostile = ["nol \x00 di tengah", "pasangan \ud800 sendiri", "emoji 📚", "\u202ekanan ke kiri", "x" * 200_000]
    good = {f"alun/{number}": Book(f"Buku baik nomor {number}") for number in range(5)}
    for number, title in enumerate(hostile):
        try:
            union.put(f"alun/h{number}", Book(title))
            Book(title).payload("x")
        except UnicodeEncodeError:  # a lone surrogate cannot even be sent as bytes
            union.delete(f"alun/h{number}")
            union._gone.clear()
    union.night(good)
    with union.pipeline.database.read() as conn:
        assert {row[0] for row in conn.execute(select(record.c.identifier))} >= {str(number) for number in range(5)}
        assert [one for one in verify.verify(conn) if one.bad] == []
    union.close()


class Poison(NamedTuple):
    """A record that nothing can be made of."""

    def payload(self, identifier: str) -> bytes:
        return b'<record xmlns="http://www.loc.gov/MARC21/slim"></record>'


@pytest.mark.slow
def test_z107_one_record_that_cannot_be_read_costs_only_itself(database_url: str, tmp_path: Path) -> None:
    union = Union(tmp_path / "union", database_url)
    union.put("alun/250", Poison())  # type: ignore[arg-type]
    union.night({f"alun/{number}": Book(f"Buku nomor {number}") for number in range(500) if number != 250})
    with union.pipeline.database.read() as conn:
        assert len(conn.execute(select(record.c.id)).all()) == 499
        assert [row["identifier"] for row in ledger.list_quarantine(conn)] == ["250"]
    union.close()


MEASURE = """
import sys
from pathlib import Path
from harvester import pipeline
from harvester.model import HarvestedRecord, Page
from tests.pipeline.shelf import Book, Union
whose, number, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
union = Union(folder / "union", f"sqlite:///{folder / 'induk.db'}")
def peak(): return int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0])
class Many:
    def pages(self, window):
        for first in range(0, number, 50):
            names = [str(one) for one in range(first, first + 50)]
            made = [HarvestedRecord(one, "marcxml", Book(f"Buku {one}", note=one * 4000).payload(one)) for one in names]
            yield Page(records=tuple(made), token="" if first + 50 >= number else str(first), list_size=number)
if whose == "ours":
    assert pipeline.harvest_one(union.pipeline, "alun", open_harvester=Many).verdict == "complete"
else:
    kept = list(Many().pages(None))
print(peak())
"""


@pytest.mark.slow
def test_z109_a_harvest_holds_no_more_of_a_large_source_than_of_a_small_one(tmp_path: Path) -> None:
    """And the usual way, a list of everything, does: 40 MB of records."""
    found = {}
    for whose in ("ours", "naive"):
        for number in (200, 2400):
            folder = tmp_path / f"{whose}{number}"
            folder.mkdir()
            command = [sys.executable, "-c", MEASURE, whose, str(number), str(folder)]
            done = subprocess.run(command, capture_output=True, check=True, timeout=270, cwd=Path(__file__).parents[2])
            found[whose, number] = int(done.stdout) / 1024
    assert found["ours", 2400] - found["ours", 200] < 12, found
    assert found["naive", 2400] - found["naive", 200] > 24, found
