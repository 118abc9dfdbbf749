"""A server that runs while its settings are edited: what partners withhold from now on, new partners, mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from harvester import accounts, settings
from tests.pipeline.shelf import Book, Union
from tests.web.desk import Session, password
from tests.web.server import WebServer

BUMI = Book("Bumi manusia", author="Toer, Pramoedya Ananta", isbn="9789799731234", year="1980", pages="354")


@pytest.fixture
def union(tmp_path: Path) -> Iterator[Union]:
    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    made.night({"alun/2": BUMI})
    accounts.add(made.pipeline.database, made.pipeline.clock, "eko", "viewer", (), password("eko"))
    yield made
    made.close()


@pytest.mark.slow
def test_what_is_withheld_from_now_on_leaves_the_pages_without_a_restart(union: Union) -> None:
    with WebServer(union.pipeline, opener=union.consortium.open) as web:
        session = Session(web.url)
        session.log_in("eko")
        pages = ["/records/alun/2", f"/clusters/{union.cluster_of('alun/2')}", "/records/alun/2.json"]
        assert all("Pramoedya" in session.see(page).text for page in pages)
        partner = union.pipeline.partners["alun"]
        policy = msgspec.structs.replace(partner.policy, withheld=("contributors", "title"))
        file = union.consortium.folder / "partners.d" / "alun.yaml"
        file.unlink()
        settings.write_partner(union.consortium.folder, msgspec.structs.replace(partner, policy=policy))
        for page in pages:
            assert "Pramoedya" not in session.see(page).text, page
        assert session.see("/partners").status_code == 200


@pytest.mark.slow
def test_a_new_partner_is_known_at_once_and_a_broken_file_changes_nothing(union: Union) -> None:
    with WebServer(union.pipeline, opener=union.consortium.open) as web:
        session = Session(web.url)
        session.log_in("eko")
        assert "cahaya" not in session.see("/partners").text
        assert session.see("/partners/cahaya").status_code == 404
        union.consortium.add("cahaya", protocol="files", url="kiriman", preset="generic")
        assert session.see("/partners/cahaya").status_code == 200
        assert "cahaya" in session.see("/partners").text
        broken = union.consortium.folder / "partners.d" / "dermaga.yaml"
        broken.write_text("code: dermaga\nsurce: {}\n", encoding="utf-8")
        assert session.see("/partners/cahaya").status_code == 200
        assert session.see("/partners/dermaga").status_code == 404
        broken.unlink()
        union.consortium.add("dermaga", protocol="files", url="kiriman", preset="generic")
        assert session.see("/partners/dermaga").status_code == 200
