"""CQL, the query language of SRU, as a syntax tree: a query is built from a tree, never by joining strings.

`parse(build(query)) == query` for every tree; a term may hold any character, and only a Mask in it is a wildcard.
The grammar is that of CQL 1.2 (www.loc.gov/standards/sru/cql), without prefix assignments inside parentheses.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal

import msgspec

from harvester.errors import ConfigError

MAX_DEPTH = 100
MAX_LENGTH = 100_000


class Mask(Enum):
    """What stands for other characters in a term."""

    MANY = "*"
    ONE = "?"
    ANCHOR = "^"


Part = str | Mask
BooleanName = Literal["and", "or", "not", "prox"]


class Modifier(msgspec.Struct, frozen=True):
    """`/name` or `/name=value` behind a relation, boolean or sort key."""

    name: str
    comparison: str = ""
    value: str = ""


class Clause(msgspec.Struct, frozen=True):
    """`index relation term`; without an index and relation only the term, as the server understands it."""

    term: tuple[Part, ...]
    index: str = ""
    relation: str = ""
    modifiers: tuple[Modifier, ...] = ()


class Boolean(msgspec.Struct, frozen=True):
    """Both sides combined; `not` keeps what is left but not right."""

    operator: BooleanName
    left: Clause | Boolean
    right: Clause | Boolean
    modifiers: tuple[Modifier, ...] = ()


Tree = Clause | Boolean


class SortKey(msgspec.Struct, frozen=True):
    """One index to sort by."""

    index: str
    modifiers: tuple[Modifier, ...] = ()


class Query(msgspec.Struct, frozen=True):
    """A whole query with its prefix assignments (name, URI) and its sort keys."""

    tree: Tree
    prefixes: tuple[tuple[str, str], ...] = ()
    sort: tuple[SortKey, ...] = ()


def exactly(index: str, text: str) -> Clause:
    """What has *text* in *index*, no character of it a wildcard."""
    return Clause((text,) if text else (), index, "=")


def starting(index: str, prefix: str) -> Clause:
    """What has a value in *index* that begins with *prefix*."""
    return Clause((prefix, Mask.MANY) if prefix else (Mask.MANY,), index, "=")


# ---- build -------------------------------------------------------------------------------------------

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_SYMBOLS = ("==", "<>", "<=", ">=", "=", "<", ">")
_RESERVED = {"and", "or", "not", "prox", "sortby"}
_MASKED = re.compile(r'["\\*?^]')


def _name(text: str, what: str) -> str:
    if not _NAME.fullmatch(text) or text.lower() in _RESERVED:
        raise ConfigError(f"CQL: {text!r} is no {what}")
    return text


def _quoted(text: str) -> str:
    return '"' + re.sub(r'["\\]', r"\\\g<0>", text) + '"'


def _term(parts: tuple[Part, ...]) -> str:
    inner = (part.value if isinstance(part, Mask) else _MASKED.sub(r"\\\g<0>", part) for part in parts)
    return '"' + "".join(inner) + '"'


def _modifiers(modifiers: tuple[Modifier, ...]) -> str:
    out = ""
    for one in modifiers:
        out += "/" + _name(one.name, "modifier")
        if one.comparison:
            if one.comparison not in _SYMBOLS:
                raise ConfigError(f"CQL: {one.comparison!r} is no comparison")
            out += one.comparison + _quoted(one.value)
    return out


def _clause(clause: Clause) -> str:
    if not clause.index:
        return _term(clause.term)
    relation = clause.relation if clause.relation in _SYMBOLS else _name(clause.relation, "relation")
    return f"{_name(clause.index, 'index')} {relation}{_modifiers(clause.modifiers)} {_term(clause.term)}"


def _build(tree: Tree, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise ConfigError(f"CQL query is nested deeper than {MAX_DEPTH}")
    if isinstance(tree, Clause):
        return _clause(tree)
    left, right = _build(tree.left, depth + 1), _build(tree.right, depth + 1)
    right = f"({right})" if isinstance(tree.right, Boolean) else right
    return f"{left} {tree.operator}{_modifiers(tree.modifiers)} {right}"


def build(query: Query) -> str:
    """The query as CQL text.

    Raises:
        ConfigError: nested too deep, or a name that is none.
    """
    out = [
        f"> {_name(name, 'prefix')} = {_quoted(uri)}" if name else f"> {_quoted(uri)}" for name, uri in query.prefixes
    ]
    out.append(_build(query.tree, 0))
    if query.sort:
        out.append("sortBy")
        out += [_name(key.index, "index") + _modifiers(key.modifiers) for key in query.sort]
    return " ".join(out)


# ---- parse -------------------------------------------------------------------------------------------

_TOKEN = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|(==|<>|<=|>=|[=<>()/])|([^\s"()=<>/]+))', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PART = re.compile(r"\\(.)|([*?^])|([^\\*?^]+)", re.DOTALL)

Kind = Literal["quoted", "symbol", "word", "end"]


def _parts(raw: str) -> tuple[Part, ...]:
    """The parts of a term as it stands between its quotes."""
    found: list[Part] = []
    for escaped, mask, plain in _PART.findall(raw):
        piece: Part = Mask(mask) if mask else escaped or plain
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        else:
            found.append(piece)
    return tuple(found)


class _Reader:
    """The tokens of a query; `depth` of parentheses is bounded."""

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise ConfigError(f"CQL query is longer than {MAX_LENGTH} characters")
        self.tokens: list[tuple[Kind, str]] = []
        at, end = 0, len(text.rstrip())
        while at < end:
            match = _TOKEN.match(text, at)
            if match is None:
                raise ConfigError(f"CQL: cannot read {text[at : at + 20]!r} at character {at + 1}")
            quoted, symbol, word = match.groups()
            self.tokens.append(
                ("quoted", quoted) if quoted is not None else ("symbol", symbol) if symbol else ("word", word)
            )
            at = match.end()
        self.at = 0

    def peek(self, ahead: int = 0) -> tuple[Kind, str]:
        at = self.at + ahead
        return self.tokens[at] if at < len(self.tokens) else ("end", "")

    def next(self) -> tuple[Kind, str]:
        token = self.peek()
        if token[0] == "end":
            raise ConfigError("CQL: the query ends too early")
        self.at += 1
        return token

    def takes(self, symbol: str) -> bool:
        """Step over *symbol* when it comes next."""
        if self.peek() == ("symbol", symbol):
            self.at += 1
            return True
        return False

    def is_word(self, *words: str) -> bool:
        kind, text = self.peek()
        return kind == "word" and text.lower() in words

    def text(self) -> str:
        """A word or quoted string, without its escapes."""
        kind, text = self.next()
        if kind == "symbol":
            raise ConfigError(f"CQL: {text!r} where a word should stand")
        return _ESCAPE.sub(r"\1", text)


def parse(text: str) -> Query:
    """The tree of a CQL text, as a setting gives it.

    Raises:
        ConfigError: no CQL, or too long or too deep.
    """
    reader = _Reader(text)
    prefixes = []
    while reader.takes(">"):
        name = ""
        if reader.peek(1) == ("symbol", "="):
            name = _name(reader.text(), "prefix")
            reader.next()
        prefixes.append((name, reader.text()))
    tree = _parse(reader, 0)
    sort = []
    if reader.is_word("sortby"):
        reader.next()
        while reader.peek()[0] != "end":
            sort.append(SortKey(_name(reader.text(), "index"), _parse_modifiers(reader)))
        if not sort:
            raise ConfigError("CQL: sortBy without an index")
    if reader.peek()[0] != "end":
        raise ConfigError(f"CQL: {reader.peek()[1]!r} after the end of the query")
    return Query(tree, tuple(prefixes), tuple(sort))


def _parse(reader: _Reader, depth: int) -> Tree:
    if depth > MAX_DEPTH:
        raise ConfigError(f"CQL query is nested deeper than {MAX_DEPTH}")
    tree = _parse_clause(reader, depth)
    joined = 0
    while reader.is_word("and", "or", "not", "prox"):
        joined += 1
        if joined > MAX_DEPTH:
            raise ConfigError(f"CQL query has more than {MAX_DEPTH} booleans in a row")
        operator = reader.next()[1].lower()
        modifiers = _parse_modifiers(reader)
        name: BooleanName = (
            "and" if operator == "and" else "or" if operator == "or" else "not" if operator == "not" else "prox"
        )
        tree = Boolean(name, tree, _parse_clause(reader, depth), modifiers)
    return tree


def _parse_clause(reader: _Reader, depth: int) -> Tree:
    if reader.takes("("):
        tree = _parse(reader, depth + 1)
        if not reader.takes(")"):
            raise ConfigError("CQL: a parenthesis is not closed")
        return tree
    kind, text = reader.next()
    if kind == "symbol" or (kind == "word" and text.lower() in _RESERVED):
        raise ConfigError(f"CQL: {text!r} where a term should stand", hint="put it in quotes to search for it")
    following, symbol = reader.peek()
    named = following == "word" and symbol.lower() not in _RESERVED
    if not named and not (following == "symbol" and symbol in _SYMBOLS):
        return Clause(_parts(text))
    index = _name(_ESCAPE.sub(r"\1", text), "index")
    relation = reader.next()[1]
    if named:
        _name(relation, "relation")
    modifiers = _parse_modifiers(reader)
    kind, term = reader.next()
    if kind == "symbol" or (kind == "word" and term.lower() in _RESERVED):
        raise ConfigError(f"CQL: {term!r} where a term should stand", hint="put it in quotes to search for it")
    return Clause(_parts(term), index, relation, modifiers)


def _parse_modifiers(reader: _Reader) -> tuple[Modifier, ...]:
    found = []
    while reader.takes("/"):
        name, comparison, value = _name(reader.text(), "modifier"), "", ""
        kind, symbol = reader.peek()
        if kind == "symbol" and symbol in _SYMBOLS:
            comparison, value = reader.next()[1], reader.text()
        found.append(Modifier(name, comparison, value))
    return tuple(found)
