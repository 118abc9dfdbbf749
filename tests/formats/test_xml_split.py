"""The scanner of XML files: where it looks for the name of an element it finds the same as one pattern for all."""

import random
from io import BytesIO

import pytest

from harvester.formats.span import Piece
from harvester.formats.xml_split import _Scanner, split_records

PIECES = (
    b"<record>", b"<record>", b"</record>", b"</record>", b"<a:record b='record'>", b"</a:record >", b"<record/>",
    b"<record:record>", b"<a:records>", b"<leader>", b"record", b" record>", b"<", b">", b"</", b"a:", b"x", b"\n",
)  # fmt: skip
MARKED = (*PIECES, b"<!-- <record> -->", b"<![CDATA[</record>]]>", b"<!--", b"!", b"<!")


class _OnePattern(_Scanner):
    """What was found before: every tag is looked at."""

    def _tokens_before(self, end):  # type: ignore[no-untyped-def]
        return self._token.finditer(self._buffer, self._scanned, end)


def _split(scanner: _Scanner, chunks: list[bytes]) -> list[Piece]:
    return [piece for chunk in chunks for piece in scanner.feed(chunk)] + list(scanner.close())


@pytest.mark.parametrize("pieces", [PIECES, MARKED], ids=["plain", "with comments and CDATA"])
def test_records_are_cut_as_by_one_pattern_wherever_chunks_end(pieces: tuple[bytes, ...]) -> None:
    draw = random.Random(8)
    cut = 0
    for _ in range(3000):
        whole = b"".join(draw.choices(pieces, k=draw.randrange(1, 14)))
        at = draw.randrange(len(whole) + 1)
        chunks = [part for part in (whole[:at], whole[at:]) if part]
        found = _split(_Scanner("record"), chunks)
        assert found == _split(_OnePattern("record"), chunks), whole
        cut += len(found)
    assert cut > 3000


def test_a_declaration_that_comes_in_two_chunks_is_heeded() -> None:
    head, rest = b'<?xml version="1.0" enc', b'oding="latin-1"?><record>\xe9</record>'
    (found,) = _split(_Scanner("record"), [head, rest])
    assert found == next(split_records(BytesIO(head + rest), "record"))
    assert found.payload.startswith(b'<?xml version="1.0" encoding="iso8859-1"?>')
