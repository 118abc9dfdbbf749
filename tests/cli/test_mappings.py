"""Mappings and presets of one's own on the command line: a file that is being written, a partner that names one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import Call

PRESET = """\
preset: koha-kota
title: Koha of the city
formats:
  marc:
    extends: koha
    add:
      notes: {from: "590$a", do: [{note: {kind: general}}]}
    tests:
      - name: a local note
        record: |
          =LDR  00000nam\\a22\\\\\\\\\\a\\4500
          =245  00$aIndonesia
          =590  \\\\$aHadiah
          =952  \\\\$p17$0 0
        expect: {title.proper: Indonesia, notes.0.text: Hadiah, holdings.0.items: ["17"]}
"""
PARTNER = "code: kota\nname: Kota\nsource: {protocol: files, url: inbox, preset: koha-kota}\n"
MARC = """<collection xmlns="http://www.loc.gov/MARC21/slim"><record><leader>00000nam a2200000 a 4500</leader>
<controlfield tag="001">17</controlfield>
<datafield tag="245" ind1="0" ind2="0"><subfield code="a">Indonesia</subfield></datafield>
<datafield tag="590" ind1=" " ind2=" "><subfield code="a">Hadiah</subfield></datafield>
</record></collection>
"""


@pytest.fixture
def call(tmp_path: Path) -> Call:
    (tmp_path / "partners.d").mkdir()
    (tmp_path / "mappings" / "presets").mkdir(parents=True)
    (tmp_path / "induk.yaml").write_text("name: Uji\n", encoding="utf-8")
    return Call(tmp_path)


def test_a_mapping_file_is_checked_and_tested_where_it_lies(call: Call) -> None:
    draft = call.folder / "koha-kota.yaml"
    draft.write_text(PRESET, encoding="utf-8")
    assert call.json("mapping", "check", str(draft)) == {"checked": [str(draft)], "problems": []}
    code, out, _ = call("mapping", "test", str(draft))
    assert (code, "good" in out) == (0, True)
    draft.write_text(PRESET.replace("extends: koha", "extend: koha").replace("add:", "ad:"), encoding="utf-8")
    code, out, err = call("mapping", "check", str(draft))
    assert (code, out) == (2, "")
    assert "koha-kota.yaml:5: unknown key 'extend' (did you mean extends?)" in err
    assert "koha-kota.yaml:6: unknown key 'ad'" in err
    code, out, _ = call("mapping", "check", str(draft), "--json")
    assert code == 2
    assert '"file": "koha-kota.yaml", "line": 5, "message": "unknown key \'extend\'' in out


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.yaml", "mapping: a\n  b: [", "a.yaml:2: is no YAML"),
        ("a.yaml", "- 1\n", "a.yaml:1: is no mapping file"),
        ("a.yaml", "", "a.yaml:1: is no mapping file"),
        ("my draft.yaml", PRESET, "my draft.yaml: the name of a mapping file"),
        ("a.yml", PRESET, "ends in .yaml"),
    ],
)
def test_what_is_no_mapping_file_is_told_as_such(call: Call, name: str, text: str, said: str) -> None:
    path = call.folder / name
    path.write_text(text, encoding="utf-8")
    code, _, err = call("mapping", "check", str(path))
    assert (code, said in err) == (2, True), err
    assert "Traceback" not in err


def test_a_file_that_is_not_there_is_no_unknown_mapping(call: Call) -> None:
    assert "there is no such mapping file" in call("mapping", "check", str(call.folder / "b.yaml"))[2]
    assert "there is no mapping 'b'" in call("mapping", "check", "b")[2]


def test_a_partner_may_name_a_preset_of_ones_own(call: Call) -> None:
    (call.folder / "mappings" / "presets" / "koha-kota.yaml").write_text(PRESET, encoding="utf-8")
    (call.folder / "partners.d" / "kota.yaml").write_text(PARTNER, encoding="utf-8")
    (call.folder / "kota.xml").write_text(MARC, encoding="utf-8")
    assert "koha-kota" in call("mapping", "check")[1]
    assert call("config", "check")[0] == 0
    assert call("db", "upgrade")[0] == 0
    code, _, err = call("import", str(call.folder / "kota.xml"), "--partner", "kota", "--yes")
    assert code == 0, err
    assert [one["text"] for one in call.json("record", "show", "kota/17")["normalized"]["notes"]] == ["Hadiah"]


def test_mistakes_in_such_a_preset_and_a_name_that_is_none_are_told_before_anything_is_done(call: Call) -> None:
    wrong = PRESET.replace("extends: koha", "extends: kohha")
    (call.folder / "mappings" / "koha-kota.yaml").write_text(wrong, encoding="utf-8")
    (call.folder / "partners.d" / "kota.yaml").write_text(PARTNER, encoding="utf-8")
    assert call("db", "upgrade")[0] == 0
    code, _, err = call("harvest", "kota")
    assert (code, "koha-kota.yaml:5" in err) == (2, True), err
    call("partner", "add", "desa", "kotak", "--protocol", "files", "--preset", "koha-desa")
    (call.folder / "mitra.csv").write_text("code,url,protocol,preset\nlain,x,files,koha-desa\n", encoding="utf-8")
    code, _, err = call("partner", "import", str(call.folder / "mitra.csv"))
    assert (code, "mitra.csv:2: " in err) == (2, True), err
    assert sorted(path.name for path in (call.folder / "partners.d").iterdir()) == ["kota.yaml"]
