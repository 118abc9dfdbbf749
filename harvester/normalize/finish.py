"""What every record gets whatever its mapping: holdings with link, lending and date, and its flags as warnings."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from harvester.model import Holding, NormalizedRecord, Warning

_NO_HOLDING = Holding()
_NO_TITLE = Warning("title-missing", "title")


class Context(msgspec.Struct, frozen=True):
    """Where a record comes from. `opac_url` holds `{id}`; `as_of` is the date (ISO 8601) of the harvest."""

    source: str = ""
    identifier: str = ""
    partner: str = ""
    opac_url: str = ""
    lending: str = ""
    as_of: str = ""
    flags: tuple[str, ...] = ()
    deleted: bool = False
    local_id: str = ""

    @property
    def place(self) -> str:
        """The record's address."""
        return f"{self.source}/{self.identifier}"


def holdings_of(given: tuple[Holding, ...], control_number: str, context: Context) -> tuple[Holding, ...]:
    """The holdings of a record with link, lending and date: at least one, and none of a deleted record."""
    if context.deleted:
        return ()
    url = ""
    if "{id}" in context.opac_url:
        number = context.local_id or control_number or context.identifier
        url = context.opac_url.replace("{id}", quote(number, safe=""))
    return tuple([_completed(holding, url, context) for holding in _joined(given) or (_NO_HOLDING,)])


def warnings_of(record: NormalizedRecord, flags: Iterable[str], context: Context) -> tuple[Warning, ...]:
    """What the readers flagged and what is doubtful about *record* itself, each once."""
    # `place:` says where in a file the record stands: no fault
    warnings = [_warning(flag) for flag in (*context.flags, *flags) if not flag.startswith("place:")]
    warnings += _doubts(record)
    return tuple(dict.fromkeys(warnings)) if len(warnings) > 1 else tuple(warnings)


def _joined(given: tuple[Holding, ...]) -> tuple[Holding, ...]:
    """*given*, where a bare call number is that of the items that have none: INLISLite writes 090 beside 990."""
    if len(given) < 2:
        return given
    items = [one for one in given if one.items and not one.call_number]
    bare = [one for one in given if one == Holding(call_number=one.call_number)]
    if len(bare) != 1 or len(items) != len(given) - 1:
        return given
    return tuple([msgspec.structs.replace(one, call_number=bare[0].call_number) for one in items])


def _completed(holding: Holding, url: str, context: Context) -> Holding:
    """*holding* with what the context adds; barcodes count as copies, save beside a serial statement: of volumes."""
    copies = holding.copies
    if copies is None and holding.items and not holding.serial_statement:
        copies = len(set(holding.items))
    return Holding(
        holding.branch,
        holding.collection,
        holding.call_number,
        copies,
        holding.items,
        holding.shelving,
        holding.lending or context.lending,
        holding.serial_statement,
        holding.url or url,
        holding.access_note,
        holding.as_of or context.as_of,
    )


def _warning(flag: str) -> Warning:
    """A flag as a warning: of a format reader `what:how:where:before`, of a sheet `what:Sheet!cell=value`."""
    what, _, rest = flag.partition(":")
    if "!" in rest.partition(":")[0]:
        cell, _, value = rest.partition("=")
        return Warning(what, cell, value[:200])
    how, _, rest = rest.partition(":")
    field, _, value = rest.partition(":")
    return Warning(f"{what}-{how}" if how else what, field, value[:200])


def _doubts(record: NormalizedRecord) -> list[Warning]:
    doubts = [] if record.title.proper or record.title.original else [_NO_TITLE]
    for identifier in record.identifiers:
        if identifier.status == "invalid":
            doubts.append(Warning(f"{identifier.kind}-invalid", "identifiers", identifier.value))
    dates = record.dates
    if dates.year_from is None and dates.text:
        doubts.append(Warning("year-unreadable", "dates", dates.text[:200]))
    return doubts
