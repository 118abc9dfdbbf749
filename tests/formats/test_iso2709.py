"""ISO 2709 records: equal to pymarc where pymarc can read, repaired with a flag or refused where it cannot."""

from __future__ import annotations

import pickle

import pymarc
import pytest

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.iso2709 import parse, quick
from harvester.formats.iso2709_write import write
from harvester.formats.light import LightMarc
from harvester.formats.pymarc_bridge import from_pymarc, to_pymarc
from harvester.model import MarcRecord
from tests.formats.charsets import marc8
from tests.formats.records import RECORDS, WORKS, pymarc_record


def by_hand(fields: list[tuple[str, bytes]], leader: bytes = b"nam a22", tail: bytes = b" a 4500") -> bytes:
    """A record laid out by hand: leader, directory and bodies as the standard says."""
    directory, start = b"", 0
    for tag, body in fields:
        directory += b"%s%04d%05d" % (tag.encode(), len(body) + 1, start)
        start += len(body) + 1
    base = 25 + len(directory)
    head = b"%05d%s%05d%s" % (base + start + 1, leader, base, tail)
    return head + directory + b"\x1e" + b"".join(body + b"\x1e" for _, body in fields) + b"\x1d"


TITLE = ("245", b"10\x1faBumi manusia")
NUMBER = ("001", b"0001")


@pytest.mark.parametrize("payload", RECORDS, ids=[work[2] for work in WORKS])
def test_every_field_and_subfield_equals_what_pymarc_reads(payload: bytes) -> None:
    ours = parse(payload)
    theirs = from_pymarc(pymarc.Record(payload, to_unicode=True))
    assert (ours.leader, ours.fields, ours.flags) == (theirs.leader, theirs.fields, ())
    assert quick(payload) == ours


def test_the_slow_path_gives_the_same_record_as_the_quick_one() -> None:
    for payload in RECORDS:
        # A wrong base address is all that keeps the quick path from taking it.
        damaged = payload[:12] + b"00001" + payload[17:]
        assert quick(damaged) is None
        slow = parse(damaged)
        assert slow.fields == parse(payload).fields
        assert [flag.partition("::")[0] for flag in slow.flags] == ["structure:base-address"]


def test_marc8_records_equal_what_pymarc_reads() -> None:
    texts = ["Les misérables", "Łódź", "Iḥyāʼ ʻulūm al-dīn", "Die schöne Müllerin", "Truyện Kiều", "Война", "كتاب"]
    fields = [NUMBER, *(("500", b"  \x1fa" + marc8(text)) for text in texts)]
    payload = by_hand(fields, leader=b"nam  22")
    ours = parse(payload)
    assert ours.fields == from_pymarc(pymarc.Record(payload, to_unicode=True)).fields
    assert ours.bodies("500") == [f"  \x1fa{text}" for text in texts]
    assert ours.flags == ()


def test_a_record_is_looked_up_by_tag_compared_and_pickled() -> None:
    record = parse(RECORDS[0])
    assert isinstance(record, MarcRecord)
    assert record.bodies("650") == [" 4\x1faKesusastraan Indonesia", " 4\x1faFiksi\x1fxSejarah dan kritik"]
    assert record.bodies("999") == []
    assert pickle.loads(pickle.dumps(record)) == record
    assert pickle.loads(pickle.dumps(record)).bodies("001") == ["0001"]


def test_the_parser_is_registered_under_its_file_name() -> None:
    assert formats.names() == ["iso2709", "line_marc", "marc_json", "marcxml", "mods", "oai_dc", "row", "unimarc"]
    assert formats.get("iso2709") is parse


def test_fields_in_another_order_than_the_directory_are_taken_by_the_directory() -> None:
    bodies = b"0001\x1e10\x1faBumi manusia\x1e"
    directory = b"245001700005" + b"001000500000"
    payload = b"00075nam a2200049 a 4500" + directory + b"\x1e" + bodies + b"\x1d"
    assert parse(payload).fields == (("245", "10\x1faBumi manusia"), ("001", "0001"))


def test_lengths_counted_in_characters_instead_of_bytes_are_repaired() -> None:
    body = "10\x1faSêrat Wédhatama".encode()
    directory = b"245%04d00000" % (len(body.decode()) + 1) + b"500001000021"
    payload = b"00090nam a2200049 a 4500" + directory + b"\x1e" + body + b"\x1e  \x1faJawa.\x1e\x1d"
    record = parse(payload)
    assert record.fields == (("245", "10\x1faSêrat Wédhatama"), ("500", "  \x1faJawa."))
    assert record.flags == ()


def test_a_field_terminator_within_a_field_becomes_a_blank_with_a_flag() -> None:
    record = parse(by_hand([NUMBER, ("500", b"  \x1faSatu\x1edua"), TITLE]))
    assert record.bodies("500") == ["  \x1faSatu dua"]
    assert record.flags == (
        "structure:terminator-in-field",
        r"structure:terminator-in-data:500:  \x1faSatu\x1edua →   \x1faSatu dua",
    )


