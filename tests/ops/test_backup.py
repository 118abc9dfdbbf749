"""Backups under load, killed, damaged, put back; what prune lets go and what it never does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import backup as stored
from db import changes, migrate, prune, verify
from db.engine import Database
from db.tables import change, harvest_window, page, payload, record_version, run, window_other
from harvester import backup, inspecting, pipeline
from harvester.clock import SystemClock
from harvester.errors import ConfigError, IntegrityError, Locked
from harvester.model import HarvestedRecord
from tests.journey import DEADLINE
from tests.ops.nights import Nights
from tests.pipeline.shelf import Book, Shelf, Union
from tests.servers import postgres

CLOCK = SystemClock()


@pytest.fixture
def union(tmp_path: Path, database_url: str) -> Iterator[Union]:
    made = Union(tmp_path / "union", database_url)
    made.night({f"alun/{number}": Book(f"Buku nomor {number} dari alun", isbn="") for number in range(30)})
    made.night({f"bukit/{number}": Book(f"Buku nomor {number} dari alun") for number in range(10)})
    yield made
    made.close()


@pytest.fixture
def empty(tmp_path: Path, request: pytest.FixtureRequest, database_url: str) -> Iterator[Database]:
    """An empty database of the same kind."""
    if database_url.startswith("sqlite"):
        made = Database(f"sqlite:///{tmp_path / 'other.db'}")
        yield made
        made.close()
        return
    server = request.getfixturevalue("postgres_server")
    url = server.create()
    made = Database(url)
    yield made
    made.close()
    server.drop(url)


def hashed(database: Database) -> str:
    with database.read() as conn:
        assert [one for one in verify.verify(conn) if one.bad] == []
        return stored.dump_hash(conn)


def test_what_is_restored_equals_what_was_copied_and_consumers_begin_again(
    union: Union, empty: Database, tmp_path: Path
) -> None:
    database = union.pipeline.database
    with database.read() as conn:
        before = changes.feed_state(conn)
    folder, manifest = backup.back_up(database, tmp_path / "backups", CLOCK, "test")
    done = backup.restore(empty, folder)
    assert hashed(empty) == hashed(database) == manifest["dump"]
    assert manifest["counts"]["record"] == 40
    with empty.read() as conn:
        told = changes.resync(conn, before["epoch"], before["seq"])
    assert told is not None
    assert told.epoch == done["epoch"] != before["epoch"]
    assert json.loads((folder / "manifest.json").read_text()) == manifest


@pytest.mark.slow
def test_a_backup_under_load_is_one_state_and_whole(union: Union, empty: Database, tmp_path: Path) -> None:
    database = union.pipeline.database
    ended, failed = threading.Event(), []

    def load() -> None:
        number = 100
        try:
            while not ended.is_set():
                union.night({f"alun/{number}": Book(f"Buku baru nomor {number}")})
                number += 1
        except Exception as error:  # noqa: BLE001  the test says so below
            failed.append(error)

    writer = threading.Thread(target=load)
    writer.start()
    try:
        folder, manifest = backup.back_up(database, tmp_path / "backups", CLOCK, "test")
    finally:
        ended.set()
        writer.join()
    assert failed == []
    backup.restore(empty, folder)
    assert hashed(empty) == manifest["dump"]
    with empty.read() as conn:
        assert stored.facts(conn)["counts"] == manifest["counts"]


def test_a_damaged_or_unfinished_backup_is_refused_and_the_database_stays(union: Union, tmp_path: Path) -> None:
    database = union.pipeline.database
    before = hashed(database)
    folder, manifest = backup.back_up(database, tmp_path / "backups", CLOCK, "test")
    copy = folder / manifest["file"]
    body = bytearray(copy.read_bytes())
    body[len(body) // 2] ^= 0xFF
    copy.write_bytes(body)
    with pytest.raises(IntegrityError, match="damaged"):
        backup.restore(database, folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(ConfigError, match="no whole backup"):
        backup.restore(database, folder)
    assert hashed(database) == before


def test_a_manifest_cannot_name_a_file_elsewhere(union: Union, tmp_path: Path) -> None:
    folder, manifest = backup.back_up(union.pipeline.database, tmp_path / "backups", CLOCK, "test")
    (folder / "manifest.json").write_text(json.dumps({**manifest, "file": "../../etc/passwd"}))
    with pytest.raises(ConfigError, match="no whole backup"):
        backup.check(folder)


def test_nothing_is_restored_while_somebody_works(union: Union, tmp_path: Path) -> None:
    database = union.pipeline.database
    folder, _ = backup.back_up(database, tmp_path / "backups", CLOCK, "test")
    with database.lock("source:alun"), pytest.raises(Locked):
        other = Database(str(union.consortium.url))
        try:
            backup.restore(other, folder)
        finally:
            other.close()


def test_a_restore_over_a_living_database_brings_the_old_state_back(tmp_path: Path) -> None:
    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    made.night({"alun/1": Book("Yang pertama")})
    folder, _ = backup.back_up(made.pipeline.database, tmp_path / "backups", CLOCK, "test")
    before = hashed(made.pipeline.database)
    made.night({"alun/2": Book("Yang kedua")})
    assert hashed(made.pipeline.database) != before
    backup.restore(made.pipeline.database, folder)
    made.restart()
    assert hashed(made.pipeline.database) == before
    made.close()


KILLED = """
import sys
from pathlib import Path
from db import migrate
from db.engine import Database
from harvester import backup, faultpoint
point, what, url, folder = sys.argv[1:]
faultpoint.arm(point)
database = Database(url)
if what == "restore":
    backup.restore(database, Path(folder))
