"""What the shipped rules do to 105,855 records of one agency, as a file without constants and as a source with them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pytest

from harvester import evaluating
from harvester.match import blocking, evaluate
from harvester.match.comparisons.identifiers import meet
from harvester.match.constants import NONE, Constants
from harvester.match.profile import profile
from harvester.match.rules import load
from harvester.model import Profile
from harvester.normalize import mapping as mappings

pytestmark = pytest.mark.prove
RULES = load()
# What a complete harvest of this file finds to stand in more than 99 % of its records (harvester/constants.py).
COUNTED: Constants = {"carrier_form": "print", "languages": "eng"}


class Found(NamedTuple):
    pairs_per_record: float
    merged: frozenset[tuple[str, str]]
    torn: list[tuple[str, str]]  # merged though document numbers and OCLC numbers both differ
    largest: int


def apart(left: Profile, right: Profile) -> bool:
    """Whether both have document numbers and OCLC numbers and share none of either."""
    told = left.documents and right.documents and left.oclcs and right.oclcs
    return bool(told) and not meet(left.documents, right.documents) and not meet(left.oclcs, right.oclcs)


def run(profiles: Mapping[str, Profile]) -> Found:
    found = blocking.candidates(profiles, RULES)
    node = {one: name for name, one in sorted(profiles.items(), reverse=True)}
    ends = ((node[profiles[left]], node[profiles[right]]) for left, right in found.pairs)
    compared = len({(min(pair), max(pair)) for pair in ends if pair[0] != pair[1]})
    groups = evaluate.grouped(profiles, found, RULES)
    merged = frozenset(pair for group in groups for pair in combinations(sorted(group), 2))
    torn = [pair for pair in sorted(merged) if apart(profiles[pair[0]], profiles[pair[1]])]
    return Found(compared / len(profiles), merged, torn, max(map(len, groups)))


def test_no_two_documents_merge_whose_numbers_all_differ(corpus: Path) -> None:
    marc21 = mappings.load("marc21")
    plain: dict[str, Profile] = {}
    heeded: dict[str, Profile] = {}
    for page in evaluating.pages(corpus / "bench" / "gpo_105855.mrc.gz"):
        for one in page.records:
            record = evaluating.normalized(one, marc21)
            plain[one.identifier] = profile(record, RULES, NONE)
            heeded[one.identifier] = profile(record, RULES, COUNTED)
    found = {name: run(profiles) for name, profiles in (("as a file", plain), ("with constants", heeded))}
    for name, one in found.items():
        print(f"\n{name}: {one.pairs_per_record:.3f} pairs a record, {len(one.merged)} merged, largest {one.largest}")
    before, after = found["as a file"].merged, found["with constants"].merged
    print(f"only as a file: {len(before - after)}, only with constants: {len(after - before)}")
    for title, pairs in (("only as a file", before - after), ("only with constants", after - before)):
        for left, right in sorted(pairs)[:40]:
            mine, theirs = plain[left], plain[right]
            print(title, left, right, mine.title[:90], "|", theirs.title[:90], mine.form, theirs.form)
    for one in found.values():
        assert one.pairs_per_record <= 5
        assert one.torn == []
