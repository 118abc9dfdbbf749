"""The sample consortium is deterministic, as large as stated, and shows the differences that partners show."""

from __future__ import annotations

import csv
import hashlib
import io
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import requests
from lxml import etree
from sickle import Sickle

from harvester.demo import holdings, numbers, sample, wording, works
from harvester.demo.partners import Library, slims
from harvester.demo.sample import Sample
from harvester.demo.truth import LIBRARIES, identifier, score, truth
from harvester.model import Address

SERVED = [library for library in LIBRARIES if library.quirks]
BY_CODE = {library.code: library for library in LIBRARIES}
MARC = "{http://www.loc.gov/MARC21/slim}"
DC = "{http://purl.org/dc/elements/1.1/}"
STRICT = etree.XMLParser(resolve_entities=False, no_network=True, recover=False)


def payloads(library: Library, night: int = 1) -> dict[str, bytes]:
    found = holdings.copies(library.letter, night)
    return {identifier(library, copy): library.render(copy)[library.format] for copy in found}


def subfields(payload: bytes, tag: str) -> list[str]:
    record = etree.fromstring(payload, STRICT)
    return [one.text or "" for field in record.iter(f"{MARC}datafield") if field.get("tag") == tag for one in field]


def harvested(demo: Sample, code: str, **arguments: str) -> dict[str, bool]:
    found = Sickle(demo.simulator.url(code)).ListIdentifiers(
        metadataPrefix=BY_CODE[code].metadata_prefix, ignore_deleted=False, **arguments
    )
    return {header.identifier: header.deleted for header in found}


# ---- the works ----------------------------------------------------------------------------------------


def test_there_are_about_two_hundred_works_and_five_hundred_records() -> None:
    counts = {library.code: len(holdings.copies(library.letter, 1)) for library in LIBRARIES}
    assert counts == COUNTS
    assert len({label.partition("/")[0] for label in truth().values()}) == 211


COUNTS = {"cendekia": 137, "melati": 143, "bahari": 170, "smpn1": 68}


def test_every_manifestation_has_a_label_and_an_isbn_of_its_own() -> None:
    labels = Counter(one.label for one in works.manifestations())
    isbns = Counter(one.isbn for one in works.manifestations() if one.isbn)
    assert max(labels.values()) == max(isbns.values()) == 1


def test_every_isbn_and_issn_passes_its_check_digit() -> None:
    for one in works.manifestations():
        if one.isbn:
            ten, thirteen = numbers.plain(one.isbn), numbers.plain(numbers.thirteen(one.isbn))
            assert numbers.check10(ten[:9]) == ten[9], one.label
            assert sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(thirteen)) % 10 == 0, one.label
            spoiled = numbers.wrong(thirteen)
            assert sum(int(digit) * (1 + 2 * (place % 2)) for place, digit in enumerate(spoiled)) % 10, one.label
        if one.issn:
            values = [10 if digit == "X" else int(digit) for digit in numbers.plain(one.issn)]
            assert sum(value * weight for value, weight in zip(values, range(8, 0, -1), strict=True)) % 11 == 0


@pytest.mark.parametrize(
    ("name", "heading"),
    [
        ("Andrea Hirata", "Hirata, Andrea"),
        ("Sukarno", "Soekarno"),
        ("Kuntowijoyo", "Kuntowijoyo"),
        ("Tim Gakko Tosho", "Tim Gakko Tosho"),
        ("Pramoedya Ananta Toer", "Toer, Pramoedya Ananta"),
    ],
)
def test_headings_invert_only_what_has_a_last_element(name: str, heading: str) -> None:
    assert wording.heading(name) == heading


def test_the_sample_never_changes_by_itself() -> None:
    everything = "\n".join(
        f"{night} {name} {payload.decode()}"
        for library in LIBRARIES
        for night in holdings.NIGHTS
        for name, payload in payloads(library, night).items()
    )
    for cached in (holdings._all_copies, holdings._movements, works.manifestations, works._files, works.people):
        cached.cache_clear()
    again = "\n".join(
        f"{night} {name} {payload.decode()}"
        for library in LIBRARIES
        for night in holdings.NIGHTS
        for name, payload in payloads(library, night).items()
    )
    assert hashlib.sha256(everything.encode()).digest() == hashlib.sha256(again.encode()).digest()


# ---- the differences ----------------------------------------------------------------------------------


