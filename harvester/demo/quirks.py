"""How a partner's OAI-PMH server behaves: flags, and the sets of flags that real software shows.

The defaults are a server that keeps the protocol. The presets follow the source code of SLiMS 9 and INLISLite.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class Quirks(msgspec.Struct, frozen=True, kw_only=True):
    """One server's habits. Times are seconds; sizes are records."""

    software: str = "conforming"
    formats: tuple[str, ...] = ("oai_dc", "marcxml")
    identifier_prefix: str = "oai:{host}:"  # {host} is the Host header of the request: an alias makes new identifiers

    # lists
    page_size: int = 100
    paging: Literal["keyset", "offset"] = "keyset"  # offset: an insertion doubles, a deletion skips
    order: Literal["datestamp", "key", "key-desc", "updated-desc"] = "datestamp"
    list_size: bool = True  # completeListSize is told
    list_size_error: int = 0  # added to the count that is told
    empty_list: Literal["noRecordsMatch", "empty", "sql-text"] = "noRecordsMatch"

    # resumption tokens
    resumption: Literal["json", "prefix/offset"] = "json"
    resumption_prefix: str = ""  # what every token begins with: blanks, "&", eight kilobytes …
    resumption_dates: bool = True
    resumption_seconds: int = 0  # 0: never expires
    prefix_on_resumption: Literal["refused", "ignored", "required"] = "refused"

    # datestamps and selection
    granularity: Literal["second", "day"] = "second"
    datestamp: Literal["modified", "created", "created-if-never-edited"] = "modified"
    datestamp_style: Literal["utc", "local", "milliseconds"] = "utc"
    select_on: Literal["modified", "created", "updated"] = "modified"  # updated: rows never edited are in no dated list
    from_needs_until: bool = False  # `from` alone is ignored
    datestamp_in_records: bool = True
    earliest: str | None = None  # None: the truth; else the text as told

    # what the world does before the server tells it
    lag: int = 0  # a change is visible only so much later, under its own (old) datestamp
    backdate: int = 0  # a change is stamped so much earlier than it happened

    # deletions
    deleted_record: Literal["persistent", "transient", "no"] = "persistent"
    tells: Literal["deleted", "hidden", "nothing"] = "deleted"  # what comes as a deleted header
    shows_hidden: bool = False

    # Identify and refusal
    repeats_name: bool = False
    wrong_base_url: bool = False
    disabled: bool = False  # every request: badVerb "OAI Repository disabled"


SLIMS_OAI = Quirks(
    software="SLiMS 9, oai.php",
    formats=("oai_dc",),
    identifier_prefix="oai:slims/",
    paging="offset",
    order="key-desc",
    resumption="prefix/offset",
    resumption_dates=False,
    prefix_on_resumption="ignored",
    datestamp="created",
    datestamp_style="local",
    select_on="created",
    from_needs_until=True,
    datestamp_in_records=False,
    earliest="",
    empty_list="empty",
    deleted_record="transient",
    tells="nothing",
    shows_hidden=True,
    repeats_name=True,
    wrong_base_url=True,
)

SLIMS_OAI2 = Quirks(
    software="SLiMS 9, oai2.php",
    formats=("oai_dc",),
    identifier_prefix="oai:slims/",
    paging="offset",
    order="key",
    prefix_on_resumption="ignored",
    datestamp="created",
    select_on="created",
    earliest="2011-01-01T00:00:00Z",
    deleted_record="transient",
    tells="hidden",
)

INLISLITE_32 = Quirks(
    software="INLISLite 3.2",
    formats=("oai_dc", "oai_marc", "marcxml", "rif"),
    paging="offset",
    order="key",
    prefix_on_resumption="ignored",
    datestamp="created",
    select_on="created",
    empty_list="sql-text",
    deleted_record="no",
    tells="nothing",
)

INLISLITE_V33 = Quirks(
    software="INLISLite V33",
    formats=("oai_dc", "marc"),
    paging="offset",
    order="updated-desc",
    prefix_on_resumption="required",
    datestamp="created-if-never-edited",
    select_on="updated",
    earliest="2020-01-01T00:00:00Z",
    deleted_record="no",
    tells="nothing",
)

KOHA = Quirks(software="Koha 23.11", formats=("oai_dc", "marc21", "marcxml"), identifier_prefix="KOHA-OAI:")

PRESETS = {
    "conforming": Quirks(),
    "koha": KOHA,
    "slims-oai": SLIMS_OAI,
    "slims-oai2": SLIMS_OAI2,
    "inlislite-3.2": INLISLITE_32,
    "inlislite-v33": INLISLITE_V33,
}


def variant(quirks: Quirks, **changes: object) -> Quirks:
    """*quirks* with some flags changed."""
    return msgspec.structs.replace(quirks, **changes)
