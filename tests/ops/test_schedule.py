"""Which source is due when: two years in four zones, nights that were missed, clocks that were wrong."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from harvester.schedule import Past, Plan, deadline, due, interval, last_slot, next_slot, stale

ZONES = ("Asia/Jakarta", "Asia/Jayapura", "Europe/Helsinki", "America/New_York")
START = datetime(2026, 1, 1, tzinfo=UTC)
YEARS = 2
SEED = 20261122


def plans() -> list[Plan]:
    """Twenty sources a zone, one of them at each quarter of the hours in which clocks are changed."""
    return [
        Plan(f"{zone.rpartition('/')[2].lower()}-{number}", f"{number % 4 * 15} {number // 4} * * *", zone)
        for zone in ZONES
        for number in range(20)
    ]


def ticks() -> Iterator[datetime]:
    """When the daemon looks: at irregular times, every few minutes where clocks are changed; down for up to 15 h."""
    dice = random.Random(SEED)
    now = START
    while now < START + timedelta(days=365 * YEARS):
        near = any(abs(now - change) < timedelta(hours=8) for change in CHANGES)
        now += timedelta(minutes=dice.choice((7, 13, 30)) if near else dice.choice((120, 240, 360, 900)))
        yield now


def changes() -> list[datetime]:
    """The moments at which a zone's offset changes."""
    found = []
    for zone in map(ZoneInfo, ZONES):
        for hour in range(365 * YEARS * 24):
            at = START + timedelta(hours=hour)
            if at.astimezone(zone).utcoffset() != (at + timedelta(hours=1)).astimezone(zone).utcoffset():
                found.append(at)
    return found


CHANGES = changes()


def nights_of(plan: Plan) -> set[date]:
    """The local dates on each of which the source must be harvested once."""
    first = START.astimezone(ZoneInfo(plan.timezone)).date() + timedelta(days=1)
    return {first + timedelta(days=number) for number in range(365 * YEARS - 3)}


@pytest.mark.slow
def test_two_years_in_four_zones_miss_no_night_and_double_none() -> None:
    assert len(CHANGES) == 8  # two zones, two years, spring and autumn
    schedule = plans()
    history = {plan.code: Past(START) for plan in schedule}
    worked: dict[str, Counter[date]] = {plan.code: Counter() for plan in schedule}
    for now in ticks():
        for one in due(now, schedule, history):
            history[one.code] = Past(START, one.slot)
            worked[one.code][datetime.fromisoformat(one.slot).date()] += 1
    for plan in schedule:
        assert set(worked[plan.code].values()) == {1}, "doubled"
        assert not nights_of(plan) - worked[plan.code].keys(), "missed"


def test_a_clock_that_compares_hours_and_minutes_misses_a_night_and_doubles_another() -> None:
    """The same two years are red on the usual way: run when the hour and minute of the cron expression come by."""
    zone = ZoneInfo("America/New_York")
    worked: Counter[date] = Counter()
    for minute in range(365 * YEARS * 24 * 2):
        local = (START + timedelta(minutes=30 * minute)).astimezone(zone)
        if (local.hour, local.minute) == (1, 30):
            worked[local.date()] += 1
    assert 2 in worked.values()
    skipped = [(START + timedelta(minutes=30 * minute)).astimezone(zone) for minute in range(365 * YEARS * 24 * 2)]
    nights = {at.date() for at in skipped if (at.hour, at.minute) == (2, 30)}
    assert {at.date() for at in skipped} - nights


DAILY = Plan("ugm", "0 1 * * *")


def at(text: str, zone: str = "Asia/Jakarta") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


KNOWN = at("2026-01-01T00:00")


def slots(now: str, past: Past, plan: Plan = DAILY) -> list[str]:
    return [one.slot for one in due(at(now, plan.timezone), [plan], {plan.code: past})]


def test_z110_a_daemon_that_was_down_at_the_hour_runs_it_once_after_its_start() -> None:
    past = Past(KNOWN, "2026-03-01T01:00")
    assert slots("2026-03-02T09:40", past) == ["2026-03-02T01:00"]
    assert slots("2026-03-02T09:41", Past(KNOWN, "2026-03-02T01:00")) == []