@pytest.mark.parametrize("library", SERVED, ids=lambda library: library.code)
def test_every_payload_of_night_one_is_well_formed(library: Library) -> None:
    for payload in payloads(library).values():
        etree.fromstring(payload, STRICT)


def test_koha_has_good_marc() -> None:
    for key, payload in payloads(BY_CODE["cendekia"]).items():
        record = etree.fromstring(payload, STRICT)
        fixed = [one.text for one in record.iter(f"{MARC}controlfield") if one.get("tag") == "008"]
        assert len(record.findtext(f"{MARC}leader") or "") == 24, key
        assert len(fixed[0] or "") == 40, key
        assert len(subfields(payload, "245")) >= 1


def test_inlislite_has_one_leader_hash_indicators_and_a_record_a_copy() -> None:
    found = payloads(BY_CODE["bahari"])
    records = [etree.fromstring(payload, STRICT) for payload in found.values()]
    assert len({record.findtext(f"{MARC}leader") for record in records}) == 1
    assert all(field.get("ind2") in "#0" for record in records for field in record.iter(f"{MARC}datafield"))
    copies = Counter(label for (source, _), label in truth().items() if source == "bahari")
    assert sum(count > 1 for count in copies.values()) >= 30


def test_slims_puts_isbn_place_and_collation_where_slims_puts_them() -> None:
    text = b"\n".join(payloads(BY_CODE["melati"]).values()).decode()
    for sign in ("<dc:identifier_isbn>", "<dc:coverage>Jakarta<", "hlm. : ilus. ; 2", "<image>cover_", "Cetakan ke-"):
        assert sign in text
    assert "disi" not in "".join(line for line in text.splitlines() if "<dc:description>" in line)


def test_the_older_slims_endpoint_doubles_titles_and_gives_three_bare_identifiers() -> None:
    copy = next(one for one in holdings.copies("S", 1) if any(not word.isascii() for word in slims._title(one)))
    record = etree.fromstring(slims.render_oai(copy)["oai_dc"], STRICT)
    title = record.findtext(f"{DC}title") or ""
    assert title != slims._title(copy) == title.encode("latin-1").decode()
    assert len(record.findall(f"{DC}identifier")) >= 2


def test_inlislite_puts_constants_on_every_record() -> None:
    found = [BY_CODE["bahari"].render(copy)["oai_dc"] for copy in holdings.copies("I", 1)]
    assert all(b"<dc:format>application/pdf</dc:format>" in payload for payload in found)


def test_the_sheet_has_indonesian_headers_empty_cells_and_a_number_lost_to_the_spreadsheet() -> None:
    rows = list(csv.DictReader(io.StringIO(sample.sheet_text(1))))
    assert list(rows[0]) == ["No. Induk", "Judul", "Pengarang", "Penerbit", "Tempat", "Tahun", "ISBN", "Klas", "Eks."]
    assert len(rows) == COUNTS["smpn1"] == len({row["No. Induk"] for row in rows})
    assert sum(not row["ISBN"] for row in rows) > 20
    assert any("E+12" in row["ISBN"] for row in rows)
    assert any(row["Judul"].isupper() for row in rows)


def test_one_bogus_isbn_stands_on_many_unlike_works_at_three_partners() -> None:
    carriers = defaultdict(set)
    for library in LIBRARIES:
        for copy in holdings.copies(library.letter, 1):
            if numbers.BOGUS.encode() in library.render(copy)[library.format]:
                carriers[library.code].add(copy.of.title)
    assert len(set().union(*carriers.values())) >= 6 and len(carriers) == 3


@pytest.mark.parametrize(
    "label",
    ["laskar-pelangi", "laskar-pelangi/video", "laskar-pelangi/online", "habis-gelap", "t-motivasi-1", "wulangreh"],
)
def test_the_cases_that_a_newcomer_asks_for_are_there(label: str) -> None:
    assert label in truth().values()


def test_printings_parts_editions_scripts_and_spellings_are_there() -> None:
    every = {library.code: b"\n".join(payloads(library).values()).decode() for library in LIBRARIES}
    together = "\n".join(every.values())
    for sign in ("Cet. 12.", "Jilid 2", "Jilid II", "Edisi revisi", "dkk.", "ꦱꦼꦫꦠ꧀", "Tafsīr", "تفسير", "Tafsir al-"):
        assert sign in together, sign
    for spelling in ("Soekarno", "Sukarno", "Prof. Dr. H. M. Quraish Shihab, M.A.", "Shihab, M. Quraish"):
        assert spelling in together, spelling
    assert "Sukarno" in every["melati"] + every["bahari"] or "Soekarno" in every["melati"] + every["bahari"]


