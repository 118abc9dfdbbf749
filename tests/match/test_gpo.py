"""What the shipped rules do to 105,855 records of one agency, as they are and with constants of their source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from harvester import evaluating
from harvester.match import blocking, evaluate
from harvester.match.comparisons.identifiers import meet
from harvester.match.constants import FIELDS, Constants, silenced
from harvester.match.profile import profile
from harvester.match.rules import load
from harvester.model import Profile
from harvester.normalize import mapping as mappings

pytestmark = pytest.mark.prove
RULES = load()
SUPPOSED: Constants = {"carrier_form": "print", "languages": "eng"}  # constants of the first four thousand records


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


def constants(counts: Mapping[str, Counter[str]], records: int) -> Constants:
    """What a complete harvest of these records finds to stand in more than 99 % of them (harvester/constants.py)."""
    commonest = {name: held.most_common(1)[0] for name, held in counts.items()}
    print({name: (value, f"{100 * count / records:.2f} %") for name, (value, count) in commonest.items()})
    return {name: value for name, (value, count) in commonest.items() if value and count > 0.99 * records}


def test_no_two_documents_merge_whose_numbers_all_differ(corpus: Path) -> None:
    marc21 = mappings.load("marc21")
    found: dict[str, Found] = {}
    plain: dict[str, Profile] = {}
    supposed: dict[str, dict[str, Profile]] = {name: {} for name in SUPPOSED}
    counts: dict[str, Counter[str]] = {name: Counter() for name in FIELDS}
    for page in evaluating.pages(corpus / "bench" / "gpo_105855.mrc.gz"):
        for one in page.records:
            record = evaluating.normalized(one, marc21)
            plain[one.identifier] = profile(record, RULES)
            for name, read in FIELDS.items():
                counts[name][read(record)] += 1
            for name, value in SUPPOSED.items():
                supposed[name][one.identifier] = msgspec.structs.replace(
                    plain[one.identifier], **silenced(record, {name: value})
                )
    print("\nconstants of the whole file:", constants(counts, len(plain)))
    for name, profiles in {"as a file": plain, **supposed}.items():
        found[name] = one = run(profiles)
        print(f"{name}: {one.pairs_per_record:.3f} pairs a record, {len(one.merged)} merged, largest {one.largest}")
        new = sorted(one.merged - found["as a file"].merged)
        kinds = Counter(tuple(sorted((plain[left].form, plain[right].form))) for left, right in new)
        tongues = Counter(tuple(sorted((plain[left].languages, plain[right].languages))) for left, right in new)
        print(f"  {len(new)} of them new; forms {kinds.most_common(4)}; languages {tongues.most_common(4)}")
        for left, right in new[:15]:
            print("   ", left, right, plain[left].title[:80], "|", plain[right].title[:80])
    for one in found.values():
        assert one.pairs_per_record <= 5
        assert one.torn == []
    forms = [(plain[left].form, plain[right].form) for left, right in found["carrier_form"].merged]
    assert not [
        pair for pair in forms if "print" in pair and pair not in (("print", "print"), ("print", ""), ("", "print"))
    ]
