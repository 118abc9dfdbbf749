"""Windows: what is due, how far a source is known, restarts and halves; and when a list counts as complete."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis.strategies import integers, lists, tuples

from harvester.model import Window
from harvester.sources.proof import ListFacts, completeness
from harvester.sources.windows import EXPIRIES, close, cursor, outlived, plan, restart, split

HOUR = timedelta(hours=1)


def at(day: int, hour: int = 0) -> str:
    return f"2026-03-{day:02}T{hour:02}:00:00Z"


def test_the_first_window_is_everything() -> None:
    assert plan(None, overlap=HOUR) == (Window(),)


def test_the_next_window_reaches_back_over_the_cursor() -> None:
    assert plan(at(2, 6), overlap=HOUR) == (Window(since=at(2, 5)),)


def test_open_gaps_come_first_and_oldest_first() -> None:
    gaps = (Window(since=at(5), until=at(6)), Window(since=at(3), until=at(4), token="t7"))
    assert plan(at(7), gaps, overlap=HOUR) == (gaps[1], gaps[0], Window(since=at(6, 23)))


def test_a_window_without_end_that_is_still_open_is_not_planned_twice() -> None:
    still = Window(since=at(1), token="t3", pages=3)
    assert plan(at(7), (still,), overlap=HOUR) == (still,)


def test_each_set_has_its_own_window() -> None:
    assert plan(None, slices=("buku", "skripsi"), overlap=HOUR) == (Window(slice="buku"), Window(slice="skripsi"))


def test_a_window_ends_when_the_server_began_to_answer() -> None:
    assert close(Window(since=at(1), token="t9"), at(2)) == Window(since=at(1), until=at(2))
    assert close(Window(since=at(1), until=at(3)), at(9)).until == at(3)


def test_the_cursor_stops_at_the_first_gap() -> None:
    done = [Window(until=at(2)), Window(since=at(1, 23), until=at(3)), Window(since=at(5), until=at(6))]
    assert cursor(done) == at(3)
    assert cursor([*done, Window(since=at(3), until=at(5))]) == at(6)


def test_the_cursor_needs_the_beginning_of_time() -> None:
    assert cursor([Window(since=at(2), until=at(3))]) is None
    assert cursor([]) is None
    assert cursor([Window(since=at(2), until=at(3))], start=at(2)) == at(3)


def test_the_cursor_of_several_sets_is_that_of_the_slowest() -> None:
    done = [Window(slice="buku", until=at(5)), Window(slice="skripsi", until=at(3))]
    assert cursor(done) == at(3)


@given(lists(tuples(integers(0, 60), integers(0, 60)), max_size=12))
def test_the_cursor_never_passes_an_hour_that_was_not_harvested(spans: list[tuple[int, int]]) -> None:
    """The model: a set of harvested hours."""

    def hour(number: int) -> str:
        return at(1 + number // 24, number % 24)

    done = [Window(since=None if not low else hour(low), until=hour(high)) for low, high in spans if low <= high]
    known = {number for low, high in spans if low <= high for number in range(low, high)}
    end = cursor(done)
    if end is not None:
        assert all(number in known for number in range(61) if hour(number) < end)
    elif any(low == 0 for low, high in spans):
        raise AssertionError("something contiguous was done")


def test_an_expired_token_restarts_the_window_and_then_halves_it() -> None:
    window = Window(since=at(1), until=at(9), token="t4", pages=4)
    for attempt in range(1, EXPIRIES):
        (window,) = restart(window, at(9))
        assert (window.token, window.pages, window.attempts) == ("", 0, attempt)
    assert restart(window, at(9)) == (Window(since=at(1), until=at(5)), Window(since=at(5), until=at(9)))


def test_halves_of_an_open_window_keep_their_open_ends() -> None:
    old, new = split(Window(), at(31), earliest="2020-01-01T00:00:00Z")
    assert (old.since, new.until) == (None, None)
    assert old.until == new.since
    assert "2023" in (old.until or "")


@pytest.mark.parametrize("earliest", ["", "0000-00-00", "kemarin"])
def test_a_nonsense_earliest_datestamp_does_not_stop_a_split(earliest: str) -> None:
    assert len(split(Window(), at(31), earliest)) == 2


def test_a_short_window_is_not_split() -> None:
    short = Window(since=at(1), until=at(2))
    assert split(short, at(9)) == (short,)


def test_a_long_absence_outlives_the_servers_memory_of_deletions() -> None:
    """Z086: tombstones of a transient server are gone after months."""
    assert outlived("2025-11-01T00:00:00Z", at(1), timedelta(days=30))
    assert not outlived(at(1), at(9), timedelta(days=30))


FULL = ListFacts(ended=True, full=True, distinct=1000, sizes=(1000, 1000), last_full=1000)
JUDGED = [
    ("all came", {}, "complete", "proven"),
    ("one deletion since the last time", {"distinct": 999, "sizes": (999,)}, "complete", "proven"),
    ("one is missing", {"distinct": 999}, "partial", "claimed"),
    ("one had no identifier", {"distinct": 999, "nameless": 1}, "complete", "proven"),
    ("one too many", {"distinct": 1001}, "complete", "claimed"),
    ("the list grew while it was read", {"distinct": 1001, "sizes": (1000, 1001)}, "partial", "claimed"),
    ("it broke off", {"ended": False}, "partial", "claimed"),
    ("it repeated itself", {"repeated": True}, "partial", "claimed"),
    ("a page was salvaged", {"salvaged": True}, "partial", "claimed"),
    ("no count", {"sizes": ()}, "complete", "claimed"),
    ("no count, and a third less than last time", {"sizes": (), "distinct": 660}, "partial", "claimed"),
    ("a count that nobody trusts", {"sizes": (9,), "sizes_trusted": False}, "complete", "claimed"),
    ("nothing at all", {"distinct": 0, "sizes": (0,)}, "partial", "claimed"),
    ("nothing, the first time", {"distinct": 0, "sizes": (), "last_full": 0}, "partial", "claimed"),
    (
        "nothing, the first time, twice",
        {"distinct": 0, "sizes": (), "last_full": 0, "passes_agree": True},
        "complete",
        "proven",
    ),
    ("unstable paging", {"unstable": True}, "partial", "claimed"),
    ("unstable paging, two passes agree", {"unstable": True, "passes_agree": True}, "complete", "proven"),
    ("two passes differ", {"passes_agree": False}, "partial", "claimed"),
    ("no count, two passes agree", {"sizes": (), "passes_agree": True}, "complete", "proven"),
    ("nothing, twice", {"distinct": 0, "sizes": (0,), "passes_agree": True}, "partial", "claimed"),
    ("a quiet night", {"full": False, "distinct": 0, "sizes": ()}, "complete", "claimed"),
]


@pytest.mark.parametrize(("label", "facts", "verdict", "proof"), JUDGED, ids=[case[0] for case in JUDGED])
def test_a_list_is_judged(label: str, facts: dict[str, object], verdict: str, proof: str) -> None:
    import msgspec

    judged = completeness(msgspec.structs.replace(FULL, **facts))
    assert (judged.verdict, judged.proof) == (verdict, proof), judged.reason
    assert judged.reason
