"""Real records of forty projects' libraries against what a person read in them (`--corpus DIR`)."""

from __future__ import annotations

import csv
import gzip
import io
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.model import Damage, NormalizedRecord
from harvester.normalize.apply import Context, normalize
from harvester.normalize.mapping import for_source
from harvester.sources.file_split import kind_of, pieces

pytestmark = pytest.mark.prove
FIELDS = ("title", "creators", "year", "publisher", "edition", "impression", "isbn", "language", "material", "ddc")
LABELLED = "labelled.tsv"
BLIND = "labelled_blind.tsv"  # labelled before the normalizer was run on any of these records
BLIND_2 = "labelled_blind_2.tsv"  # the same, later, of other projects' files, OAI-PMH and SRU answers among them
BLIND_3 = "labelled_blind_3.tsv"  # the same again, after the faults that those showed were mended


def labels(name: str) -> list[tuple[str, int, dict[str, str]]]:
    """File, number of the record in it, and its labels."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    found = []
    for key, *values in rows:
        path, _, number = key.rpartition("#")
        found.append((path, int(number), dict(zip(FIELDS, values, strict=True))))
    return found


@cache
def records(path: Path, format: str) -> list[NormalizedRecord | None]:
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    kind = kind_of(data[:100_000])
    whole = [one.payload for one in pieces(kind, data[:1_000_000], io.BytesIO(data)) if not isinstance(one, Damage)]
    return [normal(format or kind, payload) for payload in whole]


def normal(format: str, payload: bytes) -> NormalizedRecord | None:
    try:
        return normalize(formats.get(format)(payload), for_source("generic", format), Context("x", "1")).record
    except RecordError:  # an unreadable neighbour of a labelled record
        return None


def seen(record: NormalizedRecord) -> dict[str, str]:
    creators = [one.name for one in record.contributors if one.main or one.role in ("creator", "author")]
    numbers = [one.value for one in record.classifications if one.scheme == "ddc"]
    isbns = [one.value for one in record.identifiers if one.kind == "isbn" and one.status == "valid"]
    found = {
        "title": record.title.proper,
        "creators": "; ".join(creators),
        "year": record.dates.year_from,
        "publisher": record.publications[0].publisher if record.publications else "",
        "edition": record.edition.number,
        "impression": record.impression.number,
        "isbn": " ".join(dict.fromkeys(isbns)),
        "language": " ".join(record.languages),
        "material": record.material,
        "ddc": " ".join(dict.fromkeys(numbers)),
    }
    return {name: "" if value is None else str(value) for name, value in found.items()}


def plain(text: str) -> str:
    """Letters and digits only: how a title ends, or which mark stands over a letter, is no question here."""
    return "".join(c for c in unicodedata.normalize("NFKD", text).casefold() if c.isalnum() or c == "?")


def test_at_least_200_records_of_at_least_10_libraries_are_labelled() -> None:
    for name, least in ((LABELLED, 200), (BLIND, 60), (BLIND_2, 60), (BLIND_3, 50)):
        assert len(labels(name)) >= least
        assert len({path.split("/")[2] for path, _, _ in labels(name)}) >= 10
    named = [row[:2] for name in (LABELLED, BLIND, BLIND_2, BLIND_3) for row in labels(name)]
    assert len(named) == len(set(named))


# The labels of the blind sets stay as they were written, mistakes of the reader with them; the last calls none
# of the numbers Dewey that the German National Library gives as such in 084.
@pytest.mark.parametrize(("name", "bar"), [(LABELLED, 0.99), (BLIND, 0.95), (BLIND_2, 0.95), (BLIND_3, 0.9)])
def test_normalizing_agrees_with_the_labels(corpus: Path, name: str, bar: float) -> None:
    right, asked = Counter[str](), Counter[str]()
    for path, number, label in labels(name):
        format, _, file = path.rpartition("@")
        record = records(corpus / file, format)[number - 1]
        found = seen(record) if record else dict.fromkeys(FIELDS, "(quarantined)")
        for field, got in found.items():
            if label[field] == "?":
                continue
            asked[field] += 1
            right[field] += plain(got) == plain(label[field])
            if plain(got) != plain(label[field]):
                print(f"{path}#{number} {field}: {got!r}, labelled {label[field]!r}")
    shares = {field: right[field] / asked[field] for field in FIELDS}
    print({field: f"{right[field]}/{asked[field]}" for field in FIELDS})
    assert not {field: share for field, share in shares.items() if share < bar}
