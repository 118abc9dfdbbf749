"""Which rows a list request gets, page by page: selection, order, paging and resumption tokens."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec

from harvester.demo.quirks import Quirks
from harvester.demo.store import Row, Store

DAY = re.compile(r"\d{4}-\d\d-\d\d")
SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
LOCAL_TIME = timedelta(hours=7)
SortKey = tuple[str | int, ...]


class OaiError(Exception):
    """An answer of the protocol, not a failure: `code` is one of the OAI-PMH error codes."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Cursor(msgspec.Struct, frozen=True, omit_defaults=True):
    """A list and the place in it: what a resumption token carries."""

    prefix: str
    since: str = ""
    until: str = ""
    set_spec: str = ""
    offset: int = 0
    after: tuple[str | int, ...] = ()
    total: int = 0
    issued: str = ""

    @property
    def dated(self) -> bool:
        return bool(self.since or self.until)


class Cut(msgspec.Struct, frozen=True):
    """One page: its rows, the size of the whole list as the server knows it, and where to go on."""

    rows: list[Row]
    total: int
    follow: Cursor | None


def header_stamp(row: Row, quirks: Quirks) -> datetime:
    """The datestamp that the header tells."""
    return row.created if quirks.datestamp == "created" else row.modified


def told_deleted(row: Row, quirks: Quirks) -> bool:
    """Whether the row is listed as a deleted header."""
    if quirks.tells == "deleted":
        return row.deleted or row.hidden
    return quirks.tells == "hidden" and row.hidden and not row.deleted


def listed(row: Row, quirks: Quirks) -> bool:
    """Whether the row is listed at all, live or as a deleted header."""
    if told_deleted(row, quirks):
        return True
    return not row.deleted and (quirks.shows_hidden or not row.hidden)


def written_stamp(moment: datetime, quirks: Quirks) -> str:
    """A datestamp in the server's style."""
    if quirks.granularity == "day":
        return f"{moment:%Y-%m-%d}"
    if quirks.datestamp_style == "local":
        return f"{moment + LOCAL_TIME:%Y-%m-%d %H:%M:%S}"
    return f"{moment:%Y-%m-%dT%H:%M:%S}" + (".000Z" if quirks.datestamp_style == "milliseconds" else "Z")


def cut(store: Store, quirks: Quirks, cursor: Cursor) -> Cut:
    """The page of the list that begins at *cursor*."""
    order = _order(quirks)
    rows = sorted(_selected(store, quirks, cursor), key=order, reverse=quirks.order.endswith("desc"))
    if quirks.paging == "offset":
        rest, total = rows[cursor.offset :], len(rows)
    else:
        rest = [row for row in rows if order(row) > cursor.after] if cursor.after else rows
        total = cursor.total or len(rows)
    page = rest[: quirks.page_size]
    if len(rest) <= quirks.page_size:
        return Cut(page, total, None)
    follow = msgspec.structs.replace(
        cursor,
        offset=cursor.offset + quirks.page_size,
        after=order(page[-1]) if quirks.paging == "keyset" else (),
        total=total,
        issued=f"{store.clock.now():%Y-%m-%dT%H:%M:%SZ}",
    )
    return Cut(page, total, follow)


def write_token(cursor: Cursor, quirks: Quirks) -> str:
    """The resumption token for *cursor*, in the server's style."""
    if quirks.resumption == "prefix/offset":
        return f"{cursor.prefix}/{cursor.offset}"
    if not quirks.resumption_dates:
        cursor = msgspec.structs.replace(cursor, since="", until="")
    return quirks.resumption_prefix + base64.b64encode(msgspec.json.encode(cursor)).decode("ascii")


def read_token(token: str, quirks: Quirks, now: datetime) -> Cursor:
    """The cursor in *token*.

    Raises:
        OaiError: badResumptionToken, when it is not ours or has expired.
    """
    try:
        if quirks.resumption == "prefix/offset":
            prefix, _, offset = token.partition("/")
            return Cursor(prefix, offset=int(offset))
        if not token.startswith(quirks.resumption_prefix):
            raise OaiError("badResumptionToken", "the token was not given back as it was")
        text = token.removeprefix(quirks.resumption_prefix)
        cursor = msgspec.json.decode(base64.b64decode(text, validate=True), type=Cursor)
    except (ValueError, binascii.Error, msgspec.DecodeError) as error:
        raise OaiError("badResumptionToken", "not a token of this server") from error
    if quirks.resumption_seconds:
        issued = datetime.fromisoformat(cursor.issued)
        if now - issued > timedelta(seconds=quirks.resumption_seconds):
            raise OaiError("badResumptionToken", "the token has expired")
    return cursor


def check_dates(cursor: Cursor, quirks: Quirks) -> None:
    """Refuse dates that OAI-PMH 2.0 section 2.5 refuses.

    Raises:
        OaiError: badArgument.
    """
    for text in (cursor.since, cursor.until):
        fine = quirks.granularity == "second" and SECOND.fullmatch(text)
        if text and not (DAY.fullmatch(text) or fine):
            raise OaiError("badArgument", f"{text} is not of granularity {quirks.granularity}")
    if cursor.since and cursor.until:
        if len(cursor.since) != len(cursor.until):
            raise OaiError("badArgument", "from and until differ in granularity")
        if cursor.since > cursor.until:
            raise OaiError("badArgument", "from is later than until")


def _selected(store: Store, quirks: Quirks, cursor: Cursor) -> list[Row]:
    since, until = _bounds(cursor)
    if quirks.from_needs_until and not (cursor.since and cursor.until):
        since = until = None
    return [
        row
        for row in store.shown(store.clock.now())
        if listed(row, quirks)
        and (not cursor.set_spec or _in_set(row, cursor.set_spec))
        and _within(row, quirks, since, until)
    ]


def _within(row: Row, quirks: Quirks, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    stamp = {"modified": row.modified, "created": row.created, "updated": row.updated}[quirks.select_on]
    if stamp is None:
        return False
    return (since is None or stamp >= since) and (until is None or stamp <= until)


def _bounds(cursor: Cursor) -> tuple[datetime | None, datetime | None]:
    """from and until as moments; a day as `until` means its last second."""
    since = datetime.fromisoformat(cursor.since) if cursor.since else None
    until = datetime.fromisoformat(cursor.until) if cursor.until else None
    if since and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    if until and until.tzinfo is None:
        until = until.replace(tzinfo=UTC) + timedelta(days=1, seconds=-1)
    return since, until


def _in_set(row: Row, set_spec: str) -> bool:
    return any(own == set_spec or own.startswith(set_spec + ":") for own in row.sets)


def _order(quirks: Quirks) -> Callable[[Row], SortKey]:
    if quirks.order == "datestamp":
        return lambda row: (int(header_stamp(row, quirks).timestamp()), *_natural(row.key))
    if quirks.order == "updated-desc":
        # Ties stand as the database happens to hold them: by key here, so that tests repeat.
        return lambda row: (int(row.updated.timestamp()) if row.updated else 0, *_natural(row.key))
    return lambda row: _natural(row.key)


def _natural(key: str) -> tuple[int, int, str]:
    return (0, int(key), "") if key.isdecimal() else (1, 0, key)
