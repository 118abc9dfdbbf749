"""Every fault case of the sections F, G and J has a test and a red proof, and the list of them names what exists."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).parents[1]
ZOO: dict[str, dict[str, list[str]]] = yaml.safe_load(Path(__file__).with_name("zoo.yaml").read_text(encoding="utf-8"))
CASES = {
    *(f"Z{number:03}" for number in (94, 95, 96, 97, 98, *range(100, 104), *range(105, 110))),
    *(f"Z{number}" for number in (110, 111, 112, *range(114, 120))),
    *(f"Z{number}" for number in (*range(141, 147), *range(148, 153))),
}


def test_every_case_is_in_the_list() -> None:
    assert set(ZOO) == CASES


@lru_cache
def functions_of(name: str) -> tuple[str, ...]:
    tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
    return tuple(node.name for node in tree.body if isinstance(node, ast.FunctionDef))


@pytest.mark.parametrize("case", sorted(ZOO))
def test_a_case_of_the_zoo_has_its_tests_and_a_red_proof(case: str) -> None:
    assert set(ZOO[case]) == {"shows", "red"}
    for places in ZOO[case].values():
        assert places
        for place in places:
            name, _, start = place.partition("::")
            assert [one for one in functions_of(name) if one.startswith(start)], place
