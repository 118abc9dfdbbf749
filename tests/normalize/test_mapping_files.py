"""The mapping files that we ship: they compile, their own tests pass, their functions' manual pages are right."""

import doctest
import importlib
import pickle
import pkgutil
from pathlib import Path

import pytest

import harvester.normalize
import mappings
from harvester.errors import ConfigError
from harvester.normalize.check import run_tests
from harvester.normalize.compile import RULE_KEYS
from harvester.normalize.describe import describe
from harvester.normalize.functions import functions
from harvester.normalize.identity import IDENTIFIER_RULES
from harvester.normalize.layers import FAMILY_OF_FORMAT, KEYS
from harvester.normalize.mapping import for_source, load

FOLDER = Path(mappings.__file__).parent
MAPPINGS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
PRESETS = sorted(path.stem for path in (FOLDER / "presets").glob("*.yaml"))


@pytest.mark.parametrize("name", MAPPINGS)
def test_the_tests_inside_each_mapping_pass(name):
    mapping = load(name)
    assert mapping.tests
    assert [str(failure) for failure in run_tests(mapping)] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_each_preset_compiles_for_every_format_and_its_tests_pass(preset):
    for name in FAMILY_OF_FORMAT:
        assert [str(failure) for failure in run_tests(for_source(preset, name))] == []


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_can_be_loaded_whole_with_the_tests_of_all_its_formats(preset):
    whole = load(preset)
    assert [str(failure) for failure in run_tests(whole)] == []
    assert preset != "inlislite" or sum(len(one.tests) for one in (whole, *whole.others)) == 3


def test_a_mapping_travels_to_a_worker_process_and_stays_the_same():
    mapping = for_source("koha", "marcxml")
    copy = pickle.loads(pickle.dumps(mapping))
    assert (copy.hash, copy.volatile, len(copy.rules)) == (mapping.hash, mapping.volatile, len(mapping.rules))


def test_the_hash_follows_every_text_that_made_the_mapping(tmp_path):
    plain = for_source("generic", "oai_dc")
    (tmp_path / "tables").mkdir()
    table = (FOLDER / "tables" / "relators.yaml").read_text("utf-8")
    (tmp_path / "tables" / "relators.yaml").write_text(table + "# one remark more\n", "utf-8")
    assert for_source("generic", "oai_dc", [tmp_path]).hash != plain.hash


@pytest.mark.parametrize(
    "module", sorted(m.name for m in pkgutil.walk_packages(harvester.normalize.__path__, "harvester.normalize."))
)
def test_the_examples_in_the_manual_pages_are_right(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_every_function_has_a_manual_page_with_an_example():
    for name, function in functions:
        assert function.__doc__ and ">>>" in function.__doc__, name
        assert Path(harvester.normalize.__path__[0], "functions", f"{name}.py").is_file(), name


def test_the_docs_list_every_function_and_no_other():
    _, _, section = Path("docs/mapping.md").read_text("utf-8").partition("## Functions")
    listed = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert listed == functions.names()


def test_the_docs_name_every_key_of_rules_and_files():
    text = Path("docs/mapping.md").read_text("utf-8")
    for key in (*RULE_KEYS, *KEYS, *IDENTIFIER_RULES):
        assert f"`{key}" in text or f"`{key}`" in text, key


def test_a_mapping_can_be_shown_as_a_table():
    lines = {line.field: line for line in describe(load("marc21"))}
    assert lines["edition"].source == "read 250$a" and lines["edition"].functions == "edition"
    assert lines["edition"].place.startswith("marc21.yaml:")


def test_a_partners_mapping_extends_a_preset_and_says_only_what_differs(tmp_path):
    head = "mapping: ours\nextends: inlislite\n"
    added = "add:\n  notes: {from: 310$a, do: {note: {kind: frequency}}}\n"
    (tmp_path / "ours.yaml").write_text(head + "family: marc\n" + added, "utf-8")
    ours, preset = load("ours", [tmp_path]), for_source("inlislite", "iso2709")
    assert (ours.identifier_rule, ours.volatile) == (preset.identifier_rule, preset.volatile)
    assert len(ours.rules) == len(preset.rules) + 1
    (tmp_path / "ours.yaml").write_text(head + "family: dc\n", "utf-8")  # what the preset says of Dublin Core
    assert len(load("ours", [tmp_path]).rules) == len(for_source("inlislite", "oai_dc").rules)
    (tmp_path / "inlislite.yaml").write_text("mapping: inlislite\nextends: inlislite\n", "utf-8")
    with pytest.raises(ConfigError, match="extends itself"):
        load("inlislite", [tmp_path])
