"""The command line in Indonesian: every text is marked and said, codes and --json have no language."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harvester.cli._speech import wished
from harvester.i18n import HOLE, sentences
from tests.cli import texts
from tests.web.texts import catalogue

KNOWN = {message.id: message.string for message in catalogue() if message.id}
said = sentences("id")


# ---- nothing is forgotten --------------------------------------------------------------------------------


def test_nothing_is_printed_for_people_that_is_not_marked() -> None:
    assert texts.bare() == [], "mark it: _(…) for a text, told(…) for a sentence made elsewhere"


@pytest.mark.parametrize(
    "code,words",
    [
        ('shell.say(f"{count} records")', [" records"]),
        ("shell.say(f\"{_('good')}: {names}\")", []),
        ('shell.say(_("{n} records", n=answer["records"]) if some else "nothing")', ["nothing"]),
        ('shell.note(answer["reason"])', []),
    ],
)
def test_the_search_for_unmarked_texts_sees_what_a_person_would_read(code: str, words: list[str]) -> None:
    call = ast.parse(code).body[0].value  # type: ignore[attr-defined]
    assert [one.value for one in texts.unmarked(call.args[0])] == words


@pytest.mark.parametrize("read", [texts.helps, texts.heads, texts.marked, texts.sentences])
def test_every_text_of_the_command_line_has_an_indonesian_translation(read: Callable[[], dict[str, str]]) -> None:
    found = read()
    assert len(found) > 100
    assert [f"{file} {text}" for text, file in found.items() if not KNOWN.get(text)] == []


def test_every_sentence_is_found_again_after_its_holes_were_filled() -> None:
    """Else one template swallows another, or the fixed words of one stand in a hole of the next."""
    for text in texts.sentences():
        values = [f"nilai-{number}" for number in range(1, 10)]
        filled = HOLE.sub(lambda hole, v=values: v[int(hole[1]) - 1], text)
        wanted = HOLE.sub(lambda hole, v=values: v[int(hole[1]) - 1], KNOWN[text])
        assert said(filled) == wanted, text


# ---- sentences that were made in English -----------------------------------------------------------------


@pytest.mark.parametrize(
    "english,indonesian",
    [
        ("no cluster 17", "tidak ada gugus 17"),
        ("ugm/1: no such record", "ugm/1: cantuman itu tidak ada"),
        (
            "induk.yaml:3: unknown key 'databse' (did you mean database?)",
            "induk.yaml:3: kunci 'databse' tidak dikenal (mungkin maksud Anda database?)",
        ),
        (
            "ugm: 30 of 100 records would be deleted; at most 10 go without approval",
            "ugm: 30 dari 100 cantuman akan dihapus; tanpa persetujuan paling banyak 10",
        ),
        (
            "the list did not end; a token or page came again",
            "daftar tidak berakhir; ada token atau halaman yang datang lagi",
        ),
        ("halted", "halted"),
        ("Laskar pelangi / Andrea Hirata", "Laskar pelangi / Andrea Hirata"),
    ],
)
def test_a_finished_sentence_is_said_in_indonesian_and_its_data_stay(english: str, indonesian: str) -> None:
    assert said(english) == indonesian
    assert sentences("en")(english) == english


def test_a_hostile_text_is_said_in_no_time() -> None:
    began = time.process_time()
    for text in ("of (" * 900, "; " * 1900, ": ".join(["a"] * 1300), "no cluster " * 300, "x" * 1_000_000):
        said(text)
    assert time.process_time() - began < 5.0


# ---- which language --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words,environ,language",
    [
        ([], {}, ""),
        ([], {"LANG": "id_ID.UTF-8"}, "id"),
        ([], {"LANG": "id_ID.UTF-8", "LC_ALL": "C.UTF-8"}, ""),
        ([], {"LANG": "en_GB.UTF-8", "LC_MESSAGES": "id_ID"}, "id"),
        ([], {"LANG": "en_US.UTF-8", "LANGUAGE": "jv:id:en"}, "id"),
        ([], {"LANG": "nl_NL.UTF-8"}, "en"),
        ([], {"LANG": "id_ID.UTF-8", "INDUK_LANG": "en"}, "en"),
        (["run", "list", "--lang", "id"], {"LANG": "en_US"}, "id"),
        (["run", "list", "--lang=en"], {"LANG": "id_ID"}, "en"),
        (["run", "list", "--lang=fr"], {"LANG": "id_ID"}, "en"),
    ],
)
def test_the_language_is_that_of_the_words_the_setting_or_the_locale(
    words: list[str], environ: dict[str, str], language: str
) -> None:
    assert wished(words, environ) == language


# ---- as a technician uses it -----------------------------------------------------------------------------


class Terminal:
    """`induk` in a process of its own, in a folder and a language."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *words: str, lang: str = "id_ID.UTF-8", config: bool = True) -> tuple[int, str, str]:
        kept = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "INDUK_LANG", "INDUK_CONFIG")
        environ = {name: value for name, value in os.environ.items() if name not in kept} | {"LANG": lang}
        if config:
            environ["INDUK_CONFIG"] = str(self.folder / "induk.yaml")
        done = subprocess.run(
            [sys.executable, "-m", "harvester", *words], capture_output=True, text=True, env=environ, cwd=self.folder
        )
        return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Terminal, str]:
    """The demo, run in Indonesian, and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    code, out, err = Terminal(folder)("demo", "--folder", str(folder / "katalog"), config=False)
    assert code == 0, err
    return Terminal(folder / "katalog"), out


@pytest.mark.slow
def test_the_demo_tells_its_story_in_indonesian(demo: tuple[Terminal, str]) -> None:
    _, out = demo
    for text in ("Malam pertama: semuanya baru", "dicocokkan 518 cantuman", "Keduanya dalam satu gugus", "ISBN: sama",
                 "jawaban terputus atau rusak", "tidak: semua pemeriksaan `induk db verify` baik"):  # fmt: skip
        assert text in out
    assert not {"records", "cluster", "received", "evidence", "because"} & set(out.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "words,code,texts_said",
    [
        (("--help",), 0, ["Pemakaian:", "Panen cantuman mitra", "Tampilkan bantuan ini, lalu keluar."]),
        (("partner", "--help"), 0, ["Perintah:", "Hentikan sementara panen seorang mitra"]),
        (("run", "list", "--help"), 0, ["Hanya proses sumber ini.", "[bawaan: 20", "Bahasa pesan"]),
        (("partner", "list"), 0, ["kode\tstatus\tcantuman\tgugus", "bahari\tactive\t"]),
        (("quarantine", "list"), 0, ["jawaban terputus di tengah cantuman", "\ttruncated\t"]),
        (("report", "nightly"), 0, ["cantuman dalam", "tidak terdengar sejak"]),
        (("db", "verify"), 0, ["baik\t0\taliran perubahan tidak bercelah"]),
        (("doctor",), 1, ["baik\tkonfigurasi\tbaik", "SALAH\talamat sumber bahari", "Sambungan ditolak"]),
        (("cluster", "show", "99999"), 2, ["tidak ada gugus 99999"]),
        (("partner", "show", "bahri"), 2, ["mitra 'bahri' tidak dikenal (mungkin maksud Anda bahari?)"]),
        (("run", "show", "x"), 2, ["Galat: Nilai salah untuk 'NUMBER'", "Bantuan: 'induk run show --help'."]),
        (("harves",), 2, ["tidak ada perintah 'harves' (mungkin maksud Anda harvest?)"]),
        (
            ("db", "prune", "--no-input"),
            2,
            ["Buang yang boleh dibuang", "pakai --yes untuk melakukannya tanpa ditanya"],
        ),
        (("run", "list", "--lang", "en"), 0, ["id\tkind\tsource"]),
    ],
)
def test_help_answers_and_errors_are_indonesian(
    demo: tuple[Terminal, str], words: tuple[str, ...], code: int, texts_said: list[str]
) -> None:
    found, out, err = demo[0](*words)
    assert found == code, err
    for text in texts_said:
        assert text in out + err


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    ["partner show bahari", "run show 9", "quarantine list", "db verify", "cluster show 89",
     "match explain cendekia/KOHA-OAI:59 melati/oai:slims/43", "match review"],
)  # fmt: skip
def test_json_is_the_same_in_both_languages(demo: tuple[Terminal, str], words: str) -> None:
    indonesian, english = (demo[0](*words.split(), "--json", lang=lang) for lang in ("id_ID.UTF-8", "en_US.UTF-8"))
    assert indonesian == english
    assert json.loads(indonesian[1])


@pytest.mark.slow
def test_induk_yaml_names_the_language_where_nobody_else_does(demo: tuple[Terminal, str], tmp_path: Path) -> None:
    (tmp_path / "induk.yaml").write_text("name: {id: Uji, en: Test}\nlanguage: id\n", encoding="utf-8")
    terminal = Terminal(tmp_path)
    assert "baik: 0 mitra" in terminal("config", "check", lang="C.UTF-8")[1]
    assert "good: 0 partners" in terminal("config", "check", lang="en_US.UTF-8")[1]