def test_a_week_of_missed_nights_is_one_harvest() -> None:
    assert slots("2026-03-09T00:30", Past(KNOWN, "2026-03-01T01:00")) == ["2026-03-08T01:00"]


def test_a_source_that_is_new_owes_nothing_of_the_time_before() -> None:
    fresh = Past(at("2026-03-02T14:00"))
    assert slots("2026-03-02T14:01", fresh) == []
    assert slots("2026-03-03T01:00", fresh) == ["2026-03-03T01:00"]


def test_z111_a_slot_whose_process_died_is_taken_up_again_but_not_for_ever() -> None:
    for tries, again in ((1, True), (2, True), (3, False)):
        past = Past(KNOWN, "2026-03-02T01:00", ended=False, tries=tries)
        assert bool(slots("2026-03-02T01:20", past)) is again


def test_z108_a_clock_that_is_set_back_doubles_nothing_and_one_that_ran_ahead_stops_nothing() -> None:
    worked = Past(KNOWN, "2026-03-02T01:00")
    assert slots("2026-03-01T23:00", worked) == []
    assert slots("2026-03-02T01:30", worked) == []
    assert slots("2026-03-02T01:30", Past(KNOWN, "2031-01-01T01:00")) == ["2026-03-02T01:00"]


def test_a_partners_hours_are_kept_to_and_end_its_harvest() -> None:
    plan = Plan("ugm", "0 1 * * *", windows=("22:00-05:00",))
    past = Past(KNOWN, "2026-03-01T01:00")
    assert slots("2026-03-02T12:00", past, plan) == []
    assert slots("2026-03-02T22:00", past, plan) == ["2026-03-02T01:00"]
    assert deadline(at("2026-03-02T01:00"), plan, 8) == at("2026-03-02T05:00")
    assert deadline(at("2026-03-02T23:00"), plan, 2) == at("2026-03-03T01:00")


@pytest.mark.parametrize(
    ("cron", "now", "slot"),
    [
        ("0 1 * * *", "2026-03-02T00:59", "2026-03-01T01:00"),
        ("*/20 * * * *", "2026-03-02T00:59", "2026-03-02T00:40"),
        ("0 1 * * sun", "2026-03-07T12:00", "2026-03-01T01:00"),
        ("0 1 * * 7", "2026-03-07T12:00", "2026-03-01T01:00"),
        ("0 1 1,15 * *", "2026-03-14T12:00", "2026-03-01T01:00"),
        ("0 1 13 * fri", "2026-03-14T12:00", "2026-03-13T01:00"),
        ("0 1 12 * fri", "2026-03-14T12:00", "2026-03-13T01:00"),
        ("30 23 29 feb *", "2026-03-14T12:00", "2024-02-29T23:30"),
        ("0 1-5/2 * * mon-fri", "2026-03-02T06:00", "2026-03-02T05:00"),
        ("0 0 31 2 *", "2026-03-02T06:00", None),
        ("", "2026-03-02T06:00", None),
    ],
)
def test_a_cron_expression_means_what_cron_means(cron: str, now: str, slot: str | None) -> None:
    found = last_slot(at(now), Plan("ugm", cron))
    assert found == (datetime.fromisoformat(slot) if slot else None)


def test_the_next_slot_is_told_in_utc_also_across_a_change_of_clocks() -> None:
    helsinki = Plan("hki", "30 3 * * *", "Europe/Helsinki")
    assert next_slot(at("2026-03-29T01:00", "Europe/Helsinki"), helsinki) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    assert next_slot(at("2026-03-02T01:00"), DAILY) == datetime(2026, 3, 2, 18, 0, tzinfo=UTC)


def test_a_source_is_stale_after_three_of_its_intervals() -> None:
    weekly = Plan("arsip", "0 1 * * sun")
    now = at("2026-03-20T12:00")
    assert interval(now, DAILY) == timedelta(days=1)
    assert interval(now, weekly) == timedelta(days=7)
    assert stale(now, DAILY, at("2026-03-17T11:00"))
    assert not stale(now, DAILY, at("2026-03-17T13:00"))
    assert not stale(now, weekly, at("2026-03-01T13:00"))
