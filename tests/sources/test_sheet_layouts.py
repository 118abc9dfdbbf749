"""Every built-in layout reads the small sheet in its own file."""

from __future__ import annotations

import io
import json

import pytest

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.model import HarvestedRecord
from harvester.sources import sheet_layout
from harvester.sources.sheets import Sheets

CASES = [
    pytest.param(name, case, id=f"{name}: {case['label']}")
    for name, layout in sheet_layout.built_in().items()
    for case in layout.tests
]


@pytest.mark.parametrize("chosen", [True, False], ids=["named", "guessed"])
@pytest.mark.parametrize(("name", "case"), CASES)
def test_the_sheet_in_a_layout_file_reads_as_it_says(name: str, case: dict[str, object], chosen: bool) -> None:
    sheets = Sheets("contoh.csv", layout=name if chosen else "")
    found = list(sheets.found(io.BytesIO(str(case["text"]).encode())))
    records = [each for each in found if isinstance(each, HarvestedRecord)]
    expected = case["expect"]
    assert isinstance(expected, dict)
    if "identifier" in expected:
        assert records[0].identifier == expected["identifier"]
    cells = json.loads(records[0].payload)["cells"]
    assert {name: cells.get(name) for name in expected["cells"]} == expected["cells"]


def test_there_are_the_four_layouts() -> None:
    assert set(sheet_layout.built_in()) == {"slims-biblio-csv", "slims-item-csv", "inlislite-xlsx", "school-xlsx"}


def test_a_wrong_layout_tells_every_mistake_with_its_line() -> None:
    text = """\
layout: x
rows: title
lists: comma
columns:
  title: {names: [judul], typ: text}
  author: {names: [judul], type: lst, letter: 3}
order: [titel]
"""
    with pytest.raises(ConfigError) as caught:
        sheet_layout.checked(yaml_file.parse(text, name="x.yaml"))
    assert list(caught.value.problems) == [
        "x.yaml:2: unknown key 'rows' (did you mean row?)",
        "x.yaml:3: lists must be one of semicolon, angle",
        "x.yaml:5: unknown key 'typ' (did you mean type?)",
        "x.yaml:6: unknown type 'lst' (did you mean list?)",
        "x.yaml:6: a letter is such as A or AB",
        "x.yaml:6: 'judul' names column 'title' already",
        "x.yaml:7: unknown column 'titel' (did you mean title?)",
    ]


def test_an_unknown_layout_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean school-xlsx"):
        sheet_layout.load("school-xls")
