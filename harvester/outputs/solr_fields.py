"""The fields of VuFind's index: which hold one value, which are stored, and the shape that Solr accepts.

Source: vufind-org/vufind solr/vufind/biblio/conf/schema.xml and its dynamic fields (*_str, *_str_mv, *_boolean …).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

Document = dict[str, Any]

_SINGLE = (
    "id lccn title title_short title_sub title_full title_sort title_auth author_sort edition description thumbnail "
    "publishDateSort callnumber-first callnumber-subject callnumber-label callnumber-sort dewey-sort illustrated "
    "container_title container_volume container_issue container_start_page container_reference fullrecord "
    "record_format first_indexed last_indexed fulltext"
)
SINGLE = frozenset(_SINGLE.split())
NOT_STORED = frozenset(("allfields", "fulltext", "publishDateSort"))  # indexed only: verify cannot read them back
LENGTH = 1024
LENGTHS: Mapping[str, int] = {
    "allfields": 32_000,
    "fullrecord": 10_000_000,
    "holdings_str_mv": 8_000,
    "description": 8_000,
}


def is_single(name: str) -> bool:
    """Whether the field *name* takes one value."""
    return name in SINGLE or name.endswith(("_str", "_boolean", "_date", "_txt", "_isn", "_txtF", "_int"))


def shape(fields: Mapping[str, Any]) -> Document:
    """*fields* as Solr takes them: one value or a list by the schema, no doubles, nothing empty, bounded lengths."""
    document: Document = {}
    for name, value in fields.items():
        values = [_cut(name, one) for one in (value if isinstance(value, list | tuple) else [value])]
        values = values if name in AS_GIVEN else unique(values)
        if not any(one not in ("", None) for one in values):
            continue
        document[name] = values[0] if is_single(name) else values
    return document


# Parallel lists, and holdings: five equal rows of a book are five copies.
AS_GIVEN = frozenset(
    ["author", "author_role", "author2", "author2_role", "author_corporate", "author_corporate_role", "holdings_str_mv"]
)


def unique(values: Iterable[Any]) -> list[Any]:
    """*values* without empty ones and without repetitions in another case."""
    kept: dict[Any, Any] = {}
    for value in values:
        if value not in ("", None):
            kept.setdefault(value.casefold() if isinstance(value, str) else value, value)
    return list(kept.values())


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f]")


def _cut(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    limit = LENGTHS.get(name, LENGTH)
    value = _CONTROL.sub("", value)
    return value if len(value) <= limit else value[:limit]


def version(document: Mapping[str, Any]) -> str:
    """A digest of everything in *document* but itself."""
    body = msgspec.json.encode({key: value for key, value in document.items() if key != "version_str"}, order="sorted")
    return hashlib.blake2b(body, digest_size=8).hexdigest()


def levels(*names: str) -> list[str]:
    """The values of a hierarchical facet: UGM/Pusat becomes 0/UGM/ and 1/UGM/Pusat/."""
    clean = [name.replace("/", " ").strip() for name in names]
    found = []
    for depth, name in enumerate(clean):
        if not name:
            break
        found.append(f"{depth}/" + "/".join(clean[: depth + 1]) + "/")
    return found
