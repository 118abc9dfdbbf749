"""A hundred thousand spoilt answers and queries: each is read or refused, in time and in bounded memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from harvester.errors import IndukError
from harvester.model import Damage, HarvestedRecord
from harvester.sources import cql, sru_response
from harvester.sources.z3950 import apdu, ber, opac, pqf, worker
from harvester.sources.z3950.apdu import RawRecord
from tests.servers import catalogue
from tests.sources import scripted_target as targets
from tests.sources import sru_answers
from tests.sources.sru_answers import entry, marcxml

pytestmark = pytest.mark.slow
SEED = 20261122
SECONDS = 5.0  # of processor time: five times the goal
GROWTH = 64 << 10  # kilobytes

CUTS = [
    b"",
    b"\x00\x00",
    b"\x80",
    b"\xff" * 8,
    b"\x30\x80",
    b"\x84\x7f\xff\xff\xff",
    b"<",
    b"&",
    b"]]>",
    b'"',
    b"(",
    b"@and ",
]


def spoilt(sample: bytes, chance: Random) -> bytes:
    """*sample* with something wrong: bytes changed, cut out, put in, doubled, or its end missing.

    Mostly it is one thing, and half of the changed bytes are bytes of the sample: what is refused at once reaches
    little of the code.
    """
    body = bytearray(sample)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        at = chance.randrange(len(body) + 1)
        kind = chance.choice((0, 0, 0, 1, 1, 2, 3, 4, 5))
        if kind == 0 and body:
            body[at % len(body)] = chance.choice(sample) if chance.random() < 0.5 else chance.randrange(256)
        elif kind == 1 and body:
            body[at % len(body)] ^= 1 << chance.randrange(8)
        elif kind == 2:
            del body[at : at + chance.randint(1, 30)]
        elif kind == 3:
            body[at:at] = chance.choice(CUTS)
        elif kind == 4:
            body[at:at] = body[at : at + chance.randint(1, 200)]
        else:
            del body[at:]
    return bytes(body)


def survive(samples: list[bytes], read: Callable[[bytes], object], mutants: int) -> dict[str, int]:
    """Read so many mutants; what became of them, by kind.

    Whatever is raised that is not ours, and whatever takes longer than a second, fails the test.
    """
    chance, became = Random(SEED), {"read": 0, "refused": 0}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in range(mutants):
        mutant = spoilt(samples[number % len(samples)], chance)
        begun = time.process_time()
        try:
            read(mutant)
            became["read"] += 1
        except IndukError:
            became["refused"] += 1
        except Exception as error:
            raise AssertionError(f"mutant {number} {mutant!r}: {error!r}") from error
        assert time.process_time() - begun < SECONDS, f"mutant {number} {mutant!r} took too long"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < GROWTH
    assert min(became.values()) > mutants // 50, became  # neither everything nor nothing was spoilt
    return became


HOLDINGS = ber.constructed(
    2,
    ber.constructed(
        2,
        ber.encode_text(8, "ID-JaPKB"),
        ber.encode_text(11, "899.221 3 TOE b"),
        ber.constructed(19, ber.constructed(ber.SEQUENCE, ber.encode_boolean(1, True), ber.encode_text(5, "0042"))),
    ),
)
RECORD = catalogue.records(1)[0]
OPAC = ber.constructed(ber.SEQUENCE, ber.constructed(1, targets.external(RECORD)), HOLDINGS)
ANSWERS = [
    targets.init(),
    targets.search(2_000),
    targets.search_failed(114, "1012"),
    targets.present(*(targets.record(payload) for payload in catalogue.records(3))),
    targets.present(targets.record(OPAC, "opac", single=True), targets.surrogate(14)),
    targets.present(targets.record(sru_answers.marcxml(1).encode(), "xml")),
    targets.scan(("20240115103000", 1_050), ("20250101000000", 3)),
    b"\xb9\x80\xbc\x80\x30\x80\xa1\x80\xa1\x80\x28\x80\x06\x07\x2a\x86\x48\xce\x13\x05\x0a\x81\x03abc" + b"\0\0" * 7,
]
READERS = {
    apdu.INIT_RESPONSE: apdu.init_answer,
    apdu.SEARCH_RESPONSE: apdu.search_answer,
    apdu.SCAN_RESPONSE: apdu.scan_answer,
}


def read_answer(mutant: bytes) -> None:
    """As the client does: find the end, read the answer, read its records."""
    end = ber.Frame(1 << 20).end(mutant)
    body = mutant if end is None else mutant[:end]
    tag = ber.element(body, 0, len(body)).tag
    if tag in READERS:
        READERS[tag](body)
        return
    for raw in apdu.present_answer(body, 500).records:
        found = worker.read(raw, "", "p 1")
        assert isinstance(found, (HarvestedRecord, Damage))


def test_spoilt_answers_of_a_z3950_target() -> None:
    survive(ANSWERS, read_answer, 40_000)


def test_spoilt_opac_records() -> None:
    def read(mutant: bytes) -> None:
        record, holdings = opac.read(mutant)
        opac.with_fields(record.payload, holdings)

    survive([OPAC], read, 10_000)


def test_spoilt_records() -> None:
    numbers = count(1)

    def read(mutant: bytes) -> None:
        found = worker.read(RawRecord(apdu.SYNTAXES["usmarc"], mutant), "", f"p {next(numbers)}")
        if isinstance(found, Damage):
            raise IndukError(found.message)
        assert found.identifier
        assert found.payload == mutant

    survive([RECORD], read, 10_000)


ENTRIES = [
    entry(marcxml(1)),
    entry(marcxml(2).replace("<", "&lt;"), packing="string"),
    entry(marcxml(3).replace("<", "&lt;").replace("&", "&amp;"), packing="string"),
    entry("<diagnostic><uri>info:srw/diagnostic/1/64</uri></diagnostic>"),
]
RESPONSES = [
    sru_answers.response(ENTRIES, 4),
    sru_answers.response(ENTRIES[:2], 2, version="2.0"),
    sru_answers.response((), 0, sru_answers.diagnostic(61)),
]


def test_spoilt_answers_of_an_sru_server() -> None:
    survive(RESPONSES, lambda mutant: sru_response.read(mutant, "", "p"), 25_000)
    survive([sru_answers.EXPLAIN], lambda mutant: sru_response.explained(mutant, "p"), 2_000)


CQL = [
    b'dc.title any/relevant "laskar pelangi" and (rec.date > 2018* or x) sortBy dc.date/sort.descending',
    b'> dc = "info:srw/cql-context-set/1/dc-v1.1" dc.creator = "toer\\*" not "and" prox/unit=word b',
]
PQF = [
    b'@attrset bib-1 @and @attr 1=1012 @attr 5=1 "2018" @not @attr 1=_ALLRECORDS @attr 2=103 "" {two words}',
    b'@or @prox 0 3 1 2 k 2 a "b\\"c" @set "default" @term string x',
]


def test_spoilt_cql() -> None:
    def read(mutant: bytes) -> None:
        query = cql.parse(mutant.decode("utf-8", "replace"))
        assert cql.parse(cql.build(query)) == query

    survive(CQL, read, 8_000)


def test_spoilt_pqf() -> None:
    def read(mutant: bytes) -> None:
        query = pqf.parse(mutant.decode("utf-8", "replace"))
        assert pqf.parse(pqf.build(query)) == query
        apdu.search(query, ("Default",), "default")

    survive(PQF, read, 8_000)
