"""What could not be read waits with its bytes, and comes in once the mapping or the decoder was mended."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from db import ledger
from harvester import preparing, quarantining
from harvester.cli import induk
from harvester.demo import quirks
from harvester.errors import RecordError, UsageError
from tests.pipeline.lone import Lone, dublin_core, lone


def call(partner: Lone, *words: str) -> Result:
    config = str(partner.folder / "union" / "induk.yaml")
    return CliRunner().invoke(induk, ["quarantine", *words, "--config", config], standalone_mode=False)


def waiting(partner: Lone) -> list[dict[str, object]]:
    return partner.consortium.ask(ledger.list_quarantine)


def broken_mapping(monkeypatch: pytest.MonkeyPatch, marks: str = "rusak") -> None:
    """A mapping that cannot read titles with this word."""
    whole = preparing.normalize_batch

    def fails(pairs, mapping):  # type: ignore[no-untyped-def]
        for made, (_, context) in zip(whole(pairs, mapping), pairs, strict=True):
            good = isinstance(made, RecordError) or marks not in made.record.title.proper
            place = context.identifier
            yield made if good else RecordError("no rule for this title", reason="no-rule", stage="map", place=place)

    monkeypatch.setattr(preparing, "normalize_batch", fails)


def test_a_mended_mapping_brings_in_what_waited_and_the_rest_goes_on_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lone(tmp_path, 20) as partner:
        partner.store.put("21", {"oai_dc": dublin_core(21, "Judul rusak")})
        partner.store.put("22", {"oai_dc": dublin_core(22, "Judul rusak lain")})
        with monkeypatch.context() as patch:
            broken_mapping(patch)
            partner.night()
            assert len(waiting(partner)) == 2
            assert json.loads(call(partner, "retry", "--all", "--json").output)[0].get("read", 0) == 0
            assert {row["tries"] for row in waiting(partner)} == {2}
        first = str(waiting(partner)[0]["id"])
        assert "Judul rusak" in call(partner, "show", first).output
        done = json.loads(call(partner, "retry", first, "--json").output)[0]
        assert (done["tried"], done["read"]) == (1, 1)
        assert len(waiting(partner)) == 1
        assert partner.run(done["run"])["created"] == 1
        assert json.loads(call(partner, "retry", "--source", "kampus", "--json").output)[0]["read"] == 1
        partner.consortium.match()
        assert partner.active() == partner.oracle()
        assert partner.consortium.faults() == []
        assert partner.night().verdict == "complete"


def test_old_bytes_never_overwrite_a_newer_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lone(tmp_path, 5) as partner:
        partner.night()
        with monkeypatch.context() as patch:
            broken_mapping(patch)
            partner.store.edit("1", {"oai_dc": dublin_core(1, "Judul rusak")})
            partner.night()
        number = waiting(partner)[0]["id"]
        partner.store.edit("1", {"oai_dc": dublin_core(1, "Judul terbaru")})
        partner.night()
        with partner.opened() as opened, pytest.raises(UsageError, match="not waiting"):
            quarantining.retry(opened, "kampus", [int(str(number))])
        assert waiting(partner) == []


def test_the_bytes_are_shown_without_what_could_harm_a_terminal(tmp_path: Path) -> None:
    with lone(tmp_path, 2) as partner:
        partner.store.put("9", {"oai_dc": b"<x>\xc2\x9b31m danger</x>"})
        partner.night()
        shown = call(partner, "show", str(waiting(partner)[0]["id"])).output
        assert "danger" in shown
        assert "\x9b" not in shown
        assert "unknown-format" in call(partner, "list").output
        assert isinstance(call(partner, "show", "999").exception, UsageError)
        assert isinstance(call(partner, "retry").exception, UsageError)


@pytest.mark.parametrize("habits", [quirks.KOHA, quirks.SLIMS_OAI2], ids=["told", "swept"])
def test_what_waits_and_is_withdrawn_by_its_partner_waits_no_longer(tmp_path: Path, habits: quirks.Quirks) -> None:
    """Else the partner's own count and ours (records, and what waits) would differ for ever."""
    strategy = {} if habits is quirks.KOHA else {"options": {"strategy": "sweep+absence"}}
    with lone(tmp_path, 60, habits, **strategy) as partner:
        for key in ("61", "62"):
            partner.store.put(key, {"oai_dc": b"<oai_dc:dc/>"})
        partner.night()
        assert len(waiting(partner)) == 2
        partner.store.delete("61")
        partner.night(full=habits is not quirks.KOHA)
        [left] = waiting(partner)
        assert str(left["identifier"]).endswith("62")
        assert partner.consortium.faults() == []
