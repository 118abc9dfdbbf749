"""The monthly files of a real catalogue, new and changed records, applied as they came."""

from __future__ import annotations

import gzip
import re
import shutil
from pathlib import Path

import pytest
from sqlalchemy import select

from db.prepared import digest
from db.tables import record, run
from tests.journey import Consortium

NAME = re.compile(r"_(?P<month>\d{6})_(?P<count>\d+)_")


def newest(files: list[Path]) -> dict[str, bytes]:
    """001 → the record with the latest 005, read without our own reader."""
    found: dict[str, tuple[str, bytes]] = {}
    for path in files:
        for piece in gzip.decompress(path.read_bytes()).split(b"\x1d")[:-1]:
            fields = dict(control_fields(piece))
            if fields["005"] >= found.get(fields["001"], ("",))[0]:
                found[fields["001"]] = (fields["005"], piece + b"\x1d")
    return {key: raw for key, (_, raw) in found.items()}


def control_fields(piece: bytes) -> list[tuple[str, str]]:
    base = int(piece[12:17])
    rows = [piece[start : start + 12] for start in range(24, base - 1, 12)]
    body = piece[base:]
    return [
        (row[:3].decode(), body[int(row[7:]) :][: int(row[3:7]) - 1].decode().strip())
        for row in rows
        if row[:3] in (b"001", b"005")
    ]


@pytest.mark.prove
def test_months_of_new_and_changed_records_end_in_the_newest_of_each(tmp_path: Path, corpus: Path) -> None:
    files = sorted((corpus / "incremental").rglob("*.mrc.gz"), key=lambda path: NAME.search(path.name)["month"])
    months = sorted({NAME.search(path.name)["month"] for path in files})
    folder = tmp_path / "kiriman"
    folder.mkdir()
    made = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    made.add("gpo", protocol="files", url=str(folder), options={"content": "delta", "stable_seconds": 0})
    for month in months:
        mine = [path for path in files if f"_{month}_" in path.name]
        for path in mine:
            shutil.copy(path, folder)
        outcome = made.harvest()["gpo"]
        counted = select(run.c.received, run.c.quarantined).where(run.c.id == outcome.run_id)
        received, quarantined = made.ask(lambda conn, counted=counted: conn.execute(counted).one())
        assert (outcome.verdict, quarantined) == ("complete", 0)
        assert received == sum(int(NAME.search(path.name)["count"]) for path in mine), month
    wanted = newest(files)
    held = made.ask(
        lambda conn: dict(
            conn.execute(select(record.c.identifier, record.c.raw_hash).where(record.c.state == "active")).all()
        )
    )
    assert held.keys() == wanted.keys()
    assert [key for key, raw in wanted.items() if bytes(held[key]) != digest(raw)] == []
    made.match()
    assert made.faults() == []
    print(f"\n{len(months)} months, {len(files)} files, {len(wanted)} records: each the newest")
