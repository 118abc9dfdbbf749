"""Mutated answers never crash the reader, never take long, and never lose an intact neighbour without saying so."""

from __future__ import annotations

import random
import time

import pytest

from harvester.errors import SourceError
from harvester.sources.oai_page import OaiPage, read_page
from harvester.sources.oai_xml import Unreadable, read
from tests.sources.oai_answers import listing, record, token

SEED = 20260302
PAGE = listing(*(record(number, deleted=number % 4 == 3) for number in range(6)), token("t1", size=60, cursor=0))
PIECES = (
    *(b"<", b">", b"&", b"]]>", b"<![CDATA[", b"<!--", b"\x00", b"\xff", b"&#0;", b"\xed\xa0\x80"),
    *(b"<record>", b"</record>", b"</OAI-PMH>", b"<resumptionToken/>"),
)


def read_body(body: bytes) -> OaiPage | None:
    try:
        return read_page(read(body, "ListRecords"), "ListRecords", 4 << 20)
    except (SourceError, Unreadable):
        return None


def mutated(source: random.Random, body: bytes) -> bytes:
    """*body* with one to three small accidents."""
    for _ in range(source.randint(1, 3)):
        body = body or b"<"
        place, length = source.randrange(len(body)), source.randint(1, 40)
        kind = source.randrange(5)
        if kind == 0:
            body = body[:place] + bytes([source.randrange(256)]) + body[place + 1 :]
        elif kind == 1:
            body = body[:place] + body[place + length :]
        elif kind == 2:
            body = body[:place] + source.choice(PIECES) + body[place:]
        elif kind == 3:
            body = body[:place] + body[place : place + length] + body[place:]
        else:
            body = body[: max(place, 1)] if source.random() < 0.2 else body
    return body


def unaccounted(page: OaiPage, body: bytes) -> list[str]:
    """The identifiers that are legible in *body*, but neither in a record nor among the bytes of a damage."""
    legible = [f"oai:x:{number}" for number in range(6) if b"<identifier>oai:x:%d</identifier>" % number in body]
    kept = {record.identifier for record in page.records}
    quarantined = b"".join(damage.payload for damage in page.damages)
    return [name for name in legible if name not in kept and name.encode() not in quarantined]


def run(mutants: int) -> tuple[int, float]:
    """Reads so many mutants; returns how many were readable and the longest time of one."""
    source = random.Random(SEED)
    readable, longest = 0, 0.0
    for _ in range(mutants):
        body = mutated(source, PAGE)
        begun = time.process_time()
        page = read_body(body)
        longest = max(longest, time.process_time() - begun)
        if page is not None:
            readable += 1
            assert not page.whole or not unaccounted(page, body), f"{unaccounted(page, body)} of {body!r}"
    return readable, longest


@pytest.mark.slow
def test_mutants_are_read_or_refused_and_a_whole_page_accounts_for_every_record() -> None:
    readable, longest = run(4000)
    assert readable > 3000
    assert longest < 1.0


@pytest.mark.prove
def test_many_mutants_are_read_or_refused() -> None:
    readable, longest = run(200_000)
    assert readable > 150_000
    assert longest < 1.0


HOSTILE = {
    "a million open tags": listing(b"<record>" * 200_000),
    "deep nesting": listing(record(0, title="<a>" * 5000 + "</a>" * 5000)),
    "many attributes": listing(b"<record " + b" ".join(b'a%d="1"' % n for n in range(50_000)) + b"/>"),
    "a long text": listing(record(0, title="x" * (12 << 20))),
    "many broken records": listing(*(record(0, title="a & b") for _ in range(2000))),
    "many bad bytes": listing(record(0)).replace(b"Laskar", b"\xff" * 1_000_000),
    "many bare ampersands": listing(record(0, title="& " * 300_000)),
    "many headers without end": listing(b"<record><header>" * 100_000),
    "many comments": listing(b"<!-- -->" * 200_000),
    "many processing instructions": listing(b"<?php echo 1 ?>" * 100_000),
    "blanks before a header": listing(b"<record>" + b" " * 2_000_000 + b"<x"),
    "many closings": listing(record(0)) + b"</OAI-PMH>" * 200_000,
    "half a tag for ever": b"<OAI-PMH " + b"a" * 5_000_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_costs_less_than_a_second(name: str) -> None:
    begun = time.process_time()
    read_body(HOSTILE[name])
    assert time.process_time() - begun < 1.0
