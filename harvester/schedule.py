"""Which work is due when: pure functions of the time, the plan and what was done. The clock is somebody else's.

A *slot* is a wall-clock time of the partner's own zone, `2026-03-29T02:30`, and each is worked once. Because slots
are compared as wall-clock times, a night whose hour is skipped in spring is due when the clock has jumped, and the
hour that comes twice in autumn is worked once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from harvester.model import Value

MAX_TRIES = 3  # of one slot, when the process dies in it each time
SEARCHED_DAYS = 366 * 8 + 1  # 29 February comes after eight years at the latest (1896, 1904)
STALE_AFTER = 3  # intervals of the schedule
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(_MONTHS, 1)},
    {name: number for number, name in enumerate(_WEEKDAYS)},
)


class Plan(Value, frozen=True):
    """When one source is to be harvested. An empty *cron* is never; *windows* are the hours in which it may be."""

    code: str
    cron: str
    timezone: str = "Asia/Jakarta"
    windows: tuple[str, ...] = ()


class Past(Value, frozen=True):
    """What was done of a plan: the newest slot that was begun, whether it came to an end, how often it was tried.

    *since* (UTC) is when the plan became known: nothing before is owed.
    """

    since: datetime
    slot: str = ""
    ended: bool = True
    tries: int = 0


class Due(NamedTuple):
    """A source to be harvested now, for which slot; *again* when its process died in the slot before."""

    code: str
    slot: str
    again: bool = False


def due(now: datetime, schedule: Iterable[Plan], history: Mapping[str, Past]) -> list[Due]:
    """What is to be harvested at *now* (aware), in the order in which it should have begun.

    However many slots were missed, the newest one alone is worked: a harvest brings everything since the last one.
    """
    found: list[Due] = []
    for plan in schedule:
        past = history[plan.code]
        slot = last_slot(now, plan)
        if slot is None or not open_now(now, plan) or slot < _wall(past.since, plan):
            continue
        name = _name(slot)
        # a slot of the day after tomorrow was noted by a clock that ran ahead: it counts for nothing
        ahead = past.slot > _name(_wall(now, plan) + timedelta(days=1))
        if name > past.slot or ahead:
            found.append(Due(plan.code, name))
        elif name == past.slot and not past.ended and past.tries < MAX_TRIES:
            found.append(Due(plan.code, name, again=True))
    return sorted(found, key=lambda one: (one.slot, one.code))


def last_slot(now: datetime, plan: Plan) -> datetime | None:
    """The newest slot that has begun, as wall-clock time of the plan's zone; None when there is none in eight years."""
    return next(_slots_back(_wall(now, plan), plan.cron), None) if plan.cron else None


def next_slot(now: datetime, plan: Plan) -> datetime | None:
    """When the next slot begins (UTC); one in the hour that is skipped in spring begins when the hour would end."""
    if not plan.cron:
        return None
    wall, (days, times) = _wall(now, plan), _times(plan.cron)
    for offset in range(SEARCHED_DAYS):
        day = wall.date() + timedelta(days=offset)
        if _matches(day, days):
            for at in times:
                if (slot := datetime.combine(day, at)) > wall:
                    return slot.replace(tzinfo=ZoneInfo(plan.timezone)).astimezone(UTC)
    return None


def interval(now: datetime, plan: Plan) -> timedelta:
    """The time between the two newest slots; a day when there are no two."""
    slots = _slots_back(_wall(now, plan), plan.cron) if plan.cron else iter(())
    newest, before = next(slots, None), next(slots, None)
    return newest - before if newest and before else timedelta(days=1)


def stale(now: datetime, plan: Plan, heard: datetime) -> bool:
    """Whether the source has been silent for three times its interval; *heard* is the end of its last complete run."""
    return now - heard > STALE_AFTER * interval(now, plan)


def open_now(now: datetime, plan: Plan) -> bool:
    """Whether the source may be harvested at this hour."""
    clock = _wall(now, plan).strftime("%H:%M")
    return not plan.windows or any(_inside(clock, *window.split("-")) for window in plan.windows)


def deadline(now: datetime, plan: Plan, hours: float) -> datetime:
    """When a harvest that begins now must have ended: after *hours*, or when the night's window closes."""
    latest = now + timedelta(hours=hours)
    clock = _wall(now, plan)
    for window in plan.windows:
        start, end = window.split("-")
        if _inside(clock.strftime("%H:%M"), start, end):
            closes = datetime.combine(clock.date(), time.fromisoformat(end))
            closes += timedelta(days=1) if closes <= clock else timedelta()
            latest = min(latest, now + (closes - clock))
    return latest


def _inside(clock: str, start: str, end: str) -> bool:
    return start <= clock < end if start < end else clock >= start or clock < end


def _wall(moment: datetime, plan: Plan) -> datetime:
    return moment.astimezone(ZoneInfo(plan.timezone)).replace(tzinfo=None)


def _name(slot: datetime) -> str:
    return slot.strftime("%Y-%m-%dT%H:%M")


# ---- cron ----------------------------------------------------------------------------------------------


class _Days(NamedTuple):
    """Days of the month, months and weekdays; of the two kinds of days either counts when both are restricted."""

    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool


@lru_cache(maxsize=4096)
def _times(cron: str) -> tuple[_Days, tuple[time, ...]]:
    """(days, times of a day in order) of a cron expression that settings have checked."""
    fields = cron.lower().split()
    minutes, hours, days, months, weekdays = (
        frozenset(number for part in field.split(",") for number in _part(part, bounds, names))
        for field, bounds, names in zip(fields, _BOUNDS, _NAMES, strict=True)
    )
    either = not fields[2].startswith("*") and not fields[4].startswith("*")
    return (
        _Days(days, months, frozenset(day % 7 for day in weekdays), either),
        tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
    )


def _part(part: str, bounds: tuple[int, int], names: Mapping[str, int]) -> Iterable[int]:
    span, slash, step = part.partition("/")
    low, high = bounds
    if span != "*":
        first, dash, last = span.partition("-")
        low = names[first] if first in names else int(first)
        high = (names[last] if last in names else int(last)) if dash else (high if slash else low)
    return range(low, high + 1, int(step) if slash else 1)


def _slots_back(wall: datetime, cron: str) -> Iterator[datetime]:
    """The slots up to *wall*, newest first."""
    days, times = _times(cron)
    for offset in range(SEARCHED_DAYS):
        day = wall.date() - timedelta(days=offset)
        if _matches(day, days):
            for at in reversed(times):
                slot = datetime.combine(day, at)
                if slot <= wall:
                    yield slot


def _matches(day: date, days: _Days) -> bool:
    by_month, by_week = day.day in days.days, day.isoweekday() % 7 in days.weekdays
    return day.month in days.months and (by_month or by_week if days.either else by_month and by_week)


# ---- sweeps --------------------------------------------------------------------------------------------


def sweep_due(code: str, now: datetime, last: str, days: int) -> bool:
    """Whether a full sweep of the source *code* is due: every *days* days, on a day of its own.

    The day comes from the name, so that the sweeps of many partners spread over the nights; one that was missed is
    made up for at once. *last* is when the last full list was closed (ISO 8601, "" never).
    """
    if not last:
        return True
    age = now - datetime.fromisoformat(last)
    if age < timedelta(hours=20):
        return False
    own_day = int.from_bytes(hashlib.blake2b(code.encode(), digest_size=4).digest(), "big") % days
    today = now.astimezone(UTC).date().toordinal() % days
    return age >= timedelta(days=days) or (today == own_day and age >= timedelta(days=days / 2))
