"""PQF and BER: what is built is read back as the same tree, and YAZ reads it as we do."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ConfigError, ProtocolError
from harvester.sources.z3950 import apdu, ber, pqf
from harvester.sources.z3950.pqf import Attribute, Boolean, Proximity, Query, ResultSet, Term

hard = st.text(st.one_of(st.sampled_from('"\\@{} \n\t=xn'), st.characters(exclude_categories=["Cs"])), max_size=8)
names = st.from_regex(r"[A-Za-z][A-Za-z0-9_.:-]{0,8}", fullmatch=True)
numbers = st.integers(0, 999_999_999)
values = st.one_of(
    st.integers(-999_999_999, 999_999_999), hard.filter(lambda text: text and not text.lstrip("-").isdigit())
)
attributes = st.lists(st.builds(Attribute, numbers, values, st.one_of(st.just(""), names)), max_size=3).map(tuple)
kinds = st.sampled_from(["general", "numeric", "string", "oid", "datetime", "null"])
leaves = st.one_of(st.builds(Term, hard, attributes, kinds), st.builds(ResultSet, hard))
near = st.integers(-9, 9)


def joined(inner: st.SearchStrategy[pqf.Tree]) -> st.SearchStrategy[pqf.Tree]:
    return st.one_of(
        st.builds(Boolean, st.sampled_from(["and", "or", "not"]), inner, inner),
        st.builds(Proximity, inner, inner, st.booleans(), near, st.booleans(), near, st.booleans(), near),
    )


trees = st.recursive(leaves, joined, max_leaves=8)
queries = st.builds(Query, trees, st.one_of(st.just(""), names))


@given(queries)
@settings(max_examples=400, deadline=None)
def test_what_is_built_is_read_back_as_the_same_tree(query: Query) -> None:
    assert pqf.parse(pqf.build(query)) == query


@given(queries)
@settings(max_examples=200, deadline=None)
def test_every_query_of_a_known_attribute_set_can_be_sent(query: Query) -> None:
    try:
        request = apdu.search(query, ("Default",), "default")
    except ConfigError as error:
        assert "unknown attribute set" in str(error)
        return
    top = ber.element(request, 0, len(request))
    assert (top.tag, top.next) == (apdu.SEARCH, len(request))


CASES = {
    "a word": ("computer", Term("computer")),
    "an attribute": ("@attr 1=4 computer", Term("computer", (Attribute(1, 4),))),
    "an attribute of another set": ("@attr gils 1=4 x", Term("x", (Attribute(1, 4, "gils"),))),
    "an index by name": ("@attr 1=_ALLRECORDS x", Term("x", (Attribute(1, "_ALLRECORDS"),))),
    "words in quotes": ('"two words"', Term("two words")),
    "words in braces": ("{two words}", Term("two words")),
    "a quoted operator": ('"@and"', Term("@and")),
    "booleans": (
        "@or @and a b @not c d",
        Boolean("or", Boolean("and", Term("a"), Term("b")), Boolean("not", Term("c"), Term("d"))),
    ),
    "a kind of term": ("@term string abc", Term("abc", (), "string")),
    "proximity": ("@prox 0 3 1 2 k 2 a b", Proximity(Term("a"), Term("b"), False, 3, True, 2, False, 2)),
}


@pytest.mark.parametrize("label", CASES)
def test_queries_of_operators_are_read(label: str) -> None:
    text, tree = CASES[label]
    assert pqf.parse(text).tree == tree


@pytest.mark.parametrize(
    "text", ["", "@and a", "@bad a b", '"open', "@attr x y", "@attr 1=", "a b", "@prox 0 x", "@and " * 500 + "a"]
)
def test_what_is_no_pqf_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        pqf.parse(text)


@pytest.mark.parametrize("set_", ["gils @or", "a b", "@"])
def test_a_name_that_is_none_is_not_built_into_a_query(set_: str) -> None:
    with pytest.raises(ConfigError):
        pqf.build(Query(Term("x", (Attribute(1, 4, set_),))))


@pytest.mark.parametrize("name", ["5ttrr", "bib1", "1.2.x", "9.9.9"])
def test_an_attribute_set_that_nobody_knows_is_refused_and_not_taken_for_bib_1(name: str) -> None:
    with pytest.raises(ConfigError):
        apdu.search(Query(Term("x", (Attribute(1, 4, name),))), ("Default",), "default")


# ---- BER ---------------------------------------------------------------------------------------------


@given(st.integers(-(2**62), 2**62))
def test_integers(value: int) -> None:
    encoded = ber.encode_integer(23, value)
    assert ber.integer(encoded, ber.element(encoded, 0, len(encoded))) == value


@given(st.lists(st.integers(0, 2**30), min_size=1, max_size=9).map(lambda rest: ".".join(map(str, [1, 2, *rest]))))
def test_object_identifiers(dotted: str) -> None:
    encoded = ber.encode_oid(ber.OID, dotted)
    assert ber.oid(encoded, ber.element(encoded, 0, len(encoded))) == dotted


@given(st.integers(0, 2**20), st.binary(max_size=300))
def test_tags_and_lengths(tag: int, contents: bytes) -> None:
    encoded = ber.primitive(tag, contents)
    found = ber.element(encoded, 0, len(encoded))
    assert (found.tag, ber.octets(encoded, found), found.next) == (tag, contents, len(encoded))


@given(st.frozensets(st.integers(0, 40), min_size=1))
def test_bit_strings(numbers: frozenset[int]) -> None:
    encoded = ber.encode_bits(4, numbers)
    assert ber.bits(encoded, ber.element(encoded, 0, len(encoded))) == numbers


INDEFINITE = b"\xb7\x80\xa1\x80\x04\x02ab\x00\x00\x24\x80\x04\x01c\x04\x01d\x00\x00\x00\x00"


def test_elements_without_a_length_and_strings_in_segments() -> None:
    top = ber.element(INDEFINITE, 0, len(INDEFINITE))
    first, second = ber.elements(INDEFINITE, top.start, top.stop)
    assert ber.octets(INDEFINITE, ber.element(INDEFINITE, first.start, first.stop)) == b"ab"
    assert ber.octets(INDEFINITE, second) == b"cd"


@pytest.mark.parametrize("whole", [INDEFINITE, ber.constructed(23, ber.encode_text(4, "x" * 300))])
def test_the_end_of_an_answer_is_found_however_it_is_cut(whole: bytes) -> None:
    for size in range(1, 7):
        frame, buffer = ber.Frame(10_000), bytearray()
        for at in range(0, len(whole), size):
            assert frame.end(buffer) is None
            buffer += whole[at : at + size]
        assert frame.end(buffer) == len(whole)


@pytest.mark.parametrize(
    "broken",
    [
        b"\x30\x05ab",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x04\x80",
        b"\x30\x80" * 40 + b"\x00\x00" * 40,
        b"\x3f\xff\xff\xff\xff\xff\x01\x00",
        b"\x02",
    ],
)
def test_what_is_no_element_is_an_error_of_the_protocol(broken: bytes) -> None:
    with pytest.raises(ProtocolError):
        ber.element(broken, 0, len(broken))
