"""Which stretches of time to harvest next, and how far a source is known without a gap. Pure arithmetic.

Times are ISO 8601 in UTC (`2026-11-21T18:00:00Z`), both ends belong to a window, None is unbounded. They come from
servers' clocks at the start of a harvest and never from datestamps of records, which servers back-date and leave out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec

from harvester.clock import stamp
from harvester.model import Window

EXPIRIES = 3  # restarts of a window before it is split
_EPOCH = "1970-01-01T00:00:00Z"
_SHORTEST = timedelta(days=1)


def plan(
    cursor: str | None, open_windows: Sequence[Window] = (), *, slices: Sequence[str] = ("",), overlap: timedelta
) -> tuple[Window, ...]:
    """What to harvest now: windows left open first, then for each slice all that is newer than *cursor*.

    The newest window has no `until`: closing it gives it one. *cursor* None means everything. A slice that is still
    open without end gets no second such window.
    """
    since = None if cursor is None else stamp(_moment(cursor) - overlap)
    endless = {window.slice for window in open_windows if window.until is None}
    fresh = tuple(Window(since=since, slice=each) for each in slices or ("",) if each not in endless)
    return tuple(sorted(open_windows, key=_order)) + fresh


def close(window: Window, server_time: str) -> Window:
    """*window* as done: without an end of its own it ends when the server began to answer; the token is gone."""
    return msgspec.structs.replace(window, until=window.until or server_time or None, token="")


def cursor(done: Iterable[Window], start: str | None = None) -> str | None:
    """The end of the contiguous stretch of *done* windows that begins at *start* (None: at the beginning of time).

    None when nothing contiguous is done. Windows of several slices are asked for each slice, and the earliest counts.
    """
    by_slice: dict[str, list[Window]] = {}
    for window in done:
        by_slice.setdefault(window.slice, []).append(window)
    ends = [_contiguous(windows, start) for windows in by_slice.values()]
    known = [end for end in ends if end is not None]
    return min(known, key=_moment) if known and len(known) == len(ends) else start


def restart(window: Window, now: str, earliest: str = "") -> tuple[Window, ...]:
    """What replaces *window* after its resumption token was refused: itself from the start, or its two halves.

    A server that forgets tokens quickly never lets a long list finish, so repeated expiry halves the window.
    """
    again = msgspec.structs.replace(window, token="", pages=0, attempts=window.attempts + 1)
    return (again,) if again.attempts < EXPIRIES else split(again, now, earliest)


def split(window: Window, now: str, earliest: str = "") -> tuple[Window, ...]:
    """The two halves of *window*, meeting in one moment; *window* alone when it spans less than two days.

    *earliest* (from Identify) and *now* stand in for an open beginning and end; they stay open in the halves.
    """
    first = _moment(window.since or (earliest if _is_moment(earliest) else _EPOCH))
    last = _moment(window.until or now)
    if last - first < 2 * _SHORTEST:
        return (window,)
    middle = (first + (last - first) / 2).replace(hour=0, minute=0, second=0, microsecond=0)
    fresh = msgspec.structs.replace(window, token="", pages=0, attempts=0)
    return (
        msgspec.structs.replace(fresh, until=stamp(middle)),
        msgspec.structs.replace(fresh, since=stamp(middle)),
    )


def outlived(cursor: str, now: str, retention: timedelta) -> bool:
    """True when deletions since *cursor* may be forgotten by a server that keeps them for *retention* only."""
    return _moment(now) - _moment(cursor) > retention


def _contiguous(windows: list[Window], start: str | None) -> str | None:
    end = start
    begun = start is not None
    for window in sorted(windows, key=_order):
        if window.until is None:
            continue
        if not begun:
            if window.since is not None:
                return None
            begun, end = True, window.until
        elif window.since is None or (end is not None and _moment(window.since) <= _moment(end)):
            end = max(end or window.until, window.until, key=_moment)
    return end


def _order(window: Window) -> tuple[str, str, str]:
    return (window.since or "", window.until or "9999", window.slice)


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_moment(text: str) -> bool:
    try:
        _moment(text)
    except ValueError:
        return False
    return True
