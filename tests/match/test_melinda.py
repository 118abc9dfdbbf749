"""What Melinda's programmers expect of pairs of records, and what our rules say; every disagreement is known.

Their fixtures test single checks, on records that are often no more than a leader and a title. The action of the
whole validator counts here, and the detection by several features; docs/proofs.md holds the table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harvester import evaluating, yaml_file
from harvester.errors import RecordError
from harvester.match.compare import explain
from harvester.match.profile import profile
from harvester.match.rules import load
from harvester.model import Decision, HarvestedRecord, Profile
from harvester.normalize import mapping

pytestmark = pytest.mark.prove
RULES = load()
KNOWN = Path(__file__).with_name("melinda.yaml")


class Fixture(NamedTuple):
    """Two records and whether Melinda would merge them; `why` is its message."""

    name: str
    left: dict[str, Any]
    right: dict[str, Any]
    merges: bool
    why: str


def fixtures(gold: Path) -> Iterator[Fixture]:
    validator = gold / "melinda_match_validator_fixtures" / "test-fixtures"
    for folder in sorted(validator.glob("index/*")):
        told = read(folder / "expectedResults.json")
        if "action" not in told:
            continue  # an error of their program
        records = (read(folder / f"inputRecord{one}.json") for one in "AB")
        yield Fixture(folder.name, *records, told["action"] is not False, told.get("message", ""))
    for folder in sorted((gold / "melinda_matching_fixtures" / "test-fixtures" / "match-detection").glob("index/*")):
        told = read(folder / "metadata.json")
        left, right = (read(folder / f"record{one}.json") for one in "AB")
        if isinstance(right, list) or not isinstance(told["expectedResults"], dict):
            continue  # several candidates at once
        yield Fixture(
            f"detection {folder.name}", left, right, told["expectedResults"]["match"], told.get("description", "")
        )


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def seen(record: dict[str, Any]) -> Profile | None:
    """*record* as matching sees it; None when there is too little to read a record in it."""
    fields = []
    for field in record["fields"]:
        if "value" in field:
            fields.append({field["tag"]: field["value"]})
            continue
        subfields = [{one["code"]: one.get("value", "")} for one in field.get("subfields", [])]
        marks = {name: field.get(name) or " " for name in ("ind1", "ind2")}
        fields.append({field["tag"]: {**marks, "subfields": subfields}})
    payload = json.dumps({"leader": record["leader"], "fields": fields}).encode()
    try:
        return profile(evaluating.normalized(HarvestedRecord("x", "marc_json", payload), mapping.load("marc21")), RULES)
    except RecordError:
        return None


def judged(one: Fixture) -> Decision | None:
    left, right = seen(one.left), seen(one.right)
    return explain(left, right, RULES) if left is not None and right is not None else None


def agrees(one: Fixture, decision: Decision | None) -> bool:
    """Not merged where Melinda does not; merged, or shown to a cataloguer, where it does."""
    if decision is None:
        return not one.merges
    if not one.merges:
        return decision.verdict != "merge"
    return decision.verdict in ("merge", "review") or (decision.verdict == "veto" and decision.score >= RULES.review_at)


def test_every_disagreement_with_melinda_is_known_and_has_a_reason(corpus: Path) -> None:
    found = [(one, judged(one)) for one in fixtures(corpus / "gold")]
    apart = {one.name: decision for one, decision in found if not agrees(one, decision)}
    known = {row["fixture"]: row["reason"] for row in yaml_file.read(KNOWN).value}
    print(f"{len(found)} pairs, {len(found) - len(apart)} agree, {len(apart)} do not")
    for one, decision in found:
        if one.name in apart:
            told = f"{decision.verdict} {decision.score} ({decision.reason})" if decision else "unreadable"
            print(f"{one.name} | {'merge' if one.merges else 'apart'}: {one.why} | {told}")
    assert set(apart) == set(known)
