"""From search into the library's own catalogue: a link of the record leads there, or a page says what to set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harvester import accounts
from harvester.model import Link, NormalizedRecord, Partner, Source
from harvester.web.opac import hosts, own_link, pattern
from tests.pipeline.shelf import Book, Union
from tests.web.desk import Desk, Session, password, served

FIELD = '<datafield tag="856" ind1="4" ind2=" "><subfield code="u">{}</subfield></datafield></record>'


class Linked(Book):
    """A book with an 856 on the machine at which its library answers, behind one that leads elsewhere."""

    def payload(self, identifier: str) -> bytes:
        body = super().payload(identifier).decode()
        for url in ("https://cover.example/1.jpg", f"http://127.0.0.1:9/show?id={identifier}"):
            body = body.replace("</record>", FIELD.format(url))
        return body.encode()


@pytest.fixture
def union(tmp_path: Path) -> Iterator[Union]:
    made = Union(tmp_path / "union", f"sqlite:///{tmp_path / 'induk.db'}")
    yield made
    made.close()


def test_a_link_of_the_record_leads_into_the_catalogue_of_its_library(union: Union) -> None:
    accounts.add(union.pipeline.database, union.pipeline.clock, "ani", "admin", (), password("ani"))
    union.night({"alun/1": Linked("Laskar pelangi"), "bukit/7": Book("Bumi manusia")})
    with served(union.pipeline) as base:
        session = Session(base)
        session.log_in("ani")
        hits = [session.see("/search.json", params={"q": words}).json()["hits"][0] for words in ("laskar", "bumi")]
        page = session.see("/search?q=laskar").text
    assert [one["url"] for hit in hits for one in hit["holdings"]] == ["http://127.0.0.1:9/show?id=1", ""]
    assert 'href="http://127.0.0.1:9/show?id=1"' in page


def test_a_partner_without_a_pattern_is_told_what_to_set(desk: Desk) -> None:
    lacking = next(one for one in desk.pipeline.settings.partners if not one.opac_url)
    path = f"/partners/{lacking.code}"
    assert "opac_url" in desk.session("ani", "id").see(path).text
    assert "opac_url" not in desk.session("eko").see(path).text


@pytest.mark.parametrize(
    ("preset", "url", "told"),
    [
        ("koha", "https://k.example/cgi-bin/koha/oai.pl", "https://k.example/cgi-bin/koha/opac-detail.pl?biblionumber={id}"),
        ("slims-oai", "https://s.example/perpus/oai.php", "https://s.example/perpus/index.php?p=show_detail&id={id}"),
        ("inlislite", "http://i.example/inlislite3/opac/oai/", "http://i.example/inlislite3/opac/detail-opac?id={id}"),
        ("dspace", "https://d.example/oai/request", ""),
        ("koha", "/srv/files", ""),
    ],
)  # fmt: skip
def test_the_page_of_a_record_is_guessed_from_the_software(preset: str, url: str, told: str) -> None:
    assert pattern(Partner("p", sources=(Source("p", "oai-pmh", url, preset),))) == told


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("https://www.p.example/1", True),
        ("https://p.example.evil/1", False),
        ("javascript://p.example/%0aalert(1)", False),
        ("http://[", False),
    ],
)
def test_only_the_library_s_own_machine_is_its_catalogue(url: str, found: bool) -> None:
    homes = hosts(Partner("p", sources=(Source("p", "oai-pmh", "https://p.example/oai"),)))
    assert bool(own_link(NormalizedRecord(links=(Link(url),)), homes)) == found
