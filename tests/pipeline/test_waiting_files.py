"""A file that is never whole: its harvests are no good ones."""

from __future__ import annotations

from pathlib import Path

from db import asked, nights
from harvester import pipeline
from tests.journey import Consortium
from tests.pipeline.shelf import Book


def test_a_harvest_that_found_only_a_file_without_its_marker_is_not_the_last_good_one(
    tmp_path: Path, database_url: str
) -> None:
    consortium, drop = Consortium(tmp_path / "union", database_url), tmp_path / "drop"
    drop.mkdir()
    head = b'<collection xmlns="http://www.loc.gov/MARC21/slim">'
    (drop / "a.xml").write_bytes(head + Book("Laut bercerita").payload("1") + b"</collection>")
    consortium.add(
        "alun", protocol="files", url=str(drop), options={"content": "delta", "format": "marcxml", "marker": ".done"}
    )
    with consortium.opened() as opened:
        waiting = pipeline.harvest_one(opened, "alun")
        assert (waiting.verdict, "waits for its .done" in waiting.reason) == ("complete", True)
        with opened.database.read() as conn:
            assert nights.last_complete(conn) == asked.last_complete(conn) == {}
        (drop / "a.xml.done").touch()
        assert pipeline.harvest_one(opened, "alun").reason == ""
        with opened.database.read() as conn:
            assert nights.last_complete(conn).keys() == asked.last_complete(conn).keys() == {"alun"}
