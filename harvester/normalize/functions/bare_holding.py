"""bare_holding."""

from __future__ import annotations

import re

from harvester.model import Holding
from harvester.normalize.functions import functions
from harvester.normalize.functions.merge_items import MAX_ITEMS

_NUMBER = re.compile(r"(?:https?:|oai:|doi:|ISBN|ISSN)|^[0-9Xx \-.]{8,20}$", re.IGNORECASE)


@functions.register("bare_holding")
def bare_holding(
    *,
    call_numbers: list[str],
    items: list[str] | None = None,
    copies: str = "",
    branch: str = "",
    collection: str = "",
    shelving: str = "",
) -> Holding | None:
    """One holding of plain texts: the first call number that is no address and no standard number, barcodes, copies.

    >>> bare_holding(call_numbers=["https://x.id/1", "9789793062792", "899.221 HIR l"], items=["B1", "B2"]).copies
    2
    """
    call_number = next((" ".join(text.split()) for text in call_numbers if not _NUMBER.search(text.strip())), "")
    barcodes = tuple(dict.fromkeys(items or ()))[:MAX_ITEMS]
    count = int(copies) if copies.isdecimal() and len(copies) < 6 else (len(barcodes) or None)
    made = Holding(branch, collection, call_number, count, barcodes, shelving)
    return made if made != Holding() else None
