"""Pairs compared in another process: by the rules of this one, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec

from db.compress import pack
from harvester import judging
from harvester.match import rules
from harvester.match.profile import profile
from harvester.match.rules import SHIPPED
from harvester.model import NormalizedRecord, Title

RULES = rules.load()
PROFILES = {
    number: profile(NormalizedRecord(material="book", title=Title(title)), RULES)
    for number, title in enumerate(("Laskar pelangi", "Laskar Pelangi", "Bumi manusia"))
}
PACKED = {number: (pack(msgspec.msgpack.encode(one)), None) for number, one in PROFILES.items()}
PAIRS = [(0, 1), (0, 2), (1, 2)]


def test_packed_profiles_are_judged_as_profiles_are() -> None:
    here = judging.compare_all(RULES, PROFILES, PAIRS)
    assert [one[:2] for one in here] == PAIRS
    assert judging.compare_elsewhere(None, RULES.hash, {}, PACKED, PAIRS) == here


def test_rules_that_were_edited_meanwhile_judge_nothing(tmp_path: Path) -> None:
    path = tmp_path / "match.yaml"
    path.write_text(SHIPPED.read_text("utf-8").replace("\n  merge: ", "\n  merge: 1"), "utf-8")
    assert judging.compare_elsewhere(path, RULES.hash, {}, PACKED, PAIRS) is None
    path.write_text("half of a fi", "utf-8")
    assert judging.compare_elsewhere(path, RULES.hash, {}, PACKED, PAIRS) is None
    assert judging.compare_elsewhere(tmp_path / "gone.yaml", RULES.hash, {}, PACKED, PAIRS) is None
