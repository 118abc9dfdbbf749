"""Editions, printings, parts, names, years and extents: what cataloguers write, as a table."""

from pathlib import Path

import pytest

from harvester.normalize.classes import class_of
from harvester.normalize.editions import edition_of, impression_of
from harvester.normalize.extents import extent_of
from harvester.normalize.names import is_body, split_name
from harvester.normalize.parts import split_part
from harvester.normalize.years import coded_dates, dates_of
from harvester.yaml_file import read

CASES = read(Path(__file__).with_name("words.yaml")).value


def rows(name):
    return [pytest.param(row, id=str(row[0])) for row in CASES[name]]


@pytest.mark.parametrize("row", rows("editions"))
def test_edition_and_printing_are_told_apart(row):
    text, edition, impression = row
    found, printing = edition_of(text), impression_of(text)
    assert (found and found.number, printing and printing.number) == (edition, impression)


@pytest.mark.parametrize("row", rows("no_editions"))
def test_a_statement_without_edition_gives_none(row):
    assert edition_of(row[0]) is None


@pytest.mark.parametrize("row", rows("parts"))
def test_only_a_clear_part_statement_is_split_off(row):
    text, front, part = row
    assert split_part(text) == (front, part)


@pytest.mark.parametrize("row", rows("names"))
def test_honorifics_and_degrees_come_off_and_nothing_is_inverted(row):
    text, name, titles = row
    assert split_name(text) == (name, titles)


@pytest.mark.parametrize("row", rows("bodies"))
def test_bodies_of_dublin_core_are_told_by_their_words(row):
    assert is_body(row[0]) is row[1]


@pytest.mark.parametrize("row", rows("years"))
def test_years_become_ranges_with_kind_and_certainty(row):
    text, first, last, kind, certain = row
    found = dates_of(text)
    assert (found.year_from, found.year_to, found.kind, found.certain) == (first, last, kind, certain)


@pytest.mark.parametrize("row", rows("coded"))
def test_coded_dates_of_008_are_read_by_their_type(row):
    text, first, last, kind = row
    found = coded_dates(text)
    assert (found and (found.year_from, found.year_to, found.kind)) == (first and (first, last, kind))


@pytest.mark.parametrize("row", rows("extents"))
def test_an_extent_gives_pages_volumes_and_height(row):
    text, size, pages, volumes, height = row
    found = extent_of(text, size)
    assert (found.pages, found.volumes, found.height) == (pages, volumes, height)


@pytest.mark.parametrize("row", rows("classes"))
def test_prefix_number_and_author_mark_are_parted(row):
    text, scheme, value, mark = row
    found = class_of(text)
    assert (found and (found.scheme, found.value, found.mark)) == (scheme and (scheme, value, mark))
