"""The straightforward pipeline that Induk is measured against: pymarc, plain Python, SQLAlchemy Core, a row at a time.

It does less: no versions, no evidence, no quarantine, no feed with epochs. It maps about the same fields, blocks by
title and year, compares titles with rapidfuzz, merges by union-find and stores records, keys and clusters.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pymarc
from rapidfuzz import fuzz
from sqlalchemy import Column, Integer, LargeBinary, MetaData, String, Table, create_engine, insert, select

FIELDS = {
    "title": "245ab", "responsibility": "245c", "part": "245np", "author": "100abd", "body": "110ab", "added": "700a",
    "edition": "250a", "place": "260a", "publisher": "260b", "date": "260c", "extent": "300a", "size": "300c",
    "series": "490a", "volume": "490v", "note": "500a", "abstract": "520a", "subject": "650a", "place_subject": "651a",
    "isbn": "020a", "issn": "022a", "lccn": "010a", "oclc": "035a", "number": "086a", "ddc": "082a", "url": "856u",
    "host": "773t", "language": "041a", "content": "336a", "media": "337a", "carrier": "338a", "thesis": "502a",
}  # fmt: skip


def read(file: str) -> Iterator[dict[str, Any]]:
    """The records of *file* as plain fields."""
    with open(file, "rb") as stream:
        for record in pymarc.MARCReader(stream):
            if record is None:
                continue
            fields: dict[str, Any] = {}
            for name, path in FIELDS.items():
                found = [
                    " ".join(field.get_subfields(*path[3:])).strip(" /:;,.") for field in record.get_fields(path[:3])
                ]
                fields[name] = [one for one in found if one]
            fixed = record.get("008")
            fields["year"] = fixed.data[7:11] if fixed is not None else ""
            fields["id"] = record["001"].data if "001" in record else ""
            fields["raw"] = record.as_marc()
            yield fields


def pipeline(file: str, url: str) -> dict[str, Any]:
    """Load, match, cluster and store every record."""
    engine = create_engine(url)
    metadata = MetaData()
    held = Table("plain_record", metadata, Column("id", Integer, primary_key=True), Column("raw", LargeBinary),
                 Column("body", String), Column("cluster", Integer))  # fmt: skip
    keys = Table("plain_key", metadata, Column("key", String, index=True), Column("record", Integer))
    metadata.drop_all(engine)
    metadata.create_all(engine)
    titles: dict[int, str] = {}
    cluster: dict[int, int] = defaultdict(int)
    pairs = 0
    with engine.begin() as conn:
        for number, fields in enumerate(read(file)):
            title = " ".join(fields["title"]).casefold()
            key = f"{title[:20]}|{fields['year']}"
            titles[number], cluster[number] = title, number
            for (other,) in conn.execute(select(keys.c.record).where(keys.c.key == key).limit(50)).all():
                pairs += 1
                if fuzz.ratio(title, titles[other]) > 95:
                    cluster[number] = cluster[other]
            raw = zlib.compress(fields.pop("raw"))
            conn.execute(insert(held).values(id=number, raw=raw, body=json.dumps(fields), cluster=cluster[number]))
            conn.execute(insert(keys).values(key=key, record=number))
    engine.dispose()
    return {"pairs": pairs}
