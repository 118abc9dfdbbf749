"""The list of fault cases names tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parents[1]
ZOO: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("zoo.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", ZOO)
def test_a_case_of_the_zoo_has_its_tests(case: str) -> None:
    for place in ZOO[case]:
        name, _, start = place.partition("::")
        tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
        found = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
        assert [one for one in found if one.startswith(start)], place
