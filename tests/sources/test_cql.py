"""CQL: what is built is read back as the same tree, and nothing in a term can leave it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harvester.errors import ConfigError
from harvester.sources import cql
from harvester.sources.cql import Boolean, Clause, Mask, Modifier, Query, SortKey

names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_.-]{0,8}", fullmatch=True).filter(
    lambda name: name.lower() not in ("and", "or", "not", "prox", "sortby")
)
symbols = st.sampled_from(["=", "==", "<", ">", "<=", ">=", "<>"])
hard = st.text(st.one_of(st.sampled_from('"\\*?^/()=<> \n'), st.characters(exclude_categories=["Cs"])), max_size=8)


def canonical(parts: list[cql.Part]) -> tuple[cql.Part, ...]:
    """Neighbouring texts joined, empty ones left out, as a term is read."""
    found: list[cql.Part] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found)


terms = st.lists(st.one_of(hard, st.sampled_from(Mask)), max_size=4).map(canonical)
modifiers = st.lists(st.one_of(st.builds(Modifier, names), st.builds(Modifier, names, symbols, hard)), max_size=2).map(
    tuple
)
clauses = st.one_of(st.builds(Clause, terms), st.builds(Clause, terms, names, st.one_of(symbols, names), modifiers))
operators = st.sampled_from(["and", "or", "not", "prox"])
trees = st.recursive(clauses, lambda inner: st.builds(Boolean, operators, inner, inner, modifiers), max_leaves=8)
prefixes = st.lists(st.tuples(st.one_of(st.just(""), names), hard), max_size=2).map(tuple)
queries = st.builds(Query, trees, prefixes, st.lists(st.builds(SortKey, names, modifiers), max_size=2).map(tuple))


@pytest.mark.slow
@given(queries)
@settings(max_examples=400, deadline=None)
def test_what_is_built_is_read_back_as_the_same_tree(query: Query) -> None:
    assert cql.parse(cql.build(query)) == query


@given(hard)
def test_any_text_can_be_searched_for_exactly(text: str) -> None:
    query = cql.parse(cql.build(Query(cql.exactly("dc.title", text))))
    assert query.tree == Clause((text,) if text else (), "dc.title", "=")


CASES = {
    "a word": ("laskar", Clause(("laskar",))),
    "two words of one index": ('dc.title any "laskar pelangi"', Clause(("laskar pelangi",), "dc.title", "any")),
    "right truncation": ("rec.date=2018*", Clause(("2018", Mask.MANY), "rec.date", "=")),
    "an escaped star": (r'a = "2018\*"', Clause(("2018*",), "a", "=")),
    "booleans go from left to right": (
        "a and b or c",
        Boolean("or", Boolean("and", Clause(("a",)), Clause(("b",))), Clause(("c",))),
    ),
    "parentheses": ("a and (b or c)", Boolean("and", Clause(("a",)), Boolean("or", Clause(("b",)), Clause(("c",))))),
    "modifiers": (
        'a =/relevant/cql.proxinfo="x" b',
        Clause(("b",), "a", "=", (Modifier("relevant"), Modifier("cql.proxinfo", "=", "x"))),
    ),
    "a reserved word in quotes": ('"and"', Clause(("and",))),
    "capital booleans": ("a AND b", Boolean("and", Clause(("a",)), Clause(("b",)))),
}


@pytest.mark.parametrize("label", CASES)
def test_queries_of_operators_are_read(label: str) -> None:
    text, tree = CASES[label]
    assert cql.parse(text).tree == tree


@pytest.mark.parametrize(
    "text",
    [
        "",
        "and",
        "a and",
        "(a",
        "a)",
        "a = ",
        "= a",
        "a b c d",
        '"open',
        "a sortBy",
        "a /relevant b",
        "(" * 500,
        "a and " * 500 + "a",
    ],
)
def test_what_is_no_cql_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        cql.parse(text)


@pytest.mark.parametrize(
    "clause",
    [Clause(("x",), "a or b", "="), Clause(("x",), "a", "= 1 or b ="), Clause(("x",), "not", "="), Clause((), "a", "")],
)
def test_a_name_that_is_none_is_not_built_into_a_query(clause: Clause) -> None:
    with pytest.raises(ConfigError):
        cql.build(Query(clause))


def test_a_query_nested_too_deep_is_not_built() -> None:
    tree: cql.Tree = Clause(("x",))
    for _ in range(cql.MAX_DEPTH + 1):
        tree = Boolean("and", Clause(("x",)), tree)
    with pytest.raises(ConfigError):
        cql.build(Query(tree))
