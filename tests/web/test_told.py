"""What rules, runs and readers say is said in the reader's language; what is stored stays as it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest

from db import ledger, work
from harvester import accounts, deciding_files, pipeline
from harvester.i18n import sentences
from harvester.match.rules import SHIPPED
from harvester.model import Damage
from tests.pipeline.shelf import Book, Union
from tests.web.desk import Desk, Session, password, served

HUKUM = Book("Pengantar ilmu hukum", author="Rahardjo, Satjipto", edition="Edisi 2", publisher="Alumni", year="1986")
OURS = "these are two impressions of ours"
WORDS = f"\nwords:\n  {OURS}: {{id: ini dua cetakan kami}}\n"


@pytest.fixture
def union(tmp_path: Path) -> Iterator[Union]:
    folder = tmp_path / "union" / "mappings" / "rules"
    folder.mkdir(parents=True)
    text = SHIPPED.read_text(encoding="utf-8")
    assert "two edition numbers" in text
    (folder / "match.yaml").write_text(text.replace("two edition numbers", OURS) + WORDS, encoding="utf-8")
    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    yield made
    made.close()


def seen(union: Union, path: str, language: str) -> str:
    """The page as an administrator reads it in *language*."""
    with served(union.pipeline) as base:
        session = Session(base, language)
        session.log_in("ani")
        answer = session.see(path)
    assert answer.status_code == 200
    return answer.text


def test_reasons_of_own_rules_and_of_runs_are_said_in_the_language_of_the_page(union: Union) -> None:
    accounts.add(union.pipeline.database, union.pipeline.clock, "ani", "admin", (), password("ani"))
    union.night({"alun/1": HUKUM, "bukit/1": HUKUM._replace(edition="Edisi 3")})
    failed = pipeline.harvest_one(union.pipeline, "alun")  # nobody listens at port 9
    assert failed.verdict == "failed"
    pair = "/explain?left=alun/1&right=bukit/1"
    assert OURS in seen(union, pair, "en")
    assert "ini dua cetakan kami" in seen(union, pair, "id")
    run = f"/runs/{failed.run_id}"
    assert failed.reason in unescape(seen(union, run, "en"))
    told = unescape(seen(union, run, "id"))
    assert failed.reason not in told
    assert sentences("id")(failed.reason) in told
    assert sentences("id")(failed.reason) != failed.reason
    with union.pipeline.database.read() as conn:
        row = work.get_run(conn, failed.run_id)
    assert row
    assert row["reason"] == failed.reason


def test_what_is_set_aside_is_told_under_names_in_the_language_of_the_page(union: Union) -> None:
    accounts.add(union.pipeline.database, union.pipeline.clock, "ani", "admin", (), password("ani"))
    union.night({"alun/1": HUKUM})
    damage = Damage("decode", "utf-8", "not UTF-8", b"\xff", "alun:9", "buku.csv:7")
    with union.pipeline.database.write() as conn:
        run_id = work.open_run(conn, "import", union.pipeline.source_ids["alun"], union.pipeline.now())
        ledger.keep_damaged(conn, union.pipeline.source_ids["alun"], run_id, [(damage, "iso2709")])
        number = conn.exec_driver_sql("SELECT max(id) FROM quarantine").scalar_one()
    told = seen(union, f"/quarantine/{number}", "id")
    names = re.findall(r"<dt>(.*?)</dt>", told)
    assert names == ["sumber", "cantuman", "di mana", "tahap", "kode alasan", "format", "keadaan", "proses"]
    assert "membaca huruf" in told
    assert "membaca huruf" in seen(union, "/quarantine", "id")
    assert not {"reason", "tries", "first_run", "stage decode"} & set(re.findall(r"[\w ]+", told))


def test_where_a_row_stands_in_a_sheet_is_no_repair_and_what_was_mended_is_told_in_words(desk: Desk) -> None:
    session = desk.session("dewi", "id")
    lines = session.see("/partners/smpn1/ledger.json").json()["lines"]
    assert {"accepted", "repaired"} <= {one["fate"] for one in lines}
    codes = dict(session.see("/partners/smpn1.json").json()["warnings"])
    assert codes["isbn-lost"] == 4
    assert not [one for one in codes if "!" in one]
    assert "ISBN yang dirusak lembar kerja" in session.see("/partners/smpn1").text


def test_two_records_stand_side_by_side_as_marc_with_their_differences_marked(union: Union) -> None:
    accounts.add(union.pipeline.database, union.pipeline.clock, "ani", "admin", (), password("ani"))
    union.night({"alun/1": HUKUM, "bukit/1": HUKUM._replace(edition="Edisi 3")})
    page = unescape(seen(union, "/explain?left=alun/1&right=bukit/1", "id"))
    marc = page.partition("<summary>Hal yang sama sebagai MARC 21</summary>")[2].partition("</details>")[0]
    rows = {found[0]: found[1] for found in re.findall(r'<th scope="row">(\d{3}).*?</th>(.*?)</tr>', marc, re.DOTALL)}
    assert {"100", "245", "250"} <= set(rows)
    assert "<mark>" not in rows["245"]
    assert re.findall("<mark>(.*?)</mark>", rows["250"]) == ["3"]
    assert "$aPengantar ilmu hukum" in rows["245"]


def test_a_decision_on_a_pair_is_told_with_its_reason_and_that_it_waits_for_the_next_match(union: Union) -> None:
    accounts.add(union.pipeline.database, union.pipeline.clock, "ani", "admin", (), password("ani"))
    union.night({"alun/1": HUKUM, "bukit/1": HUKUM._replace(edition="Edisi 3"), "bukit/2": HUKUM._replace(year="1990")})
    links = "- {action: must, reason: '', records: [[alun/1, bukit/1]]}\n"
    links += "- {action: must, reason: seri, records: [[bukit/1, bukit/2]]}\n"
    deciding_files.import_links(union.pipeline, links, "ani")
    waits = "; the next match carries it out"
    assert f"{waits}</p>" in seen(union, "/explain?left=alun/1&right=bukit/1", "en")
    assert f"{waits}: seri</p>" in seen(union, "/explain?left=bukit/1&right=bukit/2", "en")
    union.match()
    told = seen(union, "/explain?left=bukit/1&right=bukit/2", "en")
    assert ": seri</p>" in told
    assert waits not in told
