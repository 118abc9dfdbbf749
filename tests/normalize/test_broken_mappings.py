"""Broken mapping files: the right file, the right line, and a sentence that helps."""

from pathlib import Path

import pytest

from harvester.errors import ConfigError
from harvester.normalize.mapping import for_source, load
from harvester.yaml_file import read

PRESET = "preset: ours\nformats:\n  marc:\n    extends: marc21\n    feilds: {}\n"
CASES = read(Path(__file__).with_name("broken_mappings.yaml")).value["cases"]


def test_there_are_at_least_thirty_cases():
    assert len(CASES) >= 30


@pytest.mark.parametrize("case", CASES, ids=[case["label"] for case in CASES])
def test_a_broken_mapping_names_line_and_remedy(case, tmp_path):
    (tmp_path / "x.yaml").write_text(case["text"], "utf-8")
    with pytest.raises(ConfigError) as caught:
        load("x", [tmp_path])
    problems = caught.value.problems
    assert len(problems) == len(case["expect"]), problems
    for problem, expected in zip(problems, case["expect"], strict=True):
        assert problem.startswith(f"x.yaml:{expected['line']}: "), problem
        for words in expected["words"]:
            assert words in problem, problem


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean koha"):
        for_source("kohaa", "marcxml")


def test_an_unknown_format_lists_the_known_ones():
    with pytest.raises(ConfigError, match="did you mean marcxml"):
        for_source("koha", "marcxm")


def test_a_mistake_in_a_preset_names_the_preset(tmp_path):
    (tmp_path / "ours.yaml").write_text(PRESET, "utf-8")
    with pytest.raises(ConfigError) as caught:
        for_source("ours", "marcxml", [tmp_path])
    assert caught.value.problems == ("ours.yaml:5: unknown key 'feilds' (did you mean fields?)",)


def test_a_preset_may_not_extend_a_mapping_of_another_family(tmp_path):
    (tmp_path / "ours.yaml").write_text("preset: ours\nformats:\n  marc:\n    extends: oai_dc\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load("ours", [tmp_path])
    assert caught.value.problems == ("ours.yaml:4: oai_dc reads dc, not marc",)


def test_a_name_that_is_a_path_is_no_mapping(tmp_path):
    with pytest.raises(ConfigError, match="there is no mapping"):
        load("../presets/koha", [tmp_path])
