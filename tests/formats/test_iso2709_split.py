"""The splitter: whatever a file holds, intact records come out and every other byte is accounted for."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from io import BytesIO

import pytest

from harvester.errors import RecordError
from harvester.formats.iso2709 import parse
from harvester.formats.iso2709_split import split
from harvester.formats.span import CHUNK, MAX_DAMAGE, MAX_RECORD, Piece, Span
from harvester.model import Damage
from tests.formats.records import RECORDS

FILE = b"".join(RECORDS)
PADDING = b"\x00\t\n\r\x1a \xef\xbb\xbf"


def payloads(source: bytes) -> list[bytes]:
    return [piece.payload for piece in split(source) if isinstance(piece, Span)]


def damages(source: bytes) -> list[Damage]:
    return [piece for piece in split(source) if isinstance(piece, Damage)]


def place(piece: Piece) -> tuple[int, bytes]:
    if isinstance(piece, Span):
        return piece.offset, piece.payload
    match = re.fullmatch(r"bytes ([0-9]+)-([0-9]+)", piece.place)
    assert match
    assert int(match[2]) - int(match[1]) + 1 == len(piece.payload)
    return int(match[1]), piece.payload


def assert_every_byte_is_accounted_for(source: bytes) -> None:
    """Pieces lie in order, hold the bytes of their place, and only padding lies between them."""
    at = 0
    for piece in split(source):
        start, payload = place(piece)
        assert start >= at
        assert not source[at:start].strip(PADDING), "bytes lost between two pieces"
        assert source[start : start + len(payload)] == payload
        at = start + len(payload)
    assert not source[at:].strip(PADDING), "bytes lost at the end"


def test_good_files_are_cut_into_their_records() -> None:
    assert payloads(FILE) == RECORDS
    assert damages(FILE) == []


@pytest.mark.parametrize(
    "between",
    [b"\n", b"\r\n", b"\x00", b" ", b"\t", b"\r\n\r\n", b"\x00" * 512, b"\xef\xbb\xbf", b"\x1a"],
    ids=["LF", "CRLF", "NUL", "blank", "tab", "blank lines", "block of NUL", "BOM", "end of file of CP/M"],
)
def test_padding_between_records_is_ignored(between: bytes) -> None:
    assert payloads(between + between.join(RECORDS) + between) == RECORDS
    assert damages(between + between.join(RECORDS) + between) == []


def test_a_file_cut_at_any_byte_gives_its_complete_records_and_the_tail_as_damage() -> None:
    source = b"".join(RECORDS[:3])
    ends = [len(b"".join(RECORDS[:count])) for count in range(4)]
    for cut in range(len(source) + 1):
        whole = max(count for count in range(4) if ends[count] <= cut)
        assert payloads(source[:cut]) == RECORDS[:whole]
        tail = b"".join(damage.payload for damage in damages(source[:cut]))
        assert tail == source[ends[whole] : cut]


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("length", [b"00000", b"99999", b"00024", b"     ", b"abcde", b"00700"])
def test_a_wrong_length_costs_nothing(number: int, length: bytes) -> None:
    records = list(RECORDS[:3])
    records[number] = length + records[number][5:]
    assert payloads(b"".join(records)) == records
    assert [parse(each).fields for each in records] == [parse(each).fields for each in RECORDS[:3]]


def test_a_lost_record_end_costs_only_its_own_record() -> None:
    source = RECORDS[0] + RECORDS[1][:-1] + RECORDS[2] + RECORDS[3]
    assert payloads(source) == [RECORDS[0], RECORDS[2], RECORDS[3]]
    assert [damage.reason for damage in damages(source)] == ["truncated"]


def test_a_record_broken_off_in_the_middle_costs_only_itself() -> None:
    for cut in range(30, len(RECORDS[1]) - 1, 7):
        source = RECORDS[0] + RECORDS[1][:cut] + RECORDS[2]
        assert RECORDS[0] in payloads(source)
        assert RECORDS[2] in payloads(source)
        assert_every_byte_is_accounted_for(source)


def test_a_record_end_within_a_note_does_not_cut_the_record() -> None:
    broken = RECORDS[1].replace(b"Sejarah", b"Se\x1darah")
    assert payloads(RECORDS[0] + broken + RECORDS[2]) == [RECORDS[0], broken, RECORDS[2]]


def test_garbage_before_between_and_behind_is_one_damage_each() -> None:
    source = b"<html>Error 500</html>\x1d" + RECORDS[0] + b"Warning: mysqli_connect()\x1d" + RECORDS[1] + b"bye"
    assert payloads(source) == RECORDS[:2]
    assert [damage.reason for damage in damages(source)] == ["garbage"] * 3
    assert_every_byte_is_accounted_for(source)


def test_a_record_over_99999_bytes_is_one_record() -> None:
    body = b"".join(b"  \x1fp%06d\x1e" % number for number in range(12_000))
    directory = b"".join(b"9520010%05d" % min(number * 10, 99_999) for number in range(12_000))
    large = b"99999nam a2299999 a 4500" + directory + b"\x1e" + body + b"\x1d"
    assert payloads(RECORDS[0] + large + RECORDS[1]) == [RECORDS[0], large, RECORDS[1]]


class Drip(BytesIO):
    """A stream that gives a few bytes a time, as a slow pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(97, size if size and size > 0 else 97))


