"""Section D of the fault zoo: every case has its tests, and those that were in no other file."""

from __future__ import annotations

import ast
import unicodedata
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from harvester.errors import ConfigError, RecordError
from harvester.formats import iso2709
from harvester.match import profile as profiling
from harvester.match.rules import load
from harvester.model import MarcRecord
from harvester.normalize import mapping as mappings
from harvester.normalize.apply import Context, normalize
from harvester.normalize.identity import record_identifier
from tests.formats.records import RECORDS
from tests.formats.test_iso2709 import by_hand

TESTS = Path(__file__).parents[1]
ZOO: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("zoo.yaml").read_text(encoding="utf-8"))
MARC21 = mappings.for_source("generic", "iso2709")


def test_every_case_is_in_the_list() -> None:
    numbers = (63, 65, 67, 69, 70, *range(72, 76), *range(77, 85))
    assert set(ZOO) == {f"Z{number:03}" for number in numbers}


@lru_cache
def functions_of(name: str) -> tuple[str, ...]:
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    return tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("case", sorted(ZOO))
def test_a_case_of_the_zoo_has_its_tests(case: str) -> None:
    for place in ZOO[case]:
        name, _, start = place.partition("::")
        assert [one for one in functions_of(name) if one.startswith(start)], place


@pytest.mark.parametrize("title", ["Sêrat Wédhatama", "Iḥyāʼ ʻulūm al-dīn", "Truyện Kiều", "Nedzi\u0361e"])
def test_z072_composed_and_decomposed_letters_match_alike(title: str) -> None:
    half_marks = title.replace("i\u0361e", "i\ufe20e\ufe21")
    forms = {title, unicodedata.normalize("NFD", title), unicodedata.normalize("NFC", title), half_marks}
    made = set()
    for form in forms:
        record = MarcRecord("00000nam a2200000 a 4500", (("245", f"10\x1fa{form}"),))
        made.add(profiling.profile(normalize(record, MARC21, Context()).record, load()).title)
    assert len(forms) > 1 and len(made) == 1


def test_z073_unknown_codes_stand_as_replacement_with_a_flag_and_never_raise() -> None:
    for raw in (b"\x1b", b"A\x1b(", b"\x1b$1!0", b"\x1b(3\x7e\x1b", b"\x1b)Q\xff", b"e\xe2"):
        record = iso2709.parse(by_hand([("001", b"1"), ("245", b"10\x1fa" + raw)]))
        assert "\x1b" not in record.bodies("245")[0]
        assert record.flags, raw


@pytest.mark.parametrize("payload", [RECORDS[0][:20], RECORDS[0][:24], b"", b"00024nam a2200025 a 4500\x1d"])
def test_z077_a_leader_alone_or_less_costs_one_record_and_its_reason_is_said(payload: bytes) -> None:
    with pytest.raises(RecordError) as caught:
        iso2709.parse(payload)
    assert caught.value.reason and caught.value.message


@pytest.mark.parametrize("written", [" 0012\x07 ", "0012", "00\t12 "])
def test_z078_blanks_and_controls_around_a_number_make_no_second_record(written: str) -> None:
    record = MarcRecord("00000nam a2200000 a 4500", (("001", written), ("245", "10\x1faX")))
    assert record_identifier(record, "marc", "001", "").replace(" ", "") == "0012"


@pytest.mark.parametrize("text", ["!!python/object/apply:os.system [echo]", "a: &a [*a]\nb: *a", "{: }", "\t- x"])
def test_z081_a_mapping_file_that_is_more_than_data_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        mappings.load("bad", [tmp_path])
