"""OPAC records: the record stays byte for byte, the holdings stand behind it as fields."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.formats import formats
from harvester.model import MarcRecord
from harvester.sources.received import marc_fields
from harvester.sources.z3950 import ber, opac, worker
from harvester.sources.z3950.apdu import SYNTAXES, RawRecord
from tests.servers import catalogue
from tests.sources import scripted_target as targets

RECORD = catalogue.records(1)[0]


def circulation(*items: str) -> bytes:
    records = (ber.constructed(ber.SEQUENCE, ber.encode_boolean(1, True), ber.encode_text(5, item)) for item in items)
    return ber.constructed(19, *records)


def holding(**texts: str) -> bytes:
    """HoldingsAndCircData; the names are those of the fields below."""
    tags = {"agency": 8, "location": 9, "shelf": 10, "call": 11, "copy": 13, "note": 14, "run": 17}
    parts = [ber.encode_text(tags[name], value) for name, value in texts.items() if name in tags]
    items = [circulation(*texts["items"].split())] if "items" in texts else []
    return ber.constructed(2, *parts, *items)


def volumes(*runs: str) -> bytes:
    parts = (ber.constructed(ber.SEQUENCE, ber.encode_text(3, run)) for run in runs)
    return ber.constructed(2, ber.encode_text(9, "Majalah"), ber.constructed(18, *parts))


def record(*holdings: bytes, explicit: bool = False, tag: int = 2) -> bytes:
    body = targets.external(RECORD)
    inner = ber.constructed(1, body) if explicit else b"\xa1" + body[1:]
    return ber.constructed(ber.SEQUENCE, inner, ber.constructed(tag, *holdings))


CASES: dict[str, tuple[bytes, list[tuple[str, str]]]] = {
    "one copy": (
        record(holding(agency="ID-JaPKB", location="Pusat", shelf="Sirkulasi", call="899.221 3 TOE b", items="0042")),
        [("852", "  \x1faID-JaPKB\x1fbPusat\x1fcSirkulasi\x1fh899.221 3 TOE b\x1fp0042")],
    ),
    "two branches, three copies": (
        record(holding(location="Pusat", items="1 2"), holding(location="Cabang", note="tidak dipinjamkan", items="3")),
        [("852", "  \x1fbPusat\x1fp1\x1fp2"), ("852", "  \x1fbCabang\x1fztidak dipinjamkan\x1fp3")],
    ),
    "a journal with its run": (
        record(holding(location="Majalah", run="Th. 1 (1951)-")),
        [("852", "  \x1fbMajalah"), ("866", "  \x1faTh. 1 (1951)-")],
    ),
    "a journal volume by volume": (
        record(volumes("Th. 1", "Th. 2")),
        [("852", "  \x1fbMajalah"), ("866", "  \x1faTh. 1"), ("866", "  \x1faTh. 2")],
    ),
    "a holdings record in MARC": (
        record(
            ber.constructed(
                1,
                targets.external(
                    catalogue.iso2709([("001", "h1"), ("852", "  \x1faID-JaPKB"), ("866", " 0\x1fa1951-")])
                ),
            )
        ),
        [("852", "  \x1faID-JaPKB"), ("866", " 0\x1fa1951-")],
    ),
    "tags sent explicitly, holdings under their other tag": (
        record(holding(location="Pusat"), explicit=True, tag=3),
        [("852", "  \x1fbPusat")],
    ),
    "a call number with a separator in it": (record(holding(call="a\x1eb\x1dc")), [("852", "  \x1fhabc")]),
}


@pytest.mark.parametrize("label", CASES)
def test_holdings_become_fields_behind_the_record(label: str) -> None:
    payload, added = CASES[label]
    found = worker.read(RawRecord(SYNTAXES["opac"], payload), "001", "p 1")
    fields = [(tag.decode(), body.decode()) for tag, body in marc_fields(found.payload)]
    assert fields[: -len(added)] == [(tag.decode(), body.decode()) for tag, body in marc_fields(RECORD)]
    assert fields[-len(added) :] == added
    parsed = formats.get("iso2709")(found.payload)
    assert isinstance(parsed, MarcRecord)
    assert list(parsed.fields[-len(added) :]) == added
    assert parsed.flags == ()


def test_a_record_without_holdings_stays_as_it_is() -> None:
    found = worker.read(RawRecord(SYNTAXES["opac"], record()), "001", "p 1")
    assert (found.payload, found.flags) == (RECORD, ())


def test_holdings_that_do_not_fit_are_said_to_be_left_out() -> None:
    many = [holding(call=f"{number:04d} " + "x" * 900) for number in range(120)]
    found = worker.read(RawRecord(SYNTAXES["opac"], record(*many)), "001", "p 1")
    assert (found.payload, found.flags) == (RECORD, ("holdings-left-out:120",))


def test_what_is_no_opac_record_is_quarantined_with_its_bytes() -> None:
    found = worker.read(RawRecord(SYNTAXES["opac"], b"\x30\x05\xa1"), "001", "p 1")
    assert (found.reason, found.payload) == ("opac", b"\x30\x05\xa1")


bodies = st.binary(max_size=60).map(lambda body: b"  \x1fa" + body.translate(None, b"\x1d\x1e"))


@given(st.lists(st.tuples(st.sampled_from([b"852", b"866"]), bodies), min_size=1, max_size=20))
def test_taking_the_added_fields_off_again_gives_what_was_sent(added: list[tuple[bytes, bytes]]) -> None:
    payload = opac.with_fields(RECORD, added)
    assert payload is not None
    assert marc_fields(payload) == [*marc_fields(RECORD), *added]
    assert int(payload[:5]) == len(payload)