def test_the_size_of_the_pieces_read_does_not_matter() -> None:
    source = (
        RECORDS[0]
        + b"\r\n"
        + RECORDS[1][:-1]
        + RECORDS[2]
        + b"xx\x1d"
        + RECORDS[3].replace(b"Fiksi", b"Fi\x1dsi")
        + FILE
    )
    assert list(split(Drip(source))) == list(split(source))
    assert list(split(BytesIO(source))) == list(split(source))


def test_memory_stays_bounded_when_no_record_ends() -> None:
    class Endless(BytesIO):
        def __init__(self) -> None:
            super().__init__()
            self.left = 3 * MAX_RECORD

        def read(self, size: int | None = -1) -> bytes:
            assert size and size <= CHUNK
            self.left -= size
            return b"x" * size if self.left > 0 else b""

    found = list(split(Endless()))
    assert all(isinstance(piece, Damage) and len(piece.payload) <= MAX_DAMAGE for piece in found)
    assert len(found) >= 3 * MAX_RECORD // MAX_DAMAGE - 2


def test_a_file_of_nothing_but_record_ends_is_few_damages() -> None:
    assert len(damages(b"\x1d" * 100_000)) < 10
    assert_every_byte_is_accounted_for(b"\x1d" * 1000)


def test_long_padding_is_skipped_without_being_kept() -> None:
    padding = b"\x00" * (MAX_RECORD + 2 * CHUNK)
    assert payloads(RECORDS[0] + padding + RECORDS[1]) == RECORDS[:2]
    assert damages(RECORDS[0] + padding + RECORDS[1]) == []


def test_a_file_full_of_leaders_is_cut_in_linear_time() -> None:
    # Each leader's base address points at the one field terminator behind all of them.
    total = 90_000
    flood = b"".join(b"00000a000022%05d" % (total - at) + b"0" * 26 for at in range(0, total - 50, 43))
    source = (flood.ljust(total - 1, b"0") + b"\x1e") * 20 + b"\x1d"
    started = time.process_time()
    assert_every_byte_is_accounted_for(source)
    assert time.process_time() - started < 10


@pytest.mark.parametrize("source", [b"", b"\r\n", b"\xef\xbb\xbf", b"\x00" * 2000])
def test_empty_files_give_nothing(source: bytes) -> None:
    assert list(split(source)) == []


# ---- mutation ------------------------------------------------------------------------------------------------------

SPECIAL = [b"\x1d", b"\x1e", b"\x1f", b"\x00", b"\xef\xbb\xbf", b"\r\n", b"0", b"9", b"\xe9", b"\x1b$1"]


def mutated(choose: random.Random) -> tuple[list[bytes], bytes, int]:
    """Three records, the file with one of them changed in some way, and which."""
    records = [RECORDS[choose.randrange(len(RECORDS))] for _ in range(3)]
    number = choose.randrange(3)
    victim = bytearray(records[number])
    for _ in range(choose.choice((1, 1, 1, 2, 5))):
        at = choose.randrange(len(victim))
        how = choose.randrange(5)
        if how == 0:
            victim[at] = choose.randrange(256)
        elif how == 1:
            del victim[at : at + choose.choice((1, 1, 5, 40))]
        elif how == 2:
            victim[at:at] = choose.choice(SPECIAL)
        elif how == 3:
            victim[at : at + 1] = choose.choice(SPECIAL)
        else:
            victim[choose.randrange(24)] = choose.randrange(256)
        if not victim:
            break
    changed = [*records[:number], bytes(victim), *records[number + 1 :]]
    return records, b"".join(changed), number


def run(count: int, seed: int) -> float:
    """The share of intact neighbours that came out, over *count* mutated files."""
    choose = random.Random(seed)
    expected = recovered = 0
    for _ in range(count):
        records, source, number = mutated(choose)
        found = set()
        at = 0
        for piece in split(source):
            start, payload = place(piece)
            assert not source[at:start].strip(PADDING)
            at = start + len(payload)
            if isinstance(piece, Span):
                found.add(payload)
                try:
                    parse(payload)
                except RecordError as error:
                    assert error.reason and error.message
            else:
                assert piece.reason and piece.message
        assert not source[at:].strip(PADDING)
        for other, record in enumerate(records):
            if other != number:
                expected += 1
                recovered += record in found
    return recovered / expected


@pytest.mark.slow
def test_30000_mutated_files_lose_no_byte_raise_nothing_and_keep_their_neighbours() -> None:
    assert run(30_000, seed=2) >= 0.999


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(20))
def test_a_million_mutated_files_lose_no_byte_raise_nothing_and_keep_their_neighbours(seed: int) -> None:
    assert run(50_000, seed=1000 + seed) >= 0.999


def test_mutated_payloads_are_read_or_refused() -> None:
    choose = random.Random(7)
    for _ in range(3000):
        payload = bytearray(choose.choice(RECORDS))
        for _ in range(choose.randrange(1, 12)):
            payload[choose.randrange(len(payload))] = choose.randrange(256)
        for text in readable(bytes(payload)):
            text.encode("utf-8")
            assert "\x00" not in text
            assert "\x1d" not in text


def readable(payload: bytes) -> Iterator[str]:
    try:
        yield from (body for _, body in parse(payload).fields)
    except RecordError:
        return
