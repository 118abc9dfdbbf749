"""Loans and change dates of every record change each night in Koha: no new version, no row of the feed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import func, select

from db import tables
from harvester.formats.marcxml_write import collection
from harvester.model import MarcRecord
from tests.journey import Consortium


def record(number: int, night: int) -> MarcRecord:
    """A record with an item whose loan (952 $q due, $r seen, $l issues, $s lent, 942 $0) and 005 are of *night*."""
    item = "  \x1faPST\x1fbPST\x1fo899.221 HIR l" + "".join(
        f"\x1f{code}{text}"
        for code, text in (
            ("p", f"PST{number:05d}"),
            ("q", f"2026-12-{night:02d}"),
            ("r", f"2026-11-{night:02d} 08:{number % 60:02d}:00"),
            ("l", str(number + night)),
            ("s", f"2026-11-{night:02d}"),
        )
    )
    return MarcRecord(
        "00000nam a2200000 i 4500",
        (
            ("001", str(number)),
            ("005", f"202611{night:02d}0200{number % 60:02d}.0"),
            ("008", "060301s2005    io            000 1 ind  "),
            ("245", f"10\x1faBuku yang ke-{number} /\x1fcAndrea Hirata."),
            ("942", f"  \x1fcBK\x1f0{number + night}"),
            ("952", item),
        ),
    )


@pytest.mark.parametrize(
    "count", [pytest.param(300, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.prove)]
)
def test_loans_and_005_change_every_night_and_nothing_is_told(tmp_path: Path, count: int) -> None:
    union = Consortium(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    export = tmp_path / "koha.xml"
    union.add("koha", protocol="files", url=str(export), preset="koha", options={"stable_seconds": 0})

    def night(number: int, edited: int = 0) -> tuple[int, ...]:
        records = [record(one, number) for one in range(1, count + 1)]
        if edited:
            leader, fields = records[0].leader, records[0].fields
            records[0] = MarcRecord(leader, (*fields, ("250", "  \x1faEdisi 2")))
        export.write_text("".join(collection(records)), encoding="utf-8")
        outcome = union.night()["koha"]
        assert outcome.verdict == "complete"
        counted = (tables.record, tables.record_version, tables.change)
        return tuple(
            union.ask(lambda conn, table=table: conn.execute(select(func.count()).select_from(table)).scalar_one())
            for table in counted
        )

    first = night(1)
    assert first[:2] == (count, count) and first[2] >= count
    assert [night(number) for number in (2, 3)] == [first, first]
    # The same bytes with one field more are told: the quiet is no deafness.
    assert night(4, edited=1) == (count, count + 1, first[2] + 1)
