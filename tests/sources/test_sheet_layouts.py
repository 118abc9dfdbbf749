"""Every built-in layout reads the small sheet in its own file."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from openpyxl import load_workbook

from harvester import yaml_file
from harvester.errors import ConfigError
from harvester.model import HarvestedRecord
from harvester.sources import sheet_layout, sheet_template
from harvester.sources.files import OPTIONS
from harvester.sources.sheets import Sheets
from harvester.text import fold

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


def test_the_template_for_schools_reads_back_when_it_is_filled_in() -> None:
    book = load_workbook(io.BytesIO(sheet_template.write()))
    sheet = book["Buku"]
    for column, value in ((2, "Bumi manusia"), (4, "Toer, Pramoedya Ananta"), (9, "005"), (16, "0012"), (17, "2")):
        sheet.cell(2, column).value = value
    target = io.BytesIO()
    book.save(target)
    found = list(Sheets("buku.xlsx").found(io.BytesIO(target.getvalue())))
    (record,) = [each for each in found if isinstance(each, HarvestedRecord)]
    assert record.identifier == "inv:12"
    assert json.loads(record.payload)["cells"] == {
        "title": ["Bumi manusia"],
        "author": ["Toer, Pramoedya Ananta"],
        "classification": ["005"],
        "inventory": ["0012"],
        "copies": ["2"],
    }
    assert [each for each in found if isinstance(each, str)] == ["sheet-ignored:Petunjuk"]


def test_every_column_of_the_template_is_known_or_ignored() -> None:
    layout = sheet_layout.load("school-xlsx")
    header = [cell.value for cell in next(load_workbook(io.BytesIO(sheet_template.write()))["Buku"].iter_rows())]
    assert [name for name in header if not layout.column(str(name)) and fold(str(name)) not in layout.ignored] == []


def test_the_documentation_names_every_option() -> None:
    text = (Path(__file__).parents[2] / "docs" / "files.md").read_text(encoding="utf-8")
    assert [option for option in OPTIONS if f"`{option}`" not in text] == []
