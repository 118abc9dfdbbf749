"""Blocking keys: stable, telling, and able to say which of their carriers are unlike."""

from __future__ import annotations

import msgspec
import pytest

from harvester.match.blocking import candidates, share_a_key
from harvester.match.bogus import is_bogus
from harvester.match.constants import FIELDS, silenced
from harvester.match.keys import keys, signed_hash
from harvester.match.profile import changed, profile
from harvester.match.rules import KEY_KINDS, load
from harvester.model import Profile
from tests.match.cases import record

RULES = load()


def read(**row: object) -> Profile:
    return profile(record(row), RULES)


def test_hashes_are_the_same_everywhere_and_fit_64_signed_bits() -> None:
    assert signed_hash("title\x1flaskar pelangi") == signed_hash("title\x1flaskar pelangi")
    assert signed_hash("a") == -8082036266530862183 or -(2**63) <= signed_hash("a") < 2**63


def test_every_kind_of_key_is_known_to_the_rules() -> None:
    full = read(
        title="Fathul qorib al mujib syarah",
        by="Ghazi, Muhammad",
        year=1990,
        pages=64,
        isbn="9789793062792",
        issn="0301-6269",
        lccn="72627172",
    )
    kinds = {key.kind for key in keys(full, RULES)}
    assert kinds == set(KEY_KINDS)


def test_old_and_new_spelling_and_word_order_of_names_share_keys() -> None:
    left = read(title="Tjerita dari Djakarta", by="Toer, Pramoedya Ananta")
    right = read(title="Cerita dari Jakarta", by="Pramudya Ananta Tur")
    assert share_a_key(keys(left, RULES), keys(right, RULES))


@pytest.mark.parametrize("title", ["", "!!!", "...", "-"])
def test_z137_an_empty_title_gives_no_key(title: str) -> None:
    assert keys(read(title=title, year=2001), RULES) == ()


@pytest.mark.parametrize("title", ["Laporan", "Tanpa judul"])
def test_z137_a_title_of_one_or_two_empty_words_is_no_key_by_its_first_words(title: str) -> None:
    assert "title" not in {key.kind for key in keys(read(title=title, year=2001), RULES)}


@pytest.mark.parametrize(
    "value", ["9780000000000", "9780000000002", "1111111111", "123456789X", "1234567890", "9781234567897", "0000-0000"]
)
def test_z129_a_filler_identifies_nothing(value: str) -> None:
    assert is_bogus(value)
    assert not [key for key in keys(read(title="Fisika dasar", isbn=value), RULES) if key.kind == "isbn"]


@pytest.mark.parametrize("value", ["9789793062792", "0301-6269", "72627172", "9780262033848"])
def test_a_real_number_is_no_filler(value: str) -> None:
    assert not is_bogus(value)


def test_an_isbn_on_unlike_titles_has_unlike_carriers_and_a_best_seller_has_not() -> None:
    def likeness(title: str) -> int:
        found = keys(read(title=title, isbn="9789793062792"), RULES)
        return next(key.likeness for key in found if key.kind == "isbn")

    assert likeness("Laskar pelangi") == likeness("LASKAR PELANGI : sebuah novel")
    assert likeness("Laskar pelangi") != likeness("Kimia dasar")


def test_z138_a_key_on_too_many_unlike_titles_is_suspended_and_its_finer_keys_are_not() -> None:
    towns = {f"r{number:03}": read(title=f"Flood insurance study town{number}", year=1985) for number in range(80)}
    twins = {name: read(title="Flood insurance study elmira", year=1985) for name in ("x1", "x2")}
    found = candidates({**towns, **twins}, RULES)
    assert {kind for kind, _ in found.suspended} >= {"title", "title_year"}
    assert ("x1", "x2") in found.pairs
    assert len(found.pairs) < 100


def test_z129_a_bogus_isbn_proposes_no_pair_however_many_carry_it() -> None:
    shelf = {f"r{number:03}": read(title=f"judul{number} unik", isbn="9789791227339") for number in range(60)}
    found = candidates(shelf, RULES)
    assert not found.pairs
    assert [kind for kind, _ in found.suspended] == ["isbn"]


def test_what_a_source_says_of_all_its_records_is_in_no_key() -> None:
    """So the keys of a profile stay when that is taken out of it, and it need not be made anew."""
    one = record({"title": "Laskar pelangi", "by": "Andrea Hirata", "year": 2005, "isbn": "9789793062792"})
    one = msgspec.structs.replace(one, country="ID", level="m", carrier_form="print", languages=("ind",))
    common = {name: read_field(one) for name, read_field in FIELDS.items()}
    plain = profile(one, RULES)
    found = changed(plain, silenced(one, common))
    assert found == profile(one, RULES, common) != plain
    assert keys(found, RULES) == keys(plain, RULES)
