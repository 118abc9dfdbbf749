"""The pictures in docs/pictures are taken here, so that they show what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.desk import Desk

pytestmark = [pytest.mark.browser, pytest.mark.prove]
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"


def test_pictures_of_the_main_pages(desk: Desk, look: Any) -> None:
    from db import catalogue
    from db import desk as looking

    with desk.pipeline.database.read() as conn:
        members = catalogue.members(conn, catalogue.active_ids(conn))
        big = max(members, key=lambda key: (len(members[key]), -key))
        lines = looking.merge_log(conn, looking.LogFilter(kind="joined"), 200)
        event = max((one for one in lines if one["body"].get("evidence")), key=lambda one: one["score"])["id"]
    PICTURES.mkdir(exist_ok=True)
    page = look("budi", "id")
    page.set_viewport_size({"width": 1200, "height": 800})
    for name, path in (
        ("malam-ini", "/"), ("log", "/merges"), ("baris", f"/merges/{event}"), ("gugus", f"/clusters/{big}"),
        ("tinjauan", "/review"), ("cari", "/search?q=laskar+pelangi"), ("buku-cantuman", "/partners/melati/ledger"),
    ):  # fmt: skip
        page.goto(path)
        page.screenshot(path=str(PICTURES / f"{name}.png"))
        assert (PICTURES / f"{name}.png").stat().st_size > 10_000
