"""Slices add up to everything, or the plan says that they do not: shown on servers that cut searches in silence."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ConfigError, ProtocolError
from harvester.sources.slicing import NONE, TOO_MANY, Axis, Bounds, Plan, Planned, Planner, Slice, cover
from tests.sources.cutting_server import CuttingServer, Entry

DATE, IDENTIFIER = Axis("date", "date"), Axis("identifier")
BOTH = (DATE, IDENTIFIER)


def catalogue(count: int, dates: int = 10_000) -> list[Entry]:
    """So many records, numbered; *dates* different seconds of 2018, from January on."""
    return [
        {"identifier": f"b{number:06d}", "date": f"2018{number % 12 + 1:02d}{number % 28 + 1:02d}{number % dates:06d}"}
        for number in range(count)
    ]


def plan(server: CuttingServer, axes: tuple[Axis, ...] = BOTH, **bounds: int) -> Plan:
    total = server.count(Slice())
    return Planner(server.count, axes, Bounds(**bounds)).everything(total)


def reached(server: CuttingServer, planned: Plan) -> set[int]:
    return set().union(*(server.found(one.slice) for one in planned.slices))


def test_a_server_that_cuts_nothing_is_planned_with_few_searches() -> None:
    server = CuttingServer(catalogue(3_000))
    found = plan(server, wanted=1_000)
    assert (found.proof, found.sum, found.term_cap) == ("proven", 3_000, None)
    assert [str(one.slice) for one in found.slices][:2] == ["date:201801", "date:201802"]
    assert found.searches < 80


@pytest.mark.parametrize("terms", [100, 250, 1_000])
def test_children_that_are_more_than_their_parent_prove_that_it_was_cut(terms: int) -> None:
    server = CuttingServer(catalogue(3_000), terms)
    assert server.count(Slice((("date", "2018"),))) == terms - 1
    found = plan(server)
    assert found.proof == "proven"
    assert found.term_cap is not None
    assert found.term_cap >= terms - 1
    assert len(reached(server, found)) == 3_000


def test_the_naive_plan_by_year_would_have_lost_most() -> None:
    server = CuttingServer(catalogue(3_000), 100)
    years = [Slice((("date", str(year)),)) for year in range(2000, 2030)]
    assert sum(map(server.count, years)) == 99


def test_records_without_a_date_have_a_slice_of_their_own() -> None:
    records = [*catalogue(200), *({"identifier": f"x{number}"} for number in range(7))]
    server = CuttingServer(records)
    found = plan(server)
    assert found.slices[-1] == Planned(Slice((("date", NONE),)), 7)
    assert found.proof == "proven"


def test_records_without_a_date_are_had_by_identifier_where_the_server_cannot_ask_for_them() -> None:
    records = [*catalogue(200), *({"identifier": f"x{number}"} for number in range(7))]
    server = CuttingServer(records, always_matches=False)
    found = plan(server)
    assert found.proof == "proven"
    assert found.slices[0].slice.parts[0][0] == "identifier"
    assert len(reached(server, found)) == 207


@pytest.mark.parametrize("odd", ["20231300000000", "00000000000000", "20180230990000", "99999999999999"])
def test_impossible_dates_are_found_too(odd: str) -> None:
    server = CuttingServer([*catalogue(2_000), {"identifier": "x", "date": odd}], 100)
    found = plan(server)
    assert found.proof == "proven"
    assert 2_000 in reached(server, found)


def test_more_records_of_one_second_than_the_server_gives_are_cut_by_identifier() -> None:
    records = [{"identifier": f"b{number:06d}", "date": "20240115103000"} for number in range(1_200)]
    server = CuttingServer([*records, *catalogue(300)], 100)
    found = plan(server, most=200)
    assert found.proof == "proven"
    assert max(one.count for one in found.slices) <= 200
    assert len(reached(server, found)) == 1_500
    assert any(len(one.slice.parts) == 2 for one in found.slices)


def test_a_second_that_no_index_cuts_makes_the_plan_partial() -> None:
    records = [{"date": "20240115103000"} for _ in range(500)]
    found = plan(CuttingServer(records), most=200)
    assert found.proof == "partial"


def test_without_any_index_everything_is_one_slice_and_claimed() -> None:
    server = CuttingServer([{"title": "x"}] * 50)
    found = plan(server)
    assert (found.slices, found.proof) == ((Planned(Slice(), 50),), "claimed")


def test_without_any_index_more_than_the_server_gives_is_partial() -> None:
    assert plan(CuttingServer([{"title": "x"}] * 50), most=20).proof == "partial"


def test_without_a_total_slices_are_claimed() -> None:
    server = CuttingServer(catalogue(500))
    found = Planner(server.count, BOTH).everything(None)
    assert (found.proof, found.sum) == ("claimed", 500)


def test_without_a_total_and_an_index_there_is_no_plan() -> None:
    server = CuttingServer([{"title": "x"}] * 50)
    with pytest.raises(ProtocolError):
        Planner(server.count, BOTH).everything(None)


def test_no_more_searches_than_allowed_are_made() -> None:
    server = CuttingServer(catalogue(3_000), 100)
    found = Planner(server.count, BOTH, Bounds(searches=50)).everything(3_000)
    assert server.searches <= 51
    assert found.proof == "claimed"


def test_an_error_that_is_no_refusal_of_a_query_ends_the_planning() -> None:
    def broken(one: Slice) -> int:
        raise ProtocolError("BER: nested deeper than 32")

    with pytest.raises(ProtocolError, match="deeper"):
        Planner(broken, BOTH).everything(10)


def test_a_server_that_counts_only_small_results_is_cut_until_it_counts() -> None:
    server = CuttingServer(catalogue(2_000))

    def count(one: Slice) -> int:
        hits = server.count(one)
        if hits > 300:
            raise ProtocolError("too many", code=TOO_MANY)
        return hits

    found = Planner(count, BOTH).everything(None)
    assert found.sum == 2_000
    assert len(reached(server, found)) == 2_000


def test_a_slice_found_too_large_on_the_way_is_cut_further() -> None:
    server = CuttingServer(catalogue(3_000))
    planner = Planner(server.count, BOTH, Bounds(most=100))
    part = planner.part(Slice((("date", "201801"),)))
    assert len(part.slices) > 1
    assert reached(server, part) == server.found(Slice((("date", "201801"),)))


# ---- what changed ------------------------------------------------------------------------------------


def test_what_changed_is_searched_by_the_fewest_prefixes() -> None:
    assert cover("2026-11-21T18:00:00Z", "2026-12-02T01:00:00Z") == [
        *(f"202611{day}" for day in range(20, 32)),
        *(f"202612{day:02d}" for day in range(1, 4)),
    ]
    assert cover("2019-02-01", "2020-12-31")[-2:] == ["2020", "20210101"]
    assert cover(None, None) == [""]


@given(st.dates(date(1990, 1, 2), date(2090, 1, 1)), st.integers(0, 4_000), st.integers(-400, 4_400))
def test_every_day_of_the_window_is_covered_and_no_day_far_from_it(start: date, length: int, offset: int) -> None:
    end, day = start + timedelta(days=length), start + timedelta(days=offset)
    prefixes = cover(start.isoformat(), end.isoformat())
    hit = [prefix for prefix in prefixes if day.strftime("%Y%m%d").startswith(prefix)]
    inside = start - timedelta(days=1) <= day <= end + timedelta(days=1)
    assert len(hit) == inside


def test_an_open_window_reaches_to_the_end_of_time() -> None:
    prefixes = cover("2026-11-21T00:00:00Z", None)
    assert any("20990101".startswith(prefix) for prefix in prefixes)
    assert not any("20261119".startswith(prefix) for prefix in prefixes)
    assert len(prefixes) < 50


def test_what_changed_is_not_lost_where_one_day_has_more_than_the_server_expands() -> None:
    records = [{"identifier": str(number), "date": f"20261121{number:06d}"} for number in range(400)]
    server = CuttingServer([*catalogue(300), *records], 100)
    found = Planner(server.count, BOTH).changed("2026-11-21T00:00:00Z", None)
    assert found.proof == "claimed"
    assert len(reached(server, found)) == 400


@pytest.mark.parametrize("moment", ["yesterday", "2026-13-01T00:00:00Z"])
def test_a_window_that_is_no_time_is_refused(moment: str) -> None:
    with pytest.raises(ConfigError):
        cover(moment, None)


# ---- the plan never lies -----------------------------------------------------------------------------

digits = st.text("0123456789", min_size=14, max_size=14)
dates = st.one_of(
    st.none(),
    st.sampled_from(["20240115103000", "20180601120000"]),
    st.datetimes().map(lambda moment: moment.strftime("%Y%m%d%H%M%S").zfill(14)),
    digits,
)
identifiers = st.text("abAB019-_. ", min_size=1, max_size=6)
records = st.lists(st.tuples(dates, identifiers), max_size=150)


@given(records, st.sampled_from([None, 91, 100]), st.sampled_from([None, 5, 40]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_proven_plan_reaches_every_record(
    entries: list[tuple[str | None, str]], terms: int | None, most: int | None, always: bool
) -> None:
    catalogue_ = [{"identifier": name} | ({"date": day} if day else {}) for day, name in entries]
    server = CuttingServer(catalogue_, terms, always)
    found = Planner(server.count, BOTH, Bounds(most, searches=4_000)).everything(len(catalogue_))
    if found.proof == "proven":
        assert reached(server, found) == set(range(len(catalogue_)))
    if found.proof != "partial":
        assert all(most is None or one.count <= most for one in found.slices) or found.sum > len(catalogue_)


# ---- names of slices ---------------------------------------------------------------------------------

names = st.sampled_from(["date", "identifier", "language"])
slices = st.lists(st.tuples(names, st.text(min_size=1, max_size=8)), max_size=3).map(lambda parts: Slice(tuple(parts)))


@given(slices)
def test_a_slice_is_the_same_after_it_was_written_down(one: Slice) -> None:
    assert Slice.parse(str(one)) == one


@pytest.mark.parametrize("text", ["date", "date:2018&", ":x", "date:1&id"])
def test_a_text_that_is_no_slice_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        Slice.parse(text)


def test_a_plan_is_taken_up_at_the_slice_where_it_was_left_though_it_is_cut_otherwise_now() -> None:
    left = Slice.parse("date:201806")
    ahead = ["date:2017", "date:2018", "date:201805", "date:20180601", "date:201807", f"date:{NONE}", "identifier:a"]
    assert [text for text in ahead if Slice.parse(text).reaches(left)] == [
        "date:2018",
        "date:20180601",
        "date:201807",
        f"date:{NONE}",
        "identifier:a",
    ]
