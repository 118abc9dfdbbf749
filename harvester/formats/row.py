"""A row of a spreadsheet, as the file source writes it: JSON with the cells by column name and the place of the row."""

from __future__ import annotations

import json

from harvester.errors import RecordError
from harvester.formats import formats
from harvester.formats.json_safe import parse_object, text_of
from harvester.model import RowRecord

MAX_CELLS = 2_000


@formats.register("row")
def parse(payload: bytes) -> RowRecord:
    """The light form of one row: `{"cells": {"Judul": ["…"], "Pengarang": "…"}, "place": "Buku!A2"}`.

    Raises:
        RecordError: no JSON object (stage decode); no cells, or too many (stage parse).
    """
    value, charset_flags = parse_object(payload)
    flags = dict.fromkeys(charset_flags)
    cells = value.get("cells")
    if not isinstance(cells, dict) or not cells:
        raise RecordError("The row is empty: it has no cells.", reason="empty")
    if len(cells) > MAX_CELLS:
        raise RecordError(f"The row has more than {MAX_CELLS:,} cells.", reason="bounds")
    pairs = []
    for name, texts in cells.items():
        many = texts if isinstance(texts, list) else [texts]
        pairs.append((name, tuple(text_of(text, name, flags) for text in many)))
    own = value.get("flags")
    flags.update(dict.fromkeys(str(flag) for flag in own) if isinstance(own, list) else {})
    return RowRecord(tuple(pairs), text_of(value.get("place"), "place", flags), tuple(flags))


def write(record: RowRecord) -> bytes:
    """*record* as the payload that `parse` reads: what the source stores for a row."""
    value = {"cells": {name: list(texts) for name, texts in record.cells}, "place": record.place}
    if record.flags:
        value["flags"] = list(record.flags)
    return json.dumps(value, ensure_ascii=False).encode("utf-8")
