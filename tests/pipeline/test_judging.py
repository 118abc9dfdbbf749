"""Pairs compared in another process: by the rules of this one, or not at all."""

from __future__ import annotations

from pathlib import Path

import msgspec

from db.compress import Dictionary, finished, pack, unpack
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
    here = judging.compare_all(RULES, PROFILES, PAIRS, None)
    assert [one[:2] for one in here] == PAIRS
    assert judging.compare_elsewhere(None, RULES.hash, None, {}, PACKED, PAIRS) == here


def test_evidence_comes_packed() -> None:
    plain = [unpack(one.evidence or b"") for one in judging.compare_all(RULES, PROFILES, PAIRS, None)]
    assert b'"title"' in plain[0]
    dictionary = Dictionary(7, finished(plain[0], plain * 10, 7))
    made = judging.compare_elsewhere(None, RULES.hash, dictionary, {}, PACKED, PAIRS)
    assert made is not None
    assert [unpack(one.evidence or b"", dictionary.body) for one in made] == plain
    assert [one.dictionary for one in made] == [7 if one else None for one in plain]


def test_rules_that_were_edited_meanwhile_judge_nothing(tmp_path: Path) -> None:
    path = tmp_path / "match.yaml"
    path.write_text(SHIPPED.read_text("utf-8").replace("\n  merge: ", "\n  merge: 1"), "utf-8")
    assert judging.compare_elsewhere(path, RULES.hash, None, {}, PACKED, PAIRS) is None
    path.write_text("half of a fi", "utf-8")
    assert judging.compare_elsewhere(path, RULES.hash, None, {}, PACKED, PAIRS) is None
    assert judging.compare_elsewhere(tmp_path / "gone.yaml", RULES.hash, None, {}, PACKED, PAIRS) is None
