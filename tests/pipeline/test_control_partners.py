"""A new partner: measured, looked at, then live; measured again; many from one table. By the command line."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from db import control
from harvester import controlling, pipeline, probing
from harvester.cli import induk
from harvester.demo import quirks
from harvester.errors import ConfigError
from tests.pipeline.lone import Lone, lone


def call(partner: Lone, *words: str) -> Result:
    config = str(partner.folder / "union" / "induk.yaml")
    return CliRunner().invoke(induk, [*words, "--config", config], standalone_mode=False)


def status(partner: Lone, code: str) -> str:
    return str(partner.consortium.ask(lambda conn: control.status(conn, code)))


def test_a_new_partner_is_measured_waits_shows_a_sample_and_goes_live(tmp_path: Path) -> None:
    with lone(tmp_path, 60, quirks.SLIMS_OAI2) as partner:
        url = partner.server.url("kampus")
        added = call(
            partner, "partner", "add", "baru", url, "--internal", "--preset", "slims-oai2", "--name-id", "Baru"
        )
        assert added.exception is None, added.exception
        assert "strategy" in added.output
        assert status(partner, "baru") == "pending"
        assert "baru" not in partner.consortium.harvest()
        with pytest.raises(ConfigError, match="pending"):
            partner.consortium.harvest("baru")
        rows = json.loads(call(partner, "partner", "sample", "baru", "--json").output)
        assert len(rows) == 20
        assert rows[0]["title"].startswith("Laut") or "nusantara" in rows[0]["title"]
        assert "baru" in call(partner, "partner", "resume", "baru").output
        assert partner.consortium.harvest("baru")["baru"].verdict == "complete"
        shown = json.loads(call(partner, "partner", "show", "baru", "--json").output)
        assert shown["sources"][0]["profile"]["strategy"] == "sweep+absence"
        assert shown["status"] == "active"


def test_a_saved_profile_says_how_the_source_is_followed(tmp_path: Path) -> None:
    habits = quirks.variant(quirks.KOHA, from_needs_until=True)
    with lone(tmp_path, 60, habits) as partner, partner.opened() as opened:
        source, _ = pipeline.source_of(opened.settings, "kampus")
        assert pipeline.strategy(opened, source)["incremental"]
        found = probing.probe_source(opened, "kampus")
        assert found.strategy != "incremental"
        assert probing.keep(opened, "kampus", found) == ()
        assert not pipeline.strategy(opened, source)["incremental"]


def test_a_profile_is_measured_again_after_four_weeks_and_the_run_says_what_changed(tmp_path: Path) -> None:
    with lone(tmp_path, 60) as partner:
        with partner.opened() as opened:
            probing.keep(opened, "kampus", probing.probe_source(opened, "kampus"))
            assert not probing.measured_long_ago(opened, "kampus", 28)
        partner.clock.sleep(timedelta(days=29).total_seconds())
        partner.server.set_quirks("kampus", quirks.variant(quirks.KOHA, page_size=20, deleted_record="no"))
        with partner.opened() as opened:
            assert probing.measured_long_ago(opened, "kampus", 28)
            found = probing.recheck(opened, "kampus")
        assert any(one.startswith("deleted_record: persistent → no") for one in found.changed)
        assert "deleted_record" in partner.run(found.run)["reason"]


def test_a_source_that_does_not_answer_keeps_its_profile(tmp_path: Path) -> None:
    with lone(tmp_path, 60) as partner, partner.opened() as opened:
        probing.keep(opened, "kampus", probing.probe_source(opened, "kampus"))
        partner.server.set_faults("kampus", "any:503*")
        assert probing.recheck(opened, "kampus").verdict == "failed"
        with opened.database.read() as conn:
            kept: Any = control.profile(conn, opened.source_ids["kampus"])
        assert kept[1]["strategy"] == "incremental"


def test_retire_asks_first_and_shows_what_goes(tmp_path: Path) -> None:
    with lone(tmp_path, 20) as partner:
        partner.night()
        assert "20 records" in call(partner, "partner", "retire", "kampus", "--dry-run").output
        refused = call(partner, "partner", "retire", "kampus", "--no-input")
        assert isinstance(refused.exception, ConfigError)
        assert len(partner.active()) == 20
        assert "is retired" in call(partner, "partner", "retire", "kampus", "--yes").output
        assert partner.active() == set()
        assert status(partner, "kampus") == "retired"


def test_runs_are_approved_rejected_and_resumed_by_the_command_line(tmp_path: Path) -> None:
    with lone(tmp_path, 60) as partner:
        partner.night()
        partner.delete(range(1, 31))
        number = str(partner.night().run_id)
        assert "kampus" in call(partner, "run", "list").output
        shown = json.loads(call(partner, "run", "approve", number, "--dry-run", "--json").output)
        assert len(shown["proposals"]) == 30
        done = json.loads(call(partner, "run", "approve", number, "--yes", "--why", "weeded", "--json").output)
        assert done["records"] == 30
        assert "open window" in str(call(partner, "run", "resume", number).exception)


def test_partners_come_from_a_table_all_or_none(tmp_path: Path) -> None:
    with lone(tmp_path, 5) as partner:
        table = tmp_path / "anggota.csv"
        table.write_text("code;url;name\nsd-1;https://a.example/oai;SD 1\nSD 2;https://b.example/oai;SD 2\n")
        assert "no code" in "".join(getattr(call(partner, "partner", "import", str(table)).exception, "problems", ()))
        assert not (tmp_path / "union" / "partners.d" / "sd-1.yaml").exists()
        table.write_text("code;url;name\nsd-1;https://a.example/oai;SD 1\nsd-2;https://b.example/oai;SD 2\n")
        assert call(partner, "partner", "import", str(table)).exception is None
        assert status(partner, "sd-2") == "pending"


def test_a_partner_cannot_go_from_retired_to_paused(tmp_path: Path) -> None:
    with lone(tmp_path, 5) as partner, partner.opened() as opened:
        controlling.retire(opened, "kampus", "sari")
        with pytest.raises(ConfigError, match="cannot become"):
            controlling.pause(opened, "kampus")
