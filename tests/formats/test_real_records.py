"""Real records (`--corpus DIR`): MARC-8 against the publisher's own UTF-8, and our reader against pymarc."""

from __future__ import annotations

import gzip
import io
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pymarc
import pytest

from harvester.formats import iso2709
from harvester.formats.iso2709_split import split
from harvester.model import Damage, MarcRecord

pytestmark = pytest.mark.prove


def payloads(path: Path) -> Iterator[bytes]:
    with gzip.open(path) as file:
        for one in split(file):
            if not isinstance(one, Damage):
                yield one if isinstance(one, bytes) else one.payload


def by_number(path: Path) -> dict[str, MarcRecord]:
    found = [iso2709.parse(payload) for payload in payloads(path)]
    return {body: record for record in found for tag, body in record.fields if tag == "001"}


def unlike(left: MarcRecord, right: MarcRecord) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str]]]:
    one, other = Counter(left.fields), Counter(right.fields)
    return one - other, other - one


def bare(fields: Counter[tuple[str, str]]) -> set[tuple[str, str]]:
    """The fields with other letters than ASCII, without them: what a charset could have changed."""
    return {
        (tag, "".join(c for c in unicodedata.normalize("NFKD", body) if c.isascii()))
        for tag, body in fields
        if not body.isascii()
    }


def test_marc8_equals_the_publishers_utf8(corpus: Path) -> None:
    seen: Counter[str] = Counter()
    for marc8 in sorted((corpus / "encodings" / "nist").glob("*_marc8.mrc*.gz")):
        utf8 = marc8.with_name(marc8.name.replace("_marc8", "_utf8"))
        if not utf8.exists():
            continue
        ours, theirs = by_number(marc8), by_number(utf8)
        for number in ours.keys() & theirs.keys():
            only_ours, only_theirs = unlike(ours[number], theirs[number])
            if not only_ours and not only_theirs:
                seen["equal"] += 1
            elif all(any(body.isascii() for _, body in side) for side in (only_ours, only_theirs) if side):
                seen["another export"] += 1  # they differ where no charset can be the reason
                if alike := bare(only_ours) & bare(only_theirs):
                    seen["of which a field differs in its marks alone"] += 1
                    print(marc8.name, number, sorted(alike))
            else:
                seen["different"] += 1
                print(marc8.name, number, sorted(only_ours), sorted(only_theirs))
    print(dict(seen))
    assert seen["equal"] > 6000
    assert seen["equal"] / (seen["equal"] + seen["different"]) >= 0.997
    pairs = seen["equal"] + seen["different"] + seen["another export"]
    assert seen["different"] + seen["of which a field differs in its marks alone"] <= 0.003 * pairs


def test_ten_thousand_good_records_equal_pymarc(corpus: Path) -> None:
    compared = 0
    for payload in itertools.islice(payloads(corpus / "bench" / "gpo_105855.mrc.gz"), 10_000):
        theirs = next(pymarc.MARCReader(io.BytesIO(payload), to_unicode=True, force_utf8=True))
        assert theirs is not None
        ours = iso2709.parse(payload)
        fields = [
            (f.tag, f.data or "")
            if f.is_control_field()
            else (f.tag, "".join((*f.indicators, *(f"\x1f{s.code}{s.value}" for s in f.subfields))))
            for f in theirs.fields
        ]
        assert ours.leader == str(theirs.leader)
        assert list(ours.fields) == [(tag, unicodedata.normalize("NFC", body)) for tag, body in fields]
        compared += 1
    assert compared == 10_000
