"""A takedown: nothing of the record is left in the database, outputs are told, and no harvest brings it back (Z091)."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from db import control, ledger
from db.compress import DictionaryError, unpack
from db.tables import change, cluster_event, metadata, payload, zstd_dictionary
from harvester import deciding, inspecting, pipeline, purging, storing
from harvester.cli import induk
from harvester.errors import UsageError
from harvester.model import HarvestedRecord
from harvester.pipeline import MATCH_LOCK
from tests.pipeline.lone import Lone, dublin_core, lone
from tests.pipeline.shelf import Book, Shelf, Union

pytestmark = pytest.mark.slow
SECRET = "Surat wasiat keluarga Tjokro"
DENIED = "tidak-boleh"


def everything(conn: Any) -> bytes:
    """Every text and every byte of every table, unpacked where it is packed."""
    found: list[bytes] = []
    keys = [None, *(bytes(row[0]) for row in conn.execute(select(zstd_dictionary.c.body)))]
    for table in metadata.sorted_tables:
        for row in conn.execute(select(table)):
            for value in row:
                found.append(value.encode() if isinstance(value, str) else _plain(value, keys))
    return b"\n".join(found)


def _plain(value: Any, keys: list[bytes | None]) -> bytes:
    if not isinstance(value, bytes | memoryview):
        return str(value).encode()
    made = bytes(value)
    for key in keys:
        with suppress(DictionaryError):  # a hash is no packed text, and each text has one dictionary
            made += unpack(bytes(value), key)
    return made


def prepared(partner: Lone) -> str:
    """A record with history, a twin at another place, a decision, a pin and a line in the merge log; its address."""
    partner.store.put(DENIED, {"oai_dc": dublin_core(3, f"{SECRET} lama")})
    partner.night()
    partner.store.edit(DENIED, {"oai_dc": dublin_core(3, SECRET)})
    partner.store.put("kembar", {"oai_dc": dublin_core(4, "Judul biasa")})
    partner.night()
    names = partner.server.oracle("kampus")
    mine = next(f"kampus/{name}" for name in names if name.endswith(DENIED))
    other = next(f"kampus/{name}" for name in names if name.endswith("kembar"))
    with partner.opened() as opened:
        deciding.merge(opened, [mine, other], "sari", f"the same as {mine}")
        deciding.pin(opened, inspecting.record(opened, mine)["cluster"], "title", "sari", "why", donor=mine)
    return mine


def test_z091_nothing_of_a_purged_record_is_left_and_outputs_are_told(tmp_path: Path, database_url: str) -> None:
    with lone(tmp_path, 10, database=database_url) as partner:
        address = prepared(partner)
        cluster = partner.cluster_of(DENIED)
        assert SECRET.encode() in partner.consortium.ask(everything)
        before = len(partner.consortium.ask(lambda conn: conn.execute(select(change.c.seq)).all()))
        with partner.opened() as opened:
            done = purging.forget(opened, address, "sari")
        assert done.cluster == cluster
        left = partner.consortium.ask(everything)
        assert SECRET.encode() not in left
        assert DENIED.encode() not in left
        kinds = partner.consortium.ask(lambda conn: [row[0] for row in conn.execute(select(cluster_event.c.kind))])
        assert "purged" in kinds
        assert len(partner.consortium.ask(lambda conn: conn.execute(select(change.c.seq)).all())) > before
        assert partner.consortium.faults() == []


def test_bytes_that_came_broken_go_with_the_last_record_that_needs_them(tmp_path: Path, database_url: str) -> None:
    """They are stored beside the mended ones, and only the warning of the mending names them."""
    made = Union(tmp_path / "union", database_url, ("alun",))
    mended = Book(SECRET).payload("1")
    broken = mended.replace(b"Surat", b"Surat & ")
    for name in ("1", "2"):
        came = [HarvestedRecord(name, "marcxml", mended, received=broken)]
        pipeline.harvest_one(made.pipeline, "alun", open_harvester=lambda came=came: Shelf(came))
    made.match()
    purging.forget(made.pipeline, "alun/1", "sari")
    assert inspecting.raw(made.pipeline, "alun/2") == broken
    purging.forget(made.pipeline, "alun/2", "sari")
    assert b"wasiat" not in made.consortium.ask(everything)
    made.close()


def test_z091_the_next_harvest_does_not_bring_it_back(tmp_path: Path) -> None:
    with lone(tmp_path, 10, page_size=5) as partner:
        address = prepared(partner)
        with partner.opened() as opened:
            purging.forget(opened, address, "sari")
        partner.store.edit(DENIED, {"oai_dc": dublin_core(3, f"{SECRET} baru")})
        outcome = partner.night(full=True)
        assert (outcome.verdict, outcome.proof) == ("complete", "proven"), "it counts as seen"
        assert partner.run(outcome.run_id)["excluded"] == 1
        assert SECRET.encode() not in partner.consortium.ask(everything)
        assert partner.consortium.faults() == []


def test_z091_a_harvester_without_the_list_of_hashes_would_bring_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "purged", lambda *given: frozenset())
    with pytest.raises(AssertionError):
        test_z091_the_next_harvest_does_not_bring_it_back(tmp_path)


def test_the_file_itself_does_not_keep_the_bytes(tmp_path: Path) -> None:
    with lone(tmp_path, 10) as partner:
        address = prepared(partner)
        with partner.opened() as opened:
            purging.forget(opened, address, "sari")
        for path in tmp_path.glob("induk.db*"):
            if path.is_file():
                assert DENIED.encode() not in path.read_bytes(), path.name
        with sqlite3.connect(tmp_path / "induk.db") as raw:
            assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_address_that_never_came_is_kept_out_and_quarantine_is_emptied(tmp_path: Path) -> None:
    with lone(tmp_path, 5) as partner:
        name = f"{partner.server.providers['kampus'].identifier('', f'127.0.0.1:{partner.server.port}')}{DENIED}"
        partner.store.put(DENIED, {"oai_dc": b"<x>Surat</x>"})
        partner.night()
        assert len(partner.consortium.ask(ledger.list_quarantine)) == 1
        with partner.opened() as opened:
            purging.forget(opened, f"kampus/{name}", "sari")
            with pytest.raises(UsageError):
                purging.forget(opened, "lain/17", "sari")
        assert partner.consortium.ask(ledger.list_quarantine) == []
        partner.night(full=True)
        assert partner.consortium.ask(ledger.list_quarantine) == []
        assert DENIED not in partner.active()


def test_backups_and_dumps_that_hold_it_are_named(tmp_path: Path) -> None:
    with lone(tmp_path, 5) as partner:
        address = prepared(partner)
        data = tmp_path / "union" / "data"
        data.mkdir(exist_ok=True)
        (data / "dump.jsonl").write_text(f'{{"address": "{address}"}}')
        (data / "clean.jsonl").write_text("{}")
        (data / "longer.jsonl").write_text(f'{{"address": "{address}7"}}')
        (tmp_path / "union" / "arsip").mkdir()
        (tmp_path / "union" / "arsip" / "sent.csv").write_text(f"{address.partition('/')[2]},x")
        (tmp_path / "union" / "partners.d" / "arsip.yaml").write_text(
            "code: arsip\nsource: {protocol: files, url: arsip}\n"
        )
        (data / "backup.zst").write_bytes(b"\x28\xb5\x2f\xfd")
        config = str(tmp_path / "union" / "induk.yaml")
        shown = CliRunner().invoke(induk, ["record", "purge", address, "--dry-run", "--config", config]).output
        assert "dump.jsonl still holds it" in shown
        assert "backup.zst may hold it still" in shown
        assert "arsip/sent.csv still holds it" in shown
        assert "clean.jsonl" not in shown
        assert "longer.jsonl" not in shown
        assert "induk publish NAME --repair" in shown
        assert DENIED in partner.active()


@pytest.mark.parametrize(
    ("text", "held"),
    [("001 17 ", True), ("001 1174", False), ("x17", False), ("(ugm)17", True), ("\0ugm17marcxml", True)],
)
def test_a_part_of_a_longer_number_is_not_the_record(text: str, held: bool, tmp_path: Path) -> None:
    for before in (0, purging.CHUNK - 5, purging.CHUNK - len(text)):
        (tmp_path / "file").write_bytes(b" " * before + text.encode() + b" " * 5)
        assert purging._search(tmp_path / "file", b"17") is held


def test_bytes_that_another_record_shares_stay(tmp_path: Path) -> None:
    with lone(tmp_path, 5) as partner:
        for key in (DENIED, "kembar"):
            partner.store.put(key, {"oai_dc": dublin_core(77)})
        partner.night()
        name = next(name for name in partner.server.oracle("kampus") if name.endswith(DENIED))
        with partner.opened() as opened:
            purging.forget(opened, f"kampus/{name}", "sari")
        stored = partner.consortium.ask(lambda conn: len(conn.execute(select(payload.c.hash)).all()))
        assert stored == 6
        assert partner.consortium.ask(lambda conn: conn.execute(select(zstd_dictionary.c.id)).all()) == []
        assert partner.consortium.faults() == []


def test_a_purge_that_was_interrupted_is_finished_by_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lone(tmp_path, 5) as partner:
        address = prepared(partner)
        with monkeypatch.context() as patch, partner.opened() as opened:
            patch.setattr(purging.purge, "scrub", _dies)
            with pytest.raises(RuntimeError):
                purging.forget(opened, address, "sari")
        with partner.opened() as opened:
            purging.forget(opened, address, "sari")
        assert SECRET.encode() not in partner.consortium.ask(everything)


def _dies(*_given: object) -> None:
    raise RuntimeError("killed")


# ---- Z079: what the leader says ------------------------------------------------------------------------------


def _marc(key: str, status: str = "n") -> bytes:
    return (
        f'<record xmlns="http://www.loc.gov/MARC21/slim"><leader>00000{status}am a2200000 a 4500</leader>'
        f'<controlfield tag="001">{key}</controlfield><datafield tag="245" ind1="0" ind2="0"><subfield code="a">'
        f"Laporan {key}</subfield></datafield></record>"
    ).encode()


@pytest.mark.parametrize("status", ["d", "s", "x"])
def test_z079_a_leader_that_says_deleted_is_a_deletion_unless_the_source_says_it_means_nothing(
    tmp_path: Path, status: str
) -> None:
    for trusted, left in ((True, 29), (False, 30)):
        options = {} if trusted else {"options": {"deleted_leader": False}}
        folder = tmp_path / str(trusted)
        folder.mkdir()
        with lone(folder, 0, metadata_prefix="marcxml", preset="koha", **options) as partner:
            for key in range(30):
                partner.store.put(str(key), {"marcxml": _marc(str(key))})
            partner.night()
            partner.store.edit("7", {"marcxml": _marc("7", status)})
            assert partner.night().verdict == "complete"
            assert len(partner.active()) == left


def test_z079_many_leaders_that_say_deleted_count_for_the_guard(tmp_path: Path) -> None:
    with lone(tmp_path, 0, metadata_prefix="marcxml", preset="koha") as partner:
        for key in range(30):
            partner.store.put(str(key), {"marcxml": _marc(str(key))})
        partner.night()
        for key in range(15):
            partner.store.edit(str(key), {"marcxml": _marc(str(key), "d")})
        assert partner.night().verdict == "halted"
        assert len(partner.active()) == 30


def test_z079_a_harvester_that_reads_no_leader_would_keep_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from harvester.admitting import Admitted

    monkeypatch.setattr(storing, "admit", lambda page, source, purged: Admitted(page))
    with pytest.raises(AssertionError):
        test_z079_a_leader_that_says_deleted_is_a_deletion_unless_the_source_says_it_means_nothing(tmp_path, "d")


def test_a_purge_stands_in_line_while_a_batch_is_matched(tmp_path: Path, database_url: str) -> None:
    with lone(tmp_path, 3, database=database_url) as partner, partner.opened() as opened:
        address = next(f"kampus/{name}" for name in partner.server.oracle("kampus"))
        with ThreadPoolExecutor(1) as other:
            with opened.database.lock(MATCH_LOCK):
                begun = other.submit(purging.forget, opened, address, "sari")
                while not opened.database.give_way(patience=0):  # as a match does between two batches
                    assert not begun.done()
            assert begun.result().run
