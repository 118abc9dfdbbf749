"""The tables that we ship: no word stands for two values, and a mistake in one names its line."""

from collections import Counter
from pathlib import Path

import pytest

import mappings
from harvester.normalize.tables import key, table_of
from harvester.yaml_file import read

FOLDER = Path(mappings.__file__).parent / "tables"
TABLES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("name", TABLES)
def test_no_word_stands_for_two_values(name):
    content = read(FOLDER / f"{name}.yaml").value
    assert content["table"] == name
    words = Counter(key(str(word)) for value, names in content["values"].items() for word in dict.fromkeys(names))
    if not content.get("closed"):
        for value, names in content["values"].items():
            words[key(value)] += key(value) not in {key(str(word)) for word in names}
    assert [word for word, count in words.items() if count > 1] == []


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("languages", "Bahasa Indonesia", "ind"),
        ("languages", "no", "nor"),  # YAML 1.1 would have made it false
        ("languages", "id", "ind"),
        ("marc_countries", "io", "ID"),
        ("marc_countries", "si", "SG"),  # in ISO it would be Slovenia
        ("marc_countries", "no", "NO"),
        ("countries", "Belanda", "NL"),
        ("relators", "pembimbing.", "advisor"),
        ("relators", "Penguji II", "examiner"),
        ("relators", "alih bahasa", "translator"),
        ("relators", "bogus", None),
    ],
)
def test_a_word_finds_its_value_whatever_its_case_and_marks(name, text, value):
    assert table_of(read(FOLDER / f"{name}.yaml")).find(text) == value
