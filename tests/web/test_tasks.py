"""The main tasks of each page, done in a real browser: in both languages, with and without JavaScript."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from db import catalogue, links
from db import desk as looking
from harvester.model import Address
from tests.web.browser import follow
from tests.web.desk import Desk

pytestmark = pytest.mark.browser

BOTH_WAYS = pytest.mark.parametrize(
    ("language", "javascript"), [("id", True), ("id", False), ("en", True), ("en", False)]
)


def home_of(desk: Desk, address: str) -> int:
    with desk.pipeline.database.read() as conn:
        found = catalogue.states_of_addresses(conn, [Address.parse(address)])[0].cluster_id
    assert found is not None
    return found


def multi(desk: Desk, number: int) -> tuple[int, list[str]]:
    """A cluster with three members or more, that no person has touched."""
    with desk.pipeline.database.read() as conn:
        members = catalogue.members(conn, catalogue.active_ids(conn))
        big = [(key, [one.address for one in states]) for key, states in sorted(members.items()) if len(states) > 2]
        free = [
            (key, names)
            for key, names in big
            if not links.concerning(conn, [Address.parse(one) for one in names], links=False)
        ]
    return free[number]


@BOTH_WAYS
def test_a_wrong_merge_is_found_understood_split_stays_and_is_undone(
    look: Any, desk: Desk, language: str, javascript: bool
) -> None:
    page = look("budi", language, javascript)
    cluster, members = multi(desk, 0)

    page.goto(f"/merges?cluster={cluster}")
    follow(page, "tbody tr:first-child td.nowrap a")  # a line of the log: why
    assert page.locator("svg.evidence rect").count() or page.locator("table").count()
    follow(page, f"a[href='/clusters/{cluster}#split']")

    last = len(members) - 1
    page.check(f"input[name=group-{last}][value='2']")
    page.locator("form:has(input[value=split]) input[name=reason]").fill("another impression, seen on the shelf")
    follow(page, "form:has(input[value=split]) button.stop")
    assert home_of(desk, members[last]) == cluster  # only foreseen
    assert page.locator("main li").count() > 2
    follow(page, "button.go")
    assert "done=" in page.url
    new = home_of(desk, members[last])
    assert new != cluster

    desk.consortium.night()  # the next night harvests and matches again
    assert home_of(desk, members[last]) == new

    follow(page, ".done a")  # the decision, from which it is undone
    follow(page, "form[action$='/undo'] button")
    page.fill("textarea[name=reason]", "it was the same after all")
    follow(page, "button.go")
    assert home_of(desk, members[last]) == home_of(desk, members[0])


@BOTH_WAYS
def test_a_reported_merge_reaches_the_worklist_and_is_settled(
    look: Any, desk: Desk, language: str, javascript: bool
) -> None:
    cluster, _ = multi(desk, 1)
    remark = f"two different books ({language}, {javascript})"
    viewer = look("eko", language, javascript)
    viewer.goto(f"/clusters/{cluster}")
    viewer.fill("textarea[name=remark]", remark)
    follow(viewer, "form[action$='/report'] button")
    assert viewer.locator(".done").count() == 1

    page = look("budi", language, javascript)
    page.goto("/suspects")
    row = page.locator("tr", has_text=remark)
    assert row.count() == 1
    follow(page, row.locator("li", has_text=remark).locator("button"))
    page.goto("/suspects")
    assert page.get_by_text(remark).count() == 0


# another pair, or none; and the page hears keys: its script has run, and what was put in is settled
NEXT_PAIR = """before => {
  if (document.readyState != 'complete' || document.querySelector('.htmx-swapping, .htmx-settling')) return false;
  const [left, right] = ['left', 'right'].map(name => document.querySelector(`input[name=${name}]`));
  return !left || left.value + right.value != before;
}"""


def test_twenty_pairs_are_reviewed_with_the_keyboard_alone(look: Any, desk: Desk) -> None:
    page = look("budi", "id")
    page.goto("/review")
    seen = set()
    with desk.pipeline.database.read() as conn:
        before = len(links.labels(conn))
    for number in range(20):
        pair = (page.input_value("input[name=left]"), page.input_value("input[name=right]"))
        assert pair not in seen
        seen.add(pair)
        key = "k" if number % 5 == 4 else "s" if number % 2 else "n"
        with page.expect_response(lambda answer: "/review" in answer.url and answer.request.method == "GET"):
            page.keyboard.press(key)
        page.wait_for_function(NEXT_PAIR, arg="".join(pair))
        if not page.locator("input[name=left]").count():
            break
    with desk.pipeline.database.read() as conn:
        judged = len(links.labels(conn)) - before
    assert len(seen) == 20
    assert judged == 16


@BOTH_WAYS
def test_pairs_are_reviewed_and_the_last_verdict_is_undone(
    look: Any, desk: Desk, language: str, javascript: bool
) -> None:
    page = look("budi", language, javascript)
    page.goto("/review")
    for verdict in ("apart", "never", "merge"):
        left = page.input_value("input[name=left]")
        right = page.input_value("input[name=right]")
        with page.expect_response(lambda answer: "verdict=" in answer.url):
            page.click(f"button[value={verdict}]")
        pair = f"form:has(input[name=left][value='{left}']):has(input[name=right][value='{right}'])"
        page.wait_for_selector(pair, state="detached")
        with desk.pipeline.database.read() as conn:
            labels = links.labels(conn)
        assert labels[-1]["duplicate"] == (verdict == "merge")
        together = home_of(desk, left) == home_of(desk, right)
        assert together == (verdict == "merge")
    with page.expect_response(lambda answer: "verdict=undo" in answer.url):
        page.click("button[data-key=u]")
    assert home_of(desk, left) != home_of(desk, right)


@pytest.mark.parametrize("javascript", [True, False])
def test_two_people_on_one_cluster_do_not_overwrite_each_other(look: Any, desk: Desk, javascript: bool) -> None:
    cluster, _ = multi(desk, 2)
    first, second = look("budi", "en", javascript), look("ani", "en", javascript)
    for page in (first, second):
        page.goto(f"/clusters/{cluster}")
        page.check("input[name=group-0][value='2']")
        page.locator("form:has(input[value=split]) input[name=reason]").fill("mine")
        follow(page, "form:has(input[value=split]) button.stop")
    follow(first, "button.go")
    assert "done=" in first.url
    with desk.pipeline.database.read() as conn:
        decided = len(looking.merge_log(conn, looking.LogFilter(actor="ani"), 100))
    follow(second, "button.go")
    assert second.locator("[role=alert]").count() == 1
    with desk.pipeline.database.read() as conn:
        assert len(looking.merge_log(conn, looking.LogFilter(actor="ani"), 100)) == decided


SHEET = """No. Inventaris;Judul;Pengarang;Penerbit;Tahun;ISBN;Jumlah
U-0001;Laskar pelangi;Andrea Hirata;Bentang;2005;9789793062792;3
U-0002;;Tanpa Judul;Bentang;2005;;1
U-0003;Bumi manusia;Pramoedya Ananta Toer;Lentera Dipantara;dua ribu;9799731234;1
"""


@BOTH_WAYS
def test_a_school_sends_a_sheet_with_errors_mends_it_and_sees_its_ledger(
    look: Any, desk: Desk, tmp_path: Path, language: str, javascript: bool
) -> None:
    mark = f"{language}{int(javascript)}"
    bad, good = tmp_path / f"buku-{mark}.csv", tmp_path / f"buku-baik-{mark}.csv"
    text = SHEET.replace("U-", f"U{mark}-").replace("Laskar pelangi", f"Laskar pelangi {mark}")
    bad.write_text(text, encoding="utf-8")
    good.write_text(text.replace(";;Tanpa Judul", f";Sang pemimpi {mark};Andrea Hirata"), encoding="utf-8")

    page = look("dewi", language, javascript)
    page.goto("/partners/smpn1")
    follow(page, "a[href='/partners/smpn1/upload']")
    page.set_input_files("input[type=file]", str(bad))
    page.select_option("select[name=content]", "delta")
    follow(page, "form.stack button.go")
    assert page.get_by_text("judul kosong" if language == "id" else "the title is missing").count() >= 1
    page.set_input_files("input[type=file]", str(good))
    page.select_option("select[name=content]", "delta")
    follow(page, "form.stack button.go")
    assert page.get_by_text("judul kosong").count() == 0
    follow(page, "form.actions button.go")
    assert "/runs/" in page.url
    page.goto("/partners/smpn1/ledger?after=smpn1/inv:T")
    assert page.get_by_text(f"U{mark}-0002").count() >= 1


def test_the_same_sheet_goes_by_token_and_curl(desk: Desk) -> None:
    session = desk.session("dewi")
    made = session.send_form("/account/tokens", label="curl")
    token = re.search(r"induk_[\w-]+", made.text)
    assert token
    import requests

    files = {"file": ("buku.csv", SHEET.replace("U-", "C-").encode())}
    heads = {"Authorization": f"Bearer {token.group()}"}
    url = f"{desk.base}/partners/smpn1/upload"
    answer = requests.post(url, headers=heads, files=files, data={"step": "do", "content": "delta"}, timeout=60)
    assert answer.status_code == 200
    assert answer.json()["verdict"] in ("complete", "partial")
    url = f"{desk.base}/partners/cendekia/upload"
    assert requests.post(url, headers=heads, files=files, data={"step": "do"}, timeout=60).status_code == 403
