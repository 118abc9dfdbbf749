"""match.yaml: every mistake at once, with its line and a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from harvester.errors import ConfigError
from harvester.match.rules import load, parse

RULES = load()


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return caught.value.problems


def test_the_shipped_rules_load_and_name_themselves_by_hash() -> None:
    assert RULES.review_at < RULES.merge_at
    assert len(RULES.hash) == 64
    assert parse(RULES.text).hash == RULES.hash
    assert parse(RULES.text + "# a comment\n").hash != RULES.hash


def test_every_mistake_is_reported_at_once_with_line_and_suggestion() -> None:
    text = (
        "thresholds: {merge: 5, review: many}\n"
        "impression: sometimes\n"
        "points:\n"
        "  isbm: {shared: 14}\n"
        "  pages: {equol: 3}\n"
        "vetos: {}\n"
        "suspend_at: {isbn: -1}\n"
    )
    found = problems(text)
    assert [line.split(": ")[0] for line in found] == [
        "match.yaml:6",
        "match.yaml:1",
        "match.yaml:2",
        "match.yaml:4",
        "match.yaml:5",
        "match.yaml:7",
    ]
    assert any("did you mean isbn?" in line for line in found)
    assert any("did you mean equal?" in line for line in found)
    assert any("did you mean vetoes?" in line for line in found)


def test_review_above_merge_is_refused() -> None:
    assert "review stands above merge" in problems("thresholds: {merge: -7, review: 0}\n")[0]


def test_a_veto_by_a_code_takes_no_exception() -> None:
    text = "thresholds: {merge: 0, review: -5}\nvetoes: {form: {different: {why: carrier, unless: {pages: [equal]}}}}\n"
    assert "has no exception" in problems(text)[0]


def test_a_file_that_is_not_there_is_the_operators_to_mend(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "match.yaml")


def test_a_material_overlays_the_points_of_books() -> None:
    def points(material: str) -> dict[str, float]:
        return {
            feature.name + "." + outcome: value
            for stage in RULES.tables[material].stages
            for feature in stage
            for outcome, value in feature.points.items()
        }

    book, serial = points("book"), points("serial")
    assert book["year.one"] != serial["year.one"]
    assert book["isbn.shared"] == serial["isbn.shared"]


def test_no_field_is_enough_on_one_side_for_one_comparison_and_needed_on_both_for_another() -> None:
    """A plan is found by one set of fields."""
    features = [feature for stage in RULES.tables["book"].stages for feature in stage]
    needed = {name for feature in features for name in feature.comparison.both}
    enough = {name for feature in features for name in feature.comparison.either}
    assert needed and enough
    assert needed.isdisjoint(enough)


def test_missing_never_earns_points() -> None:
    for table in RULES.tables.values():
        for stage in table.stages:
            assert all(feature.points["missing"] == 0 for feature in stage)
