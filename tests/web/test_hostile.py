"""Everything that a record, a file name, a partner's name or a person's remark can hold is text, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import pytest

from harvester import accounts, settings
from harvester.model import Partner, Source
from tests.journey import Consortium
from tests.web.browser import follow
from tests.web.desk import Session, password, served

pytestmark = pytest.mark.browser

PAYLOADS = Path(__file__).with_name("payloads.txt").read_text(encoding="utf-8").splitlines()
REPEATED = ("500", "505", "520", "650", "700", "490", "250", "246")


def record(number: int, title: str, isbn: str) -> str:
    """A MARCXML record that has every payload in every repeatable field, its identifier among them."""
    fields = [f'<controlfield tag="001">{escape(PAYLOADS[0])}{number}</controlfield>']

    def field(tag: str, **parts: str) -> None:
        inner = "".join(f'<subfield code="{code}">{escape(text)}</subfield>' for code, text in parts.items())
        fields.append(f'<datafield tag="{tag}" ind1=" " ind2=" ">{inner}</datafield>')

    field("020", a=isbn, q=PAYLOADS[9])
    field("100", a=f"{PAYLOADS[1]} Hirata, Andrea")
    field("245", a=title, b=PAYLOADS[15], c=PAYLOADS[22])
    field("260", a=PAYLOADS[2], b=PAYLOADS[14], c="2005")
    field("300", a=f"529 hlm. {PAYLOADS[10]}", c="21 cm")
    for text in PAYLOADS:
        for tag in REPEATED:
            field(tag, a=text)
        field("856", u=text, y=text)
        field("852", a=text, b=text, h=text, z=text)
    leader = "<leader>00000nam a2200000 a 4500</leader>"
    return f"<record>{leader}{''.join(fields)}</record>"


def collection(*records: str) -> str:
    return f'<collection xmlns="http://www.loc.gov/MARC21/slim">{"".join(records)}</collection>'


class Hostile:
    """Two libraries that hold the same hostile records, and one whose file cannot be read."""

    def __init__(self, folder: Path) -> None:
        self.consortium = Consortium(folder / "c", f"sqlite:///{folder / 'induk.db'}")
        for number, code in enumerate(("jahat", "jahat2")):
            place = folder / code
            place.mkdir()
            same = record(1, f"Laskar pelangi {PAYLOADS[0]}{PAYLOADS[9]}", "9789793062792")
            near = record(2, f"Sang pemimpi {PAYLOADS[14]}", "9789793062921" if number else "9789791227070")
            (place / "<img src=x onerror=pwned()>.xml").write_text(collection(same, near), encoding="utf-8")
            (place / "lain.xml").write_text("<collection><record><script>pwned()</script>", encoding="utf-8")
            source = Source(code, "files", url=str(place), options={"content": "delta", "stable_seconds": 0})
            name = f"{PAYLOADS[number]} {PAYLOADS[9]}"
            settings.write_partner(self.consortium.folder, Partner(code, name, name, (source,), group=PAYLOADS[4]))
        self.consortium.night()
        self.pipeline = self.consortium.open()
        made = self.pipeline
        accounts.add(made.database, made.clock, "ani", "admin", (), password("ani"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Hostile, str]]:
    made = Hostile(tmp_path_factory.mktemp("hostile"))
    with served(made.pipeline) as base:
        session = Session(base)
        session.log_in("ani")
        for number in clusters(made):
            session.send_form(f"/clusters/{number}/report", remark=" ".join(PAYLOADS[:20]))
        session.send_form("/account/tokens", label=PAYLOADS[9])
        for number in clusters(made):
            version = "1"
            session.send_form(
                f"/clusters/{number}/decide", action="confirm", version=version, reason=PAYLOADS[9], step="do"
            )
        yield made, base
    made.pipeline.database.close()


def clusters(hostile: Hostile) -> list[int]:
    from db import catalogue

    with hostile.pipeline.database.read() as conn:
        return catalogue.active_ids(conn)


def addresses(hostile: Hostile) -> list[str]:
    from db import desk

    with hostile.pipeline.database.read() as conn:
        return [f"{row['source']}/{row['identifier']}" for row in desk.ledger(conn, ["jahat", "jahat2"], ("", ""), 10)]


def pages(hostile: Hostile) -> list[str]:
    """Every page that shows something of a record, a partner, a file or a person."""
    names = addresses(hostile)
    at = [f"{one.partition('/')[0]}/{quote(one.partition('/')[2], safe='')}" for one in names]
    nasty = quote(PAYLOADS[1])
    return [
        *("/", "/merges", "/suspects", "/review", "/review/list", "/decisions", "/partners", "/partners/jahat"),
        *("/partners/jahat/ledger", "/partners/jahat/upload", "/runs", "/runs/1", "/runs/2", "/quarantine"),
        *("/changes", "/rules", "/audit", "/users", "/account", "/search?q=laskar+pelangi", "/search?q=sang+pemimpi"),
        *("/quarantine/1", "/merges/1", "/decisions/1"),
        *(f"/clusters/{number}" for number in clusters(hostile)),
        *(f"/records/{one}" for one in at),
        f"/records/{at[0]}?trace=1",
        f"/explain?left={quote(names[0], safe='')}&right={quote(names[-1], safe='')}",
        # what a person can type into an address
        *(f"{path}?{field}={nasty}" for path, field in (("/search", "q"), ("/merges", "by"), ("/merges", "since"))),
        *(f"/explain?left={nasty}&right={nasty}", f"/audit?who={nasty}", f"/login?next={nasty}", f"/records/x/{nasty}"),
        *(f"/review?verdict={nasty}&unlabel={nasty}", f"/quarantine?state={nasty}", f"/clusters/1?reported={nasty}"),
    ]


LOOK = """() => {
  const bad = [];
  if (window.ran) bad.push('a payload ran');
  for (const one of document.querySelectorAll('*')) {
    for (const attribute of one.attributes) {
      const name = attribute.name.toLowerCase(), value = attribute.value.trim().toLowerCase().replace(/[\\t\\n]/g, '');
      if (name.startsWith('on') || name.startsWith('hx-on') || name === 'style' || name === 'srcdoc') bad.push(name);
      if (['href', 'src', 'action', 'formaction', 'data', 'xlink:href'].includes(name)
          && !/^(\\/|#|\\?|https?:)/.test(value)) bad.push(name + '=' + value);
      if (['src', 'action'].includes(name) && !value.startsWith('/')) bad.push(name + '=' + value);
    }
    const tag = one.tagName.toLowerCase();
    const never = ['iframe', 'object', 'embed', 'base', 'style', 'math', 'marquee', 'video', 'audio', 'img'];
    if (never.includes(tag)) bad.push(tag);
    if (tag === 'script' && !/^\\/static\\//.test(one.getAttribute('src') || '')) bad.push('script');
    const out = tag === 'a' && /^https?:/.test(one.getAttribute('href') || '');
    if (out && !/noopener/.test(one.rel)) bad.push('no noopener');
  }
  return bad;
}"""


def test_there_are_sixty_payloads() -> None:
    assert len(set(PAYLOADS)) >= 60


@pytest.mark.parametrize("language", ["id", "en"])
def test_nothing_that_a_record_holds_is_executed(hostile: tuple[Hostile, str], chromium: Any, language: str) -> None:
    made, base = hostile
    context = chromium.new_context(base_url=base, locale=language)
    page = context.new_page()
    page.set_default_timeout(60_000)
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    page.on("console", lambda one: said.append(one.text) if "Content Security" in one.text else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda one: said.append(one.url) if not one.url.startswith(base) else None)
    page.add_init_script("window.pwned = () => { window.ran = true; };")
    page.goto("/login")
    page.fill("input[name=name]", "ani")
    page.fill("input[name=password]", password("ani"))
    follow(page, "main button")
    assert "/login" not in page.url
    shown = 0
    for path in pages(made):
        answer = page.goto(path)
        assert answer.status in (200, 404), (path, answer.status)
        assert page.evaluate(LOOK) == [], path
        shown += page.content().count("&lt;script&gt;pwned()")
    assert said == []
    assert shown > 50  # the payloads are there, as text
    context.close()


def test_raw_bytes_are_a_download_that_no_browser_shows(hostile: tuple[Hostile, str]) -> None:
    made, base = hostile
    session = Session(base)
    session.log_in("ani")
    source, _, name = addresses(made)[0].partition("/")
    for path in (f"/raw/{source}/{quote(name, safe='')}", "/quarantine/1/raw"):
        answer = session.see(path)
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-disposition"].startswith("attachment")


def test_sheets_hold_no_formula(hostile: tuple[Hostile, str]) -> None:
    import csv
    import io

    _, base = hostile
    session = Session(base)
    session.log_in("ani")
    for path in ("/merges.csv", "/partners/jahat/ledger.csv", "/quarantine.csv", "/audit.csv", "/search.csv?q=laskar"):
        for row in csv.reader(io.StringIO(session.see(path).text.removeprefix("\ufeff"))):
            assert not any(cell.lstrip(' "').startswith(("=", "@", "\t", "\r")) for cell in row), path
