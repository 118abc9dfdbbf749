"""Scores, films, maps, serials and languages: pairs of MARC records with a librarian's label, read as files are."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harvester import evaluating, yaml_file
from harvester.match.blocking import share_a_key
from harvester.match.compare import explain
from harvester.match.keys import keys
from harvester.match.rules import load
from harvester.model import Profile

RULES = load()
HERE = Path(__file__).parent
FILES = ("kinds.yaml", "kinds_blind.yaml")
_LEADERS = {"book": "am", "score": "cm", "film": "gm", "map": "em", "serial": "as", "sound": "jm", "collection": "ac"}
# The position of 008 that says what kind of score or film it is, after the place of publication.
_CODE_AT = {"score": 20, "film": 33}


class Pair(NamedTuple):
    label: str
    kind: str
    expect: str
    left: list[str]
    right: list[str]


def pairs() -> list[Pair]:
    """The pairs of kinds.yaml, and those of kinds_blind.yaml."""
    found = []
    for row in [row for name in FILES for row in yaml_file.read(HERE / name).value]:
        sides = row["each"] if "each" in row else [row["left"], row["right"]]
        records = [[*row.get("both", []), *side] for side in sides]
        for number, (left, right) in enumerate(combinations(records, 2)):
            found.append(Pair(f"{row['kind']}: {row['label']} {number or ''}", row["kind"], row["expect"], left, right))
    return found


def marc(identifier: str, lines: list[str]) -> dict[str, Any]:
    """MARC-in-JSON of *lines* ("245 10$aTitle$bmore"; the indicators may be left out)."""
    kind, year, country, *code = next(line for line in lines if line.startswith("="))[2:].split()
    coded = list(f"260101s{year}    {country:3}".ljust(38) + " ")
    for letter in code:
        coded[_CODE_AT[kind]] = letter
    fields: list[dict[str, Any]] = [{"001": identifier}]
    for line in sorted(line for line in [*lines, "008 " + "".join(coded)] if not line.startswith("=")):
        tag, rest = line[:3], line[4:]
        if tag < "010":
            fields.append({tag: rest})
            continue
        indicators, *values = rest.split("$")
        subfields = [{value[0]: value[1:]} for value in values]
        first, second = (indicators.strip().replace("_", " ") + "  ")[:2]
        fields.append({tag: {"ind1": first, "ind2": second, "subfields": subfields}})
    return {"leader": f"00000n{_LEADERS[kind]} a2200000 i 4500", "fields": fields}


PAIRS = pairs()


@pytest.fixture(scope="module")
def profiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Profile]:
    """The profiles of all sides, "3L" and "3R" being those of the fourth pair."""
    path = tmp_path_factory.mktemp("kinds") / "records.jsonl"
    sides = [(f"{n}{side}", lines) for n, one in enumerate(PAIRS) for side, lines in zip("LR", one[3:], strict=True)]
    path.write_text("".join(json.dumps(marc(*side)) + "\n" for side in sides), encoding="utf-8")
    gathered = evaluating.gather(path, RULES)
    assert not gathered.unreadable
    return gathered.profiles


def test_every_kind_has_pairs_of_both_labels() -> None:
    held = Counter((one.kind, one.expect) for one in PAIRS)
    for kind in ("score", "film", "map", "serial", "language"):
        assert held[kind, "apart"] + held[kind, "one"] >= 20, held
        assert held[kind, "one"] >= 4, held


@pytest.mark.parametrize("number", range(len(PAIRS)), ids=lambda number: PAIRS[number].label)
def test_a_pair_is_judged_as_the_librarian_does(profiles: dict[str, Profile], number: int) -> None:
    decision = explain(profiles[f"{number}L"], profiles[f"{number}R"], RULES)
    told = [(one.feature, one.left, one.right, one.outcome, one.points) for one in decision.evidence if one.outcome]
    if PAIRS[number].expect == "apart":
        assert decision.verdict != "merge", told
        return
    seen = decision.verdict == "merge" or decision.score >= RULES.review_at
    assert seen and (PAIRS[number].kind != "reading" or decision.verdict == "merge"), (decision.reason, told)
    assert share_a_key(*(keys(profiles[f"{number}{side}"], RULES) for side in "LR"))