def test_a_record_terminator_within_a_field_becomes_a_blank_with_a_flag() -> None:
    record = parse(by_hand([NUMBER, ("500", b"  \x1faSatu\x1ddua"), TITLE]))
    assert record.bodies("500") == ["  \x1faSatu dua"]
    assert record.flags == (r"structure:terminator-in-data:500:  \x1faSatu\x1ddua →   \x1faSatu dua",)


def test_a_record_over_99999_bytes_is_read_by_its_terminators() -> None:
    # 5,000 items: positions need six digits, so that their directory entries are 13 bytes long.
    fields = [NUMBER, TITLE, *(("952", b"  \x1fp%06d\x1foRak 3" % number) for number in range(7000))]
    payload = b"99999" + by_hand(fields)[6:]
    assert len(payload) > 99_999
    record = parse(payload)
    assert len(record.bodies("952")) == 7000
    assert record.bodies("952")[-1] == "  \x1fp006999\x1foRak 3"
    assert "structure:overflow" in record.flags


def test_a_field_over_9999_bytes_is_read() -> None:
    record = parse(by_hand([NUMBER, ("520", b"  \x1fa" + b"Ringkasan " * 1200), TITLE]))
    assert len(record.bodies("520")[0]) == 12_004
    assert record.bodies("245") == ["10\x1faBumi manusia"]


def test_control_characters_and_unusual_tags_are_tolerated_with_flags() -> None:
    record = parse(by_hand([NUMBER, ("FMT", b"BK"), ("24 ", b"10\x1faSatu"), ("500", b"  \x1faDu\x00a\x07")]))
    assert record.bodies("FMT") == ["BK"]
    assert record.bodies("500") == ["  \x1faDua"]
    assert record.flags == ("structure:tag:24 ", r"characters:control:500:Du\x00a\x07 → Dua")


def test_a_leader_with_bytes_that_are_no_text_is_tolerated_with_a_flag() -> None:
    payload = bytearray(RECORDS[0])
    payload[6], payload[21] = 0xE9, 0x02
    record = parse(bytes(payload))
    assert record.leader[6] == " "
    before = RECORDS[0][:24].decode()
    shown = f"{before[:6]}\xe9{before[7:21]}\\x02{before[22:]}"
    assert record.flags == (f"structure:leader::{shown} → {record.leader}",)


def test_a_directory_that_lies_a_wrong_base_address_and_a_missing_terminator_show_before_and_after() -> None:
    payload = by_hand([NUMBER, TITLE])
    broken = bytearray(payload[:-1])
    broken[12:17] = b"00099"
    broken[27:31] = b"0009"  # the length of the first field
    flags = parse(bytes(broken)).flags
    assert flags[0].startswith("structure:terminator::")
    assert flags[0].endswith(r"\x1e\x1d")
    assert flags[1].startswith("structure:directory::0010009")
    assert flags[2].startswith("structure:base-address::00099 → 000")


@pytest.mark.parametrize(
    ("label", "payload", "reason"),
    [
        ("shorter than a leader", b"00020nam", "short"),
        ("no directory", b"00060nam a2200049 a 4500 a text without any structure at all", "no-directory"),
        ("no field", b"00026nam a2200025 a 4500\x1e\x1d", "empty"),
        ("directory cut", b"00060nam a2200037 a 45002450017\x1e10\x1faBumi\x1e\x1d", "directory"),
        ("fewer fields than the directory names", by_hand([NUMBER, TITLE]).replace(b"0001\x1e", b"0001 "), "directory"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_record_that_contradicts_itself_is_refused_with_a_reason(label: str, payload: bytes, reason: str) -> None:
    with pytest.raises(RecordError) as caught:
        parse(payload)
    assert (caught.value.reason, caught.value.stage) == (reason, "parse")
    assert caught.value.message.endswith(".")


def test_what_we_write_is_what_pymarc_writes() -> None:
    for work in WORKS:
        record = pymarc_record(work)
        theirs = record.as_marc()
        ours = write(from_pymarc(record))
        assert ours[24:] == theirs[24:]
        assert ours[:5] == theirs[:5]
        assert ours[12:17] == theirs[12:17]


def test_what_we_write_we_read_again() -> None:
    for payload in RECORDS:
        record = parse(payload)
        assert parse(write(record)).fields == record.fields
        assert from_pymarc(to_pymarc(record)).fields == record.fields


@pytest.mark.parametrize(
    ("label", "fields"),
    [
        ("a field over 9,999 bytes", (("520", "  \x1fa" + "x" * 10_000),)),
        ("a record over 99,999 bytes", tuple(("500", "  \x1fa" + "x" * 9_000) for _ in range(12))),
        ("a tag of four characters", (("2451", "10\x1faBumi"),)),
        ("no field", ()),
    ],
)
def test_what_iso2709_cannot_hold_is_refused(label: str, fields: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(RecordError):
        write(LightMarc("", fields))
