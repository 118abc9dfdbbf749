"""Scores, films, maps, serials and languages: pairs of MARC records with a librarian's label, read as files are."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

import pytest

from harvester import evaluating, yaml_file
from harvester.match.blocking import share_a_key
from harvester.match.compare import explain
from harvester.match.keys import keys
from harvester.match.profile import profile
from harvester.match.rules import load
from harvester.model import HarvestedRecord, Profile
from harvester.normalize import mapping as mappings

RULES = load()
HERE = Path(__file__).parent
FILES = ("kinds.yaml", "kinds_blind.yaml", *(f"kinds_blind_{number}.yaml" for number in range(2, 8)))
_LEADERS = {"book": "am", "score": "cm", "film": "gm", "map": "em", "serial": "as", "sound": "jm", "collection": "ac"}
# The position of 008 that says what kind of score or film it is, after the place of publication.
_CODE_AT = {"score": 20, "film": 33}


class Pair(NamedTuple):
    label: str
    kind: str
    expect: str
    left: list[str]
    right: list[str]
    unseen: str = ""


@cache
def pairs(name: str) -> list[Pair]:
    """The pairs of kinds.yaml, or of a file of those labelled before the rules saw them."""
    found = []
    for row in yaml_file.read(HERE / name).value:
        for number, (expect, left, right) in enumerate(_sides(row)):
            label = f"{row['kind']}: {row['label']} {number or ''}"
            both = row.get("both", [])
            unseen = row.get("unseen", "")
            unseen = unseen.get(number, "") if isinstance(unseen, dict) else unseen
            found.append(Pair(label, row["kind"], expect, [*both, *left], [*both, *right], unseen))
    return found


def _sides(row: dict[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    """`left` and `right`, every two of `each`, or of `groups`, which are the records of one manifestation each."""
    if "groups" not in row:
        records = row["each"] if "each" in row else [row["left"], row["right"]]
        return [(row["expect"], *two) for two in combinations(records, 2)]
    held = [(number, record) for number, group in enumerate(row["groups"]) for record in group]
    return [("one" if mine == theirs else "apart", one, two) for (mine, one), (theirs, two) in combinations(held, 2)]


def marc(identifier: str, lines: list[str]) -> dict[str, Any]:
    """MARC-in-JSON of *lines* ("245 10$aTitle$bmore"; the indicators may be left out)."""
    kind, year, country, *code = next(line for line in lines if line.startswith("="))[2:].split()
    dates = year if len(year) == 9 else f"s{year}    "  # "m18711872" has its own code
    coded = list(f"260101{dates}{country:3}".ljust(38) + " ")
    for one in code:
        at = 35 if len(one) == 3 else _CODE_AT[kind]
        coded[at : at + len(one)] = one
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


def dublin_core(lines: list[str]) -> bytes:
    """An oai_dc record of *lines* ("dc:title Title")."""
    elements = [line[3:].split(" ", 1) for line in lines]
    body = "".join(f"<dc:{name}>{escape(text)}</dc:{name}>" for name, text in elements)
    spaces = 'xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    return f"<oai_dc:dc {spaces}>{body}</oai_dc:dc>".encode()


def profiles(held: list[Pair], path: Path) -> dict[str, Profile]:
    """The profiles of all sides, "3L" and "3R" being those of the fourth pair; their records are written to *path*."""
    sides = [(f"{n}{side}", lines) for n, one in enumerate(held) for side, lines in zip("LR", one[3:5], strict=True)]
    simple = {name: lines for name, lines in sides if lines[0].startswith("dc:")}
    rows = [json.dumps(marc(name, lines)) + "\n" for name, lines in sides if name not in simple]
    path.write_text("".join(rows), encoding="utf-8")
    gathered = evaluating.gather(path, RULES)
    assert not gathered.unreadable
    harvested = [HarvestedRecord(name, "oai_dc", dublin_core(lines)) for name, lines in simple.items()]
    marc21 = mappings.load("marc21")
    return gathered.profiles | {one.identifier: profile(evaluating.normalized(one, marc21), RULES) for one in harvested}


def test_every_kind_has_pairs_of_both_labels() -> None:
    held = Counter((one.kind, one.expect) for name in FILES for one in pairs(name))
    for kind in ("score", "film", "map", "serial", "language"):
        assert held[kind, "apart"] + held[kind, "one"] >= 20, held
        assert held[kind, "one"] >= 4, held


@pytest.mark.parametrize("name", FILES)
def test_a_pair_is_judged_as_the_librarian_does(tmp_path: Path, name: str) -> None:
    """Every pair of the file but those `unseen`, which are known to be judged otherwise: a mended one must say so."""
    held = pairs(name)
    made = profiles(held, tmp_path / "records.jsonl")
    told = [_misjudged(one, made[f"{n}L"], made[f"{n}R"]) for n, one in enumerate(held)]
    assert [f"{one.label}: {why}" for one, why in zip(held, told, strict=True) if why and not one.unseen] == []
    assert [one.label for one, why in zip(held, told, strict=True) if one.unseen and not why] == []


def _misjudged(pair: Pair, left: Profile, right: Profile) -> str:
    """What was decided of the pair against its label; empty when it is as the librarian says."""
    decision = explain(left, right, RULES)
    evidence = [(one.feature, one.left, one.right, one.outcome, one.points) for one in decision.evidence if one.outcome]
    told = f"{decision.verdict} {decision.score} {decision.reason} {evidence}"
    if pair.expect == "apart":
        return told if decision.verdict == "merge" else ""
    seen = decision.verdict == "merge" or (pair.kind != "reading" and decision.score >= RULES.review_at)
    if not seen:
        return told
    return "" if share_a_key(keys(left, RULES), keys(right, RULES)) else "no key brings them together"