def test_many_manifestations_are_held_by_several_partners() -> None:
    holders = defaultdict(set)
    for address, label in truth().items():
        holders[label].add(address.source)
    assert sum(len(codes) > 1 for codes in holders.values()) >= 100
    assert sum(len(codes) == 4 for codes in holders.values()) >= 8


# ---- nights -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library.code)
def test_night_two_brings_edits_insertions_and_deletions(library: Library) -> None:
    one, two = payloads(library, 1), payloads(library, 2)
    changed = [key for key in one.keys() & two.keys() if one[key] != two[key]]
    assert two.keys() - one.keys() and one.keys() - two.keys() and changed


def test_one_record_of_night_two_is_no_xml_and_is_repaired_on_night_three() -> None:
    broken = []
    for night in holdings.NIGHTS:
        for key, payload in payloads(BY_CODE["bahari"], night).items():
            try:
                etree.fromstring(payload, STRICT)
            except etree.XMLSyntaxError:
                broken.append((night, truth()[Address("bahari", key)]))
    assert broken == [(2, "habibie-ainun")]


def test_stock_sickle_sees_every_partner_as_its_store_is(tmp_path: Path) -> None:
    with Sample(tmp_path) as demo:
        for night in (1, 2):
            if night > 1:
                demo.night(night)
            for code in demo.served:
                live = {key for key, deleted in harvested(demo, code).items() if not deleted}
                assert live == set(demo.oracle(code))
                assert live == set(payloads(BY_CODE[code], night))


def test_only_koha_tells_its_deletions_and_its_edits(tmp_path: Path) -> None:
    with Sample(tmp_path) as demo:
        before = demo.sheet.read_text(encoding="utf-8")
        demo.night(2)
        told = {code: harvested(demo, code, **{"from": "2026-03-03"}) for code in demo.served}
    gone = {code: sum(deleted.values()) for code, deleted in told.items()}
    assert gone == {"cendekia": holdings.GONE["K"], "melati": 0, "bahari": 0}
    assert len(told["cendekia"]) == sum(kind["K"] for kind in (holdings.GONE, holdings.EDITED, holdings.ARRIVING))
    assert len(told["melati"]) == holdings.ARRIVING["S"], "SLiMS lists by creation: its edits are never told"
    assert before != sample.sheet_text(2)


def test_a_broken_page_breaks_off_all_night_and_is_whole_on_the_next(tmp_path: Path) -> None:
    arguments = {"verb": "ListRecords", "metadataPrefix": "marcxml"}
    with Sample(tmp_path) as demo:
        demo.night(2, broken_page=True)
        broken = [requests.get(demo.simulator.url("bahari"), arguments, timeout=60) for _ in range(3)]
        demo.night(3)
        whole = requests.get(demo.simulator.url("bahari"), arguments, timeout=60)
    assert all(answer.status_code == 200 and not answer.text.endswith("</OAI-PMH>\n") for answer in broken)
    assert whole.text.endswith("</OAI-PMH>\n")


def test_partners_say_what_stands_in_their_files(tmp_path: Path) -> None:
    with Sample(tmp_path) as demo:
        found = {partner.code: partner for partner in demo.partners()}
        assert set(found) == set(COUNTS)
        assert found["cendekia"].source["url"] == demo.simulator.url("cendekia")
        assert Path(found["smpn1"].source["url"]).is_file()


def test_truth_knows_every_record_that_the_servers_list(tmp_path: Path) -> None:
    with Sample(tmp_path) as demo:
        for code in demo.served:
            assert all((code, key) in truth() for key in demo.oracle(code))


def test_the_score_counts_pairs() -> None:
    by_label = defaultdict(list)
    for address, label in truth().items():
        by_label[label].append(address)
    perfect = score(by_label.values())
    assert perfect.precision == perfect.recall == 1 and perfect.wanted > 400
    apart = score([address] for address in truth())
    assert (apart.precision, apart.recall, apart.wanted) == (1, 0, perfect.wanted)
    everything = score([list(truth())])
    assert everything.recall == 1 and everything.precision < 0.01
