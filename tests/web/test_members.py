"""Records for members: people with an account see them, the public and every output do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester import accounts
from tests.outputs.test_publishing import change_policy
from tests.pipeline.shelf import Book, Union
from tests.web.desk import Session, password
from tests.web.server import WebServer

LASKAR = Book("Laskar pelangi", isbn="9789793062792")
BUMI = Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354")


@pytest.mark.slow
@pytest.mark.parametrize("visibility", ["members", "withheld"])
def test_whoever_is_logged_in_sees_what_is_for_members(tmp_path: Path, visibility: str) -> None:
    union = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    union.night({"alun/1": LASKAR, "bukit/7": LASKAR._replace(note="Milik bukit"), "alun/2": BUMI})
    change_policy(union, "alun", visibility=visibility)
    union.match()
    accounts.add(union.pipeline.database, union.pipeline.clock, "eko", "viewer", (), password("eko"))
    with WebServer(union.pipeline) as web:
        for name, seen in (("", False), ("eko", visibility == "members")):
            session = Session(web.url)
            if name:
                session.log_in(name)
            page = session.see("/records/alun/2")
            assert ("Bumi manusia" in page.text) is seen, page.status_code
            page = session.see(f"/clusters/{union.cluster_of('alun/2')}")
            assert ("Bumi manusia" in page.text) is seen, page.status_code
            for path in ("/api/records/alun/2", f"/api/clusters/{union.cluster_of('alun/2')}"):
                assert "Bumi manusia" not in session.see(path).text
            assert "Laskar pelangi" in session.see(f"/api/clusters/{union.cluster_of('bukit/7')}").text
    union.close()
