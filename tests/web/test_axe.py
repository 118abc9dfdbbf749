"""No serious or critical finding of axe-core on any page, in light and in dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.web.browser import follow
from tests.web.desk import Desk, password

pytestmark = pytest.mark.browser
AXE = Path(__file__).with_name("axe.min.js")
RUN = """async () => {
  const found = await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']});
  return found.violations.filter(one => ['serious', 'critical'].includes(one.impact))
    .map(one => one.id + ': ' + one.nodes.slice(0, 3).map(node => node.html.slice(0, 150)).join(' | '));
}"""


def paths(desk: Desk) -> list[str]:
    from db import catalogue
    from db import desk as looking

    with desk.pipeline.database.read() as conn:
        members = catalogue.members(conn, catalogue.active_ids(conn))
        big = max(members, key=lambda key: len(members[key]))
        event = looking.merge_log(conn, looking.LogFilter(kind="joined"), 1)[0]["id"]
        rows = looking.ledger(conn, ["melati"], ("", ""), 1)
    record = f"/records/melati/{rows[0]['identifier'].replace('/', '%2F')}"
    return [
        *("/", "/merges", "/suspects", "/review", "/review/list", "/decisions", "/partners", "/partners/melati"),
        *("/partners/melati/ledger", "/partners/smpn1/upload", "/runs", "/runs/1", "/quarantine", "/changes", "/rules"),
        *(
            "/audit",
            "/users",
            "/account",
            "/help",
            "/explain",
            "/search?q=laskar+pelangi",
            "/login",
            "/clusters/999999",
        ),
        *(f"/clusters/{big}", f"/merges/{event}", record, f"{record}?trace=1"),
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_shuts_anybody_out(desk: Desk, chromium: Any, scheme: str) -> None:
    context = chromium.new_context(base_url=desk.base, bypass_csp=True, color_scheme=scheme, locale="id-ID")
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto("/login")
    page.fill("input[name=name]", "ani")
    page.fill("input[name=password]", password("ani"))
    follow(page, "main button")
    assert "/login" not in page.url
    found = {}
    for path in paths(desk):
        page.goto(path)
        page.add_script_tag(path=str(AXE))
        if troubles := page.evaluate(RUN):
            found[path] = troubles
    context.close()
    assert found == {}