else:
    migrate.upgrade(database)
"""


def killed(point: str, what: str, url: str, folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, point, what, url, str(folder)], check=False, timeout=DEADLINE)
    assert done.returncode == -signal.SIGKILL
    postgres.until_idle(url)


@pytest.mark.slow
def test_a_restore_that_was_killed_leaves_the_old_database(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    made = Union(tmp_path / "union", url)
    made.night({"alun/1": Book("Yang pertama")})
    folder, manifest = backup.back_up(made.pipeline.database, tmp_path / "backups", CLOCK, "test")
    made.night({"alun/2": Book("Yang kedua")})
    before = hashed(made.pipeline.database)
    made.close()
    killed("restore.checked", "restore", url, folder)
    database = Database(url)
    assert hashed(database) == before
    backup.restore(database, folder)
    assert hashed(database) == manifest["dump"]
    database.close()


# ---- migrations ----------------------------------------------------------------------------------------


def revisions() -> list[str]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    made = Config()
    made.set_main_option("script_location", str(Path(migrate.__file__).with_name("migrations")))
    return [script.revision for script in ScriptDirectory.from_config(made).walk_revisions()][::-1]


def blank(url: str) -> None:
    """Make the database empty."""
    database = Database(url)
    with database.write() as conn:
        if not database.sqlite:
            conn.exec_driver_sql("DROP SCHEMA public CASCADE")
            conn.exec_driver_sql("CREATE SCHEMA public")
    database.close()
    if database.sqlite:
        for extra in ("", "-wal", "-shm"):
            database.path.with_name(database.path.name + extra).unlink(missing_ok=True)


@pytest.mark.slow
def test_z105_a_migration_that_is_killed_leaves_the_old_schema_and_the_next_one_arrives(database_url: str) -> None:
    """From every schema that there ever was, with the step killed behind its last statement."""
    from alembic import command

    for revision in revisions()[:-1]:
        blank(database_url)
        database = Database(database_url)
        with database.write() as conn:
            command.upgrade(migrate.config(conn), revision)
            conn.exec_driver_sql("INSERT INTO partner VALUES ('alun', 'active', '', '{}', '')")
        database.close()
        killed("migrate.stepped", "migrate", database_url, Path())
        with database.read() as conn:
            assert migrate.current(conn) == revision
        assert migrate.upgrade(database) == (revision, migrate.head())
        with database.read() as conn:
            assert migrate.current(conn) == migrate.head()
            assert conn.exec_driver_sql("SELECT code FROM partner").all() == [("alun",)]
        database.close()


@pytest.mark.slow
def test_a_version_that_is_installed_and_not_upgraded_yet_makes_backups_of_older_schemas_and_puts_them_back(
    tmp_path: Path, database_url: str, empty: Database
) -> None:
    from alembic import command

    for revision in (revisions()[0], revisions()[-2]):
        blank(database_url)
        blank(empty.url.render_as_string(hide_password=False))
        database = Database(database_url)
        with database.write() as conn:
            command.upgrade(migrate.config(conn), revision)
            conn.exec_driver_sql("INSERT INTO partner VALUES ('alun', 'active', '', '{}', '')")
            conn.exec_driver_sql(
                "INSERT INTO feed_counter (id, seq, released, min_seq, epoch) VALUES (1, 0, 0, 1, 'x')"
            )
        made, manifest = backup.back_up(database, tmp_path / revision, CLOCK, "1")
        assert (manifest["schema"], manifest["counts"]["partner"]) == (revision, 1)
        assert backup.summary(manifest)
        backup.restore(empty, made)
        with empty.read() as conn:
            assert migrate.current(conn) == revision
            assert conn.exec_driver_sql("SELECT code FROM partner").all() == [("alun",)]
        database.close()
        empty.close()


# ---- growth --------------------------------------------------------------------------------------------


def policy(nights: Nights, *, days: int, versions: int = 20) -> prune.Policy:
    from datetime import timedelta

    from harvester.clock import stamp

    before = stamp(nights.clock.now() - timedelta(days=days))
    return prune.Policy(versions=versions, runs_before=before, changes_before=before, now=stamp(nights.clock.now()))


def count(nights: Nights, *tables: object) -> list[int]:
    with nights.opened.database.read() as conn:
        return [conn.execute(select(func.count()).select_from(one)).scalar_one() for one in tables]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_night_of_unchanged_sweeps_leaves_one_row_which_retention_drops_in_time(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'induk.db'}"
    kept = (run, page, harvest_window, window_other, record_version, payload, change)
    sweep = {"options": {"strategy": "sweep+absence"}}
    with Nights(tmp_path / "union", url, ("alun",), records=40, source=sweep) as union:
        union.spoil("alun", 7)
        rows = []
        for days in (400, 400, 400, 5, 5):
            for _ in range(6):
                union.work()
                union.tomorrow()
            prune.prune(union.opened.database, policy(union, days=days))
            rows.append(sum(count(union, *kept)))
        assert [after - before for before, after in pairwise(rows)][:2] == [6, 6]
        assert rows[-1] == rows[-2] < rows[2]
        assert union.consortium.faults() == []


def test_prune_keeps_what_a_decision_cites_and_says_beforehand_what_goes(tmp_path: Path) -> None:
    from harvester import deciding

    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    for edition in range(6):
        made.night({f"alun/{one}": Book(f"Buku {one} cetakan {edition}") for one in ("dikutip", "biasa")})
    made.put("bukit/1", Book("Buku dikutip cetakan 5"))
    made.night()
    deciding.never(made.pipeline, "alun/dikutip", "bukit/1", author="rina", reason="lain")
    before = hashed(made.pipeline.database)
    told = prune.Policy(versions=2, runs_before="2000", changes_before="2000", now="2000")
    seen = prune.prune(made.pipeline.database, told, dry_run=True)
    assert hashed(made.pipeline.database) == before
    done = prune.prune(made.pipeline.database, told)
    assert done["versions"] == seen["versions"] == 4
    assert done["payloads"] == 4
    with made.pipeline.database.read() as conn:
        kept = dict(
            conn.execute(select(record_version.c.record_id, func.count()).group_by(record_version.c.record_id)).all()
        )
    assert sorted(kept.values()) == [1, 2, 6]
    hashed(made.pipeline.database)  # verify finds nothing wrong
    made.close()


def test_prune_keeps_bytes_that_came_broken_as_long_as_the_record_was_made_of_them(
    tmp_path: Path, database_url: str
) -> None:
    made = Union(tmp_path / "union", database_url, ("alun",))
    mended = Book("Laskar pelangi").payload("1")
    broken = mended.replace(b"Laskar", b"Laskar & ")
    policy = prune.Policy(versions=1, runs_before="2000", changes_before="2000", now="2000")
    came = [HarvestedRecord("1", "marcxml", mended, received=broken)]
    pipeline.harvest_one(made.pipeline, "alun", open_harvester=lambda: Shelf(came))
    assert prune.prune(made.pipeline.database, policy)["payloads"] == 0
    assert inspecting.raw(made.pipeline, "alun/1") == broken
    made.night({"alun/1": Book("Sang pemimpi")})
    assert prune.prune(made.pipeline.database, policy)["payloads"] == 2
    made.close()


def test_the_copy_is_readable_by_its_owner_only(union: Union, tmp_path: Path) -> None:
    folder, _ = backup.back_up(union.pipeline.database, tmp_path / "backups", CLOCK, "test")
    assert os.stat(folder).st_mode & 0o077 == 0
