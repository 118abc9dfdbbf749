"""Batches are mapped field by field and tag after tag; a trace runs one rule after the other. Both make the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from harvester.errors import RecordError
from harvester.model import MarcRecord, Normalized, RowRecord, XmlElement, XmlRecord
from harvester.normalize import fieldwise
from harvester.normalize.apply import Context, normalize, normalize_batch
from harvester.normalize.mapping import Mapping, for_source, load
from harvester.normalize.views import Record

CONTEXT = Context("ugm", "17", as_of="2026-11-22")
CODES = ["a", "a", "a", "b", "c", "d", "e", "h", "n", "p", "t", "z", "2", "4", "5", "6", "v", "x", "", "\u00e9"]
TEXTS = [
    "Laskar pelangi /", "local", "local", "x", "ind", "Skripsi", " ", "", "9789793062792", "979-3062-79-7 (pbk.)",
    "NIM: 1301120045", "880-01", "245-01/r", "1987.", "2", "[sumber elektronik] :", "\u00a0",
    "\u0639\u0631\u0628\u064a", "Dr. Budi", "Jil. 2 (2001), hlm. 3-4", "\x1e", "text/html", "1",
]  # fmt: skip
TAGS = "001 005 008 020 022 024 041 100 110 245 245 246 250 260 264 300 500 502 520 600 650 650 653 655 700 710 773"
TAGS_OF_FIELDS = [*TAGS.split(), "852", "856", "866", "942", "952", "880", "LDR", "00A", "24", ""]
LEADERS = ["00000nam a2200000 a 4500", "01234cas a2200456 i 4500", "99999dgm  2299999   4500", "nam", "", " " * 24]
ELEMENTS = ["title", "creator", "date", "identifier", "format", "source", "subject", "type", "publisher", "LDR", "880"]


def marc_field(rng: random.Random) -> tuple[str, str]:
    tag = rng.choice(TAGS_OF_FIELDS)
    if tag < "010":
        return tag, rng.choice(["", "B 1", "060301s2005    io            000 1 ind  ", "20240115093000.0", "NIM 12345"])
    parts = [rng.choice(CODES) + rng.choice(TEXTS) for _ in range(rng.randrange(5))]
    return tag, "\x1f".join([rng.choice(["", "1", "10", " 0", "#7", "1 "]), *parts])


def marc_records(rng: random.Random) -> list[Record]:
    """Records whose fields come from one small store: most of them stand in several records, some twice in one."""
    store = [marc_field(rng) for _ in range(40)]
    sizes = [rng.randrange(25) for _ in range(12)]
    return [MarcRecord(rng.choice(LEADERS), tuple(rng.choices(store, k=size))) for size in sizes]


def xml_records(rng: random.Random) -> list[Record]:
    store = [
        XmlElement(rng.choice(ELEMENTS), rng.choice(TEXTS), (("type", rng.choice(TEXTS)),) * rng.randrange(2))
        for _ in range(30)
    ]
    return [XmlRecord(tuple(rng.choices(store, k=rng.randrange(12)))) for _ in range(10)]


def row_records(rng: random.Random) -> list[Record]:
    names = ["Judul", "pengarang ", "ISBN", "tahun", "LDR", "880", "penerbit", "subjek", "title", "author"]
    return [
        RowRecord(tuple((rng.choice(names), tuple(rng.choices(TEXTS, k=2))) for _ in range(8)), "Buku!A2")
        for _ in range(8)
    ]


def told(made: Normalized | RecordError) -> object:
    return str(made) if isinstance(made, RecordError) else (made.record, made.warnings)


def traced(record: Record, mapping: Mapping) -> object:
    try:
        return told(normalize(record, mapping, CONTEXT, trace=True))
    except RecordError as error:
        return str(error)


@pytest.fixture(scope="module")
def hostile() -> Mapping:
    return load("hostile", [Path(__file__).parent])


def same_as_traced(records: list[Record], mapping: Mapping) -> None:
    expected = [traced(record, mapping) for record in records]
    for _ in range(2):  # the second time some fields are remembered
        made = normalize_batch([(record, CONTEXT) for record in records], mapping)
        assert [told(one) for one in made] == expected
    assert told(normalize_batch([(records[0], CONTEXT)], mapping)[0]) == expected[0]


@pytest.mark.parametrize("seed", range(12))
def test_hostile_marc_records_are_mapped_in_batches_as_rule_by_rule(hostile: Mapping, seed: int) -> None:
    same_as_traced(marc_records(random.Random(seed)), hostile)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_more_of_them_and_the_shipped_mappings_too(hostile: Mapping, seed: int) -> None:
    rng = random.Random(seed)
    records = marc_records(rng)
    same_as_traced(records, hostile)
    for preset, format in (
        ("generic", "iso2709"),
        ("koha", "marcxml"),
        ("inlislite", "marcxml"),
        ("generic", "unimarc"),
    ):
        same_as_traced(records, for_source(preset, format))
    for preset in ("generic", "ojs", "slims-oai"):
        same_as_traced(xml_records(rng), for_source(preset, "oai_dc"))
    same_as_traced(row_records(rng), load("row"))


@pytest.mark.slow
def test_a_rule_that_fails_on_one_record_leaves_its_neighbours_alone(tmp_path: Path) -> None:
    rules = "[{from: 500$a, do: trim}, {from: 520$a, fallback: true, do: [{keep: '^(a|a)*(a|a)*(a|a)*$'}]}]"
    (tmp_path / "x.yaml").write_text(f"mapping: x\nfamily: marc\nfields:\n  abstract: {rules}\n", "utf-8")
    mapping = load("x", [tmp_path])
    slow, fine = ("520", "  \x1fa" + "a" * 4000 + "!"), ("500", "  \x1faGood")
    records: list[Record] = [MarcRecord(LEADERS[0], fields) for fields in ((fine, slow), (slow,), (fine,))]
    first, second, third = normalize_batch([(record, CONTEXT) for record in records], mapping)
    assert isinstance(first, Normalized) and first.record.abstract == "Good", "the slow rule is left out"
    assert isinstance(second, RecordError) and second.reason == "pattern-timeout"
    assert isinstance(third, Normalized) and third.record.abstract == "Good"


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fieldwise, "KEPT", 20)
    mapping = for_source("generic", "marcxml")
    for start in range(0, 200, 10):
        fields = tuple(("650", f" 4\x1faTerm {number}") for number in range(start, start + 10))
        normalize_batch([(MarcRecord(LEADERS[0], fields * 2), CONTEXT)], mapping)
    kept = mapping.fieldwise.remembered("650")
    assert 0 < kept <= 30
