"""Standard numbers: canonical form, status, qualifier, and what is never guessed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harvester.identifiers import doi, handle, isbn10_to_13, isbn13_is_valid, isbns, ismns, issns, lccn, oclc


@pytest.mark.parametrize(
    ("text", "value", "qualifier", "status"),
    [
        ("979-3062-79-7", "9789793062792", "", "valid"),  # an Indonesian ISBN-10
        ("978-979-3062-79-2 (jil. 1) : Rp 59.000", "9789793062792", "jil. 1", "valid"),
        ("ISBN 0-8044-2957-X (pbk.)", "9780804429573", "pbk", "valid"),
        ("ISBN-13: 978 979 3062 79 2", "9789793062792", "", "valid"),
        ("O-8O44-2957-X", "9780804429573", "", "valid"),  # letter O for zero
        ("979‑3062‑79‑7", "9789793062792", "", "valid"),  # non-breaking hyphens
        ("9789793062792 (no. jil. lengkap)", "9789793062792", "no. jil. lengkap", "valid"),
        ("979-8-88645-174-0", "9798886451740", "", "valid"),  # the agency of the United States
        ("9793062791238", "9793062791238", "", "valid"),  # 13 digits from 979-3: by its own check digit …
        ("9793062791239", "9793062791239", "", "invalid"),  # … and never as a German 978-3-062…
        ("9789793062793", "9789793062793", "", "invalid"),
        ("9780000000000", "9780000000000", "", "invalid"),
    ],
)
def test_z140_an_isbn_is_read_as_13_digits_with_its_qualifier(text, value, qualifier, status):
    (found,) = isbns(text)
    assert (found.kind, found.value, found.qualifier, found.status) == ("isbn", value, qualifier, status)


@pytest.mark.parametrize("text", ["", "tanpa ISBN", "Rp 25.000", "-", "pbk."])
def test_a_text_without_number_gives_nothing(text):
    assert isbns(text) == ()


def test_several_isbns_in_one_text_are_all_found():
    assert [one.value for one in isbns("9789793062792; 0-8044-2957-X")] == ["9789793062792", "9780804429573"]


def test_an_ismn_in_the_place_of_an_isbn_is_an_ismn():
    assert [(one.kind, one.value) for one in isbns("9790230671187")] == [("ismn", "9790230671187")]


def test_a_cancelled_isbn_stays_cancelled():
    assert isbns("080442957X", "cancelled")[0].status == "cancelled"


def test_an_issn_with_a_wrong_check_digit_is_kept_as_invalid():
    assert [(one.value, one.status) for one in issns("ISSN 0125-9008; 0126-1747")] == [
        ("0125-9008", "valid"),
        ("0126-1747", "invalid"),
    ]


def test_an_ismn_of_ten_characters_gets_its_prefix():
    assert ismns("M-2306-7118-7")[0].value == "9790230671187"


@pytest.mark.parametrize(
    ("text", "value"), [("   85-2 ", "85000002"), ("n78-890351", "n78890351"), (" 2001627090", "2001627090")]
)
def test_an_lccn_is_normalized_as_its_library_asks(text, value):
    assert lccn(text).value == value


@pytest.mark.parametrize("text", ["(OCoLC)12345", "(OCoLC)ocm00012345", "ocn000012345", "on12345", "12345"])
def test_every_prefix_of_an_oclc_number_goes(text):
    assert oclc(text).value == "12345"


def test_doi_and_handle_lose_their_resolvers():
    assert doi("https://doi.org/10.22146/JP.1.").value == "10.22146/jp.1"
    assert handle("http://hdl.handle.net/123456789/77").value == "123456789/77"
    assert doi("899.221 HIR l") is None


@given(st.integers(0, 10**9 - 1))
def test_every_isbn10_becomes_a_valid_isbn13(number):
    assert isbn13_is_valid(isbn10_to_13(f"{number:09d}X"))


@given(st.text(max_size=60))
def test_no_text_breaks_the_readers(text):
    for one in (*isbns(text), *issns(text), *ismns(text)):
        assert one.value
    lccn(text)
    oclc(text)
    doi(text)
    handle(text)


@given(st.text(alphabet="0123456789Xx- ().", max_size=40))
def test_a_valid_isbn_is_always_13_digits_with_the_right_check_digit(text):
    for one in isbns(text):
        if one.status == "valid":
            assert isbn13_is_valid(one.value)
