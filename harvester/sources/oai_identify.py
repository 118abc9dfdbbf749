"""What a server says about itself: Identify, formats and sets, read without trust."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harvester.model import Value
from harvester.sources.oai_page import utc_moment
from harvester.sources.oai_sheet import children, text_of

_MARC = ("marcxml", "marc21", "marc", "oai_marc", "marc_xml", "MARC21", "MARCXML")
_DC = ("oai_dc",)

# Which formats a software fills from its own catalogue, best first. EPrints, DSpace, OJS and Omeka make their MARC out
# of Dublin Core, so it says less; SLiMS has nothing else.
_PREFERRED = {
    "dspace": ("qdc", *_DC),
    "eprints": _DC,
    "ojs": _DC,
    "omeka": _DC,
    "slims-oai": _DC,
    "slims-oai2": _DC,
    "inlislite": ("marcxml", "oai_marc", "marc", *_DC),
}
_USUAL = (*_MARC, "mods", *_DC)


class Identity(Value, frozen=True):
    """The answer to Identify; "" where it says nothing. `granularity` is day or second."""

    repository_name: str = ""
    base_url: str = ""
    protocol_version: str = ""
    earliest: str = ""
    deleted_record: str = ""
    granularity: str = "second"
    descriptions: str = ""
    server_time: str = ""


def read_identity(root: Any) -> Identity | None:
    """The Identify part of an answer; None when there is none. Of repeated elements the first counts (SLiMS)."""
    found = children(root, "Identify") if root is not None else []
    if not found:
        return None
    identify = found[0]

    def first(name: str) -> str:
        return next((" ".join(text_of(each).split())[:500] for each in children(identify, name)), "")

    descriptions = " ".join(" ".join(text_of(each).split()) for each in children(identify, "description"))
    dates = children(root, "responseDate")
    return Identity(
        repository_name=first("repositoryName"),
        base_url=first("baseURL"),
        protocol_version=first("protocolVersion"),
        earliest=first("earliestDatestamp"),
        deleted_record=first("deletedRecord").lower(),
        granularity="day" if first("granularity").strip().upper() == "YYYY-MM-DD" else "second",
        descriptions=descriptions[:2000],
        server_time=utc_moment(text_of(dates[0])) if dates else "",
    )


def read_names(root: Any, verb: str, element: str, name: str) -> tuple[str, ...]:
    """The text of every verb/element/name, such as ListSets/set/setSpec."""
    found = [each for container in children(root, verb) for each in children(container, element)]
    texts = [text_of(child).strip() for each in found for child in children(each, name)]
    return tuple(dict.fromkeys(text for text in texts if text))


def choose_format(offered: Sequence[str], preset: str) -> str:
    """The offered metadata prefix that says most for this software; oai_dc, which every server has, otherwise."""
    for wanted in _PREFERRED.get(preset, _USUAL):
        for prefix in offered:
            if prefix.lower() == wanted.lower():
                return prefix
    return "oai_dc"
